"""Which engines and servers give the same greedy text twice.

    python benchmarks/determinism.py [--engine E] [--model M] [--base-url URL] [--engine-arg K=V ..]
                                     [--name TEXT] [--problems N]

Draws one greedy completion per problem of the four practice tasks, twice at each number of requests in
flight, and prints a row of the table in docs/servers.md: the share of problems whose two texts are
equal at 1, 8 and 64 requests, and of those whose text at 8 and 64 is that at 1. One start of an engine
or server gives all of them; start a server with `python -m tests.support.servers`. Rounding differs with
what is computed beside a request, so what is shown for a small model on short texts is a lower bound of
what differs for a large one on long texts.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.data.datasets import load_problems
from harness.data.prompts import render
from harness.engines import make_engine
from harness.engines.settings import EngineSettings
from harness.interfaces import Engine, Request
from harness.registry import find_tasks
from harness.sampling import Sampling

ROOT = Path(__file__).parent.parent
TASKS = "practice_integer,practice_math,practice_choice,practice_code"
AT_ONCE = (1, 8, 64)
GREEDY = Sampling(temperature=0.0, max_tokens=256)  # a practice checkpoint ends far below it


def requests(problems: int) -> list[Request]:
    """Greedy requests for so many problems of each task."""
    return [
        Request(f"{task.name} {problem.id}", 0, render(task.prompt, problem), GREEDY)
        for task in find_tasks(TASKS)
        for problem in load_problems(task, None, problems)
    ]


async def draw(engine: Engine, asked: Sequence[Request], at_once: int) -> list[str]:
    """The whole text of each request, in their order."""
    gate = asyncio.Semaphore(at_once)

    async def one(request: Request) -> str:
        async with gate:
            found = await engine.generate(request)
        return f"{found.reasoning or ''}|{found.text}"

    return list(await asyncio.gather(*map(one, asked)))


async def measure(engine: Engine, asked: Sequence[Request]) -> dict[int, tuple[list[str], ...]]:
    """Two texts of each request at each number of requests in flight; closes the engine."""
    try:
        await draw(engine, asked[:1], 1)  # what is built at the first request is not measured
        return {
            at_once: (await draw(engine, asked, at_once), await draw(engine, asked, at_once))
            for at_once in AT_ONCE
        }
    finally:
        await engine.close()


def share(one: Sequence[str], other: Sequence[str]) -> float:
    """Share of texts that are equal."""
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def row(name: str, texts: Mapping[int, tuple[Sequence[str], ...]]) -> str:
    """A row of the table, in Markdown."""
    twice = [share(*texts[at_once]) for at_once in AT_ONCE]
    across = [share(texts[1][0], texts[at_once][0]) for at_once in AT_ONCE[1:]]
    return f"| {name} | " + " | ".join(f"{found:.1%}" for found in (*twice, *across)) + " |"


def main() -> None:
    """Measure one engine."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", default="transformers")
    parser.add_argument("--model", default=str(ROOT / "examples" / "practice-model" / "early"))
    parser.add_argument("--base-url")
    parser.add_argument("--engine-arg", action="append", default=[], metavar="K=V")
    parser.add_argument("--name", help="of the row")
    parser.add_argument("--problems", type=int, default=40, help="of each of the four tasks")
    given = parser.parse_args()
    options = dict(text.split("=", 1) for text in given.engine_arg)
    engine = make_engine(
        EngineSettings(
            engine=given.engine, model=given.model, base_url=given.base_url, options=options,
            thinking="yes", samplings=(GREEDY,), notify=lambda text: print(f"({text})"),
        )
    )  # fmt: skip
    facts = engine.fingerprint()
    asked = requests(given.problems)
    texts = asyncio.run(measure(engine, asked))
    print(f"{len(asked)} problems, mean {sum(map(len, texts[1][0])) / len(asked):.0f} characters; "
          f"dtype {facts.get('dtype', 'of the server')}, versions {facts.get('versions', {})}")  # fmt: skip
    print(row(given.name or given.engine, texts))


if __name__ == "__main__":
    main()
