"""The vote of k of many samples: against whole numbers, closed forms and simulation."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.stats.curves import cons_curve, figure_ks
from harness.stats.majority import expected_majority, vote_variances
from harness.stats.metrics import cons_at
from harness.types import Tally, Vote

N = 10_000
VOTES = st.lists(
    st.integers(1, 6).flatmap(lambda n: st.builds(Vote, st.just(n), st.integers(0, n))),
    min_size=1, max_size=4,
)  # fmt: skip


def ways(votes: Sequence[Vote], abstained: int, k: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """How many subsets of k draw these numbers from the classes."""
    if not votes:
        if k <= abstained:
            yield math.comb(abstained, k), ()
        return
    for drawn in range(min(votes[0].count, k) + 1):
        for times, rest in ways(votes[1:], abstained, k - drawn):
            yield math.comb(votes[0].count, drawn) * times, (drawn, *rest)


def by_whole_numbers(votes: Sequence[Vote], n: int, k: int) -> Fraction:
    total = Fraction(0)
    for times, drawn in ways(votes, n - sum(vote.count for vote in votes), k):
        if top := max(drawn):
            winners = [Fraction(v.correct, v.count)
                       for v, x in zip(votes, drawn, strict=True) if x == top]  # fmt: skip
            total += times * sum(winners) / len(winners)
    return total / math.comb(n, k)


@given(VOTES, st.integers(0, 3))
def test_a_vote_over_all_subsets_is_that_of_whole_numbers(votes: list[Vote], more: int) -> None:
    n = sum(vote.count for vote in votes) + more
    found = expected_majority(votes, n, range(1, n + 1))
    for k, value in enumerate(found, 1):
        assert value == pytest.approx(float(by_whole_numbers(votes, n, k)), abs=1e-12)


@pytest.mark.parametrize("k", [2, 37, 1_000, 5_000, 9_000])
@pytest.mark.parametrize("right", [3, 4_990, 5_020, 9_000])
def test_two_answers_of_ten_thousand_samples_are_a_hypergeometric_draw(k: int, right: int) -> None:
    (value,) = expected_majority([Vote(right, right), Vote(N - right, 0)], N, [k])
    chances = stats.hypergeom(N, right, k)
    expected = chances.sf(k // 2) + (chances.pmf(k // 2) / 2 if k % 2 == 0 else 0)
    assert value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("k", [3, 100, 5_000, 9_999])
@pytest.mark.parametrize("size", [1, 2, 50, 200])
def test_classes_of_one_size_win_equally_often(k: int, size: int) -> None:
    """By symmetry; also with so many ties that their mean is no longer exact by construction."""
    classes = N // size
    (value,) = expected_majority([Vote(size, size)] + [Vote(size, 0)] * (classes - 1), N, [k])
    assert value == pytest.approx(1 / classes, abs=1e-9)


def test_a_vote_with_many_answers_is_that_of_simulated_subsets() -> None:
    votes = [Vote(260, 260), Vote(250, 100), *(Vote(200 + i, 0) for i in range(46)), Vote(9, 9)]
    votes += [Vote(1, i % 2) for i in range(300)] if sum(v.count for v in votes) + 300 < N else []
    counts, k, draws = [vote.count for vote in votes], 900, 20_000
    n = sum(counts) + 50
    rng = np.random.default_rng(11)
    shares = np.array([vote.correct / vote.count for vote in votes])

    def simulated(drawn: np.ndarray) -> np.ndarray:
        winners = drawn == drawn.max(axis=1, keepdims=True)
        return (winners * shares).sum(axis=1) / winners.sum(axis=1)

    found = simulated(rng.multivariate_hypergeometric([*counts, 50], k, draws)[:, :-1])
    assert expected_majority(votes, n, [k])[0] == pytest.approx(
        found.mean(), abs=4 * found.std() / draws**0.5
    )
    anew = simulated(rng.multinomial(k, np.array([*counts, 50]) / n, draws)[:, :-1])
    assert vote_variances(votes, n, [k])[0] == pytest.approx(anew.var(), rel=0.05)


def test_the_variance_of_a_vote_between_two_answers_is_the_binomial_one() -> None:
    for k in (2, 37, 5_000, N):
        chances = stats.binom(k, 0.502)
        tie = chances.pmf(k // 2) if k % 2 == 0 else 0
        mean = chances.sf(k // 2) + tie / 2
        expected = mean * (1 - mean) - tie / 4
        (found,) = vote_variances([Vote(5_020, 5_020), Vote(4_980, 0)], N, [k])
        assert found == pytest.approx(expected, rel=1e-8)


def test_what_is_certain_is_exact() -> None:
    """A variance of rounding errors would pass for one that was measured."""
    for tally in (
        Tally(N, N, (Vote(N, N),)),
        Tally(N, 9_000, (Vote(9_000, 9_000), Vote(900, 0), Vote(100, 0))),
        Tally(N, 0, (Vote(9_000, 0), Vote(1_000, 0))),
        Tally(N, 100, (Vote(9_000, 0), Vote(100, 100))),
    ):
        assert cons_at(5_000).value(tally) == pytest.approx(float(tally.correct > 1_000))
        assert cons_at(5_000).variance(tally) == 0.0
        assert cons_at(N).variance(tally) == 0.0


def test_neighbouring_k_at_once_are_those_one_by_one() -> None:
    votes = [Vote(20, 20), Vote(18, 0), Vote(9, 3), Vote(1, 1), Vote(1, 0)]
    ks = range(1, 60)
    one_by_one = [expected_majority(votes, 60, [k])[0] for k in ks]
    assert expected_majority(votes, 60, ks) == pytest.approx(one_by_one, abs=1e-12)
    one_by_one = [vote_variances(votes, 60, [k])[0] for k in ks]
    assert vote_variances(votes, 60, ks) == pytest.approx(one_by_one, abs=1e-10)


def test_a_curve_of_ten_thousand_samples_needs_little_memory() -> None:
    votes = (Vote(3_000, 3_000), Vote(2_900, 0), Vote(2_500, 0), *[Vote(1, 0)] * 1_600)
    tracemalloc.start()
    points = cons_curve([Tally(N, 3_000, votes)], figure_ks(N)[-40:])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(0 <= point.value <= 1 for point in points)
    assert points[-1].value == 1
    assert peak < 300 << 20
