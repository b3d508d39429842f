"""10,000 samples from a server of which 30 % of the replies are faults of many kinds.

Every sample is stored once, the score is that of the run without faults, and memory does not grow
with the number of samples. Each run is a process of its own; so is the server, the tests' mock.

    python benchmarks/faults.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from aiohttp import web

from harness.engines import make_engine
from harness.engines.openai import retries
from harness.engines.settings import EngineSettings
from harness.pipeline.drawing import Drawing
from harness.pipeline.grading_pool import GradingPool
from harness.pipeline.runner import Runner
from tests.support.mock_server import Mock, Running, Script
from tests.support.runs import make_run

SHARE = 0.3
CONCURRENCY = 64
TIME_LIMIT, SLOW = 5, 7.0  # seconds: of a request, and of an answer that comes too late
STATUSES = ("408", "429", "429 with Retry-After", "500", "502", "503")
BODIES = {
    "empty body": "",
    "invalid JSON": '{"choices": [{"message": {"content": "\\boxed{',
    "HTML page": "<html><body>Bad gateway</body></html>",
    "error with status 200": '{"error": {"message": "overloaded"}}',
    "no choices": '{"choices": []}',
    "null reply": "null",
    "null content": '{"choices": [{"message": {"content": null}, "finish_reason": "stop"}], '
    '"usage": {"completion_tokens": 40}}',
    "aborted": '{"choices": [{"message": {"content": "\\\\boxed{9}"}, "finish_reason": "abort"}]}',
}
CONNECTIONS = ("reset before the headers", "reset within the body", "cut body")
KINDS = (*STATUSES, *BODIES, *CONNECTIONS)
WEIGHTS = [0.02 if kind.startswith("429") else 1.0 for kind in KINDS]
"""Each 429 slows the client down for a while, as it should; they have tests of their own."""

SLOW_ANSWER = "slow answer"
ALL = {*KINDS, SLOW_ANSWER}
SLOW_SHARE = 0.002  # of all requests: two in a row end a sample


def text(body: dict[str, Any], _: int) -> str:
    """Seven in ten right, drawn by the seed of the request: the same with and without faults."""
    prompt, seed = body["messages"][-1]["content"], body.get("seed")
    if seed is None or "+" not in prompt:  # a probe
        return "4"
    right = 2 * int(prompt.split("+")[1].rstrip("?"))
    return f"\\boxed{{{right + (random.Random(seed).random() > 0.7)}}}"


class FaultyMock(Mock):
    """Draws a fault for that share of the requests."""

    share = 0.0

    async def respond(
        self, request: web.Request, body: dict[str, Any], number: int
    ) -> web.StreamResponse:
        """Answer, or do one of the faults."""
        point = self.random.random()
        if point >= self.share or number == 0:
            return await super().respond(request, body, number)
        if point < SLOW_SHARE:
            self.answered[SLOW_ANSWER] += 1
            await asyncio.sleep(SLOW)
            return await super().respond(request, body, number)
        (kind,) = self.random.choices(KINDS, WEIGHTS)
        self.answered[kind] += 1
        if kind in STATUSES:
            waits = {"Retry-After": "0"} if "Retry" in kind else {}
            return web.Response(status=int(kind[:3]), text="no", headers=waits)
        if kind in BODIES:
            return web.Response(text=BODIES[kind], content_type="application/json")
        if kind != "reset before the headers":
            cut = web.StreamResponse(headers={"Content-Length": "500"})
            await cut.prepare(request)
            await cut.write(b'{"choices": [')
        if request.transport is not None:
            (request.transport.close if kind == "cut body" else request.transport.abort)()
        return web.Response()


def serve(share: float) -> None:
    """Serve until stdin is closed; what was sent goes to stdout."""
    server = Running(Script(reply=text, seed=7))
    server.mock = FaultyMock(server.mock.script)
    server.mock.share = share
    with server:
        print(server.url, flush=True)
        sys.stdin.read()
    faults = {kind: n for kind, n in server.mock.answered.items() if kind in ALL}
    print(json.dumps({"requests": len(server.mock.arrivals), "faults": faults}))


def sample(url: str, count: int, folder: Path) -> None:
    """Complete one run; its figures go to stdout."""
    run = make_run(folder, k=count // 5, seeded=True, max_tokens=100)
    engine = make_engine(
        EngineSettings(
            engine="openai", model="mock", base_url=url,
            options={"timeout": str(TIME_LIMIT), "tries": "30", "patience": "60"},
        )
    )  # fmt: skip
    retries.FIRST_SECONDS = 0.02  # the waits are not what is measured
    began = time.perf_counter()

    async def work() -> Any:
        try:
            drawing = Drawing(concurrency=CONCURRENCY)
            return (await Runner([run], engine, GradingPool(1), drawing=drawing).run())[0]
        finally:
            await engine.close()

    result = asyncio.run(work())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    stored = Counter(each.key for each in run.folder.samples())
    print(
        json.dumps(
            {
                "stored": len(stored),
                "doubled": sum(n > 1 for n in stored.values()),
                "errors": len(list(run.folder.errors())),
                "score": result.scores[0].value,
                "verdicts": result.scores[0].verdicts,
                "peak": usage.ru_maxrss / 1024,
                "cpu": usage.ru_utime + usage.ru_stime,
                "seconds": time.perf_counter() - began,
            }
        )
    )


def measure(count: int, share: float) -> dict[str, Any]:
    """A server and a run over it, each in a process of its own."""
    me = [sys.executable, __file__]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [*me, "--serve", str(share)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            done = subprocess.run(
                [*me, "--sample", url, "--count", str(count), "--folder", f"{folder}/run"],
                stdout=subprocess.PIPE, text=True, check=True,
            )  # fmt: skip
        finally:
            rest, _ = server.communicate("")
    return {**json.loads(done.stdout), **json.loads(rest)}


def main() -> None:
    """Run without faults, with them, and with a tenth of the samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=float)
    parser.add_argument("--sample")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.serve is not None:
        serve(given.serve)
        return
    if given.sample:
        sample(given.sample, given.count, given.folder)
        return
    rows = [(count, share, measure(count, share)) for count, share in (
        (given.count, 0.0), (given.count // 10, SHARE), (given.count, SHARE))]  # fmt: skip
    print("samples  faults  requests  failed  stored  doubled  errors   pass@1  peak MiB  CPU s")
    for count, share, found in rows:
        print(
            f"{count:7,}  {share:5.0%}  {found['requests']:9,} {sum(found['faults'].values()):7,}"
            f" {found['stored']:7,} {found['doubled']:8} {found['errors']:7}"
            f"   {found['score']:.4f} {found['peak']:9.0f} {found['cpu']:6.1f}"
        )
    print("kinds: " + ", ".join(f"{kind} {n}" for kind, n in sorted(rows[-1][2]["faults"].items())))
    plain, small, faulty = (found for _, _, found in rows)
    assert faulty["stored"] == given.count and not faulty["doubled"] and not faulty["errors"]
    assert (faulty["score"], faulty["verdicts"]) == (plain["score"], plain["verdicts"])
    assert faulty["peak"] < 1.25 * small["peak"]


if __name__ == "__main__":
    main()
