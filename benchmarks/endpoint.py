"""The overhead of the harness on an endpoint: against a bare client, on the mock server.

The server answers after a lognormal time (mean 2 s) with 8 kB; 30 problems x 64 samples, 512 at
once. `harness run` is started as a user would, with grading and durable writes on; the bare client
is asyncio and aiohttp and nothing else: it posts the same prompts and reads the JSON. Both start
as new processes, by turns, and the server runs in a third, which also measures: from the first
request to the last reply (total), and from the first request to the last one (dispatch). CPU is that of
the whole process tree; the server's own is shown apart.

    python benchmarks/endpoint.py           five pairs (about 4 minutes)
    python benchmarks/endpoint.py --quick   one pair of 30 x 8
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TASK = "practice_math"
PROBLEMS = 30
LIMITS = {"total": 1.05, "dispatch": 1.2, "cpu": 4.0, "first": 3.0, "memory": 250.0}


@dataclass(frozen=True)
class Measured:
    """One process: times in s, its CPU and the server's in ms per sample, its memory in MiB."""

    total: float
    dispatch: float
    first: float
    cpu: float
    memory: float
    server: float


def environment() -> dict[str, str]:
    """With the checkout on the path of every process."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)}


@contextmanager
def server(mean: float, size: int, right: float) -> Iterator[str]:
    """The mock in a process of its own; its root URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "tests.support.mock_server", "--port", str(port),
        "--task", TASK, "--mean", str(mean), "--bytes", str(size), "--right", str(right),
    ]  # fmt: skip
    process = subprocess.Popen(command, env=environment())
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                call(f"{url}/health")
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def call(url: str, body: Any = None) -> bytes:
    """GET, or POST of a body as JSON."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data)) as response:
        return bytes(response.read())


def measure(command: list[str], url: str, seed: int, samples: int) -> Measured:
    """Run a client to its end, and ask the server what it received."""
    call(f"{url}/reset", {"seed": seed})
    started = time.time()
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    memory = watch_memory(process)
    errors = process.stderr.read().decode() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{errors}")
    seen = json.loads(call(f"{url}/stats"))
    answered = sum(seen["answered"].values())
    if answered != samples:
        sys.exit(f"{answered} answers for {samples} samples")
    return Measured(
        total=seen["last_reply"] - seen["first_request"],
        dispatch=seen["last_request"] - seen["first_request"],
        first=seen["first_request"] - started,
        cpu=1000 * (usage.ru_utime + usage.ru_stime) / samples,
        memory=memory(),
        server=1000 * seen["cpu"] / samples,
    )


def watch_memory(process: subprocess.Popen[bytes]) -> Any:
    """Poll the process's peak resident memory; the returned function gives it in MiB."""
    import threading

    highest = [0.0]

    def poll() -> None:
        path = Path(f"/proc/{process.pid}/status")
        while True:
            try:
                lines = path.read_text().splitlines()
            except OSError:
                return
            found = [line for line in lines if line.startswith("VmHWM")]
            if not found:  # it has ended
                return
            highest[0] = max(highest[0], int(found[0].split()[1]) / 1024)
            time.sleep(0.05)

    threading.Thread(target=poll, daemon=True).start()
    return lambda: highest[0]


def harness_command(url: str, k: int, at_once: int, output: Path) -> list[str]:
    """The run, as a user would type it."""
    return [
        sys.executable, "-m", "harness", "run", "--engine", "openai", "--model", "mock",
        "--base-url", f"{url}/v1", "--tasks", TASK, "--limit", str(PROBLEMS), "--k", str(k),
        "--concurrency", str(at_once), "-o", str(output),
    ]  # fmt: skip


def bare_command(url: str, k: int, at_once: int, prompts: Path) -> list[str]:
    """The bare client in a process of its own."""
    return [
        sys.executable, __file__, "--bare", str(prompts), "--url", url, "--k", str(k),
        "--at-once", str(at_once),
    ]  # fmt: skip


async def bare(url: str, bodies: list[bytes], at_once: int) -> None:
    """Post every body, so many at once, and read what comes back."""
    import aiohttp

    waiting = iter(bodies)
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector) as session:

        async def lane() -> None:
            for body in waiting:
                async with session.post(
                    f"{url}/v1/chat/completions", data=body, headers=headers
                ) as response:
                    json.loads(await response.read())["choices"][0]["message"]["content"]

        await asyncio.gather(*(lane() for _ in range(at_once)))


def write_prompts(path: Path) -> None:
    """The bodies that the harness sends, one per problem."""
    from harness.data.datasets import load_problems
    from harness.data.prompts import render
    from harness.registry import tasks

    task = tasks()[TASK]
    sampling = task.sampling
    rows = [
        {
            "model": "mock",
            "messages": [{"role": "user", "content": render(task.prompt, problem).user}],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
        }
        for problem in load_problems(task, None, limit=PROBLEMS)
    ]
    path.write_text(json.dumps(rows))


def main() -> None:
    """Run the pairs and print the medians beside their limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--k", type=int, default=64)
    parser.add_argument("--at-once", type=int, default=512)
    parser.add_argument("--mean", type=float, default=2.0, help="seconds of latency")
    parser.add_argument("--right", type=float, default=0.7, help="share of right answers")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        bodies = [json.dumps(row).encode() for row in json.loads(options.bare.read_text())]
        each = [body for body in bodies for _ in range(options.k)]
        asyncio.run(bare(options.url, each, options.at_once))
        return
    if options.quick:
        options.pairs, options.k, options.at_once = 1, 8, 64
    compare(options)


def compare(options: argparse.Namespace) -> None:
    """Both clients by turns, and the medians."""
    samples = PROBLEMS * options.k
    ours, theirs = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        server(options.mean, 8000, options.right) as url,
    ):
        prompts = Path(folder, "prompts.json")
        write_prompts(prompts)
        for pair in range(options.pairs):
            runs = [
                (theirs, bare_command(url, options.k, options.at_once, prompts)),
                (ours, harness_command(url, options.k, options.at_once, Path(folder, str(pair)))),
            ]
            for found, command in runs if pair % 2 else reversed(runs):
                found.append(measure(command, url, pair, samples))
            show(pair, ours[-1], theirs[-1])
    print(f"\nmedians of {options.pairs}, {samples} samples, {options.at_once} at once:")
    bars = {
        "total": median(o.total / t.total for o, t in zip(ours, theirs, strict=True)),
        "dispatch": median(o.dispatch / t.dispatch for o, t in zip(ours, theirs, strict=True)),
        "cpu": median(o.cpu for o in ours),
        "first": median(o.first for o in ours),
        "memory": median(o.memory for o in ours),
    }
    units = {"total": "x", "dispatch": "x", "cpu": "ms per sample", "first": "s", "memory": "MiB"}
    for name, value in bars.items():
        verdict = "holds" if value <= LIMITS[name] else "FALLS SHORT"
        print(f"{name:9} {value:8.2f} {units[name]:12} at most {LIMITS[name]:<6} {verdict}")
    print(f"bare client {median(t.cpu for t in theirs):.2f} ms per sample, "
          f"server {median(o.server for o in ours):.2f} ms per sample")  # fmt: skip


def show(pair: int, ours: Measured, theirs: Measured) -> None:
    """One pair."""
    for name, row in (("harness", ours), ("bare", theirs)):
        print(f"{pair} {name:8} total {row.total:6.2f} s  dispatch {row.dispatch:6.2f} s  first "
              f"{row.first:5.2f} s  cpu {row.cpu:5.2f} ms  {row.memory:4.0f} MiB")  # fmt: skip


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
