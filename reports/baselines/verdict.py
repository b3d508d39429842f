"""Does a run reproduce a published figure? A verdict per cell, with the interval it rests on. Pure.

A source prints no error with its figure. The figure counts as the mean of k samples of the same
problems, printed to a tenth of a point, and the interval of the difference is that of
`harness.stats.intervals`: for pass@1 by a score test, which holds where nearly all samples are right
or wrong and for one sample per problem. Nothing is added for other problems.

The figure's k is what its source states. Where that is a range, or nothing, no k is picked: the
verdict is worked out at both ends of the range, and stands where they agree.

All values and margins are shares from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.reports.format import signed_points
from harness.stats.intervals import Interval, figure_of_votes, figure_test, joined_interval
from harness.stats.score_test import ScoreTest

from .measured import Measured

Word = Literal["reproduced", "differs", "underpowered", "not comparable"]

_TAIL = 0.025
_MOST = 2**20  # a run of so many samples per problem has no error left to speak of


@dataclass(frozen=True, slots=True)
class CellVerdict:
    """The verdict on one cell, and what it rests on; None where there was nothing to compute.

    `imputed_k` is the least and the greatest k that the figure may have, and `low` and `high` are of
    the interval at the least, which is the widest. `k_needed` is the least k of the run that would
    settle the verdict if the difference stayed as it is.
    """

    word: Word
    why: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    imputed_k: tuple[int, int] | None = None
    k_needed: int | None = None


def judge_cell(
    ours: Measured,
    published: float,
    ks: tuple[int, int],
    *,
    differences: Sequence[str],
    margin: float,
) -> CellVerdict:
    """Hold a run's score against a published figure.

    Args:
        ours: the run's score.
        published: the figure.
        ks: the least and the greatest number of samples per problem that it may have.
        differences: the stated parts in which the run's protocol differs, in words.
        margin: how far an interval may reach to either side, to call a figure reproduced.
    """
    difference = ours.value - published
    if differences:
        return CellVerdict("not comparable", "; ".join(differences), difference)
    found = {k: ours.less_figure(published, k) for k in set(ks)}
    widest, narrowest = (found[k] for k in ks)
    if widest is None or narrowest is None:
        why = "the run's samples do not say how much it varies"
        return CellVerdict("underpowered", why, difference, imputed_k=ks)
    words = [word_of(interval, margin) for interval in (widest, narrowest)]
    word = agreed(*words)
    needed = None
    if word == "differs":
        why = f"by {signed_points(difference)} points"
    elif word == "reproduced":
        why = f"the interval holds 0 and reaches {_furthest(widest)} points"
    else:
        needed = k_needed(ours, published, ks, margin)
        why = f"the interval reaches {_furthest(widest)} points"
        if words[0] != words[1]:
            why = f"at k = {ks[0]} {words[0]}, at k = {ks[1]} {words[1]}"
        if needed is None and words[0] == "underpowered":
            why += f"; the figure's own error at k = {ks[0]} is too wide for any k of ours"
    return CellVerdict(word, why, difference, *widest, ks, needed)


def agreed(first: Word, second: Word) -> Word:
    """The verdict where the figure's k is one of a range, from those at its ends."""
    return first if first == second else "underpowered"


def word_of(interval: Interval, margin: float) -> Word:
    """What the interval of a difference says."""
    if not interval.low <= 0 <= interval.high:
        return "differs"
    return "reproduced" if -margin <= interval.low and interval.high <= margin else "underpowered"


def word_of_test(test: ScoreTest, margin: float) -> Word:
    """What the interval of a test of a difference says, without computing it."""
    if (test.above(0) if test.seen > 0 else test.below(0)) < _TAIL:
        return "differs"
    inside = abs(test.seen) <= margin and max(test.above(-margin), test.below(margin)) <= _TAIL
    return "reproduced" if inside else "underpowered"


def word_with(ours: Measured, published: float, k: int, n: int, margin: float) -> Word:
    """What the interval would say, had the run n samples per problem and the same shares.

    For pass@1 this asks the test at 0 and at the margins, which is what its interval says of them.

    Args:
        ours: the run's score.
        published: the figure.
        k: its samples per problem.
        n: the run's.
        margin: see `judge_cell`.
    """
    if ours.tallies:
        return word_of_test(figure_test(list(ours.tallies.values()), (published, k), n), margin)
    if ours.interval is None:
        return "underpowered"
    own = figure_of_votes(ours.value, ours.interval, ours.value, n / ours.k, printed=False)
    theirs = figure_of_votes(ours.value, ours.interval, published, k / ours.k)
    return word_of(joined_interval(ours.value, own, published, theirs), margin)


def k_needed(ours: Measured, published: float, ks: tuple[int, int], margin: float) -> int | None:
    """The least samples per problem of a run that would settle the verdict; None where none do.

    The difference is taken to stay as it is, and the shares of the problems too. More samples make an
    interval narrower about the same difference, so what is settled stays so.

    Args:
        ours: the run's score.
        published: the figure.
        ks: see `judge_cell`.
        margin: likewise.
    """

    def word(n: int, k: int) -> Word:
        return word_with(ours, published, k, n, margin)

    found = _least(lambda n: word(n, ks[0]) != "underpowered")
    if found is None or word(found, ks[0]) == word(found, ks[1]):
        return found
    return _least(lambda n: word(n, ks[0]) == "differs")  # and then at every greater k too


def _least(holds: Callable[[int], bool]) -> int | None:
    """The least number from 1 on for which a condition holds that then holds for all greater ones."""
    if not holds(_MOST):
        return None
    low, high = 0, 1
    while not holds(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _furthest(interval: Interval) -> str:
    """The end that is further from 0, in points."""
    return signed_points(max(interval, key=abs))
