"""pass@k and cons@k against enumeration of every subset, their variances against simulation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, product
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.errors import UsageError
from harness.stats.metrics import cons_at, last_grades, pass_at, tallies, tally
from harness.types import Grade, Tally, Verdict, Vote

ABSTAINS = None
ANSWERS = st.sampled_from(["right", "right", "a", "b", "c", ABSTAINS])


def counted(answers: Sequence[str | None]) -> Tally:
    """The tally of one problem from answers; "right" is the right one."""
    grades = [
        Grade("p", i, Verdict.CORRECT if a == "right" else Verdict.WRONG_ANSWER, answer=a)
        for i, a in enumerate(answers)
    ]
    return tally(grades, [a or "" for a in answers])


def majority(answers: Sequence[str | None]) -> float:
    """cons@k by its definition: a tie pays the share of the tied classes that are right."""
    votes = Counter(a for a in answers if a is not ABSTAINS)
    winners = [a for a, count in votes.items() if count == max(votes.values())]
    return winners.count("right") / len(winners) if winners else 0.0


@given(st.lists(ANSWERS, min_size=1, max_size=9), st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_right_sample(
    answers: list[str | None], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(answers)))
    by_hand = fmean("right" in subset for subset in combinations(answers, k))
    assert pass_at(k).value(counted(answers)) == pytest.approx(by_hand)


@given(st.lists(ANSWERS, min_size=1, max_size=9), st.data())
def test_cons_at_k_is_the_mean_majority_over_subsets(
    answers: list[str | None], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(answers)))
    by_hand = fmean(majority(subset) for subset in combinations(answers, k))
    assert cons_at(k).value(counted(answers)) == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("answers", "value"),
    [
        (["right", "right", "a"], 1.0),
        (["right", "a"], 0.5),
        (["right", "a", "b", ABSTAINS], 1 / 3),
        (["right", "a", "a"], 0.0),
        (["right", ABSTAINS, ABSTAINS, ABSTAINS], 1.0),
        ([ABSTAINS, ABSTAINS], 0.0),
    ],
)
def test_ties_pay_their_expected_value_and_abstentions_do_not_vote(
    answers: list[str | None], value: float
) -> None:
    assert cons_at(len(answers)).value(counted(answers)) == pytest.approx(value)


@given(st.lists(ANSWERS, min_size=1, max_size=30))
def test_pass_at_1_is_the_mean_and_cons_at_1_never_above_it(answers: list[str | None]) -> None:
    drawn = counted(answers)
    assert pass_at(1).value(drawn) == pytest.approx(drawn.correct / drawn.n)
    assert cons_at(1).value(drawn) == pytest.approx(drawn.correct / drawn.n)


def test_a_class_that_is_not_wholly_right_pays_by_its_share() -> None:
    assert cons_at(4).value(Tally(n=4, correct=2, votes=(Vote(3, 2), Vote(1, 0)))) == 2 / 3


def test_a_majority_over_many_subsets_is_exact_and_quick() -> None:
    """256 samples, cons@64: the right class leads by a hair, so hypergeometric chance decides."""
    drawn = Tally(n=256, correct=130, votes=(Vote(130, 130), Vote(126, 0)))
    right = np.arange(65)
    chances = stats.hypergeom.pmf(right, 256, 130, 64)
    expected = chances[33:].sum() + chances[32] / 2
    assert cons_at(64).value(drawn) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("metric", [pass_at(5), cons_at(5), pass_at(0), cons_at(0)])
def test_a_metric_over_more_samples_than_there_are_is_refused(metric: pass_at | cons_at) -> None:
    with pytest.raises(UsageError, match=rf"k={metric.k} .* the problem has 4"):
        metric.value(counted(["right"] * 4))


def test_names_are_the_fields_own() -> None:
    assert [metric.name for metric in (pass_at(1), cons_at(64))] == ["pass@1", "cons@64"]


# Variances


@given(st.integers(1, 8), st.integers(0, 16), st.integers(0, 1000))
def test_pass_at_k_and_its_variance_are_unbiased(k: int, more: int, permille: int) -> None:
    """Over every possible number of right samples, each weighted by its chance."""
    n, p = 2 * k + more, permille / 1000
    chances = stats.binom.pmf(np.arange(n + 1), n, p)
    drawn = [Tally(n=n, correct=c) for c in range(n + 1)]
    values = np.array([pass_at(k).value(t) for t in drawn])
    variances = np.array([pass_at(k).variance(t) for t in drawn])
    assert chances @ values == pytest.approx(1 - (1 - p) ** k)
    true = chances @ (values - chances @ values) ** 2
    assert chances @ variances == pytest.approx(true, abs=1e-12)
    assert variances.min() >= 0


@given(st.integers(2, 300), st.data())
def test_the_variance_of_pass_at_1_is_the_bernoulli_one(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n))
    p = c / n
    variance = pass_at(1).variance(Tally(n=n, correct=c))
    assert variance == pytest.approx(p * (1 - p) / (n - 1), abs=1e-15)


def test_too_few_samples_leave_no_variance_to_estimate() -> None:
    assert pass_at(4).variance(counted(["right", "a", "b", "c", "a", "b", "c"])) is None
    assert pass_at(1).variance(counted(["right"])) is None
    assert cons_at(1).variance(counted(["right"])) is None


@pytest.mark.parametrize(("n", "low", "high"), [(16, 0.6, 0.9), (32, 0.8, 1.2), (64, 0.8, 1.2)])
def test_the_variance_of_cons_at_16_holds_on_simulated_draws(
    n: int, low: float, high: float
) -> None:
    """Answers at 40, 30 and 20 %, 10 % without any, sampled 300 times; bounds as documented."""
    rng = np.random.default_rng(3)
    names = np.array(["right", "a", "b", ""])
    runs = rng.choice(names, p=[0.4, 0.3, 0.2, 0.1], size=(300, n)).tolist()
    drawn = [counted([a or None for a in run]) for run in runs]
    spread = np.var([cons_at(16).value(t) for t in drawn])
    estimated = fmean(cons_at(16).variance(t) or 0.0 for t in drawn[:100])
    assert low * spread <= estimated <= high * spread


@given(st.lists(ANSWERS, min_size=2, max_size=6), st.data())
def test_the_variance_of_a_vote_is_that_of_all_draws_with_replacement(
    answers: list[str | None], data: st.DataObject
) -> None:
    n = len(answers)
    k = data.draw(st.integers(n // 2 + 1, min(n, 5)))
    votes = [majority(drawn) for drawn in product(answers, repeat=k)]
    by_hand = float(np.var(votes)) * k / n
    assert cons_at(k).variance(counted(answers)) == pytest.approx(by_hand, abs=1e-10)


@given(st.lists(ANSWERS, min_size=2, max_size=9), st.data())
def test_the_jackknife_leaves_out_each_sample_once(
    answers: list[str | None], data: st.DataObject
) -> None:
    n = len(answers)
    k = data.draw(st.integers(1, n // 2))
    left_out = [cons_at(k).value(counted(answers[:i] + answers[i + 1 :])) for i in range(n)]
    by_hand = (n - 1) * float(np.var(left_out))
    assert cons_at(k).variance(counted(answers)) == pytest.approx(by_hand, abs=1e-12)


def test_a_vote_in_which_all_abstain_is_a_wrong_one() -> None:
    """cons@1 of one right sample in four, the others without an answer: a coin of chance 1/4."""
    variance = cons_at(1).variance(counted(["right", ABSTAINS, ABSTAINS, ABSTAINS]))
    assert variance == pytest.approx(0.25 * 0.75 / 3)


def test_a_unanimous_problem_and_one_without_answers_do_not_vary() -> None:
    assert cons_at(8).variance(counted(["right"] * 8)) == 0.0
    assert cons_at(8).variance(counted([ABSTAINS] * 8)) == 0.0


# Tallies


@given(st.lists(ANSWERS, max_size=20))
def test_a_tally_accounts_for_every_sample(answers: list[str | None]) -> None:
    drawn = counted(answers)
    assert drawn.n == len(answers)
    assert drawn.correct == answers.count("right") == sum(vote.correct for vote in drawn.votes)
    assert sum(vote.count for vote in drawn.votes) == drawn.n - answers.count(ABSTAINS)


def test_classes_decide_what_is_one_answer() -> None:
    grades = [Grade("p", i, Verdict.CORRECT, answer=a) for i, a in enumerate(["1/2", "0.5", "2"])]
    assert tally(grades, [0, 0, 1]).votes == (Vote(2, 2), Vote(1, 1))


def test_grades_and_classes_must_match() -> None:
    with pytest.raises(ValueError, match="shorter"):
        tally([Grade("p", 0, Verdict.CORRECT, answer="1")], [])


def test_of_a_sample_that_was_graded_twice_the_last_grade_counts() -> None:
    grades = [
        Grade("p", 0, Verdict.WRONG_ANSWER),
        Grade("p", 1, Verdict.CORRECT),
        Grade("q", 0, Verdict.ERROR),
        Grade("p", 0, Verdict.CORRECT),
        Grade("p", 1, Verdict.ERROR),
        Grade("r", 0, Verdict.ERROR),
        Grade("q", 0, Verdict.WRONG_ANSWER),
    ]
    assert tallies(grades) == {"p": Tally(2, 2), "q": Tally(1, 0)}
    assert last_grades(grades, lambda grade: grade.verdict) == {
        "p": {0: Verdict.CORRECT, 1: Verdict.CORRECT},
        "q": {0: Verdict.WRONG_ANSWER},
        "r": {0: Verdict.ERROR},
    }
