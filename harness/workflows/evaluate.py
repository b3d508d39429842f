"""Evaluate: one model over one or more tasks, into a run folder. What `harness run` does."""

from __future__ import annotations

import asyncio
import platform
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
from harness.config import RunSettings, configure
from harness.datasets import select_problems
from harness.engines import make_engine
from harness.engines.settings import EngineSettings, without_secrets
from harness.errors import DataError
from harness.exam import Exam, make_exam
from harness.parts import Engine
from harness.planning import TaskRun
from harness.prompts import derive_seed
from harness.runner import Observer, Runner
from harness.selection import in_words
from harness.store import MANIFEST, Manifest, RunFolder, RunWriter, TaskFolder
from harness.types import Problem, Sampling, Task
from harness.workflows.notices import Notices
from harness.workflows.rounds import Gate, forget, make_gate


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task under the settings of a run, with its problems, before any model is loaded.

    `only` is as in `harness.runner.TaskRun`.
    """

    task: Task
    sampling: Sampling
    problems: Sequence[Problem]
    exam: Exam
    only: frozenset[tuple[str, int]] | None = None

    def run(self, folder: TaskFolder) -> TaskRun:
        """The task in its folder."""
        return TaskRun(
            task=self.task,
            exam=self.exam,
            problems={problem.id: problem for problem in self.problems},
            sampling=self.sampling,
            folder=folder,
            only=self.only,
        )


def check_ready(grader: Any) -> None:
    """Let a grader that needs more than itself say so before anything is sampled or graded."""
    if hasattr(grader, "ready"):
        grader.ready()


def prepare(tasks: Sequence[Task], settings: RunSettings) -> list[Prepared]:
    """Load the problems of every task and fix its exam. Raises UsageError and DataError."""
    prepared = []
    for plain in tasks:
        task, sampling = configure(plain, settings)
        check_ready(task.grader)
        problems, left_out = select_problems(
            task, settings.data, settings.selection, settings.limit
        )
        source = task.dataset.source(settings.data)
        exam = make_exam(
            task,
            problems,
            sampling,
            thinking=settings.thinking,
            think_end=settings.think_end,
            extract=settings.extract,
            source=f"{source} ({in_words(left_out)})" if left_out else source,
        )
        prepared.append(Prepared(task, sampling, problems, exam))
    return prepared


async def evaluate(
    tasks: Sequence[Task],
    settings: RunSettings,
    *,
    observe: Callable[[Sequence[TaskRun]], Observer],
    bases: Mapping[str, Path] | None = None,
    allow: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Complete a run: create it or take it up where it ended.

    Args:
        tasks: plain ones from the registry; the settings are applied here.
        settings: of the run.
        observe: given the tasks about to be worked on, returns who is told of every event.
        bases: the run that each task is held against with `until: decided`; by default
            `settings.base` for all of its tasks. A task without one is sampled in full, and so is
            one whose base, given here, is another exam or has too few samples.
        allow: parts of the exam in which such a base may differ.

    Returns:
        What each task's scores.json holds, in the order of `tasks`.

    Raises:
        UsageError, DataError, ExamMismatch: nothing was changed.
        EngineDown: the engine cannot go on; every finished sample is kept.
    """
    prepared = prepare(tasks, settings)
    gate = make_gate(settings, [(item.exam, item.sampling.k) for item in prepared], bases, allow)
    with RunWriter(settings.output, take_over=settings.take_over) as writer:
        for item in prepared:  # before a model is loaded for minutes
            writer.check_task(item.exam, item.sampling.k)
        number = next_start(settings.output)
        # A resumed run must not repeat the draws of the process before it.
        seed = derive_seed("engine", settings.seed, number, 0)
        notices, stop = Notices(), threading.Event()
        try:
            engine = await asyncio.to_thread(load_engine, settings, seed, notices, stop.is_set)
        except asyncio.CancelledError:
            stop.set()  # the thread goes on: it must not wait for a server that nobody needs
            raise
        try:
            start = {"seed": settings.seed, "engine_seed": seed, "notices": notices.texts}
            return await run_engine(
                writer, settings.model, engine, prepared, observe, start, settings.concurrency, gate
            )
        finally:
            await engine.close()


def load_engine(
    settings: RunSettings,
    seed: int,
    notices: Notices,
    stopped: Callable[[], bool] = lambda: False,
) -> Engine:
    """The engine of a run, with the seed of its own draws. UsageError, DataError, EngineDown."""
    return make_engine(
        EngineSettings(
            engine=settings.engine,
            model=settings.model,
            revision=settings.revision,
            think_end=settings.think_end,
            seed=seed,
            seeded=settings.seeded,
            options=settings.engine_arg,
            base_url=settings.base_url,
            serve=settings.serve,
            tokens_per_minute=settings.tokens_per_minute,
            replicas=settings.replicas,
            ray_address=settings.ray_address,
            tell=notices.add,
            stopped=stopped,
        )
    )


async def run_engine(
    writer: RunWriter,
    model: str,
    engine: Engine,
    prepared: Sequence[Prepared],
    observe: Callable[[Sequence[TaskRun]], Observer],
    start: Mapping[str, Any],
    concurrency: int | None = None,
    gate: Gate | None = None,
) -> list[dict[str, Any]]:
    """Record the start, lay out the task folders, and run the pipeline."""
    for item in prepared:
        writer.check_task(item.exam, item.sampling.k)
    fingerprint = engine.fingerprint()
    writer.begin(
        Manifest(model=model, fingerprint=fingerprint, harness=harness.__version__),
        {**start_record(), **start, "versions": fingerprint.get("versions", {})},
    )
    runs = [
        item.run(writer.add_task(item.exam, item.problems, item.sampling.k)) for item in prepared
    ]
    for run in runs:
        if gate is None or run.task.name not in gate.bases:
            forget(run.folder, run.sampling.k)
    decided = None if gate is None else gate.watch(runs)
    runner = Runner(runs, engine, concurrency=concurrency, observe=observe(runs), decided=decided)
    began = time.monotonic()
    results = await runner.run()
    facts = {"seconds": time.monotonic() - began, "notices": start.get("notices", [])}
    writer.end_start(facts)
    for run, result in zip(runs, results, strict=True):
        writer.set_k(run.task.name, result["k"])
    return results


def next_start(path: Path) -> int:
    """The number of this process start in a run folder, from 0 for a new one."""
    if not (path / MANIFEST).exists():
        if any(path.glob("*/samples.jsonl")):
            raise DataError(
                f"{path} holds samples and no {MANIFEST}: it is not a whole run folder; restore "
                "the manifest, or use another -o folder"
            )
        return 0
    return len(RunFolder(path).manifest().starts)


def start_record() -> dict[str, Any]:
    """What is written down of a process start: when, where, with what."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "host": socket.gethostname(),
        "command": without_secrets(sys.argv[1:]),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "harness": harness.__version__,
        "git": _git_revision(),
    }


def _git_revision() -> str | None:
    """Commit of the harness's own checkout, if it is one."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    folder = Path(harness.__file__).parent.parent
    if not (folder / ".git").exists():
        return None
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
