"""Nightly evaluation: compare each new checkpoint with the accepted baseline, keep a history.

    checkpoint -> run folder -> comparison with the accepted run of each task -> history.jsonl

Each task is tested twice: this night against the accepted run, and all nights since then for a
fall that no single night shows. Both keep one stated rate of false alarms, see
`harness.stats.nights`.

RUNS/history.jsonl gets a line per evaluated checkpoint, see `harness.storage.nights.HistoryLine`.
Nothing here changes the baseline: `harness.workflows.accept` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.errors import DataError, HarnessError, ProtocolMismatch
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer
from harness.points import share_of
from harness.stats.comparison import Comparison, TaskComparison
from harness.stats.nights import Levels
from harness.stats.scores import TaskScores
from harness.storage.ledger import (
    LEDGER,
    History,
    Ledger,
    append_history,
    read_history,
    read_ledger,
    read_untold,
    write_untold,
)
from harness.storage.nights import (
    CLOCK,
    Checkpoint,
    CheckpointResult,
    HistoryLine,
    TaskResult,
    TaskVerdict,
    WithoutComparison,
)
from harness.storage.run_folder import MANIFEST, RunFolder
from harness.task import Task
from harness.workflows.accept import what_is_missing
from harness.workflows.allocation import nights_before
from harness.workflows.checkpoints import (
    check_unchanged,
    content,
    find_checkpoints,
    is_new,
    name_runs,
)
from harness.workflows.compare import compare_runs
from harness.workflows.evaluate import evaluate
from harness.workflows.night_settings import NightSettings, run_settings
from harness.workflows.run_settings import configure
from harness.workflows.tonight import Tonight


@dataclass(frozen=True, slots=True)
class Plan:
    """What a night will do, decided before a model is loaded.

    `bases` has the accepted run of each task that has one, as a folder below `settings.runs`;
    `forced` says by task what its base lacks, which only `accept --force` takes. `untold` are results
    of an earlier call that was ended before it told them.
    """

    settings: NightSettings
    tasks: Sequence[Task]
    due: Sequence[Checkpoint]
    bases: Mapping[str, str]
    ledger: Ledger
    history: History
    forced: Mapping[str, str] = field(default_factory=dict)
    untold: Sequence[HistoryLine] = ()

    @property
    def levels(self) -> Levels:
        """The significance levels of the two tests, over all tasks together."""
        return Levels.of(
            self.settings.false_alarms_per_month, fail_on_rise=self.settings.fail_on_rise
        )


def plan(settings: NightSettings, tasks: Sequence[Task], chosen: Sequence[str] = ()) -> Plan:
    """Decide which checkpoints to evaluate and with which runs to compare them; nothing is written.

    Args:
        settings: the nightly configuration.
        tasks: the tasks that `settings.run` names, from the registry.
        chosen: checkpoints to compare with the baseline, even if evaluated before; by default the
            new ones of the configuration.

    Raises:
        DataError: there is no checkpoint, an accepted run is missing, or a file is damaged.
        UsageError: two checkpoints would have runs of one name, or a task does not support a
            setting.
    """
    ledger, history = read_ledger(settings.runs), read_history(settings.runs)
    bases = {t.name: ledger.accepted[t.name].run for t in tasks if t.name in ledger.accepted}
    for name, run in bases.items():
        if not (settings.runs / run / MANIFEST).is_file():
            raise DataError(
                f"{settings.runs / LEDGER}: the accepted run of {name}, {settings.runs / run}, is "
                "missing; restore it, or accept another one"
            )
    found = name_runs(find_checkpoints(chosen or settings.checkpoints), settings.name)
    for task in tasks:
        configure(task, run_settings(settings, found[0]))
    lines = history.lines
    due = found if chosen else [item for item in found if is_new(item, lines.get(item.run))]
    forced = {
        name: f"its base {settings.runs / run} is accepted although it is not complete: {lacks}"
        for name, run in bases.items()
        if (lacks := what_is_missing(RunFolder(settings.runs / run).task(name)))
    }
    untold = read_untold(settings.runs, history)
    return Plan(settings, tasks, due, bases, ledger, history, forced, untold)


async def hold(
    plan: Plan,
    checkpoint: Checkpoint,
    task_named: Callable[[str], Task],
    *,
    observe: Callable[[Sequence[TaskRun]], Observer],
    full: bool = False,
) -> CheckpointResult:
    """Evaluate one checkpoint, compare it with the accepted runs, and append to the history.

    An error that concerns this checkpoint becomes its result, so that the night continues.

    Args:
        plan: what the night will do.
        checkpoint: one of `plan.due`.
        task_named: finds a task by name, for grading again.
        observe: as in `harness.workflows.evaluate.evaluate`.
        full: draw every sample even if the configuration says `until: decided`.
    """
    settings = plan.settings
    result = CheckpointResult(
        checkpoint=checkpoint,
        time=time.strftime(CLOCK),
        content="",
        fail_on_rise=settings.fail_on_rise,
    )
    try:
        result = replace(result, content=content(checkpoint.path))
        check_unchanged(checkpoint, plan.history.lines.get(checkpoint.run))
        results = await _evaluate(plan, checkpoint, observe, full)
        scores = dict(zip((task.name for task in plan.tasks), results, strict=True))
        tonight = Tonight.of(settings.runs, checkpoint.run, scores, plan.ledger)
        tasks, comparison = await _compare(plan, checkpoint.run, scores, tonight, task_named)
        tasks = tonight.completed(tasks, plan.levels)
        result = replace(result, tasks=tasks, comparison=comparison)
    except HarnessError as error:
        result = replace(result, failure=error)
    told_later = [line.run for line in read_untold(settings.runs, read_history(settings.runs))]
    write_untold(settings.runs, [*told_later, checkpoint.run])
    append_history(settings.runs, result.line())
    return result


async def _evaluate(
    plan: Plan,
    checkpoint: Checkpoint,
    observe: Callable[[Sequence[TaskRun]], Observer],
    full: bool,
) -> list[TaskScores]:
    settings = run_settings(plan.settings, checkpoint)
    bases = {
        task: plan.settings.runs / run for task, run in plan.bases.items() if run != checkpoint.run
    }
    history = {
        task.name: nights_before(
            plan.settings.runs, plan.history.lines, plan.bases.get(task.name), checkpoint.run
        )
        for task in plan.tasks
    }
    if plan.settings.until is None or full:
        return await evaluate(
            plan.tasks, settings, observe=observe, lengths=bases, history=history,
            allow=plan.settings.allow,
        )  # fmt: skip
    stored = plan.history.lines.get(checkpoint.run)
    # Decided already, perhaps with another base.
    if stored and all(task.name in stored.tasks for task in plan.tasks):
        run = RunFolder(settings.output)
        return [run.task(task.name).scores() for task in plan.tasks]
    gated = settings.model_copy(update={"until": "decided", "margin": plan.settings.margin})
    return await evaluate(
        plan.tasks, gated, observe=observe, bases=bases, allow=plan.settings.allow,
        level=plan.levels.night, lengths=bases, history=history,
    )  # fmt: skip


async def _compare(
    plan: Plan,
    run: str,
    scores: Mapping[str, TaskScores],
    tonight: Tonight,
    task_named: Callable[[str], Task],
) -> tuple[tuple[TaskResult, ...], Comparison | None]:
    """The verdict of every task, and the comparison of those that have a baseline."""
    runs, settings = plan.settings.runs, plan.settings
    held = {
        task: runs / plan.bases[task]
        for task in scores
        if plan.bases.get(task, run) != run and scores[task].scores
    }

    async def compared(bases: Mapping[str, Path]) -> Comparison:
        return await compare_runs(
            bases, runs / run, task_named, margin=share_of(settings.margin, "margin"),
            allow=settings.allow, alpha=plan.levels.night, less_luck=tonight.less_luck,
        )  # fmt: skip

    other: dict[str, str] = {}
    try:
        found = await compared(held) if held else None
    except ProtocolMismatch:  # in some task: compare the others anyway
        for task, base in held.items():
            try:
                await compared({task: base})
            except ProtocolMismatch as error:
                other[task] = str(error)
        same = {task: base for task, base in held.items() if task not in other}
        found = await compared(same) if same else None
    if found is not None:
        found = replace(found, tasks=tuple(_with_forced(task, plan.forced) for task in found.tasks))
    compared_tasks = {task.ruling.task: task for task in found.tasks} if found is not None else {}
    results = []
    for task, result in scores.items():
        verdict: TaskVerdict = _without_comparison(task, run, plan.bases)
        if task in compared_tasks:
            verdict = compared_tasks[task].verdict
        elif task in other:
            verdict = "not the same protocol"
        results.append(
            TaskResult(task=task, scores=result, verdict=verdict, base=plan.bases.get(task),
                        comparison=compared_tasks.get(task), why=other.get(task, ""))
        )  # fmt: skip
    return tuple(results), found


def _with_forced(task: TaskComparison, forced: Mapping[str, str]) -> TaskComparison:
    why = forced.get(task.ruling.task)
    return task if why is None else replace(task, notes=(why, *task.notes))


def _without_comparison(task: str, run: str, bases: Mapping[str, str]) -> WithoutComparison:
    if task not in bases:
        return "no baseline"
    return "is the baseline" if bases[task] == run else "not graded"
