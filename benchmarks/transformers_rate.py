"""The transformers engine, continuous against fixed batches: useful tokens per CPU second.

    python benchmarks/transformers_rate.py [--base CHECKOUT] [--pairs 3] [--loads NAME,..] [-o FILE]

In fixed batches every row takes part until the longest of its batch has ended; in continuous
batching a sample that ends makes room for the next. Both sides draw the same samples of the practice
checkpoint `late` (temperature 0.6, top_p 0.95, 64 at once) through the engine's public interface, by
turns, each in a process of its own. --base takes the other side from another checkout of the
project, run by its own .venv/bin/python: an older build.

Each sample has a length of its own, set as its cap, and the model is a copy whose end token is one
that it never draws; a sample of another length ends the benchmark. Useful are the tokens of these
samples. CPU seconds are user and system time of all threads of the engine's process from the first
request to the last sample, after a few samples to warm up; peak memory is that of the whole process.
Ratios are those of the medians over the pairs.

The loads:
  lognormal    96 samples, median 120 tokens, sigma 1, cut at 1,000.
  heavier      the same with sigma 1.5.
  equal        128 samples of 200 tokens: two full batches, in which no row waits.
  shared       16 samples of each of 4 prompts of about 2,000 tokens, 32 tokens each; here both
               sides are continuous, without and with the samples of a prompt sharing its cache.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PRACTICE = ROOT / "examples" / "practice-model" / "late"
BATCH = 64
THREADS = "1"  # the practice model is so small that a second thread costs more than it gives
FIXED, CONTINUOUS = {"batching": "fixed"}, {"batching": "continuous"}
BARS = {"lognormal": 2.5, "heavier": 4.0, "equal": 0.95}
MEMORY = 1.3


@dataclass(frozen=True)
class Load:
    """Lengths of the samples in tokens, of which `k` in a row share a prompt.

    Args:
        lengths: in the order of the requests.
        k: samples per prompt.
        words: of other problems in front of each prompt, to make it long.
    """

    lengths: Sequence[int]
    k: int = 4
    words: int = 0


@dataclass(frozen=True)
class Measured:
    """One process: useful tokens, CPU seconds, wall seconds, and its peak memory in MiB."""

    tokens: int
    cpu: float
    wall: float
    memory: float

    @property
    def rate(self) -> float:
        """Useful tokens per CPU second."""
        return self.tokens / self.cpu


def lognormal(n: int, sigma: float) -> list[int]:
    """Lengths of n samples: median 120 tokens, from 1 to 1,000; the same at every call."""
    draw = random.Random(17)
    return [
        min(1000, max(1, round(120 * math.exp(sigma * draw.gauss(0.0, 1.0))))) for _ in range(n)
    ]


LOADS = {
    "lognormal": Load(lognormal(96, 1.0)),
    "heavier": Load(lognormal(96, 1.5)),
    "equal": Load([200] * 128),
    "shared": Load([32] * 64, k=16, words=700),
}


def write_endless(folder: Path) -> None:
    """A copy of the practice checkpoint that ends with its padding token, which it never draws."""
    shutil.copytree(PRACTICE, folder)
    for name, field, token in (
        ("generation_config.json", "eos_token_id", 0),
        ("config.json", "eos_token_id", 0),
        ("tokenizer_config.json", "eos_token", "<|pad|>"),
    ):
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), field: token}))


def draw(model: str, load: Load, options: Mapping[str, str], sharing: bool) -> Measured:
    """One side, in this process. Ends the process where a sample has not its length."""
    if not sharing:
        forbid_sharing()
    from harness.data.datasets import load_problems
    from harness.data.prompts import render
    from harness.engines.hf.engine import TransformersEngine
    from harness.engines.hf.options import parse_options
    from harness.interfaces import Request
    from harness.registry import find_tasks
    from harness.sampling import Sampling
    from harness.types import Prompt

    task = find_tasks("practice_integer")[0]
    prompts = [render(task.prompt, problem).user for problem in load_problems(task, None)]
    words = " ".join(prompts).split()

    def request(number: int, length: int) -> Request:
        problem = number // load.k
        front = [words[(problem + i) % len(words)] for i in range(load.words)]
        text = " ".join([*front, prompts[problem % len(prompts)]])
        sampling = Sampling(k=load.k, temperature=0.6, top_p=0.95, max_tokens=length)
        return Request(str(problem), number % load.k, Prompt(text), sampling)

    async def work() -> Measured:
        given = {"batch_size": str(BATCH), **options}
        engine = TransformersEngine(model, options=parse_options(given))
        try:
            await asyncio.gather(*(engine.generate(request(-1 - i, 8)) for i in range(4)))
            before, started = cpu_seconds(), asyncio.get_running_loop().time()
            samples = await asyncio.gather(
                *(engine.generate(request(i, length)) for i, length in enumerate(load.lengths))
            )
            cpu, wall = cpu_seconds() - before, asyncio.get_running_loop().time() - started
        finally:
            await engine.close()
        if [sample.n_tokens for sample in samples] != list(load.lengths):
            sys.exit("a sample has not the length that was asked for")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return Measured(sum(load.lengths), cpu, wall, memory)

    return asyncio.run(work())


def forbid_sharing() -> None:
    """Let no two requests of continuous batching share cache blocks."""
    from transformers import ContinuousBatchingConfig

    own = ContinuousBatchingConfig.__post_init__

    def without(config: Any) -> None:
        own(config)
        config.allow_block_sharing = False

    ContinuousBatchingConfig.__post_init__ = without


def cpu_seconds() -> float:
    """User and system time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@dataclass(frozen=True)
class Side:
    """One of the two that are compared: a build, its options, and whether prompts are shared."""

    name: str
    python: str
    options: Mapping[str, str]
    sharing: bool = True

    def measure(self, model: str, load: Load) -> Measured:
        """Draw the load in a new process."""
        asked = {"model": model, "load": asdict(load), "options": dict(self.options),
                 "sharing": self.sharing}  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": THREADS, "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            [self.python, str(Path(__file__).resolve()), "--draw", json.dumps(asked)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{self.name} ended with {done.returncode}:\n{done.stderr}")
        return Measured(**json.loads(done.stdout.splitlines()[-1]))


def sides(name: str, base: Path | None) -> tuple[Side, Side]:
    """What a load compares: the second one over the first."""
    here = sys.executable
    if name == "shared":
        return (
            Side("apart", here, CONTINUOUS, sharing=False),
            Side("shared", here, CONTINUOUS),
        )
    old = Side("fixed", here, FIXED)
    if base is not None:
        python = base / ".venv" / "bin" / "python"
        if not python.exists():
            sys.exit(f"--base {base}: there is no {python}; `make demo` there builds it")
        old = Side("base", str(python), {})
    return old, Side("continuous", here, CONTINUOUS)


def compare(name: str, pairs: int, base: Path | None, model: str) -> list[str]:
    """Rows of the table for one load: both sides, and the second over the first."""
    both = sides(name, base)
    found: dict[str, list[Measured]] = {side.name: [] for side in both}
    for pair in range(pairs):
        for side in both[:: -1 if pair % 2 else 1]:
            measured = side.measure(model, LOADS[name])
            found[side.name].append(measured)
            print(f"{name} {side.name}: {measured.rate:,.0f} tokens per CPU second, "
                  f"{measured.cpu:.1f} s", file=sys.stderr, flush=True)  # fmt: skip
    medians = {
        side: {
            what: median(getattr(one, what) for one in rows)
            for what in ("tokens", "rate", "cpu", "wall", "memory")
        }
        for side, rows in found.items()
    }
    rows = [
        f"{name:<10} {side:<11} {m['tokens']:>8,.0f} {m['rate']:>10,.0f} {m['cpu']:>8.1f} "
        f"{m['wall']:>8.1f} {m['memory']:>8.0f}"
        for side, m in medians.items()
    ]
    old, new = medians.values()
    bar = f", at least {BARS[name]} is asked for" if name in BARS else ""
    most = f", at most {MEMORY}" if name in BARS else ""
    rows.append(
        f"{name:<10} ratio: {new['rate'] / old['rate']:.2f} times the useful tokens per CPU second"
        f"{bar}; peak memory {new['memory'] / old['memory']:.2f}{most}"
    )
    return rows


def main() -> None:
    """Measure, print, and write down."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, metavar="CHECKOUT", help="of an older build")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--loads", default=",".join(LOADS), help="separated by commas")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--draw", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        asked = json.loads(options.draw)
        load = Load(**asked.pop("load"))
        print(json.dumps(asdict(draw(load=load, **asked))))
        return
    names = options.loads.split(",")
    for name in names:
        if name not in LOADS:
            parser.error(f"--loads {name}: one of {', '.join(LOADS)}")
    lines = [
        f"{'load':<10} {'side':<11} {'tokens':>8} {'per CPU s':>10} {'CPU s':>8} {'wall s':>8} "
        f"{'MiB':>8}"
    ]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "endless"
        write_endless(model)
        for name in names:
            lines += compare(name, options.pairs, options.base, str(model))
    text = "\n".join(lines)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
