"""Sweep one factor at a time around a base.

    DIR/base                  the base, an ordinary run folder
    DIR/temperature=1.0       one more for each value that must be sampled

Nothing is sampled if the base's stored samples are enough: for a smaller k, a lower length cap,
another extraction rule or grader. A larger k extends the base. All folders are ordinary runs, so the
same command completes an interrupted sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness.engines.ray.cluster import Cluster
from harness.errors import UsageError
from harness.interfaces import Engine
from harness.pipeline.drawing import Drawing
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer, Runner
from harness.protocol import Protocol
from harness.stats import effects, sample_outcomes
from harness.stats.effects import Effect, Pairing, Source
from harness.stats.sample_outcomes import SampleOutcome
from harness.stats.seeds import derive_seed
from harness.storage.run_folder import MANIFEST, RunWriter, TaskFolder
from harness.task import Task
from harness.types import Grade, Verdict
from harness.waiting import waiting_for
from harness.workflows.engine_loading import close_engine, open_engine
from harness.workflows.evaluate import open_pool, run_engine
from harness.workflows.lengths import length_sources
from harness.workflows.notices import Notices
from harness.workflows.prepare import Prepared, prepare
from harness.workflows.provenance import next_start, start_record
from harness.workflows.regrade import grade_again
from harness.workflows.run_settings import RunSettings
from harness.workflows.sweep_conditions import Condition, make_condition
from harness.workflows.sweep_config import BASE, Variant
from harness.workflows.sweep_draws import Draw, check_folder, for_one_engine, lay_out_draws

Observe = Callable[[Sequence[TaskRun]], Observer]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep will do, fixed before anything is sampled."""

    base: Sequence[Prepared]
    conditions: Sequence[Condition]
    draws: Sequence[Draw]

    @property
    def model(self) -> str:
        """The model of all of it."""
        return self.draws[0].settings.model

    @property
    def protocols(self) -> dict[str, Protocol]:
        """The base's protocols, by task."""
        return {item.task.name: item.protocol for item in self.base}

    def to_json(self, effects: Sequence[Effect]) -> dict[str, object]:
        """The base's protocols, k and every effect, as written to sweep.json."""
        bases = {}
        for item in self.base:
            protocol = {
                name: value for name, value in item.protocol.to_json().items() if name != "problems"
            }
            bases[item.task.name] = {
                **protocol,
                "n_problems": len(item.problems),
                "k": item.sampling.k,
            }
        return {
            "model": self.model,
            "base": bases,
            "effects": [effect.to_json() for effect in effects],
        }


@waiting_for("the problems to be read")
def lay_out(tasks: Sequence[Task], base: RunSettings, variants: Sequence[Variant]) -> Sweep:
    """Decide for every task and value where the outcomes come from.

    Raises:
        UsageError: a value is not supported, or applies to none of the tasks.
        ProtocolMismatch: a folder of the sweep has another protocol.
        DataError: the problems cannot be read.
    """
    prepared = prepare(tasks, base)
    length_sources(base, [task.name for task in tasks], {})  # checks the run that it names
    conditions = []
    for variant in variants:
        found = [
            condition
            for task, item in zip(tasks, prepared, strict=True)
            if (condition := make_condition(task, item, variant)) is not None
        ]
        if not found:
            names = ", ".join(task.name for task in tasks)
            raise UsageError(f"{variant.name}: it applies to none of {names}; leave it out")
        conditions += found
    draws = lay_out_draws(base, prepared, conditions)
    for draw in draws:
        check_folder(draw)
    return Sweep(prepared, conditions, draws)


async def draw_samples(sweep: Sweep, *, observe: Observe) -> None:
    """Complete every run folder of a sweep; an engine is opened only if samples are missing.

    Raises:
        UsageError: the engine cannot do what a value asks for.
        EngineDown: the engine cannot continue; every finished sample is kept.
    """
    waiting = [draw for draw in sweep.draws if not draw.complete()]
    if not waiting:
        return
    notices = Notices()
    async with AsyncExitStack() as stack:
        settings = waiting[0].settings
        if settings.grade_on == "ray":  # one connection for the graders of all folders
            stack.callback((await asyncio.to_thread(Cluster, settings.ray_address)).close)
        lacking = [draw for draw in waiting if draw.missing()]
        for draws in for_one_engine(lacking):
            await _draw_all(sweep, draws, observe=observe, notices=notices)
        for draw in waiting:
            if draw not in lacking:
                await _grade_and_score(draw, observe, notices)


async def _grade_and_score(draw: Draw, observe: Observe, notices: Notices) -> None:
    """Complete a folder that has all of its samples; its process ended before it was scored."""
    settings = draw.settings
    with RunWriter(draw.path, take_over=settings.take_over):
        graders = [item.task.grader for item in draw.prepared]
        async with open_pool(settings, graders, notices) as pool:
            runs = [replace(run, protocol=run.folder.protocol()) for run in draw.runs()]
            await Runner(runs, None, pool, observe=observe(runs), notify=notices.add).run()


async def _draw_all(
    sweep: Sweep, draws: Sequence[Draw], *, observe: Observe, notices: Notices
) -> None:
    """Complete some folders with one engine."""
    settings = draws[0].settings
    for name in ("repetition_guard", "reasoning_budget"):
        values = (getattr(draw.settings, name) for draw in draws)
        if given := [value for value in values if value is not None]:
            # So an engine without it is refused at once.
            settings = settings.model_copy(update={name: given[0]})
    # No start of a sweep may repeat samples of an earlier one in any of its folders.
    starts = sum(next_start(draw.path) for draw in sweep.draws)
    seed = derive_seed("engine", settings.seed, "sweep", starts)
    samplings = [item.sampling for draw in draws for item in draw.prepared]
    engine = await open_engine(settings, seed, notices, samplings)
    try:
        for draw in draws:
            await _draw(
                draw, sweep.draws[0].path, engine, seed=seed, observe=observe, notices=notices
            )
    finally:
        await close_engine(engine)


async def _draw(
    draw: Draw,
    base: Path,
    engine: Engine,
    *,
    seed: int,
    observe: Observe,
    notices: Notices,
) -> None:
    settings = draw.settings
    known = {}
    if draw.path != base and (base / MANIFEST).exists():
        known = {item.task.name: base for item in draw.prepared}
    earlier = length_sources(settings, [item.task.name for item in draw.prepared], known)
    graders = [item.task.grader for item in draw.prepared]
    with RunWriter(draw.path, take_over=settings.take_over) as writer:
        async with open_pool(settings, graders, notices) as pool:
            await run_engine(
                writer,
                settings.model,
                engine,
                draw.prepared,
                observe=observe,
                start=start_record(seed=settings.seed, engine_seed=seed),
                notices=notices,
                drawing=Drawing(concurrency=settings.concurrency, lengths=earlier),
                pool=pool,
            )


async def measure_effects(sweep: Sweep, *, observe: Observe) -> list[Effect]:
    """Compute the effect of every value from the run folders, for each task after the base's score.

    P-values are corrected over the values of each factor.

    Raises:
        DataError: a task has no graded sample under some value.
    """
    found = []
    for item, run in zip(sweep.base, sweep.draws[0].runs(), strict=True):
        drawn = sample_outcomes.outcomes(run.folder.samples(), run.folder.grades())
        base = sample_outcomes.first(drawn, item.sampling.k)
        found.append(_measure(item, base, factor=BASE, value="", source="base"))
        for condition in sweep.conditions:
            if condition.prepared.task.name == item.task.name:
                found.append(await _effect(condition, run, base, drawn, observe))
    return effects.corrected(found)


async def _effect(
    condition: Condition,
    run: TaskRun,
    base: Sequence[SampleOutcome],
    drawn: Sequence[SampleOutcome],
    observe: Observe,
) -> Effect:
    """One condition's score and its difference to the base; `drawn` is `base` and what lies beyond k."""
    item, variant, origin = condition.prepared, condition.variant, condition.origin
    k, cap = item.sampling.k, item.sampling.max_tokens or 0
    pairing: Pairing = "samples"
    source: Source = "stored" if condition.stored else "sampled"
    if origin == "base":
        return _measure(item, base, factor=variant.factor, value=variant.label, source="base")
    if origin == "sampled":
        folder = TaskFolder(variant.settings.output / item.task.name)
        new = sample_outcomes.outcomes(folder.samples(), folder.grades(), k=k)
        pairing = "problems"
    elif origin == "capped":
        new = sample_outcomes.capped(base, cap)
    elif origin == "regraded":
        again = replace(run, task=item.task)
        grades = _graded_before(run, variant)
        if grades is None:
            grades = await _graded_again(again, variant, observe, k)
        new = sample_outcomes.outcomes(run.folder.samples(), grades, k=k)
    else:
        new, pairing = sample_outcomes.first(drawn, k), "nested"
    effect = _measure(item, new, factor=variant.factor, value=variant.label, source=source)
    if origin == "capped":
        effect = replace(effect, cut_responses=sample_outcomes.cut_responses(base, cap))
    return effects.against(effect, base, new, pairing)


async def _graded_again(run: TaskRun, variant: Variant, observe: Observe, k: int) -> list[Grade]:
    """The grades by the variant's grader, where the sweep's samples are graded."""
    async with AsyncExitStack() as stack:
        pools = open_pool(variant.settings, [run.task.grader], Notices())
        pool = await stack.enter_async_context(await stack.enter_async_context(pools))
        return await grade_again(run, pool, observe([run]), k=k)


def _graded_before(run: TaskRun, variant: Variant) -> list[Grade] | None:
    """The grades by another scoring, if the stored grades include it: judging takes hours."""
    name, grades = variant.label, list(run.folder.grades())
    if variant.factor != "scoring" or not all(name in grade.also for grade in grades):
        return None
    return [replace(grade, verdict=Verdict(grade.also[name])) for grade in grades]


def _measure(
    item: Prepared, found: Sequence[SampleOutcome], *, factor: str, value: str, source: Source
) -> Effect:
    k = item.sampling.k
    n = k * len(item.problems)
    return effects.measure(
        found, task=item.task.name, factor=factor, value=value, source=source, k=k, n_expected=n
    )
