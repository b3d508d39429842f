"""From grades to scores.json: who is counted, where, and what is left out by name."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.graders.integer import Integer
from harness.interfaces import Grader, Metric
from harness.pipeline.scoring import SampleStatistics, score_task
from harness.protocol import Protocol
from harness.stats.decisions import Decisions
from harness.stats.intervals import mean, problems_error
from harness.stats.metrics import cons_at, pass_at, tally_problem
from harness.stats.scores import LengthSummary, SkippedMetric, TaskScores, TokenLengths
from harness.types import Grade, Problem, Sample, Verdict

METRICS = (pass_at(1), cons_at(2))
WRONG = [v for v in Verdict if v not in (Verdict.CORRECT, Verdict.ERROR)]
Failed = set[tuple[str, int]]


def protocol(n_problems: int) -> Protocol:
    problems = {f"p{i}": "0" * 16 for i in range(n_problems)}
    return Protocol(task="t", problems=problems, prompt="{statement}")


def grade(problem: int, index: int, right: bool, answer: str | None = None) -> Grade:
    verdict = Verdict.CORRECT if right else Verdict.WRONG_ANSWER
    return Grade(f"p{problem}", index, verdict, answer=answer or ("1" if right else "2"))


def score(
    n_problems: int,
    k: int,
    grades: Sequence[Grade],
    *,
    failed: Failed | None = None,
    metrics: Sequence[Metric] = METRICS,
    grader: Grader | None = None,
    samples: Sequence[Sample] = (),
) -> TaskScores:
    statistics = SampleStatistics()
    for sample in samples:
        statistics.add(sample)
    grader = grader or Integer(0, 999)
    return score_task(
        protocol(n_problems),
        k,
        grader,
        metrics,
        decisions=Decisions(protocol(n_problems).problems, grades),
        failed=failed or set(),
        samples=statistics,
    )


@given(
    st.integers(1, 5),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_n_is_right_and_every_way_of_being_wrong_and_error(
    n_problems: int, k: int, rng: random.Random
) -> None:
    ended, failed = [], set()
    for problem in range(n_problems):
        for index in range(k):
            verdict = rng.choice([None, *Verdict])
            if verdict is Verdict.ERROR:
                failed.add((f"p{problem}", index))
            elif verdict is not None:
                ended.append(Grade(f"p{problem}", index, verdict))
    result = score(n_problems, k, ended, failed=failed, metrics=[pass_at(1)])
    for found in result.scores:
        counts = found.verdicts
        assert found.n == sum(counts.values()) == len(ended) + len(failed)
        wrong = sum(counts.get(str(verdict), 0) for verdict in WRONG)
        assert found.n == counts.get("correct", 0) + wrong + counts.get("error", 0)
    assert result.pending == n_problems * k - len(ended) - len(failed)
    assert result.complete is (len(ended) == n_problems * k)


def test_problems_weigh_the_same_however_many_samples_they_have() -> None:
    grades = [grade(0, i, right=True) for i in range(4)] + [grade(1, 0, right=False)]
    found = score(2, 4, grades, metrics=[pass_at(1)]).scores[0]
    assert found.value == 0.5
    assert found.complete is False


def test_a_problem_without_grades_leaves_the_mean_and_marks_the_score_incomplete() -> None:
    found = score(3, 1, [grade(0, 0, right=True), grade(1, 0, right=False)], metrics=[pass_at(1)])
    assert found.scores[0].value == 0.5
    assert found.scores[0].n_problems == 2
    assert found.scores[0].complete is found.complete is False
    assert found.pending == 1


def test_an_error_is_counted_and_never_wrong() -> None:
    grades = [grade(0, 0, right=True), Grade("p0", 1, Verdict.ERROR, answer="2")]
    result = score(1, 2, grades, failed={("p0", 1)}, metrics=[pass_at(1)])
    found = result.scores[0]
    assert found.value == 1.0
    assert found.verdicts == {"correct": 1, "error": 1}
    assert (result.complete, result.pending) == (False, 0)


def test_an_error_that_a_later_try_mended_is_forgotten() -> None:
    result = score(1, 1, [grade(0, 0, right=True)], failed={("p0", 0)}, metrics=[pass_at(1)])
    assert result.scores[0].verdicts == {"correct": 1}
    assert result.complete is True


def test_a_problem_with_more_samples_than_k_makes_up_for_none_that_has_fewer() -> None:
    grades = [grade(0, i, right=True) for i in range(3)] + [grade(1, 0, right=True)]
    result = score(2, 2, grades, metrics=[pass_at(1)])
    assert (result.complete, result.pending) == (False, 1)


def test_a_metric_over_more_samples_than_there_are_is_skipped_by_name() -> None:
    result = score(
        1, 2, [grade(0, i, right=True) for i in range(2)], metrics=(*METRICS, cons_at(64))
    )
    assert [found.metric for found in result.scores] == ["pass@1", "cons@2"]
    assert result.skipped == (
        SkippedMetric("cons@64", "needs 64 samples per problem, there are 2"),
    )


def test_a_further_scoring_that_decides_some_samples_only_is_skipped_by_name() -> None:
    grades = [replace(grade(0, i, right=i == 0), also={"a": "correct"}) for i in range(3)]
    both = [replace(found, also={"a": "correct", "b": "correct"}) for found in grades[:2]]
    result = score(1, 3, [*both, grades[2]], metrics=[pass_at(1)])
    assert [found.scoring for found in result.scores] == ["integer", "a"]
    assert result.skipped == (SkippedMetric("b", "gives some samples no verdict"),)


def test_a_metric_is_taken_over_the_problems_that_have_enough_samples() -> None:
    grades = [grade(0, 0, right=True), grade(0, 1, right=True), grade(1, 0, right=False)]
    once, twice = score(2, 2, grades).scores
    assert (once.value, once.n_problems) == (0.5, 2)
    assert (twice.value, twice.n_problems, twice.complete) == (1.0, 1, False)


def test_votes_follow_the_graders_classes() -> None:
    """025 and 25 are one answer with two votes, against one for 7 and one for 8."""
    answers = ["025", "25", "7", "8"]
    grades = [grade(0, i, right=i < 2, answer=answer) for i, answer in enumerate(answers)]
    assert score(1, 4, grades, metrics=[cons_at(4)]).scores[0].value == 1.0

    @dataclass(frozen=True)
    class Literal(Integer):
        low: int = field(default=0)
        high: int = field(default=9)

        def classes(self, answers: Sequence[str]) -> list[int]:
            return list(range(len(answers)))

    found = score(1, 4, grades, metrics=[cons_at(4)], grader=Literal()).scores[0]
    assert found.value == 0.5


def test_answers_and_abstentions_keep_their_places() -> None:
    """Classes are asked for the answers alone and put back beside the grades they belong to."""
    grades = [
        Grade("p0", 0, Verdict.NO_ANSWER),
        grade(0, 1, right=False, answer="7"),
        Grade("p0", 2, Verdict.TRUNCATED),
        grade(0, 3, right=True, answer="25"),
        grade(0, 4, right=True, answer="025"),
    ]
    assert score(1, 5, grades[::-1], metrics=[cons_at(5)]).scores[0].value == 1.0


def test_both_errors_are_reported_and_absent_where_they_cannot_be_estimated() -> None:
    one = score(1, 1, [grade(0, 0, right=True)], metrics=[pass_at(1)]).scores[0]
    assert (one.se_sampling, one.se_problems) == (None, None)
    grades = [grade(p, i, right=i <= p) for p in range(3) for i in range(4)]
    found = score(3, 4, grades, metrics=[pass_at(1)]).scores[0]
    shares = [0.25, 0.5, 0.75]
    assert found.se_problems == pytest.approx(problems_error(shares))
    assert found.se_sampling == pytest.approx(sum(p * (1 - p) / 3 for p in shares) ** 0.5 / 3)


def test_nothing_graded_is_no_score_and_no_crash() -> None:
    result = score(2, 4, [])
    assert result.scores == ()
    assert [skipped.metric for skipped in result.skipped] == ["pass@1", "cons@2"]
    assert (result.pending, result.complete, result.truncated_share) == (8, False, 0.0)


def test_scoring_does_not_depend_on_the_order_of_grades() -> None:
    grades = [grade(p, i, right=(p + i) % 3 == 0) for p in range(4) for i in range(6)]
    shuffled = random.Random(0).sample(grades, len(grades))
    assert score(4, 6, shuffled) == score(4, 6, grades)


# What samples add


def sample(index: int, text: str = "x", **values: Any) -> Sample:
    return Sample("p0", index, None, text, values.pop("finish_reason", "stop"), **values)


def test_samples_at_the_length_cap_and_in_a_loop_are_counted() -> None:
    samples = [
        sample(i, finish_reason="length" if i == 0 else "stop", looped=i == 0) for i in range(4)
    ]
    result = score(1, 4, [], samples=samples)
    assert (result.truncated_share, result.looped) == (0.25, 1)


def test_tokens_of_reasoning_and_response_are_kept_apart() -> None:
    counts = [(100, 60), (300, 100), (200, 200)]
    samples = [sample(i, n_prompt_tokens=10, n_tokens=total, n_reasoning_tokens=reasoning)
               for i, (total, reasoning) in enumerate(counts)]  # fmt: skip
    tokens = score(1, 3, [], samples=samples).tokens
    assert tokens == TokenLengths(
        total=LengthSummary(mean=200, median=200, max=300),
        reasoning=LengthSummary(mean=120, median=100, max=200),
        response=LengthSummary(mean=80, median=40, max=200),
        prompt=LengthSummary(mean=10, median=10, max=10),
    )


def test_a_response_is_not_measured_where_the_reasoning_was_not() -> None:
    tokens = score(1, 1, [], samples=[sample(0, n_tokens=100)]).tokens
    assert tokens.total is not None
    assert tokens.reasoning is tokens.response is None


def test_equal_long_samples_of_one_problem_are_counted() -> None:
    long = "the same words again " * 20
    other_problem = Sample("p1", 0, None, long, "stop")
    samples = [*(sample(i, long) for i in range(3)), other_problem, sample(4), sample(5)]
    assert score(2, 4, [], samples=samples).duplicates == 2


def test_the_grader_is_named_without_its_version() -> None:
    assert score(1, 1, []).scoring == "integer"
    assert Integer(0, 9).grade(Problem("p", "s", "1"), sample(0, r"\boxed{1}")).verdict == "correct"


@given(st.data())
def test_streamed_scores_are_those_of_all_grades_at_once(data: st.DataObject) -> None:
    """Any stream: ragged, out of order, graded twice (the last counts), errors, other problems."""
    one = st.builds(
        Grade,
        st.sampled_from(["p0", "p1", "p2", "elsewhere"]),
        st.integers(0, 5),
        st.sampled_from(list(Verdict)),
        answer=st.sampled_from([None, "1", "01", "2"]),
        also=st.fixed_dictionaries({"other": st.sampled_from([str(v) for v in WRONG])}),
    )
    stream = data.draw(st.lists(one, max_size=40))
    result = score(3, 6, stream, metrics=[pass_at(1), pass_at(2), cons_at(2)])
    last = {found.key: found for found in stream if found.verdict is not Verdict.ERROR}
    grader = Integer(0, 999)
    due = []
    for scoring in ("integer", *(["other"] if any(key[0] != "elsewhere" for key in last) else [])):
        tallies = []
        for problem in protocol(3).problems:
            row = [last[key] for key in sorted(last) if key[0] == problem]
            if scoring == "other":
                row = [replace(found, verdict=Verdict(found.also["other"])) for found in row]
            tallies.append(tally_problem(row, grader.classes))
        for metric in (pass_at(1), pass_at(2), cons_at(2)):
            values = [metric.value(tally) for tally in tallies if tally.n >= metric.k]
            due += [(scoring, metric.name, len(values), mean(values))] if values else []
    found = result.scores
    assert [(s.scoring, s.metric, s.n_problems, s.value) for s in found] == due
    assert result.pending == 18 - sum(key[0] != "elsewhere" for key in last)


def test_problems_of_one_contest_widen_the_problems_error_alone() -> None:
    """Twelve contests of five problems each, all right in one and none in the next."""
    grades = [grade(i, j, (i // 5) % 2 == 0) for i in range(60) for j in range(2)]
    alone, alike = (
        score_task(
            protocol(60), 2, Integer(0, 999), (pass_at(1),),
            decisions=Decisions(protocol(60).problems, grades), failed=set(),
            samples=SampleStatistics(), clusters=clusters,
        ).scores[0]
        for clusters in ({}, {f"p{i}": i // 5 for i in range(60)})
    )  # fmt: skip
    assert alike.value == alone.value == 0.5
    assert alike.se_problems == pytest.approx((1 / 4 / 11) ** 0.5)
    assert alone.se_problems == pytest.approx((1 / 4 / 59) ** 0.5)
    assert alone.interval_problems is not None and alike.interval_problems is not None
    assert alike.interval_problems[0] < alone.interval_problems[0]
    assert alike.se_sampling == alone.se_sampling
    assert alike.interval_sampling == alone.interval_sampling


def test_a_problem_without_a_known_cluster_is_its_own() -> None:
    grades = [grade(i, 0, i < 3) for i in range(6)]
    found = [
        score_task(
            protocol(6), 1, Integer(0, 999), (pass_at(1),),
            decisions=Decisions(protocol(6).problems, grades), failed=set(),
            samples=SampleStatistics(), clusters=clusters,
        ).scores[0].se_problems
        for clusters in ({}, {"p0": "a"})
    ]  # fmt: skip
    assert len(set(found)) == 1
