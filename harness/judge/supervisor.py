"""The judge: submissions in, verdicts out. Outputs are compared here, outside the sandbox.

    submission -> compile -> one process per test case, in order -> checker -> verdict

After a failure of the sandbox the submission is retried once in a fresh one. Where that fails as well, a
program that is known to be right is run in a fresh one: if it is judged correct, the sandbox works
and the failure is the program's, a `runtime_error`; else it is ours, the verdict `error`.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.errors import UsageError
from harness.judge import sandbox
from harness.judge.compiler import COMPILER, CannotCompile, Compiler
from harness.judge.languages import Cpp, language
from harness.judge.run_case import (
    Case,
    CheckerFailed,
    ProgramChecker,
    Result,
    Starved,
    run_tests,
    wall_limit,
)
from harness.judge.sandbox import JudgeUnavailable
from harness.judge.scoring import SCORINGS, Scoring
from harness.judge.submission import Submission
from harness.judge.worker import Worker, WorkerFailed, deadline, encoded, sealed
from harness.types import Limits, TestCase, Verdict

_ATTEMPTS = 2
_HONEST = Submission("print(sum(map(int, input().split())))")
_HONEST_TESTS = (TestCase("1 2 3\n", "6\n"),)
_ALLOWANCE = 1.5  # on the time limits of a test that is repeated because the machine was busy


def worst_case_seconds(n_tests: int, limits: Limits) -> float:
    """Upper bound of the wall seconds in which a submission is judged, compilation included.

    A backstop for a caller's timeout: every attempt at every test reaches its wall limit.
    """
    each = deadline(_ALLOWANCE * wall_limit(limits))
    compiling = deadline(wall_limit(COMPILER))
    return 2 * _ATTEMPTS * (2 * compiling + n_tests * each) + deadline(wall_limit(Limits()))


class Judge:
    """Judges submissions in sandboxes, one per worker; safe to use from several threads.

    Args:
        workers: sandboxes, and so submissions judged at once.
        unsafe: run programs without a sandbox, with resource limits alone.
        python: the interpreter of Python programs; see `harness.judge.sandbox.interpreter`.
        cache: the folder for compiled headers; the user's cache by default.

    Raises:
        JudgeUnavailable: on entering, when the sandbox cannot be made on this machine.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        unsafe: bool = False,
        python: str | None = None,
        cache: Path | None = None,
    ) -> None:
        self._workers = [Worker(python=python, unsafe=unsafe) for _ in range(workers)]
        self._free: queue.LifoQueue[Worker] = queue.LifoQueue()
        self._alone = threading.Lock()
        self._compiler = Compiler(cache)
        for worker in self._workers:
            self._free.put(worker)
        self._python = python

    def __enter__(self) -> Judge:
        self._workers[-1].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the sandboxes and free the compiled programs."""
        for worker in self._workers:
            worker.close()
        self._compiler.close()

    def versions(self) -> dict[str, str | None]:
        """The versions of the interpreter that runs programs and of its numpy, if it has one."""
        found = sandbox.interpreter(self._python)
        return {"python": found.version, "numpy": found.numpy_version}

    def judge(
        self,
        submission: Submission,
        tests: Sequence[TestCase],
        limits: Limits | None = None,
        *,
        checker: str | ProgramChecker = "tokens",
        scoring: Scoring = "process",
        input_file: str = "",
        output_file: str = "",
    ) -> Result:
        """Run a submission on test cases in order, up to the first that fails.

        Args:
            submission: the program.
            tests: the test cases; `function` of a test calls that function with its JSON input.
            limits: CPU time and memory of each test; 6 s and 1,024 MiB by default.
            checker: a name of `harness.judge.checkers`, or a program.
            scoring: run it as a process, or as LiveCodeBench's runner does.
            input_file: a file that the program reads its input from, where it is not stdin.
            output_file: the file that it writes its output to, where it is not stdout.

        Raises:
            UsageError: an unknown language, checker or scoring.
            JudgeUnavailable: the sandbox cannot be started again.
        """
        if scoring not in SCORINGS:
            raise UsageError(f"scoring {scoring!r}: there are {', '.join(SCORINGS)}")
        case = Case(submission, tests, limits or Limits(), checker, scoring,
                     input_file, output_file)  # fmt: skip
        failure = ""
        for attempt in range(_ATTEMPTS):
            try:
                try:
                    with self._worker(fresh=attempt > 0) as worker:
                        return self._judge(worker, case)
                except Starved:
                    with self._only_worker() as worker:
                        longer = replace(
                            case.limits, cpu_seconds=case.limits.cpu_seconds * _ALLOWANCE
                        )
                        return self._judge(worker, replace(case, limits=longer, alone=True))
            except WorkerFailed as error:
                failure = str(error)
            except CheckerFailed as error:
                return Result(Verdict.ERROR, detail=str(error))
        if self._works():
            reason = f"the judge failed twice on this program alone: {failure}"
            return Result(Verdict.RUNTIME_ERROR, detail=reason)
        return Result(Verdict.ERROR, detail=f"the judge failed twice: {failure}")

    def _works(self) -> bool:
        """Whether a program that is known to be right is judged correct on a fresh worker."""
        case = Case(_HONEST, _HONEST_TESTS, Limits(), "tokens", "process", "", "", alone=True)
        try:
            with self._worker(fresh=True) as worker:
                return self._judge(worker, case).verdict is Verdict.CORRECT
        except (WorkerFailed, JudgeUnavailable):
            return False

    @contextmanager
    def _worker(self, *, fresh: bool = False) -> Iterator[Worker]:
        worker = self._free.get()
        try:
            if fresh:
                worker.close()
            yield worker
        finally:
            self._free.put(worker)

    @contextmanager
    def _only_worker(self) -> Iterator[Worker]:
        """A worker while no other one runs."""
        with self._alone:
            held = [self._free.get() for _ in self._workers]
            try:
                yield held[-1]
            finally:
                for worker in held:
                    self._free.put(worker)

    def _judge(self, worker: Worker, case: Case) -> Result:
        compiled = language(case.submission.language)
        if not isinstance(compiled, Cpp):
            with sealed(encoded(case.submission.source)) as program:
                return run_tests(worker, case, program)
        try:
            binary = self._compiler.binary(worker, compiled, case.submission)
        except CannotCompile as error:
            return Result(Verdict.COMPILE_ERROR, detail=str(error))
        try:
            return run_tests(worker, case, binary)
        finally:
            os.close(binary)
