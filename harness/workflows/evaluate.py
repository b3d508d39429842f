"""Evaluate one model on one or more tasks, into a run folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import harness
from harness.errors import HarnessError, UsageError
from harness.interfaces import Engine, Grader
from harness.pipeline.drawing import Drawing
from harness.pipeline.grading_pool import GradingPool
from harness.pipeline.grading_ray import RayGrading
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer, Runner
from harness.pipeline.untagged import HOW_TO_SAY, split_others, unknown_reasoning
from harness.protocol import SERVER_SAMPLING
from harness.stats.power import ALPHA
from harness.stats.scores import TaskScores
from harness.stats.seeds import derive_seed
from harness.storage.manifest import Manifest, Start
from harness.storage.problem_tests import check_tests
from harness.storage.run_folder import RunWriter
from harness.task import Task
from harness.waiting import waiting_for
from harness.workflows.allocation import allocate, sources
from harness.workflows.early_stopping import Gate, forget, make_gate
from harness.workflows.engine_loading import close_engine, open_engine
from harness.workflows.lengths import length_sources
from harness.workflows.notices import Notices
from harness.workflows.prepare import Prepared, prepare, stated
from harness.workflows.provenance import next_start, start_record
from harness.workflows.recorded_start import RecordedStart, own_costs
from harness.workflows.run_settings import RunSettings


async def evaluate(
    tasks: Sequence[Task],
    settings: RunSettings,
    *,
    observe: Callable[[Sequence[TaskRun]], Observer],
    bases: Mapping[str, Path] | None = None,
    allow: Sequence[str] = (),
    lengths: Mapping[str, Path] | None = None,
    history: Mapping[str, Sequence[Path]] | None = None,
    level: float = ALPHA,
) -> list[TaskScores]:
    """Complete a run: create it, or continue where it stopped.

    Args:
        tasks: plain ones from the registry; the settings are applied here.
        settings: of the run.
        observe: given the tasks about to be worked on, returns what is called on every event.
        bases: the run that each task is compared with under `until: decided`; by default
            `settings.base` for all of its tasks. A task without one is sampled in full, and so is
            one whose base, given here, has another protocol or too few samples.
        allow: parts of the protocol that may differ from the base's.
        lengths: the run whose sample lengths each task expects; by default `settings.lengths`,
            otherwise `settings.base`.
        history: the earlier runs that each task's samples are allocated by under `allocate:
            history`; by default `settings.base` and those of `settings.history`.
        level: chance of a false alarm under `until: decided`, over all tasks with a base.

    Returns:
        The scores of each task, in the order of `tasks`.

    Raises:
        UsageError: a setting that a task or the engine does not support; nothing was changed.
        DataError: a dataset, model or run folder cannot be read; nothing was changed.
        ProtocolMismatch: the folder has another protocol; nothing was changed.
        EngineDown: the engine cannot continue; every finished sample is kept.
    """
    notices = Notices()
    early = (*allow, SERVER_SAMPLING)  # which the engine states when it is open
    with waiting_for("the problems to be read"):
        prepared = prepare(tasks, settings, notify=notices.add)
        earlier_runs = sources(settings, [item.task.name for item in prepared], history)
        prepared = allocate(prepared, settings, earlier_runs, allow=early, strict=history is None,
                            notify=notices.add)  # fmt: skip
        gate = make_gate(settings, prepared, bases, early, level=level, notify=notices.add)
        earlier = length_sources(settings, [item.task.name for item in prepared], lengths or {})
    with RunWriter(settings.output, take_over=settings.take_over) as writer:
        for item in prepared:  # before a model is loaded for minutes
            writer.check_task(item.protocol, item.sampling.k, (SERVER_SAMPLING,))
        seed = _engine_seed(settings)
        async with AsyncExitStack() as stack:
            pooled = open_pool(settings, [item.task.grader for item in prepared], notices)
            pool = await stack.enter_async_context(pooled)
            engine = await open_engine(settings, seed, notices, [p.sampling for p in prepared])
            stack.push_async_callback(close_engine, engine)
            prepared = stated(writer, prepared, engine.fingerprint())
            gate = _once_known(gate, prepared, settings, allow, strict=bases is None)
            drawing = Drawing(concurrency=settings.concurrency, rule=gate, lengths=earlier)
            start = start_record(seed=settings.seed, engine_seed=seed, price=settings.price)
            return await run_engine(writer, settings.model, engine, prepared, observe=observe, start=start,
                                    notices=notices, drawing=drawing, pool=pool)  # fmt: skip


def _engine_seed(settings: RunSettings) -> int:
    """The engine's seed: a resumed run must not repeat the samples of the process before it."""
    return derive_seed("engine", settings.seed, next_start(settings.output), 0)


@asynccontextmanager
async def open_pool(
    settings: RunSettings, graders: Sequence[Grader], notices: Notices
) -> AsyncIterator[GradingPool]:
    """The pool that grades where `--grade-on` says: on this machine, or on a cluster as well.

    Args:
        settings: of the run.
        graders: the graders of its tasks, which every node must be able to run.
        notices: gets the notices of the cluster.

    Raises:
        UsageError: Ray is not installed, or the address is wrong.
        EngineDown: the cluster cannot be reached.
    """
    if settings.grade_on == "local":
        yield GradingPool()
        return
    elsewhere = await asyncio.to_thread(RayGrading, settings.ray_address, graders, notices.add)
    try:
        yield GradingPool(elsewhere=elsewhere)
    finally:
        await elsewhere.close()


def _once_known(
    gate: Gate | None, prepared: Sequence[Prepared], settings: RunSettings, allow: Sequence[str],
    *, strict: bool,
) -> Gate | None:  # fmt: skip
    """The gate checked again, now that the engine has stated the rest of the protocols."""
    if gate is None:
        return None
    checked = replace(gate, allow=tuple(allow)).over(prepared, settings.output, strict=strict)
    return checked if checked.bases else None


async def run_engine(
    writer: RunWriter,
    model: str,
    engine: Engine,
    prepared: Sequence[Prepared],
    *,
    observe: Callable[[Sequence[TaskRun]], Observer],
    start: Start | None = None,
    notices: Notices | None = None,
    drawing: Drawing | None = None,
    pool: GradingPool | None = None,
) -> list[TaskScores]:
    """Record the start and its plan, lay out the task folders, and run the pipeline.

    Args:
        writer: of the run folder.
        model: its name, as the manifest has it.
        engine: draws the samples.
        prepared: the tasks.
        observe: given the tasks about to be worked on, returns who is notified of every event.
        start: what is recorded of this process; `start_record()` by default.
        notices: those of this start, complete when the run has ended.
        drawing: how samples are drawn.
        pool: grades; processes on this machine by default.

    Returns:
        The scores of each task, in the order of `prepared`.

    Raises:
        UsageError, DataError, ProtocolMismatch: nothing was changed.
        UsageError: samples may be reasoning, and nothing tells; every one is kept.
        EngineDown: the engine cannot go on; every finished sample is kept.
    """
    drawing = drawing or Drawing()
    fingerprint, notices = engine.fingerprint(), notices or Notices()
    prepared = stated(writer, prepared, fingerprint)
    _check_reasoning(writer, prepared, engine, drawing=drawing, notices=notices)
    start = start or start_record()
    start = replace(
        start,
        versions=fingerprint.get("versions", {}),
        concurrency=drawing.concurrency or engine.concurrency,
        notices=tuple(notices.texts),  # of loading; they stay if this process is killed
        **own_costs(fingerprint, start),
    )
    start = writer.begin(Manifest(model, fingerprint, harness=harness.__version__), start)
    runs = _lay_out(writer, prepared, drawing)
    record = RecordedStart(writer, start, notices, observe(runs))
    runner = Runner(runs, engine, pool or GradingPool(), drawing=drawing, observe=record.event,
                    learned=writer.record_opening, notify=notices.add)  # fmt: skip
    record.begin(runner.plan.record())

    def end() -> None:
        split_others(writer.path, [run.task.name for run in runs], notices.add)
        record.end(runner.discarded)

    results = await _ended(runner, end)
    for run, result in zip(runs, results, strict=True):
        writer.set_k(run.task.name, result.k)
    return results


async def _ended(runner: Runner, end: Callable[[], None]) -> list[TaskScores]:
    """The results of a runner; `end` is called also for a run that ended early."""
    try:
        with waiting_for("the samples in work to be dropped", droppable=False):
            results = await runner.run()
    except BaseException:
        with suppress(HarnessError):  # on a full disk, say, what failed first is what is told
            end()
        raise
    end()
    return results


def _lay_out(writer: RunWriter, prepared: Sequence[Prepared], drawing: Drawing) -> list[TaskRun]:
    """The tasks in their folders, without the record of a stop that no longer holds."""
    runs = [item.run(writer.add_task(item.protocol, item.problems, item.sampling.k))
            for item in prepared]  # fmt: skip
    for run in runs:
        check_tests(run.problems.values())
        if drawing.rule is None or run.task.name not in drawing.rule.bases:
            forget(run.folder, run.asked)
    return runs


def _check_reasoning(
    writer: RunWriter,
    prepared: Sequence[Prepared],
    engine: Engine,
    *,
    drawing: Drawing,
    notices: Notices,
) -> None:
    """Tell that texts without a tag may be reasoning, where that is not known.

    UsageError where grades may stop the run.
    """
    unknown = unknown_reasoning(writer.path, [item.protocol for item in prepared], engine)
    if unknown is None:
        return
    if drawing.rule is not None:  # its analyses count grades before the last sample may tell
        raise UsageError(f"--until decided: {unknown}; add {HOW_TO_SAY}")
    notices.add(f"{unknown}; samples that are cut off may need {HOW_TO_SAY}")
