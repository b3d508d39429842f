"""What tells one model's samples from another's: six traits, each tested, paired by problem. Pure.

| trait | what is compared | test, two-sided |
|---|---|---|
| pass@1 | the share of right samples | stratified by problem, mid-p (`paired_test`) |
| truncated | the share of samples that the length cap stopped | the same |
| length | the mean logarithm of a sample's length | relabelling within problems (`relabelling`) |
| reasoning | the mean share of a sample's length that is reasoning | the same |
| answers | the distribution of answers, or of how a sample ended without one | squared distance |
| openings | the distribution of the texts' first characters | squared distance |

Two samples' openings are as alike as the share of places at which they agree, a kernel that Gao, Liang
and Guestrin (2024, arXiv 2410.20247) use to ask the same of model servers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.stats.intervals import Interval, difference_interval, mean, rate
from harness.stats.paired_test import stratified
from harness.stats.power import MOST, POWER, detectable_drop, k_needed
from harness.stats.rates import posterior_rates, samples_per_problem
from harness.stats.relabelling import (
    DRAWS,
    Alikeness,
    Values,
    arrangements,
    detectable_shift,
    distance,
    mean_shift,
)
from harness.types import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.stats.rates import Rates

TraitName = Literal["pass@1", "truncated", "length", "reasoning", "answers", "openings"]

TRAITS: tuple[TraitName, ...] = (
    "pass@1", "truncated", "length", "reasoning", "answers", "openings",
)  # fmt: skip
"""In the order in which they are printed."""

OPENING = 64
"""Characters of a text that count as its opening."""

LENGTH_LIMIT = 2.0
"""A difference in length must be detectable from this many margins on, in percent of the length."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What is compared of one graded sample.

    `length` is in characters or in tokens, alike for all; `reasoning` is the share of it that is
    reasoning. `answer` is the class of the extracted answer, or how the sample ended without one.
    """

    right: bool
    truncated: bool
    length: float
    reasoning: float
    answer: Hashable
    opening: str


@dataclass(frozen=True, slots=True)
class ObservedProblem:
    """One problem's samples in both runs, at least one in each."""

    base: Sequence[Observation]
    new: Sequence[Observation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """One trait of one task in both runs, and its test.

    Shares lie between 0 and 1. `base`, `new` and `difference` are, for

    - a share: the two means and new minus base;
    - length: the geometric means, and their ratio less 1;
    - answers and openings: how alike two samples of one problem are within each run, and how much
      more alike than two from different runs, 0 or less where the runs differ.

    `p` is two-sided, None where nothing varies that a test could go by (`why` says what); `p_adjusted`
    is that over all traits and tasks. `detectable` is the smallest difference seen with power 0.8;
    of answers and openings, the share of samples that would have to be drawn like no other.
    `limit` is what it must not exceed for the task to be decided, None where it decides nothing;
    `k_needed` the samples per problem in both runs that would bring it there, None where it is or
    no number in reason does.
    """

    name: TraitName
    base: float | None
    new: float | None
    difference: float | None
    interval: Interval | None
    p: float | None
    p_adjusted: float | None = None
    detectable: float | None
    limit: float | None = None
    k_needed: int | None = None
    why: str = ""

    @property
    def blind(self) -> bool:
        """Whether a difference as large as the limit may well go unseen."""
        return self.limit is not None and (self.detectable is None or self.detectable > self.limit)


def measure(
    problems: Sequence[ObservedProblem], *, margin: float, alpha: float, draws: int = DRAWS
) -> list[Trait]:
    """Every trait of one task, tested on its own.

    Args:
        problems: those that both runs have.
        margin: the difference of a share that must be detectable; of lengths twice as much.
        alpha: the level, two-sided, that detectable differences are computed for.
        draws: relabellings.
    """
    return [
        _share("pass@1", problems, lambda o: o.right, margin, alpha),
        _share("truncated", problems, lambda o: o.truncated, margin, alpha),
        _length(problems, LENGTH_LIMIT * margin, alpha, draws),
        _reasoning(problems, margin, alpha, draws),
        _distance("answers", problems, _equal, alpha, draws),
        _distance("openings", problems, _agreeing, alpha, draws),
    ]


def _share(
    name: TraitName,
    problems: Sequence[ObservedProblem],
    holds: Callable[[Observation], bool],
    limit: float,
    alpha: float,
) -> Trait:
    """A share of samples, tested by the stratified test."""
    base, new = (
        [Tally(len(side), sum(map(holds, side))) for side in sides]
        for sides in ([p.base for p in problems], [p.new for p in problems])
    )
    pooled = [Tally(b.n + n.n, b.correct + n.correct) for b, n in zip(base, new, strict=True)]
    varies = any(0 < tally.correct < tally.n for tally in pooled)
    k = tuple(max(1, round(samples_per_problem(side))) for side in (base, new))
    rates = posterior_rates(pooled)
    found = _detectable(rates, k, alpha)
    enough = None
    if found is None or found > limit:
        sides = [
            k_needed(r, limit, alpha=alpha / 2) for r in (rates, 1 - rates) if r.mean() > limit
        ]
        enough = max((k for k in sides if k is not None), default=None)
    before, after = (mean([rate(tally) for tally in side]) for side in (base, new))
    return Trait(
        name=name,
        base=before,
        new=after,
        difference=after - before,
        interval=difference_interval(base, new),
        p=min(1.0, 2 * min(stratified(base, new))) if varies else None,
        detectable=found,
        limit=limit,
        k_needed=enough,
        why="" if varies else "alike in all samples of every problem",
    )


def _detectable(rates: Rates, k: Sequence[int], alpha: float) -> float | None:
    """The smallest change seen whichever way it goes; the way that has room, where one has none."""
    found = []
    for side in (rates, 1 - rates):
        drop = detectable_drop(side, k[0], k[1], alpha=alpha / 2)
        if drop < float(side.mean()):
            found.append(drop)
    return max(found, default=None)


def _length(problems: Sequence[ObservedProblem], limit: float, alpha: float, draws: int) -> Trait:
    """Lengths on the scale of logarithms: a difference is a factor."""
    logs = [
        Values(*([math.log(max(o.length, 1.0)) for o in side] for side in (p.base, p.new)))
        for p in problems
    ]
    trait = _shift("length", logs, math.log1p(limit), alpha, draws)
    base, new = (
        math.exp(mean([mean(side) for side in sides]))
        for sides in ([v.base for v in logs], [v.new for v in logs])
    )
    return Trait(
        name="length",
        base=base,
        new=new,
        difference=new / base - 1,
        interval=trait.interval and Interval(*(math.expm1(end) for end in trait.interval)),
        p=trait.p,
        detectable=None if trait.detectable is None else math.expm1(trait.detectable),
        limit=None if trait.limit is None else limit,
        k_needed=trait.k_needed,
        why=trait.why,
    )


def _reasoning(
    problems: Sequence[ObservedProblem], limit: float, alpha: float, draws: int
) -> Trait:
    shares = [Values([o.reasoning for o in p.base], [o.reasoning for o in p.new]) for p in problems]
    return _shift("reasoning", shares, limit, alpha, draws)


def _shift(
    name: TraitName, values: Sequence[Values], limit: float, alpha: float, draws: int
) -> Trait:
    """A mean, tested by relabelling; the limit holds only where something varies."""
    base = mean([mean(v.base) for v in values])
    new = mean([mean(v.new) for v in values])
    found = mean_shift(values, draws=draws)
    if found is None:
        return Trait(name=name, base=base, new=new, difference=0.0, interval=None, p=None,
                     detectable=None, why="alike in all samples of every problem")  # fmt: skip
    sizes = [(len(v.base), len(v.new)) for v in values if len({*v.base, *v.new}) > 1]
    detectable: float | None = detectable_shift(found, alpha=alpha, power=POWER)
    if arrangements(sizes) < math.log(2 / alpha):
        detectable = None  # no outcome is that unlikely
    k = None
    if detectable is not None and detectable > limit:
        most = max(max(size) for size in sizes)
        k = math.ceil(most * (detectable / limit) ** 2)
    return Trait(
        name=name,
        base=base,
        new=new,
        difference=new - base,
        interval=Interval(*found.interval()),
        p=found.p,
        detectable=detectable,
        limit=limit,
        k_needed=k if k is not None and k <= MOST else None,
    )


def _distance(
    name: TraitName,
    problems: Sequence[ObservedProblem],
    kernel: Callable[[Sequence[Observation]], NDArray[np.float64]],
    alpha: float,
    draws: int,
) -> Trait:
    """A distribution, tested by its distance in a kernel."""
    alike = [Alikeness(kernel([*p.base, *p.new]), len(p.base)) for p in problems]
    found = distance(alike, alpha=alpha, power=POWER, draws=draws)
    if found is None:
        single = all(len(a.kernel) <= 2 for a in alike)
        return Trait(
            name=name, base=None, new=None, difference=None, interval=None, p=None, detectable=None,
            why="needs two samples of a problem" if single else "alike in all samples of every problem",
        )  # fmt: skip
    within = [side for side in (found.base, found.new) if side is not None]
    return Trait(
        name=name,
        base=found.base,
        new=found.new,
        difference=found.between - mean(within) if within else None,
        interval=None,
        p=found.p,
        detectable=found.detectable,
    )


def _equal(found: Sequence[Observation]) -> NDArray[np.float64]:
    """1 where two samples ended with the same answer, else 0."""
    import numpy as np

    numbers: dict[Hashable, int] = {}
    places = np.array([numbers.setdefault(o.answer, len(numbers)) for o in found])
    return np.asarray(places[:, None] == places[None, :], dtype=float)


def _agreeing(found: Sequence[Observation]) -> NDArray[np.float64]:
    """The share of the first places at which two texts agree; the end of both is agreement."""
    import numpy as np

    texts = np.zeros((len(found), OPENING), dtype=np.uint32)
    for row, observation in zip(texts, found, strict=True):
        points = [ord(c) for c in observation.opening[:OPENING]]
        row[: len(points)] = points
    return np.asarray((texts[:, None, :] == texts[None, :, :]).mean(axis=2))
