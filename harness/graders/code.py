"""Programs: the submission in a response, judged on the problem's test cases."""

from __future__ import annotations

import atexit
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from harness.errors import DataError
from harness.graders.base import make_grade, no_answer
from harness.interfaces import Grader
from harness.judge import Judge, ProgramChecker, Result, Rule, Submission, extract
from harness.judge.scoring import Scoring
from harness.judge.supervisor import worst_case_seconds
from harness.types import Grade, Limits, Problem, Sample, Verdict

LANGUAGES = ("python", "cpp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Code(Grader):
    """Grades programs by running them in the judge's sandbox, one judge per process.

    A problem's own checker and files are those of `Problem.judging`.

    Args:
        language: what programs are written in; None: what the fence's tag says.
        checker: how outputs are compared, see `harness.judge.checkers.NAMES`.
        scoring: run programs as processes, or as LiveCodeBench's runner does.
        also: further scorings, whose verdicts go to `Grade.also`; an internal error under any of
            them makes the whole grade an `error`.
        rule: how the submission is taken from a response, see `harness.judge.submission`.
        prelude: put LiveCodeBench's import header before Python programs.
        defines: macros that C++ programs are compiled with.
        factors: per language, the factor on every problem's CPU limit.
        limits: of problems that state none.
        unsafe: judge without a sandbox; part of the version, and so of every score.
        python: the interpreter of Python programs, where it is not the judge's default.
    """

    language: str | None = "python"
    checker: str = "tokens"
    scoring: Scoring = "process"
    also: tuple[Scoring, ...] = ()
    rule: Rule = "language"
    prelude: bool = False
    defines: tuple[str, ...] = ()
    factors: Mapping[str, float] | tuple[tuple[str, float], ...] = ()
    limits: Limits = field(default_factory=Limits)
    unsafe: bool = False
    python: str | None = None

    def __post_init__(self) -> None:
        factors = self.factors.items() if isinstance(self.factors, Mapping) else self.factors
        object.__setattr__(self, "factors", tuple(sorted(factors)))

    @property
    def version(self) -> str:
        """Raised whenever a verdict may change; what is not the default is appended."""
        marks: list[str] = [] if self.scoring == "process" else [self.scoring]
        marks += [f"{name}-time-x{factor:g}" for name, factor in dict(self.factors).items()]
        marks += ["unsafe-judge"] if self.unsafe else []
        return "+".join(["code/2", *marks])

    def budget(self, problem: Problem) -> float:
        """Upper bound of the seconds that one sample takes; the judge's own limits lie below it."""
        slowest = max([1.0, *dict(self.factors).values()])
        once = worst_case_seconds(len(problem.tests), self._limits(problem, slowest))
        return once * (1 + len(self.also))

    def grade(self, problem: Problem, sample: Sample) -> Grade:
        """Decide one sample by the program in its response.

        Raises:
            DataError: the problem has no tests.
            JudgeUnavailable: there is no sandbox on this machine.
        """
        started = time.perf_counter()
        if not problem.tests:
            raise DataError(f"problem {problem.id} has no tests to judge a program by")
        languages = LANGUAGES if self.language is None else (self.language,)
        submission = extract(sample.response, languages, self.rule)
        if submission is None:
            verdict, stage, answer = no_answer(sample), "no code block", None
            also = dict.fromkeys(self.also, verdict)
        else:
            program = replace(submission, prelude=self.prelude, defines=self.defines)
            result = self._judge(problem, program, self.scoring)
            also = {name: self._judge(problem, program, name).verdict for name in self.also}
            failed = Verdict.ERROR in also.values()
            verdict = Verdict.ERROR if failed else result.verdict
            stage, answer = _stage(result), _digest(submission)
        grade = make_grade(
            problem,
            sample,
            verdict,
            answer=answer,
            stage=stage,
            started=started,
            version=self.version,
        )
        return replace(grade, also={name: str(found) for name, found in also.items()})

    def ready(self) -> None:
        """Check that the judge can start, before anything is sampled.

        Raises:
            JudgeUnavailable: there is no sandbox on this machine.
        """
        with Judge(unsafe=self.unsafe, python=self.python):
            pass  # starting it is the check

    def _judge(self, problem: Problem, submission: Submission, scoring: Scoring) -> Result:
        factor = dict(self.factors).get(submission.language, 1.0)
        judging = problem.judging
        return _judge_of_this_process(self.unsafe, self.python).judge(
            submission,
            problem.tests,
            self._limits(problem, factor),
            checker=ProgramChecker(judging.checker) if judging.checker else self.checker,
            scoring=scoring,
            input_file=judging.input_file or "",
            output_file=judging.output_file or "",
        )

    def _limits(self, problem: Problem, factor: float) -> Limits:
        limits = problem.limits or self.limits
        return replace(limits, cpu_seconds=limits.cpu_seconds * factor)


def _stage(result: Result) -> str:
    """What settled the verdict: the failing test and how it failed."""
    place = f"test {result.test}" if result.test else ""
    return ": ".join(part for part in (place, result.detail) if part) or "all tests"


def _digest(submission: Submission) -> str:
    """The name of a program in grades, which never hold a sample's text."""
    digest = hashlib.sha256(submission.source.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{submission.language}:{digest[:16]}"


@cache
def _judge_of_this_process(unsafe: bool, python: str | None) -> Judge:
    judge = Judge(unsafe=unsafe, python=python)
    atexit.register(judge.close)
    return judge
