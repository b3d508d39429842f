"""Which differences of a sweep survive the correction over the values of a factor."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from benchmarks.simulations import sweep as benchmark
from harness.stats.effects import Effect, Pairing, against, corrected, measure
from harness.stats.paired_test import compare
from harness.stats.sample_outcomes import SampleOutcome, first
from harness.types import Tally, Verdict


def outcomes(marks: str) -> list[SampleOutcome]:
    """Problems apart by spaces, + for a right sample."""
    words = {"+": Verdict.CORRECT, "-": Verdict.WRONG_ANSWER, "!": Verdict.ERROR}
    return [
        SampleOutcome(str(i), j, words[mark], 9, 5, False)
        for i, row in enumerate(marks.split())
        for j, mark in enumerate(row)
    ]


def effect(base: str, new: str, pairing: Pairing, factor: str = "f", task: str = "t") -> Effect:
    rows = outcomes(new)
    found = measure(
        rows, task=task, factor=factor, value=new, source="stored", k=4, n_expected=len(rows)
    )
    return against(found, outcomes(base), rows, pairing)


def test_samples_that_change_are_mcnemars() -> None:
    base, new = "++++ +++- +--- ++++ ++--", "+--- +--- +++- +--- ----"
    lost = sum(b == "+" and n == "-" for b, n in zip(base, new, strict=True))
    won = sum(b == "-" and n == "+" for b, n in zip(base, new, strict=True))
    due = mcnemar([[0, lost], [won, 0]], exact=True).pvalue
    assert effect(base, new, "samples").p == pytest.approx(due)


def test_samples_without_a_grade_in_either_are_no_change() -> None:
    assert effect("++++ ++!!", "+--- ++--", "samples").p == pytest.approx(2 * 0.5**3)
    assert effect("++++", "++++", "samples").p == 1


def test_the_same_problems_have_the_paired_tests_p() -> None:
    base, new = "++++ +++- ++++ ++++", "+--- +--- ++-- +---"
    tallies = [
        {str(i): Tally(4, row.count("+")) for i, row in enumerate(marks.split())}
        for marks in (base, new)
    ]
    found = compare(*tallies)
    assert effect(base, new, "problems").p == pytest.approx(2 * min(found.p_drop, found.p_rise))


def test_a_nested_k_is_held_against_the_samples_that_it_lacks() -> None:
    base = outcomes("+---")  # one problem: Fisher's exact test of 1 of 1 against 0 of 3
    few = first(base, 1)
    found = measure(few, task="t", factor="k", value="1", source="stored", k=1, n_expected=1)
    half = stats.hypergeom.pmf(1, 4, 1, 1) / 2  # the mid-p of Fisher's exact test
    assert against(found, base, few, "nested").p == pytest.approx(2 * half)
    assert against(found, base, base, "nested").p is None  # nothing lies beyond


def test_the_correction_is_holms_over_all_values_of_a_factor() -> None:
    plain = effect("++++", "++++", "samples")
    p_values = {"a": [0.001, 0.02, 0.03, 0.5], "b": [0.04]}
    effects = [replace(plain, factor="base", p=None)] + [
        replace(plain, factor=factor, task=task, p=p)
        for task, part in (("t", slice(0, 2)), ("u", slice(2, 4)))
        for factor in p_values
        for p in p_values[factor][part]
    ]
    found = corrected(effects)
    assert (found[0].p_adjusted, found[0].claim) == (None, None)
    got = {factor: [e.p_adjusted for e in found if e.factor == factor] for factor in p_values}
    due = multipletests(p_values["a"], method="holm")[1]
    assert got["a"] == pytest.approx(list(due))
    assert got["b"] == [0.04]
    assert [e.claim for e in found if e.factor == "a"] == ["differs", *["no difference shown"] * 3]
    assert [e.claim for e in found if e.factor == "b"] == ["differs"]
    assert found[1].to_json()["claim"] == "differs"
    assert corrected([]) == []


def test_twenty_values_without_effect_rarely_make_a_claim() -> None:
    runs = 50
    kept, plain = benchmark.claims(
        runs, 0, values=20, population="AIME-like, 30 at Beta(0.7, 0.5), k=8", pairing="problems"
    )
    assert kept <= stats.binom.ppf(0.99, runs, 0.05)
    assert plain > 0.2 * runs  # each of 20 at 5 %
