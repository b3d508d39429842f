"""Where the interim analyses of a sequential test lie, and what each must show. Pure.

See `harness.stats.sequential` for the test. With v_i the variance of one sample of problem i, the
difference after n_i samples has the variance sum of v_i (1/n_i + 1/base_i), over m²: its inverse is the
information that `harness.stats.boundaries` goes by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.stats import power
from harness.stats.allocation import counts_at, share_of_level
from harness.stats.boundaries import Ends, Times, critical, follow, rounded
from harness.stats.power import ALPHA, POWER
from harness.stats.rates import lowered, posterior_rates, posterior_variances, sampling_variance
from harness.types import Tally

if TYPE_CHECKING:
    from harness.stats.rates import Rates

SHARES = ((0.06, 0.12, 0.22, 0.4, 1.0), (0.1, 0.2, 0.35, 0.6, 1.0), (0.2, 0.35, 0.55, 0.8, 1.0),
          (0.3, 0.5, 0.75, 1.0))  # fmt: skip
"""Where the interim analyses may lie, as shares of the samples."""

_LATE = (1.0, 3.0)  # how late the chance of a false alarm may be spent
_MOST_MISSES = 0.4  # chance to stop, at most, in spite of the drop that is to be seen
_SLACK = 0.015  # of a power, that analyses may cost


@dataclass(frozen=True, slots=True)
class Design:
    """A gate with interim analyses at `shares` of the samples.

    Args:
        allocation: samples per problem at the last analysis.
        margin: the drop that "no regression" must exclude, as a share.
        alpha: probability of a false alarm over all analyses, less what an allocation by the base
            may add, see `harness.stats.allocation.KEPT`.
        detect: the drop that is to be seen with power 0.8 where any number of samples sees it.
        shares: of each problem's samples at each analysis, rising to 1.
        drawn: of all samples at each analysis: as `shares`, but whole ones.
        times: information at each analysis, rising to 1.
        drift: how many standard errors `detect` is at the last analysis.
        late: how late the chance of a false alarm is spent, see `boundaries`.
        kept_level: share of alpha that is spent, see `harness.stats.allocation.share_of_level`.
        alarm: z at each analysis from which the drop is significant.
        exclusion: z at each analysis from which a drop of the margin is excluded.
        futility: likewise of a drop of `detect`; None where the margin is no larger.
    """

    allocation: Mapping[str, int] = field(repr=False)
    margin: float
    alpha: float
    detect: float
    shares: tuple[float, ...]
    drawn: tuple[float, ...]
    times: Times
    drift: float
    late: float
    kept_level: float
    alarm: tuple[float, ...]
    exclusion: tuple[float, ...]
    futility: tuple[float, ...] | None

    @classmethod
    def against(
        cls,
        base: Mapping[str, Tally],
        allocation: Mapping[str, int],
        *,
        margin: float = 0.05,
        alpha: float = ALPHA,
        shares: Sequence[float] | None = None,
    ) -> Design:
        """The gate against this base.

        Args:
            base: the base's tallies by problem id; problems without a sample are left out.
            allocation: samples per problem of the new run.
            margin: the drop to exclude, as a share.
            alpha: probability of a false alarm over all analyses.
            shares: of the samples at each analysis, the last 1; by default those of `SHARES` that
                need the fewest samples where nothing changed.
        """
        used = {id: n for id, n in allocation.items() if id in base and base[id].n}
        rates = posterior_rates([base[id] for id in used])
        history = {id: base[id] for id in used}
        problems = _Problems(posterior_variances(history), {id: t.n for id, t in history.items()})
        return _best(problems, rates, used, (margin, alpha), shares)

    @classmethod
    def planned(
        cls,
        rates: Rates,
        k: int,
        n_base: int,
        *,
        margin: float = 0.05,
        alpha: float = ALPHA,
        allocation: Sequence[int] | None = None,
        shares: Sequence[float] | None = None,
    ) -> Design:
        """The gate against a base that is not drawn yet.

        Args:
            rates: the problems' possible rates, shape (problems, grid).
            k: samples per problem of the new run.
            n_base: samples per problem of the base.
            margin: the drop to exclude, as a share.
            alpha: probability of a false alarm over all analyses.
            allocation: samples of each problem of the new run, in the order of `rates`; k by default.
            shares: of the samples at each analysis, as for `against`.
        """
        ids = [str(i) for i in range(len(rates))]
        variances = dict(zip(ids, (rates * (1 - rates)).mean(axis=1).tolist(), strict=True))
        problems = _Problems(variances, dict.fromkeys(ids, n_base))
        counts = dict(zip(ids, allocation or [k] * len(ids), strict=True))
        return _best(problems, rates, counts, (margin, alpha), shares)

    def ends(self, drop: float = 0.0) -> Ends:
        """How the sampling ends at a true drop: above is a regression, below is none.

        Args:
            drop: the true one, as a share.
        """
        drift = self.drift * drop / self.detect if drop else 0.0
        upper = tuple(z * math.sqrt(t) for z, t in zip(self.alarm, self.times, strict=True))
        return follow(self.times, drift, upper, self._lower())

    def expected_share(self, drop: float = 0.0) -> float:
        """Expected samples at a true drop, as a share of the allocation's (from 0 to 1)."""
        ends = self.ends(drop)
        stopped = [*map(sum, zip(ends.above, ends.below, strict=True))]
        stopped[-1] += ends.open
        return math.fsum(chance * share for chance, share in zip(stopped, self.drawn, strict=True))

    def power(self, drop: float) -> float:
        """Probability of the verdict "regression" at a true drop, as a share."""
        return math.fsum(self.ends(drop).above)

    def _lower(self) -> tuple[float, ...]:
        """W at which "no regression" is decided, at each analysis."""
        found = []
        for stage, time in enumerate(self.times):
            root = math.sqrt(time)
            bound = self.drift * self.margin / self.detect * time - self.exclusion[stage] * root
            if self.futility is not None and stage < len(self.times) - 1:
                bound = min(bound, self.drift * time - self.futility[stage] * root)
            found.append(bound)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class _Problems:
    """Per problem, the variance of one sample and the base's samples."""

    variances: Mapping[str, float]
    base: Mapping[str, int]

    def variance(self, counts: Mapping[str, int]) -> float:
        """Variance of the difference where each problem has so many samples."""
        m = len(counts)
        return math.fsum(self.variances[id] * (1 / n + 1 / self.base[id])
                         for id, n in counts.items()) / m**2  # fmt: skip


def _best(
    problems: _Problems,
    rates: Rates,
    allocation: Mapping[str, int],
    question: tuple[float, float],
    shares: Sequence[float] | None,
) -> Design:
    """The design that needs the fewest samples where nothing changed and keeps the power.

    Args:
        problems: what the difference varies by.
        rates: of the problems, shape (problems, grid).
        allocation: samples of each problem.
        question: margin and alpha.
        shares: of the samples at each analysis; None chooses them too.
    """
    margin, alpha = question
    k = max(1, round(sum(allocation.values()) / len(allocation)))
    detect = power.detectable_drop(rates, k, k, alpha=alpha)
    variance = problems.variance(allocation) * _halfway(rates, detect) / sampling_variance(rates)
    drift = detect / math.sqrt(max(variance, 1e-12))
    target = min(POWER, power.single_look(drift, alpha)) - _SLACK
    kept_level = share_of_level(allocation, [problems.base[id] for id in allocation])
    designs: list[tuple[bool, float, int, Design]] = []
    for candidate in [tuple(shares)] if shares is not None else SHARES:
        kept, drawn, times = _information(problems, allocation, candidate)
        for late in _LATE:
            found = Design(
                allocation=allocation,
                margin=margin,
                alpha=alpha,
                detect=detect,
                shares=kept,
                drawn=drawn,
                times=times,
                drift=round(drift, 2),
                late=late,
                alarm=critical(times, round(alpha * kept_level, 6), late),
                kept_level=kept_level,
                exclusion=critical(times, ALPHA, 1.0),
                futility=None,
            )
            if detect < margin and len(kept) > 1:
                found = _as_early_as_possible(found, target)
            seen = found.power(detect)
            weak = seen < target
            designs.append((weak, -seen if weak else found.expected_share(), len(designs), found))
    return min(designs, key=lambda design: design[:3])[-1]


def _as_early_as_possible(design: Design, target: float) -> Design:
    """The design that stops earliest where nothing changed, and still has the power."""
    low, high = 0.01, _MOST_MISSES
    best = replace(design, futility=critical(design.times, low, 1.0))
    for _ in range(5):
        miss = round((low + high) / 2, 3)
        found = replace(design, futility=critical(design.times, miss, 1.0))
        if found.power(design.detect) >= target:
            low, best = miss, found
        else:
            high = miss
    return best


def _information(
    problems: _Problems, allocation: Mapping[str, int], shares: Sequence[float]
) -> tuple[tuple[float, ...], tuple[float, ...], Times]:
    """The shares that differ in what they draw, what they draw, and the information there."""
    total = sum(allocation.values())
    found: dict[int, tuple[float, float]] = {}
    for share in shares:
        counts = counts_at(allocation, share)
        found[sum(counts.values())] = share, problems.variance(counts)
    last = found[total][1]
    times = rounded(tuple(min(1.0, last / v) if v else 1.0 for _, v in found.values()))
    return tuple(share for share, _ in found.values()), tuple(n / total for n in found), times


def _halfway(rates: Rates, drop: float) -> float:
    """Variance of one sample per problem, base and lowered rates half each."""
    try:
        after = lowered(rates, drop)
    except ValueError:
        after = rates
    return (sampling_variance(rates) + sampling_variance(after)) / 2
