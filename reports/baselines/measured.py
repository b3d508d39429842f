"""A run's score as one side of a comparison, with a published figure or with another run. Pure.

Every interval is one of `harness.stats.intervals`. All values are shares from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.reports.results import Rate
from harness.stats.intervals import (
    Interval,
    difference_interval,
    figure_interval,
    figure_of_votes,
    figure_test,
    joined_interval,
)
from harness.stats.rates import posterior_variance
from harness.types import Score, Tally


@dataclass(frozen=True, slots=True)
class Measured:
    """A run's score.

    Args:
        value: of it.
        k: samples per problem asked for.
        tallies: by problem, for pass@1; None for another metric.
        interval: for another metric, by the sampling error; None where that cannot be estimated.
        varied: whether some problem has right and wrong samples.
    """

    value: float
    k: int
    tallies: Mapping[str, Tally] | None
    interval: Interval | None = None
    varied: bool = True

    @property
    def comparable(self) -> bool:
        """Whether there is anything to say how sure the score is."""
        return bool(self.tallies) or self.interval is not None

    @property
    def draw(self) -> float:
        """How much one sample per problem varies: to compare runs by, not to compute with."""
        if self.tallies:
            return posterior_variance(list(self.tallies.values()))
        return 0.0 if self.interval is None else self.interval.half_width**2 * self.k

    def less_figure(self, figure: float, k: int) -> Interval | None:
        """Where this score less a published figure of k samples per problem lies."""
        if self.tallies:
            return figure_interval(list(self.tallies.values()), figure, k)
        if self.interval is None:
            return None
        theirs = figure_of_votes(self.value, self.interval, figure, k / self.k)
        return joined_interval(self.value, self.interval, figure, theirs)

    def less_run(self, other: Measured) -> Interval | None:
        """Where this score less another run's lies, for pass@1 on the problems of both."""
        if self.tallies and other.tallies:
            shared = self.tallies.keys() & other.tallies.keys()
            sides = ([run.tallies[id] for id in sorted(shared)]
                     for run in (other, self) if run.tallies)  # fmt: skip
            return difference_interval(*sides) if shared else None
        if self.interval is None or other.interval is None:
            return None
        return joined_interval(self.value, self.interval, other.value, other.interval)

    def between_figures(
        self, first: tuple[float, int], second: tuple[float, int]
    ) -> Interval | None:
        """Where the first published figure less the second lies, if samples vary as in this run.

        Args:
            first: a figure and its samples per problem.
            second: likewise.
        """
        if self.tallies:
            test = figure_test(list(self.tallies.values()), second, first)
            return Interval(*test.ends(0.025))
        if self.interval is None:
            return None
        own, theirs = (
            figure_of_votes(self.value, self.interval, figure, k / self.k)
            for figure, k in (first, second)
        )
        return joined_interval(first[0], own, second[0], theirs)


def measured(score: Score, rates: Mapping[str, Rate]) -> Measured:
    """A run's score with what says how sure it is.

    Args:
        score: the run's.
        rates: by problem, its graded samples.
    """
    varied = any(0 < rate.correct < rate.graded for rate in rates.values())
    if score.metric == "pass@1":
        tallies = {id: Tally(rate.graded, rate.correct) for id, rate in rates.items()}
        return Measured(score.value, score.k, tallies, None, varied)
    found = score.interval_sampling
    interval = None if found is None else Interval(*found)
    return Measured(score.value, score.k, None, interval, bool(score.se_sampling))
