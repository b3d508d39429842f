"""What a run's score says about a published figure: pure arithmetic, with figures made here."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from benchmarks.simulations import verdict as simulation
from benchmarks.simulations.populations import AIME_STRONG, GPQA, SATURATED, WEAK, Population
from harness.reports.baselines.measured import Measured, measured
from harness.reports.baselines.verdict import CellVerdict, judge_cell, k_needed, word_of, word_with
from harness.reports.format import signed_points
from harness.reports.results import Rate
from harness.stats.intervals import Interval, figure_of_votes, sampling_interval
from harness.stats.metrics import cons_at
from harness.types import Score, Tally, Vote

QUARTERS = [Rate(1, 4), Rate(3, 4)] * 15


def run(*rates: Rate) -> Measured:
    return score_of(list(rates))


def score_of(rates: list[Rate], metric: str = "pass@1", **changes: Any) -> Measured:
    value = sum(rate.share for rate in rates) / len(rates)
    settings = {"value": value, "se_sampling": 0.01, "k": rates[0].graded, **changes}
    score = Score(metric=metric, scoring="integer", se_problems=None, n_problems=len(rates),
                  n=sum(rate.graded for rate in rates), verdicts={}, **settings)  # fmt: skip
    return measured(score, {str(number): rate for number, rate in enumerate(rates)})


def judged(ours: Measured, published: float, ks: tuple[int, int] = (64, 64), *,
           margin: float = 0.03, differences: tuple[str, ...] = ()) -> CellVerdict:  # fmt: skip
    return judge_cell(ours, published, ks, differences=differences, margin=margin)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-0.03, 0.03, "reproduced"),
        (0.0, 0.02, "reproduced"),
        (-0.031, 0.01, "underpowered"),  # not half its width, which would be within the margin
        (-0.001, 0.031, "underpowered"),
        (-0.057, 0.001, "underpowered"),
        (0.001, 0.02, "differs"),  # by less than the margin, and still surely
        (-0.08, -0.001, "differs"),
    ],
)
def test_each_word_is_where_the_interval_lies(low: float, high: float, word: str) -> None:
    assert word_of(Interval(low, high), 0.03) == word


def test_a_score_off_by_three_points_is_not_reproduced_for_a_narrow_interval() -> None:
    rates = [Rate(16, 16)] * 48 + [Rate(8, 16)] * 120 + [Rate(0, 16)] * 30
    ours = run(*rates)
    found = judged(ours, ours.value + 0.014, (16, 16))
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 < 0.03
    assert found.low < -0.03
    assert found.word == "underpowered"


@pytest.mark.parametrize("population", [WEAK, AIME_STRONG, *SATURATED[:3]], ids=lambda p: p.name)
def test_the_word_asked_of_the_test_is_that_of_the_interval(population: Population) -> None:
    random = np.random.default_rng(3)
    for k, figure_k, margin in ((1, 16, 0.3), (4, 64, 0.03), (16, 4, 0.05), (64, 64, 0.03)):
        rates = population.draw(random)
        ours = run(*(Rate(int(n), k) for n in random.binomial(k, rates)))
        figure = round(float(random.binomial(figure_k, rates).mean()) / figure_k, 3)
        found = judged(ours, figure, (figure_k, figure_k), margin=margin)
        assert word_with(ours, figure, figure_k, k, margin) == found.word
        assert simulation.word(tuple(t.correct for t in (ours.tallies or {}).values()), k, figure,
                               figure_k) == judged(ours, figure, (figure_k, figure_k)).word  # fmt: skip


def test_a_part_that_differs_makes_it_not_comparable_whatever_the_values() -> None:
    found = judged(run(*QUARTERS), 0.5, differences=("cap 512 against 32,768", "top-p 1.0"))
    assert (found.word, found.why) == ("not comparable", "cap 512 against 32,768; top-p 1.0")
    assert (found.low, found.high, found.k_needed, found.imputed_k) == (None,) * 4


def test_an_all_right_run_of_few_samples_does_not_differ_from_a_figure_just_below() -> None:
    found = judged(run(*[Rate(4, 4)] * 30), 0.992)
    assert found.word == "reproduced"
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < 0.01 < found.high
    assert judged(run(*[Rate(4, 4)] * 30), 0.94).word == "differs"
    assert judged(run(*[Rate(0, 4)] * 30), 0.008).word == "reproduced"
    assert judged(run(*[Rate(0, 4)] * 30), 0.06).word == "differs"


def test_one_sample_a_problem_has_an_interval_and_may_differ() -> None:
    ones = [Rate(1, 1)] * 15 + [Rate(0, 1)] * 15
    close, far = judged(run(*ones), 0.5), judged(run(*ones), 0.9)
    assert (close.word, far.word) == ("underpowered", "differs")
    assert close.low is not None
    assert close.high is not None
    assert close.low == pytest.approx(-0.18, abs=0.03)  # 1.96 · sqrt(.25/30), and half a problem
    assert close.high == pytest.approx(0.18, abs=0.03)
    assert judged(run(*[Rate(1, 1)] * 30), 0.96).word == "underpowered"


def test_an_unstated_k_is_judged_at_both_ends_of_its_range() -> None:
    ours = run(*[Rate(32, 64)] * 30)
    words = [judged(ours, 0.56, (k, k)).word for k in (4, 64)]
    assert words == ["underpowered", "differs"]
    found = judged(ours, 0.56, (4, 64))
    assert found.word == "underpowered"
    assert found.why.startswith("at k = 4 underpowered, at k = 64 differs")
    assert found.imputed_k == (4, 64)
    assert (found.low, found.high) == tuple(
        getattr(judged(ours, 0.56, (4, 4)), end) for end in ("low", "high")
    )
    both = judged(ours, 0.75, (4, 64))
    assert (both.word, both.why) == ("differs", "by −25.0 points")
    assert judged(ours, 0.5, (4, 64), margin=0.12).word == "reproduced"


@pytest.mark.parametrize(
    ("ks", "margin"), [((64, 64), 0.03), ((200, 200), 0.025), ((16, 64), 0.06)]
)
@pytest.mark.parametrize("figure", [0.5, 0.512, 0.55])
def test_k_needed_is_the_least_that_settles_it(
    ks: tuple[int, int], margin: float, figure: float
) -> None:
    ours = run(*[Rate(4, 8)] * 30)
    needed = k_needed(ours, figure, ks, margin)
    assert needed is None or needed > 1

    def settled(n: int) -> bool:
        words = {word_with(ours, figure, k, n, margin) for k in ks}
        return len(words) == 1 and words != {"underpowered"}

    if needed is None:
        assert not any(settled(2**power) for power in range(21))
    else:
        assert settled(needed)
        assert not any(settled(n) for n in {1, needed // 2, needed - 1})


def test_with_the_k_needed_a_run_of_the_same_shares_is_settled() -> None:
    short = judged(run(*[Rate(4, 8)] * 30), 0.5, (512, 512))
    assert short.word == "underpowered"
    assert short.k_needed is not None
    needed = short.k_needed + short.k_needed % 2
    assert judged(run(*[Rate(needed // 2, needed)] * 30), 0.5, (512, 512)).word == "reproduced"


def test_where_the_figures_own_error_is_too_wide_it_says_so() -> None:
    found = judged(run(*[Rate(250, 500)] * 30), 0.5, (4, 4))
    assert (found.word, found.k_needed) == ("underpowered", None)
    assert "the figure's own error at k = 4 is too wide for any k of ours" in found.why


def vote(shares: list[int], n: int = 64) -> Measured:
    """A run's cons@64 with the interval that `harness score` would print."""
    found = [
        Tally(n, n - wrong, (Vote(n - wrong, n - wrong), *[Vote(wrong, 0)] * bool(wrong)))
        for wrong in shares
    ]
    metric = cons_at(64)
    values, variances = ([of(t) for t in found] for of in (metric.value, metric.variance))
    interval = sampling_interval(values, variances, [n] * len(found))
    rates = [Rate(t.correct, n) for t in found]
    return score_of(rates, "cons@64", value=sum(values) / len(values),
                    se_sampling=0.01, interval_sampling=interval, k=n)  # fmt: skip


def test_a_vote_is_held_against_a_figure_by_both_intervals() -> None:
    ours = vote([10] * 20 + [31] * 4 + [33] * 2 + [60] * 4)
    assert ours.interval is not None
    error = ours.interval.half_width
    found = judged(ours, ours.value - 0.01)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.01 < found.high
    assert (found.high - found.low) / 2 == pytest.approx(2**0.5 * error, rel=0.1)
    assert judged(ours, ours.value - 3 * error).word == "differs"
    assert judged(ours, 0.0).word == "differs"


def test_a_vote_that_never_differs_still_leaves_a_figure_room() -> None:
    ours = vote([0] * 30)
    assert ours.value == 1.0
    for figure in (1.0, 0.999):
        assert judged(ours, figure).word == "reproduced"
    assert judged(ours, 0.9).word == "differs"


@pytest.mark.parametrize(("value", "error"), [(0.7, 0.03), (0.5, 0.05), (0.97, 0.01), (1.0, 0.0)])
def test_a_figures_interval_is_wilsons_at_the_runs_effective_trials(
    value: float, error: float
) -> None:
    trials = value * (1 - value) / error**2 if error else 300.0
    wilson = proportion_confint(value * trials, trials, method="wilson")
    same = figure_of_votes(value, Interval(*wilson), value, 1.0, printed=False)
    assert tuple(same) == pytest.approx(wilson, abs=1e-9)
    other = figure_of_votes(value, Interval(*wilson), 0.6, 0.25)
    low, high = proportion_confint(0.6 * trials / 4, trials / 4, method="wilson")
    assert tuple(other) == pytest.approx((low - 0.0005, high + 0.0005), abs=1e-9)
    assert figure_of_votes(0.5, Interval(0.0, 1.0), 0.6, 1.0) == (0.0, 1.0)


def test_a_vote_without_an_error_is_underpowered() -> None:
    found = judged(Measured(0.5, 64, None), 0.9)
    assert (found.word, found.low, found.k_needed) == ("underpowered", None, None)
    assert found.why == "the run's samples do not say how much it varies"


def test_printing_to_a_tenth_alone_is_no_difference() -> None:
    certain = run(*[Rate(64, 64)] * 25, *[Rate(0, 64)] * 5)
    assert judged(certain, 0.833).word == "reproduced"
    assert judged(certain, 0.86).word == "differs"


def test_two_runs_are_compared_on_the_problems_of_both() -> None:
    first = score_of([Rate(60, 64)] * 30)
    second = score_of([Rate(50, 64)] * 29)
    lead = first.less_run(second)
    assert lead is not None
    assert 0 < lead.low < 10 / 64 < lead.high
    assert first.less_run(Measured(0.5, 64, {"other": Tally(64, 32)})) is None
    assert first.less_run(Measured(0.5, 64, None)) is None


def test_two_figures_are_compared_by_the_rates_of_a_run() -> None:
    lender = run(*QUARTERS)
    close = lender.between_figures((0.70, 64), (0.69, 64))
    far = lender.between_figures((0.80, 64), (0.60, 64))
    assert close is not None
    assert far is not None
    assert close.low < 0 < close.high
    assert 0 < far.low < 0.2 < far.high
    wide = lender.between_figures((0.80, 4), (0.60, 4))
    assert wide is not None
    assert wide.half_width > 2 * far.half_width
    votes = vote([10] * 20 + [31] * 4 + [33] * 2 + [60] * 4)
    found = votes.between_figures((0.9, 64), (0.3, 64))
    assert found is not None
    assert 0 < found.low < 0.6 < found.high


def test_differences_have_a_sign() -> None:
    assert [signed_points(0.0651), signed_points(-0.0651), signed_points(0.0)] == [
        "+6.5",
        "−6.5",
        "+0.0",
    ]


@pytest.mark.parametrize(
    ("population", "k", "runs"),
    [(SATURATED[0], 4, 200), (SATURATED[1], 4, 200), (SATURATED[2], 4, 150), (WEAK, 4, 60),
     (AIME_STRONG, 16, 40), (GPQA, 8, 12)],
    ids=lambda value: getattr(value, "name", value),
)  # fmt: skip
def test_the_verdict_errs_as_rarely_as_it_says(population: Population, k: int, runs: int) -> None:
    found = simulation.counted(population, k, runs, np.random.default_rng(5))
    doubt = 2.6 * (0.05 * 0.95 / runs) ** 0.5
    for true_k in simulation.STATED:
        assert found["same: differs", "now", true_k] / runs <= 0.05 + doubt
        assert found["apart: reproduced", "now", true_k] / runs <= 0.05 + doubt
    for true_k in simulation.TRUTHS:
        assert found["unstated: differs", "now", true_k] / runs <= 0.05 + doubt


def test_the_rule_before_erred_where_nearly_all_samples_are_right() -> None:
    found = simulation.counted(SATURATED[0], 4, 100, np.random.default_rng(5))
    assert found["same: differs", "before", 64] > 50
    assert found["same: differs", "now", 64] <= 5
    assert found["apart: differs", "now", 64] > found["apart: differs", "before", 64]


def test_the_simulations_table_has_a_cell_for_every_figure() -> None:
    head, *rows = simulation.table(1, 0)
    assert len(rows) == len(simulation.POPULATIONS) * len(simulation.OURS)
    assert {len(row) for row in rows} == {len(head)}
    assert all(re.fullmatch(r"[\d.]+ / [\d.]+ / [\d.]+", row[2]) for row in rows)
