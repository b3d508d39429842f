from __future__ import annotations

import asyncio
import pickle
import shutil
from dataclasses import replace

import pytest

from harness.errors import DataError
from harness.graders.code import Code
from harness.interfaces import Grader
from harness.judge import Judge
from harness.judge.sandbox import JudgeUnavailable
from harness.pipeline.grading_pool import GradingPool, Job
from harness.types import Grade, Judging, Limits, Problem, Sample, TestCase, Verdict

SUM = "```python\nprint(sum(map(int, input().split())))\n```"
TESTS = (TestCase("1 2 3\n", "6\n"), TestCase("4 5\n", "9\n"))
PROBLEM = Problem("p", "Add.", tests=TESTS, limits=Limits(1.0, 256))


def sample(response: str | None, index: int = 0) -> Sample:
    return Sample("p", index, None, response, "stop")


@pytest.fixture(scope="module")
def sandbox() -> None:
    try:
        with Judge():
            pass
    except JudgeUnavailable as reason:
        pytest.skip(f"no sandbox here: {reason}")


@pytest.mark.usefixtures("sandbox")
class TestInTheSandbox:
    def test_verdicts(self) -> None:
        for response, due in (
            (SUM, Verdict.CORRECT),
            ("```python\nprint(6)\n```", Verdict.WRONG_ANSWER),
            ("```python\nprint(\n```", Verdict.COMPILE_ERROR),
            ("no code", Verdict.NO_ANSWER),
            (None, Verdict.NO_ANSWER),
        ):
            assert Code().grade(PROBLEM, sample(response)).verdict is due
        cut = replace(sample("```python\nprint("), finish_reason="length")
        assert Code().grade(PROBLEM, cut).verdict is Verdict.TRUNCATED

    def test_the_grade_names_the_failing_test_and_the_difference_but_not_the_program(self) -> None:
        grade = Code().grade(PROBLEM, sample("```python\nprint(6)\n```", 3))
        assert (grade.problem_id, grade.index, grade.grader) == ("p", 3, "code/2")
        assert grade.detail == 'test 2: line 1 is "6", expected "9"'
        assert grade.answer is not None and "print" not in grade.answer

    def test_the_checker_of_the_problem_goes_first(self) -> None:
        accepts = replace(PROBLEM, judging=Judging(checker="print(1)"))
        refuses = replace(PROBLEM, judging=Judging(checker="print(0)"))
        wrong = sample("```python\nprint(7)\n```")
        assert Code().grade(accepts, wrong).verdict is Verdict.CORRECT
        assert Code().grade(refuses, sample(SUM)).verdict is Verdict.WRONG_ANSWER

    def test_factors_lengthen_the_time_of_a_language(self) -> None:
        busy = "```python\nimport time\nwhile time.process_time() < 0.5: pass\n```"
        problem = Problem("p", "", tests=(TestCase("", ""),), limits=Limits(0.2, 256))
        assert Code().grade(problem, sample(busy)).verdict is Verdict.TIME_LIMIT
        assert Code(factors={"python": 5}).grade(problem, sample(busy)).verdict is Verdict.CORRECT

    def test_in_grading_workers(self) -> None:
        responses = [SUM, "```python\nprint(6)\n```"] * 3
        grades: list[Grade] = []

        async def run() -> None:
            async with GradingPool(2) as pool:
                for index, response in enumerate(responses):
                    await pool.put(Job(Code(), PROBLEM, sample(response, index), grades.append))
                await pool.drain()

        asyncio.run(run())
        verdicts = [grade.verdict for grade in sorted(grades, key=lambda grade: grade.index)]
        assert verdicts == [Verdict.CORRECT, Verdict.WRONG_ANSWER] * 3


def test_without_a_sandbox_there_is_no_grade(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.graders import code

    code._judge_of_this_process.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(JudgeUnavailable, match="bubblewrap"):
        Code().grade(PROBLEM, sample(SUM))
    code._judge_of_this_process.cache_clear()


def test_a_problem_without_tests_is_an_error() -> None:
    with pytest.raises(DataError, match="p has no tests"):
        Code().grade(replace(PROBLEM, tests=()), sample(SUM))


def test_the_version_says_what_is_not_the_default() -> None:
    assert Code().version == "code/2"
    assert Code(scoring="lcb-official").version == "code/2+lcb-official"
    assert (
        Code(unsafe=True, factors={"python": 2.5}).version == "code/2+python-time-x2.5+unsafe-judge"
    )


def test_it_is_a_grader_that_can_be_pickled_and_hashed() -> None:
    grader = Code(factors={"python": 2})
    assert isinstance(grader, Grader)
    assert pickle.loads(pickle.dumps(grader)) == grader
    assert hash(grader) == hash(Code(factors=(("python", 2),)))


def test_only_equal_programs_are_one_class() -> None:
    assert Code().classes(["a", "b", "a"]) == [0, 1, 0]


def test_the_budget_lies_above_every_limit_of_the_judge() -> None:
    assert Code().budget(PROBLEM) > 2 * (1.0 * 3 + 1)
    assert Code(factors={"cpp": 9}).budget(PROBLEM) > Code().budget(PROBLEM)
