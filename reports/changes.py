"""How a result differs from an earlier one of the same protocol, by the gate's own test.

A site shows many such pairs and is built again every night: each pair is tested once, and what came
of it is kept under what the test rested on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal, get_args

from harness.stats.gate import Case, rule
from harness.stats.intervals import Interval, difference_interval, mean, rate
from harness.stats.paired_test import stratified

from .facts import TaskFacts

TESTED = "pass@1"
"""The metric that the gate is about; differences of others are shown and not tested."""

Way = Literal["", "below", "above"]
"""Where a real change leads; empty for one that may be noise."""


@dataclass(frozen=True, slots=True)
class Difference:
    """New minus base over the problems that both have graded.

    `low` and `high` are the ends of its 95 % interval, None where there is none: another metric, or a
    run whose sampling stopped early. `p_drop` and `p_rise` are one-sided and not corrected for
    anything. `real` says that the change stands out among those it is shown with.
    """

    value: float
    low: float | None
    high: float | None
    p_drop: float
    p_rise: float
    real: bool = False

    @property
    def p(self) -> float:
        """That of a change in either direction."""
        return min(1.0, 2 * min(self.p_drop, self.p_rise))

    @property
    def interval(self) -> Interval | None:
        """At 95 %."""
        return None if self.low is None or self.high is None else Interval(self.low, self.high)

    @property
    def way(self) -> Way:
        """Where a real change leads; empty for one that may be noise."""
        if not self.real:
            return ""
        return "below" if self.value < 0 else "above"


class GateTests:
    """The gate's test of two results, and its verdicts on a night, each worked out once.

    Args:
        known: what `to_json` of an earlier one gave; anything else in it is passed over.
    """

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        self._known = known or {}
        self._used: dict[str, list[float | None] | list[Way]] = {}

    def difference(self, base: TaskFacts, new: TaskFacts) -> Difference | None:
        """The difference of two results of the same protocol and metric; None without a problem in common."""
        key = f"{base.digest} {new.digest}"
        found = _kept_difference(self._known.get(key)) or difference(base, new)
        if found is not None:
            self._used[key] = list(astuple(found)[:-1])
        return found

    def night(self, pairs: Sequence[tuple[TaskFacts, TaskFacts]]) -> list[Way]:
        """What a gate over these tasks of one run says of each.

        Args:
            pairs: per task, its base and its result, with a problem in common.
        """
        key = f"night {' '.join(f'{base.digest} {new.digest}' for base, new in pairs)}"
        kept = self._known.get(key)
        ways: list[Way]
        if (
            isinstance(kept, list)
            and len(kept) == len(pairs)
            and all(way in get_args(Way) for way in kept)
        ):
            ways = kept
        else:
            ways = judge(pairs)
        self._used[key] = ways
        return ways

    def to_json(self) -> dict[str, list[float | None] | list[Way]]:
        """What came of everything asked for."""
        return self._used


def difference(base: TaskFacts, new: TaskFacts) -> Difference | None:
    """By the gate's test; None where no problem has a graded sample on both sides.

    Args:
        base: the earlier result.
        new: of the same protocol and metric. Where its sampling stopped early, the p-value of a
            drop is the sequential test's, as in the gate.
    """
    if new.metric != TESTED:
        return Difference(new.value - base.value, None, None, 1.0, 1.0)
    before, after = base.tallies, new.tallies
    pairs = [(before[id], after[id]) for id in before if id in after]
    if not pairs:
        return None
    if new.stopping is not None:
        (ruling,) = rule([_case(base, new)], margin=new.stopping.margin)
        found, analysis = ruling.difference, ruling.analysis
        p_drop = found.p_drop if analysis is None else analysis.p_drop
        return Difference(found.value, None, None, p_drop, found.p_rise)
    # what `paired_test.compare` computes, without what a site does not show, which takes longer
    old, now = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    value = mean([rate(n) - rate(b) for b, n in pairs])
    return Difference(value, *difference_interval(old, now), *stratified(old, now))


def judge(pairs: Sequence[tuple[TaskFacts, TaskFacts]]) -> list[Way]:
    """A gate's verdicts on the tasks of one run: a regression is below, a significant rise above.

    Args:
        pairs: per task, its base and its result, with a problem in common.
    """
    margins = [new.stopping.margin for _, new in pairs if new.stopping is not None]
    rulings = rule([_case(base, new) for base, new in pairs], margin=max([0.05, *margins]))
    return [
        "below" if ruling.verdict == "regression" else "above" if ruling.rise else ""
        for ruling in rulings
    ]


def _case(base: TaskFacts, new: TaskFacts) -> Case:
    allocation = new.allocation and {str(place): n for place, n in enumerate(new.allocation)}
    return Case(task=new.task, base=base.tallies, new=new.tallies, stopping=new.stopping,
                allocation=allocation or None)  # fmt: skip


def _kept_difference(row: object) -> Difference | None:
    """What `GateTests.to_json` wrote of a pair; None for anything else."""
    if not isinstance(row, list) or len(row) != 5:
        return None
    value, low, high, p_drop, p_rise = row
    if not all(isinstance(number, float | int) for number in (value, p_drop, p_rise)):
        return None
    if not all(end is None or isinstance(end, float | int) for end in (low, high)):
        return None
    return Difference(value, low, high, p_drop, p_rise)
