"""Is this the model that I ran? Two runs of one protocol, by all traits of their samples. Pure.

*different* where any trait differs: two-sided at 5 % over all traits and tasks together (Holm 1979).
Otherwise *underpowered* where a difference as large as the margin could go unseen, else *no difference
found*, which is no proof of sameness: `Trait.detectable` says what would have been seen.

A trait that no relabelling of the samples could change has no part in the correction. Which ones these
are depends on the samples of both runs taken together alone, so that the level stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from harness.errors import Incomplete
from harness.points import points_of
from harness.stats.intervals import Interval
from harness.stats.multiplicity import holm
from harness.stats.power import ALPHA
from harness.stats.relabelling import DRAWS
from harness.stats.traits import TRAITS, ObservedProblem, Trait, measure

Sameness = Literal["different", "incomplete", "underpowered", "no difference found"]
"""A task's verdict; "incomplete" where samples are missing, which are the longest."""

EXIT_CODES: Mapping[Sameness, int] = {
    "different": 1,
    "incomplete": Incomplete.exit_code,
    "underpowered": 5,
    "no difference found": 0,
}
"""By verdict, the worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SameModelCase:
    """One task of two runs.

    `kept_level` is the share of its level that a test keeps under an allocation of samples that
    looked at the base (`harness.stats.allocation`), 1 where there is none.
    """

    task: str
    problems: Sequence[ObservedProblem]
    kept_level: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSameness:
    """One task: its traits, how lengths were measured, and what the runs lack.

    `identical` counts the samples whose text is that of the sample with the same number in the other
    run, out of `n_pairs`. `greedy` says that a problem can have one sample alone, at temperature 0.
    """

    task: str
    traits: tuple[Trait, ...]
    alpha: float
    length_unit: str = "characters"
    identical: int = 0
    n_pairs: int = 0
    greedy: bool = False
    notes: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()

    @property
    def differing(self) -> tuple[Trait, ...]:
        """The traits that differ, after the correction."""
        return tuple(
            t for t in self.traits if t.p_adjusted is not None and t.p_adjusted <= self.alpha
        )

    @property
    def verdict(self) -> Sameness:
        """What the samples say, unless some are missing."""
        if self.incomplete:
            return "incomplete"
        if self.differing:
            return "different"
        return "underpowered" if any(t.blind for t in self.traits) else "no difference found"

    @property
    def k_needed(self) -> int | None:
        """Samples per problem in both runs with which every limit is detectable; None if there is none."""
        if self.greedy:
            return None
        blind = [trait.k_needed for trait in self.traits if trait.blind]
        return None if not blind or None in blind else max(k for k in blind if k is not None)

    def to_json(self) -> dict[str, object]:
        """As plain values; an interval is the pair of its ends."""
        return {
            "task": self.task,
            "verdict": self.verdict,
            "traits": {trait.name: _plain(trait) for trait in self.traits},
            "length_unit": self.length_unit,
            "identical_texts": {"n": self.identical, "of": self.n_pairs},
            "k_needed": self.k_needed,
            "notes": list(self.notes),
            "incomplete": list(self.incomplete),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SameModel:
    """Two runs, task by task. `fingerprint` holds what made them, where it differs."""

    base: str
    new: str
    margin: float
    tasks: tuple[TaskSameness, ...]
    fingerprint: Mapping[str, tuple[str, str]]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Sameness:
        """The worst verdict of the tasks."""
        found = {task.verdict for task in self.tasks}
        return next(verdict for verdict in EXIT_CODES if verdict in found)

    @property
    def exit_code(self) -> int:
        """0 no difference found, 1 different, 4 incomplete, 5 underpowered."""
        return EXIT_CODES[self.verdict]

    def to_json(self) -> dict[str, object]:
        """Everything, as `harness compare --same-model --json` writes it."""
        return {
            "base": self.base,
            "new": self.new,
            "verdict": self.verdict,
            "margin_points": points_of(self.margin),
            "notes": list(self.notes),
            "fingerprint": {n: {"base": b, "new": w} for n, (b, w) in self.fingerprint.items()},
            "tasks": [task.to_json() for task in self.tasks],
            "exit_code": self.exit_code,
        }


def judge_traits(
    cases: Sequence[SameModelCase],
    *,
    margin: float = 0.05,
    alpha: float = ALPHA,
    draws: int = DRAWS,
) -> list[tuple[Trait, ...]]:
    """The traits of every task, with p-values adjusted over all of them.

    Args:
        cases: the tasks, each with a problem that both runs have.
        margin: the difference of a share that must be detectable; of lengths twice as much.
        alpha: probability of a false alarm over all traits and tasks.
        draws: relabellings.
    """
    level = alpha / (len(TRAITS) * len(cases))
    found = [
        measure(c.problems, margin=margin, alpha=level * c.kept_level, draws=draws) for c in cases
    ]
    places = [
        (i, j) for i, traits in enumerate(found) for j, t in enumerate(traits) if t.p is not None
    ]
    raw = [(found[i][j].p or 0.0) / cases[i].kept_level for i, j in places]
    for (i, j), p in zip(places, holm(raw), strict=True):
        found[i][j] = replace(found[i][j], p_adjusted=p)
    return [tuple(traits) for traits in found]


def _plain(trait: Trait) -> dict[str, object]:
    values = {name: value for name, value in asdict(trait).items() if name != "name"}
    interval = trait.interval
    return {**values, "interval": list(interval) if isinstance(interval, Interval) else None}
