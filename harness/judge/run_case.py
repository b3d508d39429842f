"""One submission on its test cases, in one worker: from the end of a process to a verdict."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from harness.errors import DataError
from harness.judge import checkers
from harness.judge.languages import language
from harness.judge.scoring import Scoring
from harness.judge.submission import Submission
from harness.judge.worker import Job, JobResult, Worker, encoded, last_line, sealed
from harness.types import Limits, TestCase, Verdict

OUTPUT_BYTES = 64 << 20
PROCESSES = 128
"""Processes and threads of one test case, those of the judge itself among them."""

_WALL_FACTOR, _WALL_SPARE = 3.0, 1.0
_CHECKER = Limits(cpu_seconds=30.0, memory_mib=1024)
_STARVED = 0.05  # share of its wall time without a core, above which a test is repeated alone
_DETAIL = 300
_BUSY = 1.25  # ratio of wall to CPU time above which a test met other work on its core


@dataclass(frozen=True, slots=True)
class ProgramChecker:
    """A checker that is a program itself, run in the sandbox after the submission has ended.

    It is called with the paths of the input, the expected output and the output found. "prints":
    its first word is a number, 1 or more for accepted. "exits": its status is 0 for accepted, 1 or
    2 for wrong, as in testlib. Anything else is no decision: a wrong answer where the checker has
    one for the expected output of the same test, so that the output is to blame, else an internal
    error.
    """

    source: str
    language: str = "python"
    convention: Literal["prints", "exits"] = "prints"


@dataclass(frozen=True, slots=True)
class Result:
    """The judge's verdict on one submission.

    `test` is the number (from 1) of the test case that failed. Times are those of all tests that
    were run, in milliseconds; `peak_kib` is the largest resident set of any one process.
    """

    verdict: Verdict
    test: int | None = None
    cpu_ms: float = 0.0
    wall_ms: float = 0.0
    peak_kib: int = 0
    detail: str = ""


class Starved(Exception):
    """A test reached a time limit while the machine was busy with other work."""


class CheckerFailed(Exception):
    """A checker program gave no decision: an internal error."""


@dataclass(frozen=True, slots=True)
class Case:
    """The arguments of one call of `Judge.judge`; `alone` while no other worker runs."""

    submission: Submission
    tests: Sequence[TestCase]
    limits: Limits
    checker: str | ProgramChecker
    scoring: Scoring
    input_file: str
    output_file: str
    alone: bool = False


def wall_limit(limits: Limits) -> float:
    """The wall limit in seconds: three times the CPU limit and one second."""
    return _WALL_FACTOR * limits.cpu_seconds + _WALL_SPARE


def run_tests(worker: Worker, case: Case, program: int) -> Result:
    """Run the tests in order, up to the first that fails.

    Raises:
        Starved: a test reached a time limit on a busy machine; it should be repeated alone.
        CheckerFailed: the checker program gave no decision.
        WorkerFailed: the sandbox failed.
    """
    cpu = wall = 0.0
    peak = 0
    for number, test in _numbered(worker, case.tests):
        last = number == len(case.tests) or isinstance(case.checker, ProgramChecker)
        with sealed(encoded(test.input)) as stdin:
            result = worker.run(_job(case, test, program, stdin, last=last))
        cpu, wall = cpu + result.cpu * 1000, wall + result.wall * 1000
        peak = max(peak, result.peak_kib)
        if not case.alone and _starved(result, case.limits):
            if not last:
                worker.end_submission()
            raise Starved
        verdict, detail = _verdict(result, case)
        if verdict is None:
            verdict, detail = _checked(worker, case, test, result.output)
        if verdict is not Verdict.CORRECT:
            if not last:
                worker.end_submission()
            return Result(verdict, number, cpu, wall, peak, detail)
    return Result(Verdict.CORRECT, None, cpu, wall, peak)


def _numbered(worker: Worker, tests: Sequence[TestCase]) -> Iterator[tuple[int, TestCase]]:
    """The tests with their numbers. One that cannot be read ends the sandbox with its submission."""
    try:
        yield from enumerate(tests, 1)
    except DataError:
        worker.close()
        raise


def _job(case: Case, test: TestCase, program: int, stdin: int, *, last: bool) -> Job:
    official = case.scoring != "process"
    binary = language(case.submission.language).compiled
    mode = "exec" if binary else "function" if test.function else "script"
    return Job(
        mode="official" if official and mode == "script" else mode,  # type: ignore[arg-type]
        program=program,
        stdin=stdin,
        cpu=case.limits.cpu_seconds,
        wall=wall_limit(case.limits),
        memory=case.limits.memory_mib << 20,
        output=OUTPUT_BYTES,
        processes=PROCESSES,
        argv=("",) if binary else (),
        function=test.function or "",
        restricted=official,
        runner=case.scoring,
        prelude=case.submission.prelude,
        numpy=not binary and "numpy" in case.submission.source,
        files=((case.input_file, stdin),) if case.input_file else (),
        collect=case.output_file,
        last=last,
    )


def _starved(result: JobResult, limits: Limits) -> bool:
    """Whether a test reached a time limit while the machine was busy with other work.

    CPU time counts as well: on a core that shares its units and caches with other work a program
    needs up to twice its own. One that used its CPU time without waiting has met no such work.
    """
    if result.ended == "cpu" or result.cpu > limits.cpu_seconds:
        return result.wall > _BUSY * result.cpu
    if result.ended != "wall":
        return False
    return result.delay is None or result.delay > _STARVED * result.wall


def _verdict(result: JobResult, case: Case) -> tuple[Verdict | None, str]:
    """(verdict, detail) of a process that failed; (None, "") where its output is to be checked."""
    message = last_line(result.stderr)
    limit = case.limits
    if result.ended in ("cpu", "wall") or result.cpu > limit.cpu_seconds:
        used = f"{result.cpu:.2f} s of CPU in {result.wall:.2f} s"
        return Verdict.TIME_LIMIT, f"{used}, where {limit.cpu_seconds:g} s are allowed"
    if result.ended == "memory" or result.peak_kib > limit.memory_mib << 10:
        return Verdict.MEMORY_LIMIT, f"more than {limit.memory_mib} MiB"
    if result.ended == "stopped" or result.status is None:
        return Verdict.RUNTIME_ERROR, "stopped itself"
    killed = os.WTERMSIG(result.status) if os.WIFSIGNALED(result.status) else None
    if killed == signal.SIGXCPU:
        return Verdict.TIME_LIMIT, f"more than {limit.cpu_seconds:g} s of CPU"
    if killed == signal.SIGXFSZ or len(result.output) >= OUTPUT_BYTES:
        return Verdict.OUTPUT_LIMIT, f"more than {OUTPUT_BYTES >> 20} MiB of output"
    if result.status == 0:
        return None, ""
    if result.exhausted or (killed == signal.SIGABRT and _is_bad_alloc(result.stderr, case)):
        return Verdict.MEMORY_LIMIT, message
    if not result.compiled and not language(case.submission.language).compiled:
        return Verdict.COMPILE_ERROR, message
    if killed is not None:
        return Verdict.RUNTIME_ERROR, f"killed by {_signal_name(killed)} {message}".strip()
    status = os.waitstatus_to_exitcode(result.status)
    return Verdict.RUNTIME_ERROR, f"exit status {status} {message}".strip()


def _is_bad_alloc(stderr: bytes, case: Case) -> bool:
    """Whether libstdc++ ended a C++ program for memory that it did not get: its last words."""
    if not language(case.submission.language).compiled:
        return False
    last = [line for line in stderr.splitlines()[-2:] if not line.startswith(b"  what():")]
    return last[-1:] == [b"terminate called after throwing an instance of 'std::bad_alloc'"]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _checked(worker: Worker, case: Case, test: TestCase, output: bytes) -> tuple[Verdict, str]:
    expected = encoded(test.output)
    if isinstance(case.checker, ProgramChecker) and not test.function:
        return _run_checker(worker, case.checker, encoded(test.input), expected, output)
    if test.function:
        accepted = checkers.returned(output, expected)
    else:
        accepted = checkers.checker(str(case.checker))(output, expected)
    if accepted:
        return Verdict.CORRECT, ""
    return Verdict.WRONG_ANSWER, checkers.first_difference(output, expected)


def _run_checker(
    worker: Worker, checker: ProgramChecker, given: bytes, expected: bytes, output: bytes
) -> tuple[Verdict, str]:
    accepted, message = _decision(worker, checker, (given, expected, output))
    if accepted is not None:
        return Verdict.CORRECT if accepted else Verdict.WRONG_ANSWER, ""
    on_expected, _ = _decision(worker, checker, (given, expected, expected))
    if on_expected is None:
        raise CheckerFailed(f"the checker program gave no decision ({message})")
    return Verdict.WRONG_ANSWER, f"the checker program failed on the output ({message})"


def _decision(
    worker: Worker, checker: ProgramChecker, contents: tuple[bytes, bytes, bytes]
) -> tuple[bool | None, str]:
    """(whether the output is accepted, or None, and how the checker ended).

    Raises:
        CheckerFailed: the checker was stopped by the clock or by itself, which says nothing about
            the output.
    """
    names = ("input.txt", "correct_output.txt", "solution_output.txt")
    with ExitStack() as held:
        files = [held.enter_context(sealed(content)) for content in contents]
        program = held.enter_context(sealed(encoded(checker.source)))
        stdin = held.enter_context(sealed(b""))
        result = worker.run(
            Job(
                mode="script", program=program, stdin=stdin, cpu=_CHECKER.cpu_seconds,
                wall=wall_limit(_CHECKER), memory=_CHECKER.memory_mib << 20, output=OUTPUT_BYTES,
                processes=PROCESSES, argv=names, files=tuple(zip(names, files, strict=True)),
            )
        )  # fmt: skip
    printed = result.output[:_DETAIL].decode(errors="replace").strip()
    message = last_line(result.stderr) or printed
    if result.status is None:
        shown = f": {message}" if message else ""
        if result.ended in ("cpu", "memory"):  # as an endless output may make it
            return None, f"stopped at its limit of {result.ended}{shown}"
        raise CheckerFailed(f"the checker program was stopped ({result.ended}){shown}")
    status = os.waitstatus_to_exitcode(result.status)
    if checker.convention == "exits" and status in (0, 1, 2):
        return status == 0, ""
    if checker.convention == "prints" and status == 0:
        try:
            return float(result.output.split(maxsplit=1)[0]) >= 1, ""
        except (IndexError, ValueError):
            pass
    ending = f"killed by {_signal_name(-status)}" if status < 0 else f"exit status {status}"
    if message:
        return None, f"{ending}: {message}"
    return None, ending if status < 0 else f"{ending}, no output"
