"""Runs of the harness over real servers, small enough for each, and what is asked of them afterwards."""

from __future__ import annotations

import asyncio
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Protocol

from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer, silent
from harness.registry import tasks
from harness.storage.run_folder import RunFolder
from harness.types import Grade, Sample, Verdict
from harness.workflows.evaluate import evaluate
from harness.workflows.run_settings import RunSettings
from tests.support.server_facts import CONTINUOUS
from tests.support.servers import RealServer


@dataclass(frozen=True)
class Drawn:
    """What a run has stored of one task."""

    samples: list[Sample]
    grades: list[Grade]
    notices: list[str]

    def over(self, problems: Set[str]) -> Share:
        """pass@1 over some of the problems."""
        right: dict[str, list[bool]] = defaultdict(list)
        for grade in self.grades:
            if grade.problem_id in problems:
                right[grade.problem_id].append(grade.verdict is Verdict.CORRECT)
        means = [statistics.mean(drawn) for drawn in right.values()]
        variance = sum(statistics.variance(drawn) / len(drawn) for drawn in right.values())
        return Share(statistics.mean(means), math.sqrt(variance) / len(means))


class Reference(Protocol):
    """Draws of the engine in this process, by task, temperature and cap."""

    def __call__(
        self, task: str, temperature: float | None = None, max_tokens: int | None = None
    ) -> Drawn: ...


@dataclass(frozen=True)
class Size:
    """Problems of a task and samples of each: as many as a server draws in half a minute."""

    problems: int = 40
    k: int = 4


SIZES: Mapping[str, Size] = {"transformers": Size(12), CONTINUOUS: Size(12)}

OPTIONS: Mapping[str, Mapping[str, str]] = {
    # A proxy does not say what stands behind it.
    "litellm": {"server": "llamacpp"},
}
"""What a user has to tell the harness of a server: `--engine-arg` by server."""


def size(server: RealServer) -> Size:
    """How much is drawn from a server."""
    return SIZES.get(server.name, Size())


def settings(server: RealServer, task: str, output: Path, **more: object) -> RunSettings:
    """The settings of a run over a server, with the options that it needs."""
    given = size(server)
    values = {
        "model": server.model, "tasks": task, "output": output, "engine": "openai",
        "base_url": server.url, "k": given.k, "limit": given.problems,
        "engine_arg": dict(OPTIONS.get(server.name, {})), **more,
    }  # fmt: skip
    return RunSettings(**values)  # type: ignore[arg-type]


def command(given: RunSettings) -> list[str]:
    """The same run as a command."""
    found = [sys.executable, "-m", "harness", "run", "--output", str(given.output)]
    for name in ("model", "tasks", "engine", "base_url", "k", "limit", "temperature", "max_tokens"):
        value = getattr(given, name)
        if value is not None:
            found += ["--" + name.replace("_", "-"), str(value)]
    for name, text in given.engine_arg.items():
        found += ["--engine-arg", f"{name}={text}"]
    return found


def as_new(server: RealServer) -> None:
    """Start a server again whose first request sets how all later ones are sampled."""
    if server.name == CONTINUOUS:
        server.kill()
        server.start()


def draw(server: RealServer, given: RunSettings, observe: Observer = silent) -> dict[str, Drawn]:
    """Complete a run; returns what it has stored, by task."""
    as_new(server)

    def watch(runs: Sequence[TaskRun]) -> Observer:
        return observe

    chosen = [tasks()[name] for name in given.tasks.split(",")]
    scores = asyncio.run(evaluate(chosen, given, observe=watch))
    assert all(found.complete for found in scores)
    return stored(given.output)


def stored(output: Path) -> dict[str, Drawn]:
    """What a complete run has on disk, by task."""
    run = RunFolder(output)
    notices = [notice for start in run.manifest().starts for notice in start.notices]
    return {
        folder.name: Drawn(list(folder.samples()), list(folder.grades()), notices)
        for folder in run.tasks()
    }


@dataclass(frozen=True)
class Share:
    """pass@1 over some problems, with its sampling error."""

    value: float
    error: float


def errors_apart(one: Share, other: Share) -> float:
    """The difference of two scores of one model, in sampling errors of the difference."""
    error = math.hypot(one.error, other.error)
    assert 0 < error < 0.2, (one, other)
    return abs(one.value - other.value) / error


def equal_pairs(
    samples: Sequence[Sample], apart: Callable[[Sample, Sample], bool] = lambda a, b: True
) -> dict[str, float]:
    """Share of pairs of equal text among each problem's samples that are `apart` from each other."""
    by_problem: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_problem[sample.problem_id].append(sample)
    found = {}
    for problem, own in by_problem.items():
        pairs = [a.text == b.text for a, b in combinations(own, 2) if apart(a, b)]
        if pairs:
            found[problem] = sum(pairs) / len(pairs)
    return found


def check_as_equal(ours: Mapping[str, float], theirs: Mapping[str, float]) -> None:
    """Assert that two draws of the same problems have as many equal pairs, within four errors."""
    differences = [share - theirs[problem] for problem, share in ours.items()]
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    assert abs(statistics.mean(differences)) <= 4 * error, (ours, theirs)
