"""No two samples of one problem are equal by construction: over replicas, and over a resume."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from math import comb
from pathlib import Path

import pytest

from harness.data.datasets import load_problems
from harness.data.prompts import render
from harness.engines.hf.engine import TransformersEngine
from harness.engines.hf.options import Options
from harness.engines.replicas import Replicas
from harness.engines.settings import EngineSettings
from harness.interfaces import Request
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer
from harness.registry import find_tasks
from harness.sampling import Sampling
from harness.storage.run_folder import RunFolder
from harness.workflows.evaluate import evaluate
from harness.workflows.run_settings import RunSettings

pytest.importorskip("torch")

TASK = "practice_integer"


@pytest.fixture
def early(practice_model: Path) -> str:
    """The checkpoint whose samples differ most."""
    return str(practice_model / "early")


def equal_pairs(one: Sequence[str], other: Sequence[str]) -> int:
    """Pairs of a sample of one stream and one of the other that have the same text."""
    counts = Counter(other)
    return sum(counts[text] for text in one)


def excess(streams: Sequence[tuple[Sequence[str], Sequence[str]]]) -> float:
    """Equal pairs across two streams of draws beyond chance, per sample of the shorter one.

    Chance is the share of equal pairs within the streams, problem by problem. A stream that repeats
    the other has an excess of about 1, independent ones of about 0.

    Args:
        streams: the texts of both, for each problem.
    """
    beyond, n = 0.0, 0
    for one, other in streams:
        within = sum(comb(c, 2) for stream in (one, other) for c in Counter(stream).values())
        share = within / (comb(len(one), 2) + comb(len(other), 2))
        beyond += equal_pairs(one, other) - share * len(one) * len(other)
        n += min(len(one), len(other))
    return beyond / n


def over_replicas(
    model: str, seeds: Sequence[int], *, problems: int, k: int, temperature: float
) -> list[tuple[list[str], list[str]]]:
    """By problem, what each of two replicas with these seeds drew."""
    task = find_tasks(TASK)[0]
    prompts = [render(task.prompt, problem) for problem in load_problems(task, None, problems)]
    sampling = Sampling(k=k, temperature=temperature, max_tokens=48)
    drawn: list[tuple[list[str], list[str]]] = [([], []) for _ in prompts]

    class Noted(TransformersEngine):
        """Notes what it drew."""

        number = 0

        async def generate(self, request: Request):  # type: ignore[no-untyped-def]
            completion = await super().generate(request)
            drawn[int(request.problem_id)][self.number].append(completion.text)
            return completion

    async def start(replica: int, restart: int) -> Noted:
        engine = Noted(model, seed=seeds[replica], options=Options(batch_size=64))
        engine.number = replica
        return engine

    async def work() -> None:
        both = Replicas(start, 2, each=64, opens_reasoning=True, fingerprint={},
                        count_tokens=lambda text: None, notify=lambda text: None)  # fmt: skip
        warm = Request("0", 0, prompts[0], Sampling(temperature=0.0, max_tokens=1))  # draws none
        await asyncio.gather(both.generate(warm), both.generate(warm))
        while None in both.engines:
            await asyncio.sleep(0.01)
        for pair in drawn:
            for stream in pair:
                stream.clear()
        # Problem by problem within an index, so that each replica draws about half of every one.
        await asyncio.gather(
            *(both.generate(Request(str(number), index, prompt, sampling))
              for index in range(k) for number, prompt in enumerate(prompts))
        )  # fmt: skip
        await both.close()

    asyncio.run(work())
    return drawn


def silent(runs: Sequence[TaskRun]) -> Observer:
    return lambda event, task, verdict: None


def over_a_resume(
    model: str, path: Path, *, problems: int, k: int, temperature: float
) -> list[tuple[list[str], list[str]]]:
    """By problem, the first k samples of a run and those that its resumption to 2 k added."""
    for asked in (k, 2 * k):
        settings = RunSettings(model=model, tasks=TASK, output=path, limit=problems, k=asked,
                               temperature=temperature, max_tokens=48)  # fmt: skip
        asyncio.run(evaluate(find_tasks(TASK), settings, observe=silent))
    found: dict[str, tuple[list[str], list[str]]] = {}
    for sample in RunFolder(path).task(TASK).samples():
        streams = found.setdefault(sample.problem_id, ([], []))
        streams[sample.index >= k].append(sample.text)
    return list(found.values())


def replica_seeds() -> list[int]:
    settings = EngineSettings(engine="transformers", model="m", seed=3)
    return [settings.draw_seed(replica) for replica in (0, 1)]


def test_streams_that_repeat_each_other_would_be_seen(early: str) -> None:
    streams = over_replicas(early, [5, 5], problems=1, k=48, temperature=1.5)
    assert excess(streams) > 0.9


def test_two_replicas_draw_independently(early: str) -> None:
    streams = over_replicas(early, replica_seeds(), problems=1, k=48, temperature=1.5)
    assert [len(stream) for stream in streams[0]] == [24, 24]
    assert abs(excess(streams)) < 0.4


@pytest.mark.usefixtures("inline_grading")
def test_a_resumed_run_draws_anew(early: str, tmp_path: Path) -> None:
    streams = over_a_resume(early, tmp_path / "run", problems=1, k=24, temperature=1.5)
    assert [len(stream) for stream in streams[0]] == [24, 24]
    assert abs(excess(streams)) < 0.4


@pytest.mark.exhaustive
@pytest.mark.usefixtures("inline_grading")
def test_sixty_four_samples_of_thirty_problems_repeat_no_more_than_chance(
    early: str, tmp_path: Path
) -> None:
    for streams in (
        over_replicas(early, replica_seeds(), problems=30, k=64, temperature=1.0),
        over_a_resume(early, tmp_path / "run", problems=30, k=32, temperature=1.0),
    ):
        assert sum(len(stream) for pair in streams for stream in pair) == 30 * 64
        assert abs(excess(streams)) < 0.2
