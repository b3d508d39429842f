"""The harness over vLLM against vLLM alone: tokens per second on the same prompts, grading on.

    python benchmarks/vllm_rate.py [--model M] [--tasks T,..] [--seconds S] [--pairs N] [--quick]

One engine serves both, so that they differ in nothing but what stands around it: the harness's
whole pipeline (template, decoding, durable files, grading in worker processes) or a bare asyncio
client of AsyncLLM with ready token ids, as many requests in flight, and vLLM's own text. They
take turns. Each run warms up first (workers started, engine full); then tokens of completions
count for S seconds. Prints a line per run, the medians and the median ratio of the pairs. Runs
wherever vLLM is installed, on a GPU or a CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
K = 2048  # more than any run comes to: it ends by the clock
if shutil.which("nvidia-smi") is None:
    for name, value in {
        "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1", "VLLM_NO_USAGE_STATS": "1",
    }.items():  # fmt: skip
        os.environ.setdefault(name, value)


@dataclass
class Meter:
    """Counts completions while its window is open.

    `cpu` is the client process's own CPU time in the window, in seconds.
    """

    tokens: int = 0
    samples: int = 0
    cpu: float = 0.0
    seconds: float = 0.0
    open: bool = False

    def count(self, n_tokens: int) -> None:
        """One completion."""
        if self.open:
            self.tokens += n_tokens
            self.samples += 1

    async def watch(self, work: asyncio.Task[Any], warm: float, seconds: float) -> None:
        """Open the window after `warm` seconds and close it `seconds` later; then end the work."""
        await self._sleep(work, warm)
        began, cpu, self.open = time.monotonic(), time.process_time(), True
        await self._sleep(work, seconds)
        self.open = False
        self.seconds, self.cpu = time.monotonic() - began, time.process_time() - cpu
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    @staticmethod
    async def _sleep(work: asyncio.Task[Any], seconds: float) -> None:
        await asyncio.wait([work], timeout=seconds)
        if work.done():
            work.result()
            raise SystemExit("there were too few samples for the time: give more --tasks")

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self.tokens / self.seconds


class Counted:
    """An engine whose completions a meter counts."""

    def __init__(self, engine: Any, meter: Meter) -> None:
        self._engine, self._meter = engine, meter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def generate(self, request: Any) -> Any:
        """One sample."""
        completion = await self._engine.generate(request)
        self._meter.count(completion.n_tokens)
        return completion


async def harness_run(engine: Any, tasks: Sequence[str], options: argparse.Namespace) -> Meter:
    """The real pipeline into a run folder of its own."""
    from harness.pipeline.drawing import Drawing
    from harness.pipeline.grading_pool import GradingPool
    from harness.pipeline.runner import Runner
    from harness.storage.manifest import Manifest, Start
    from harness.storage.run_folder import RunWriter

    meter = Meter()
    with tempfile.TemporaryDirectory() as folder, RunWriter(Path(folder) / "run") as writer:
        prepared = prepare_tasks(tasks, options, Path(folder) / "run")
        writer.begin(Manifest(options.model, {}), Start())
        runs = [p.run(writer.add_task(p.protocol, p.problems, p.sampling.k)) for p in prepared]
        drawing = Drawing(concurrency=options.concurrency)
        runner = Runner(runs, Counted(engine, meter), GradingPool(), drawing=drawing)
        await meter.watch(asyncio.create_task(runner.run()), options.warm, options.seconds)
        graded = sum(len(list(run.folder.grades())) for run in runs)
        stored = sum(sum(1 for _ in run.folder.samples()) for run in runs)
    print(f"    graded {graded} of {stored} by the end", file=sys.stderr)
    return meter


async def bare_run(engine: Any, tasks: Sequence[str], options: argparse.Namespace) -> Meter:
    """A bare client: as many lanes, each one request after another, in the same order."""
    from harness.pipeline.pending import make_plan, units

    meter = Meter()
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare_tasks(tasks, options, Path(folder) / "run")
        runs = [p.run(no_samples(folder, p)) for p in prepared]
        schedule = make_plan(runs).schedule()
    # The harness's own order, by lengths recorded on the way, so that both draw the same mix of problems.
    waiting = units(runs, schedule)
    ids: dict[str, list[int]] = {}

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            for lane in range(options.concurrency):
                group.create_task(bare_lane(engine, waiting, schedule, ids, str(lane), meter))

    await meter.watch(asyncio.create_task(work()), options.warm, options.seconds)
    return meter


async def bare_lane(
    engine: Any,
    waiting: Iterator[Any],
    schedule: Any,
    ids: dict[str, list[int]],
    lane: str,
    meter: Meter,
) -> None:
    """One request after another of AsyncLLM, whose prompts' token ids are made once."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    from harness.pipeline.pending import make_request

    for number, unit in enumerate(waiting):
        if unit.problem.id not in ids:
            ids[unit.problem.id] = engine.chat.tokens(make_request(unit)[0].prompt)
        sampling = unit.run.sampling
        params = SamplingParams(
            temperature=sampling.temperature, top_p=sampling.top_p or 1.0,
            max_tokens=sampling.max_tokens, output_kind=RequestOutputKind.FINAL_ONLY,
        )  # fmt: skip
        async for output in engine.llm.generate(
            {"prompt_token_ids": ids[unit.problem.id]}, params, f"{lane}-{number}"
        ):
            tokens = len(output.outputs[0].token_ids)
            meter.count(tokens)
            schedule.record((unit.run.task.name, unit.problem.id), tokens)


def no_samples(folder: str, prepared: Any) -> Any:
    """A task folder with nothing in it, so that all is planned."""
    from harness.storage.run_folder import TaskFolder

    return TaskFolder(Path(folder) / prepared.task.name)


def prepare_tasks(tasks: Sequence[str], options: argparse.Namespace, output: Path) -> list[Any]:
    """The tasks with far more samples per problem than there is time for."""
    from harness.registry import find_tasks
    from harness.workflows.prepare import prepare
    from harness.workflows.run_settings import RunSettings

    names = ",".join(tasks)
    settings = RunSettings(
        model=options.model, tasks=names, output=output, k=K, data=options.data,
        temperature=0.6, top_p=0.95, max_tokens=options.max_tokens,
    )  # fmt: skip
    return prepare(find_tasks(names), settings)


async def measure(options: argparse.Namespace) -> list[tuple[Meter, Meter]]:
    """Pairs of (bare, harness), which of them is first in turn."""
    from harness.engines.settings import EngineSettings
    from harness.engines.vllm.engine import VllmEngine

    given = dict(argument.split("=", 1) for argument in options.engine_arg)
    engine = await asyncio.to_thread(
        VllmEngine.single, EngineSettings(engine="vllm", model=options.model, options=given)
    )
    options.concurrency = options.concurrency or engine.concurrency
    tasks, pairs = options.tasks.split(","), []
    try:
        for number in range(options.pairs):
            arms = [bare_run, harness_run]
            found = {}
            for arm in arms if number % 2 == 0 else reversed(arms):
                meter = found[arm] = await arm(engine, tasks, options)
                name = arm.__name__.removesuffix("_run")
                print(line(number, name, meter), flush=True)
            pairs.append((found[bare_run], found[harness_run]))
    finally:
        await engine.close()
    return pairs


def line(number: int, name: str, meter: Meter) -> str:
    """One run in the table."""
    per_sample = 1000 * meter.cpu / max(1, meter.samples)
    return (
        f"{number + 1:>4}  {name:<8}{meter.samples:>9,}{meter.tokens:>11,}{meter.rate:>11,.0f}"
        f"{per_sample:>14.2f}"
    )


def main() -> None:
    """Measure the pairs and print the table that the README quotes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default=str(ROOT / "examples" / "practice-model" / "late"))
    parser.add_argument("--tasks", default="practice_integer,practice_math,practice_choice")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--max-tokens", type=int, default=200)
    parser.add_argument("--engine-arg", action="append", default=[], metavar="K=V")
    parser.add_argument("--concurrency", type=int, help="the engine's own number by default")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--warm", type=float, default=10.0)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one pair of 8 seconds")
    options = parser.parse_args()
    if importlib.util.find_spec("vllm") is None:
        print("vllm is not installed: left out", file=sys.stderr)
        return
    if options.quick:
        options.seconds, options.warm, options.pairs = 8.0, 6.0, 1
    if shutil.which("nvidia-smi") is None and not options.engine_arg:
        options.engine_arg = ["enforce_eager=true", "dtype=float32"]
    print("pair  client    samples     tokens   tokens/s  ms CPU/sample")
    pairs = asyncio.run(measure(options))
    bare, ours = (
        statistics.median(meter.rate for meter in arm) for arm in zip(*pairs, strict=True)
    )
    ratio = statistics.median(harness.rate / alone.rate for alone, harness in pairs)
    print(
        f"\nmedian of {len(pairs)}: harness {ours:,.0f} tokens/s, bare AsyncLLM {bare:,.0f}; "
        f"ratio {ratio:.3f} at {options.concurrency} requests in flight"
    )
    graders = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"CPU of the grading workers and the ended engine: {graders.ru_utime:.0f} s")


if __name__ == "__main__":
    main()
