"""The transformers engine against bare `generate` on a GPU: tokens per second, and how busy it is.

    python benchmarks/gpu.py [--model FOLDER] [--tasks T] [--k 8] [--pairs 3] [--device D] [-o FILE.json]

Both draw the same number of samples of the same prompts, in batches of one size, in one process
and from one model that is loaded once: the harness through its whole pipeline (run folder, grading
on), the bare engine with transformers' own sampling in a loop. Pairs alternate; the ratio is the
median of the pairs. The busy share is NVML's, read ten times per second while samples are drawn.

Without --model there are two: the practice checkpoint, whose samples end by themselves, and random
weights in the shape of a 1.5B model (28 layers of 1,536, 151,936 tokens), whose samples reach the
cap: speed needs no trained weights. Those also draw the heavy-tailed load of
benchmarks/transformers_rate.py, by turns in fixed and in continuous batches: useful tokens per
second, the tokens of the samples alone.

--device cpu makes the random model tiny: it shows that all of this works, and no speed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from random_model import PRACTICE, write_random_model
from transformers_rate import LOADS, Load

from harness.data.datasets import load_problems
from harness.data.prompts import render
from harness.engines.hf.engine import TransformersEngine
from harness.engines.hf.options import Batching, Options
from harness.interfaces import Request
from harness.pipeline.pending import make_plan, make_request, units
from harness.pipeline.runner import Observer
from harness.registry import find_tasks
from harness.sampling import Sampling
from harness.storage.manifest import Manifest, Start
from harness.storage.run_folder import RunFolder, RunWriter
from harness.workflows.evaluate import run_engine
from harness.workflows.prepare import Prepared, prepare
from harness.workflows.run_settings import RunSettings

BATCHINGS: tuple[Batching, ...] = ("fixed", "continuous")


@contextmanager
def busy_share() -> Iterator[list[float]]:
    """Readings of the GPU's utilisation while the block runs; none where NVML gives none."""
    readings: list[float] = []
    ended = threading.Event()

    def read() -> None:
        try:
            import pynvml

            pynvml.nvmlInit()
            handle = pynvml.nvmlDeviceGetHandleByIndex(0)
            while not ended.wait(0.1):
                readings.append(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
        except Exception as error:  # NVML raises errors of its own; the speed counts without it
            print(f"no utilisation: {error!r}")

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield readings
    finally:
        ended.set()
        thread.join()


class Harness:
    """The harness's side: one engine in one event loop, and a fresh run folder each time."""

    def __init__(self, model: str, settings: Mapping[str, Any], options: Options) -> None:
        self.settings = dict(settings, model=model)
        self.model = model
        self.engine = TransformersEngine(model, options=options)
        self.loop = asyncio.Runner()

    def requests(self) -> list[Request]:
        """The prompts of all samples, in the order in which the harness asks for them."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run"
            with RunWriter(path) as writer:
                writer.begin(Manifest(model="none", fingerprint={}), Start())
                runs = [item.run(writer.add_task(item.protocol, item.problems, item.sampling.k))
                        for item in self._prepare(path)]  # fmt: skip
                schedule = make_plan(runs).schedule()
                return [make_request(unit)[0] for unit in units(runs, schedule)]

    def draw(self) -> tuple[int, float]:
        """(tokens, seconds) of one run, from its first request to its last sample."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run"
            times: list[float] = []

            def observe(runs: object) -> Observer:
                times.append(time.monotonic())
                return lambda what, task, verdict: (
                    times.append(time.monotonic()) if what == "sampled" else None
                )

            async def work() -> None:
                with RunWriter(path) as writer:
                    await run_engine(
                        writer, self.model, self.engine, self._prepare(path), observe=observe
                    )

            self.loop.run(work())
            tokens = sum(s.n_tokens or 0 for t in RunFolder(path).tasks() for s in t.samples())
            return tokens, times[-1] - times[0]

    def close(self) -> None:
        """End the engine and its loop."""
        self.loop.run(self.engine.close())
        self.loop.close()

    def _prepare(self, output: Path) -> list[Prepared]:
        settings = RunSettings(**self.settings, output=output)
        return prepare(find_tasks(settings.tasks), settings)


class Bare:
    """transformers alone: the same prompts through `generate` with its own sampling."""

    def __init__(
        self, model: str, requests: Sequence[Request], batch_size: int, device: str
    ) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(model)
        loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype="auto")
        self.device = device
        self.model = loaded.to(self.device).eval()
        self.requests, self.batch_size = requests, batch_size

    def draw(self) -> tuple[int, float]:
        """(tokens, seconds) of all samples."""
        tokens = 0
        started = time.monotonic()
        for first in range(0, len(self.requests), self.batch_size):
            tokens += self._batch(self.requests[first : first + self.batch_size])
        return tokens, time.monotonic() - started

    def _batch(self, batch: Sequence[Request]) -> int:
        chats = [[{"role": "user", "content": request.prompt.user}] for request in batch]
        sampling = batch[0].sampling
        inputs = self.tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt"
        ).to(self.device)
        with torch.inference_mode():
            output = self.model.generate(
                **inputs, do_sample=True, temperature=sampling.temperature, top_p=sampling.top_p,
                top_k=0, max_new_tokens=sampling.max_tokens,
            )  # fmt: skip
        rows = output[:, inputs["input_ids"].shape[1] :]
        self.tokenizer.batch_decode(rows)
        end = self.model.generation_config.eos_token_id
        return sum((row.index(end) + 1) if end in row else len(row) for row in rows.tolist())


def measure(label: str, model: str, options: argparse.Namespace, cap: int) -> dict[str, Any]:
    """Alternating pairs on one model; the medians and ratios."""
    settings = {"tasks": options.tasks, "k": options.k, "limit": options.limit,
                "max_tokens": cap, "temperature": 0.6, "top_p": 0.95}  # fmt: skip
    harness = Harness(model, settings, engine_options(options))
    bare = Bare(model, harness.requests(), options.batch_size, options.device)
    sides: dict[str, Harness | Bare] = {"harness": harness, "bare": bare}
    rows: dict[str, list[tuple[float, float | None]]] = {name: [] for name in sides}
    for side in sides.values():
        side.draw()  # warm
    for pair in range(options.pairs):
        for name in sorted(sides, reverse=bool(pair % 2)):
            with busy_share() as busy:
                tokens, seconds = sides[name].draw()
            rows[name].append((tokens / seconds, statistics.mean(busy) if busy else None))
            print(f"{label} {name:>7}: {tokens:,} tokens in {seconds:.1f} s = "
                  f"{tokens / seconds:,.0f} a second, GPU busy "
                  + (f"{statistics.mean(busy):.0%}" if busy else "unknown"), flush=True)  # fmt: skip
    harness.close()
    ratios = [h[0] / b[0] for h, b in zip(rows["harness"], rows["bare"], strict=True)]
    result = {
        "model": label,
        "samples": len(bare.requests),
        "cap": cap,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        **{
            f"{name}_{what}": _median(row[place] for row in rows[name])
            for name in rows
            for place, what in enumerate(("tokens_per_second", "busy_share"))
        },
    }
    print(f"{label}: harness over bare {result['ratio']:.3f}", flush=True)
    return result


def engine_options(options: argparse.Namespace, batching: Batching | None = None) -> Options:
    """Of the transformers engine: bfloat16 on a GPU, float32 on a CPU."""
    dtype = None if options.device == "cpu" else "bfloat16"
    return Options(
        batch_size=options.batch_size, batching=batching, device=options.device, dtype=dtype
    )


def heavy_tailed(label: str, model: str, options: argparse.Namespace, load: Load) -> dict[str, Any]:
    """Fixed against continuous batches on lengths that differ; both engines in turn."""
    task = find_tasks(options.tasks)[0]
    prompts = [render(task.prompt, problem) for problem in load_problems(task, None)]
    requests = [
        Request(str(number), 0, prompts[number // load.k % len(prompts)],
                Sampling(temperature=0.6, top_p=0.95, max_tokens=length))
        for number, length in enumerate(load.lengths[: options.limit * options.k])
    ]  # fmt: skip
    rates: dict[Batching, list[float]] = {batching: [] for batching in BATCHINGS}
    for pair in range(options.pairs):
        for batching in BATCHINGS[:: -1 if pair % 2 else 1]:
            tokens, seconds = draw_all(model, engine_options(options, batching), requests)
            rates[batching].append(tokens / seconds)
            print(f"{label} heavy-tailed {batching:>10}: {tokens:,} tokens in {seconds:.1f} s = "
                  f"{tokens / seconds:,.0f} a second", flush=True)  # fmt: skip
    old, new = (statistics.median(rates[batching]) for batching in BATCHINGS)
    print(f"{label} heavy-tailed: continuous over fixed {new / old:.2f}", flush=True)
    return {
        "model": label,
        "load": "heavy-tailed",
        "samples": len(requests),
        "ratio": new / old,
        **{f"{batching}_tokens_per_second": rates[batching] for batching in BATCHINGS},
    }


def draw_all(model: str, options: Options, requests: Sequence[Request]) -> tuple[int, float]:
    """(tokens, seconds) of all requests in a new engine, after two of them to warm up."""

    async def work() -> tuple[int, float]:
        engine = TransformersEngine(model, options=options)
        try:
            await asyncio.gather(*(engine.generate(request) for request in requests[:2]))
            started = time.monotonic()
            samples = await asyncio.gather(*(engine.generate(request) for request in requests))
            seconds = time.monotonic() - started
        finally:
            await engine.close()
        return sum(sample.n_tokens or 0 for sample in samples), seconds

    return asyncio.run(work())


def _median(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return statistics.median(there) if there else None


def main() -> None:
    """Measure, print, and write down."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="a model folder; by default the two of the description")
    parser.add_argument("--tasks", default="practice_integer")
    parser.add_argument("--limit", type=int, default=32)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.device == "cpu":
        print("no GPU: nothing to compare with; a CPU run shows only that this works")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        models = {options.model: options.model}
        if not options.model:
            random = Path(folder) / "random"
            write_random_model(random, options.device)
            label = "random tiny" if options.device == "cpu" else "random 1.5B"
            models = {"practice late": str(PRACTICE), label: str(random)}
        for label, model in models.items():
            results.append(measure(label, model, options, options.max_tokens))
            if label.startswith("random"):
                results.append(heavy_tailed(label, model, options, LOADS["lognormal"]))
            _write(options, results)  # after each model: an interrupted run keeps what it has


def _write(options: argparse.Namespace, results: Sequence[Mapping[str, Any]]) -> None:
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "batch_size": options.batch_size,
        "versions": {name: version(name) for name in ("torch", "transformers")},
        "results": results,
    }
    text = json.dumps(record, indent=2) + "\n"
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
