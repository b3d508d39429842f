"""How often does `compare --same-model` call one model two, and which changes does it see?

Samples are drawn with answers, lengths, reasoning and texts. Lengths spread as those of reasoning do
(lognormal within a problem, one sample in fifty loops to many times its length), a wrong answer takes
longer than a right one, and the cap cuts a sample before it answers. Then the new run's model changes:

- weaker: 3 points of pass@1 lost, by one shift of all log-odds; lengths 3 % up
- longer: every length 5 % up
- cap: the server cuts at half the length that was asked for
- routed: a tenth of the samples come from a model with half of the odds, half of the length and other texts
- answers: wrong answers are others, as many; nothing else

`seen` is the share of runs that are called different, in percent. The last columns shift a trait by
exactly what the check prints as detectable, where the trait's own test should see 80 of 100.

    python -m benchmarks.simulations --only same_model
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from zlib import crc32

import numpy as np
from scipy import special

from benchmarks.simulations import populations
from benchmarks.simulations.populations import Population, Rates, fallen
from harness.stats.same_model import SameModelCase, judge_traits
from harness.stats.traits import TRAITS, Observation, ObservedProblem, Trait

HEAD = ["problems", "k", "nothing changed", "weaker", "longer", "cap", "routed", "answers",
        "pass@1 at its detectable", "length at its", "answers at its"]  # fmt: skip
PRINTED = ("pass@1", "length", "answers")
DRAWS = 999
CAP = 32_768.0
LEVEL = 0.05 / len(TRAITS)
FEWER = 5  # runs without a change are as many times more: 5 % need more of them than 80 %

CASES: tuple[tuple[Population, tuple[int, int], tuple[int, int]], ...] = (
    (populations.AIME_MID, (16, 16), (16, 16)),
    (populations.AIME_MID, (1, 16), (1, 16)),
    (populations.AIME_MID, (1, 1), (1, 1)),
    (populations.AIME_STRONG, (16, 16), (4, 4)),
    (populations.SATURATED[0], (16, 16), (16, 16)),
    (populations.SATURATED[4], (16, 16), (4, 4)),
    (populations.GPQA, (8, 8), (8, 8)),
    (populations.MATH, (4, 4), (4, 4)),
)
"""Problems, and the fewest and most samples of a problem in the base and in the new run."""


@dataclass(frozen=True)
class Model:
    """What draws the samples of a set of problems.

    Args:
        rates: chances of a right answer.
        lengths: medians of the length in tokens, by problem.
        wrong: the number of the most frequent wrong answer.
        texts: the number of the most frequent opening.
        cap: the length at which a sample is cut.
        elsewhere: the share of samples that another model draws.
        unlike: the share of samples whose answer no other sample gives.
    """

    rates: Rates
    lengths: Rates
    wrong: int = 1
    texts: int = 0
    cap: float = CAP
    elsewhere: float = 0.0
    unlike: float = 0.0

    def draw(self, i: int, n: int, random: np.random.Generator) -> list[Observation]:
        """Samples of one problem."""
        away = random.random(n) < self.elsewhere
        rate = np.where(
            away, special.expit(special.logit(self.rates[i]) - np.log(2)), self.rates[i]
        )
        right = random.random(n) < rate
        length = self.lengths[i] * np.exp(random.normal(0, 0.45, n)) * np.where(right, 1, 1.4)
        length *= np.where(away, 0.5, 1.0) * np.where(random.random(n) < 0.02, 8, 1)
        capped = length > self.cap
        share = np.where(capped, 1.0, random.beta(20, 3, n))
        wrong = self.wrong + _zipf(random, n)
        texts = self.texts + _zipf(random, n) + 100 * away
        alone = random.random(n) < self.unlike
        return [
            Observation(
                right=bool(right[j] and not capped[j]),
                truncated=bool(capped[j]),
                length=float(min(length[j], self.cap)),
                reasoning=float(share[j]),
                answer=random.random() if alone[j]
                else "truncated" if capped[j] else 0 if right[j] else int(wrong[j]),
                opening=_opening(int(texts[j])),
            )
            for j in range(n)
        ]  # fmt: skip


Change = Callable[[Model], Model]

CHANGES: dict[str, Change] = {
    "weaker": lambda m: replace(m, rates=fallen(m.rates, 0.03), lengths=m.lengths * 1.03),
    "longer": lambda m: replace(m, lengths=m.lengths * 1.05),
    "cap": lambda m: replace(m, cap=m.cap / 2),
    "routed": lambda m: replace(m, elsewhere=0.1),
    "answers": lambda m: replace(m, wrong=51),
}


def _zipf(random: np.random.Generator, n: int) -> np.ndarray:
    """Numbers from 0 on, each half as likely as the one before it."""
    return random.geometric(0.5, n) - 1


@cache
def _opening(number: int) -> str:
    """A text of 64 characters, 20 of which all texts share; the rest by its number."""
    letters = np.random.default_rng(number).integers(97, 123, 44)
    return "Okay, so I need to f" + "".join(map(chr, letters))


def traits(
    model: Model, changed: Model, k: Sequence[tuple[int, int]], random: np.random.Generator
) -> tuple[Trait, ...]:
    """The traits of a run of either model, with their adjusted p-values."""
    problems = []
    for i in range(len(model.rates)):
        n_base, n_new = (int(random.integers(low, high + 1)) for low, high in k)
        problems.append(
            ObservedProblem(model.draw(i, n_base, random), changed.draw(i, n_new, random))
        )
    return judge_traits([SameModelCase(task="task", problems=problems)], draws=DRAWS)[0]


def differs(found: Sequence[Trait]) -> bool:
    """Whether the runs are called different."""
    return any(t.p_adjusted is not None and t.p_adjusted <= 0.05 for t in found)


def _model(population: Population, random: np.random.Generator) -> Model:
    rates = population.draw(random)
    return Model(rates, np.exp(random.normal(np.log(6000) - rates, 0.5)))


def _at_printed(name: str, found: Sequence[Trait], model: Model) -> Model | None:
    """The model changed by what a check printed as detectable for one trait; None where it is none."""
    size = next(t.detectable for t in found if t.name == name)
    if size is None:
        return None
    if name == "pass@1":
        return (
            replace(model, rates=fallen(model.rates, size)) if size < model.rates.mean() else None
        )
    if name == "length":
        return replace(model, lengths=model.lengths * (1 + size))
    return replace(model, unlike=size)


def table(runs: int, seed: int) -> list[list[str]]:
    """Runs that are called different in percent, a row per problems and pair of k."""
    rows = [HEAD]
    for population, base, new in CASES:
        random = np.random.default_rng([seed, crc32(population.name.encode()), *base, *new])
        seen = [0]
        for _ in range(runs):
            model = _model(population, random)
            seen[0] += differs(traits(model, model, (base, new), random))
        few = max(1, runs // FEWER)
        for change in CHANGES.values():
            models = [_model(population, random) for _ in range(few)]
            seen.append(sum(differs(traits(m, change(m), (base, new), random)) for m in models))
        cells = [f"{100 * seen[0] / runs:.1f}", *(f"{100 * n / few:.0f}" for n in seen[1:])]
        cells += _seen_at_printed(population, (base, new), few, random)
        sizes = [f"{low}" if low == high else f"{low} to {high}" for low, high in (base, new)]
        rows.append([population.name, " and ".join(sizes), *cells])
    return rows


def _seen_at_printed(
    population: Population, k: Sequence[tuple[int, int]], runs: int, random: np.random.Generator
) -> list[str]:
    """How often a trait's own test sees what was printed as detectable, in percent; a dash for none."""
    seen: dict[str, list[bool]] = {name: [] for name in PRINTED}
    for _ in range(runs):
        model = _model(population, random)
        printed = traits(model, model, k, random)
        for name, found in seen.items():
            changed = _at_printed(name, printed, model)
            if changed is not None:
                trait = next(t for t in traits(model, changed, k, random) if t.name == name)
                found.append(trait.p is not None and trait.p <= LEVEL)
    return [
        f"{100 * sum(found) / len(found):.0f}" if 2 * len(found) > runs else "-"
        for found in seen.values()
    ]
