"""Grade and score a run again from its stored samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.data.selection import Window
from harness.errors import DataError, UsageError
from harness.graders.base import with_settings
from harness.graders.model_judge import takes_opinions
from harness.interfaces import RunsPrograms
from harness.judge.scoring import scoring_of
from harness.pipeline.grading_pool import GradingPool, Job
from harness.pipeline.opinions import opinion_adder
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer, silent
from harness.pipeline.stored_scores import compute_scores, score
from harness.pipeline.task_files import record_error
from harness.pipeline.untagged import check_settled, split_due
from harness.protocol import ModelJudge, narrowed
from harness.sampling import Sampling
from harness.stats.scores import TaskScores
from harness.stats.verdict_table import VerdictTable
from harness.storage.files import Appender, write_json
from harness.storage.plain_files import part_of
from harness.storage.problem_tests import check_tests
from harness.storage.projections import VerdictRow
from harness.storage.run_folder import RunFolder, RunWriter, TaskFolder
from harness.task import Task
from harness.tasks.kinds import with_responses
from harness.types import Grade, Verdict

TaskNamed = Callable[[str], Task]
"""Finds a task by name: one of the registry, or a kind of answer."""


@dataclass(frozen=True, slots=True)
class Change:
    """A sample whose verdict changed; `before` is None if it had no grade."""

    task: str
    before: Verdict | None
    after: Grade


def stored_runs(
    path: Path, task_named: TaskNamed, judge: ModelJudge | None = None, *, unsafe: bool = False
) -> list[TaskRun]:
    """The tasks of a run folder, each with the grader and metrics of this version.

    A folder may be anybody's. It names the tasks and how they were graded, and no more: programs run
    in the sandbox, even where the folder says that they were judged without one.

    Args:
        path: the run folder.
        task_named: the installed task of a name.
        judge: gives the second opinion on the tasks that take one; None keeps the stored one.
        unsafe: run programs without a sandbox; the user's own word.

    Raises:
        DataError: the folder has no task.
        UsageError: a task is no longer installed.
    """
    run = RunFolder(path)
    k = run.manifest().k
    runs = []
    for folder in run.tasks():
        protocol = folder.protocol()
        asked = k.get(protocol.task, 1)
        task = with_responses(task_named(protocol.task), asked)
        scoring = scoring_of(protocol.grader)
        grader = with_settings(
            task.grader,
            extract=protocol.extract,
            scoring=None if scoring == "process" else scoring,
            unsafe=unsafe and isinstance(task.grader, RunsPrograms),
        )
        runs.append(
            TaskRun(
                task=replace(task, grader=grader),
                protocol=replace(
                    protocol,
                    grader=grader.version,
                    judge=judge if judge and takes_opinions(grader) else protocol.judge,
                ),
                problems=folder.problems(),
                sampling=Sampling(k=asked),
                folder=folder,
                allocation=folder.asked(asked) if protocol.allocation else None,
            )
        )
    if not runs:
        raise DataError(f"{path} has no task: nothing was sampled yet")
    return runs


async def regrade(
    path: Path,
    task_named: TaskNamed,
    *,
    observe: Callable[[Sequence[TaskRun]], Observer],
    take_over: bool = False,
    unsafe: bool = False,
) -> list[Change]:
    """Grade every stored sample, replace grades, protocol and scores, and list the changes.

    A task's files are replaced only when all of its samples are graded, so an interrupted
    regrade changes nothing. A sample whose grader fails has no grade afterwards.

    Args:
        path: the run folder.
        task_named: the installed task of a name.
        observe: given the tasks, returns the function that is called with every event.
        take_over: take the lock of another host.
        unsafe: run programs without a sandbox.

    Raises:
        DataError: a folder that is not a run, or a damaged file.
        UsageError: a task is no longer installed, its grader cannot run here, or samples may be
            reasoning and nothing tells.
    """
    RunFolder(path)  # refuses a folder that is not a run before a lock is written
    with RunWriter(path, take_over=take_over):
        for folder in RunFolder(path).tasks():
            split_due(folder)
        return await regrade_runs(stored_runs(path, task_named, unsafe=unsafe), observe)


async def regrade_runs(
    runs: Sequence[TaskRun], observe: Callable[[Sequence[TaskRun]], Observer]
) -> list[Change]:
    """Grade the stored samples of tasks whose folder is locked; see `regrade`."""
    for run in runs:
        run.task.grader.ready()
    check_settled(runs)
    watch = observe(runs)
    changes = []
    async with GradingPool() as pool:
        for run in runs:
            changes += await _regrade_task(run, pool, watch)
    return changes


async def _regrade_task(run: TaskRun, pool: GradingPool, observe: Observer) -> list[Change]:
    """Grades go to a file of their own as they come: a run can have 100,000 and more."""
    before = VerdictTable(run.folder.read("grades.jsonl", VerdictRow))
    changes: list[Change] = []
    failed: list[Grade] = []
    path = part_of(run.folder.path / "grades.jsonl")
    grades = Appender(path)

    def take(grade: Grade) -> None:
        if grade.verdict is Verdict.ERROR:
            failed.append(grade)
        else:
            grades.append([grade])
        old = before.get(grade.key)
        if old is not grade.verdict:
            changes.append(Change(run.task.name, old, grade))

    try:
        await _grade_stored(run, pool, take, observe)
        grades.close()
        path.replace(run.folder.path / "grades.jsonl")
    finally:
        path.unlink(missing_ok=True)
    if failed:
        errors = Appender(run.folder.path / "errors.jsonl")
        for grade in failed:
            record_error(errors, "grader", grade.key, grade.detail)
        errors.close()
    write_json(run.folder.path / "protocol.json", run.protocol.to_json())
    score(run)
    return sorted(changes, key=lambda change: change.after.key)


async def grade_again(
    run: TaskRun, pool: GradingPool, observe: Observer = silent, *, k: int | None = None
) -> list[Grade]:
    """Grade the stored samples with the task's grader, sorted by key; nothing is written.

    Args:
        run: the task in its folder.
        pool: grades.
        observe: called on every event.
        k: only the first k samples of each problem; all by default.
    """
    grades: list[Grade] = []
    await _grade_stored(run, pool, grades.append, observe, k=k)
    return sorted(grades, key=lambda grade: grade.key)


async def _grade_stored(
    run: TaskRun,
    pool: GradingPool,
    take: Callable[[Grade], None],
    observe: Observer,
    *,
    k: int | None = None,
) -> None:
    check_tests(run.problems.values())  # missing ones would cost every grade
    add = opinion_adder(run)

    def done(grade: Grade) -> None:
        take(add(grade))
        observe("graded", run.task.name, grade.verdict)

    for sample in run.folder.samples():
        if k is None or sample.index < k:
            await pool.put(Job(run.task.grader, run.problem_of(sample), sample, done))
    await pool.drain()


def rescore(path: Path, task_named: TaskNamed, *, take_over: bool = False) -> list[TaskScores]:
    """Compute the scores of every task of a run again, and return them."""
    RunFolder(path)
    with RunWriter(path, take_over=take_over):
        runs = stored_runs(path, task_named)
        for run in runs:
            split_due(run.folder)
        return [score(replace(run, protocol=run.folder.protocol())) for run in runs]


def scores_in_window(path: Path, task_named: TaskNamed, window: Window) -> dict[str, TaskScores]:
    """Compute the scores over the problems of a window, by task; nothing is written.

    Tasks whose problems have no dates are left out.

    Raises:
        UsageError: no task of the run has problems in the window.
    """
    found = {}
    for run in stored_runs(path, task_named):
        if all(problem.provenance.date is None for problem in run.problems.values()):
            continue
        inside = {id: problem for id, problem in run.problems.items() if window.holds(problem)}
        if inside:
            protocol = narrowed(run.folder.protocol(), inside)
            found[run.task.name] = compute_scores(replace(run, problems=inside, protocol=protocol))
    if not found:
        raise UsageError(f"--window {window}: {path} has no problem of these months")
    return found


def undecided(folder: TaskFolder) -> list[Grade]:
    """The samples whose answer the grader could not read."""
    return [grade for grade in folder.grades() if grade.verdict is Verdict.UNDECIDED]
