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
from typing import NamedTuple, Protocol

from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer, silent
from harness.registry import tasks
from harness.storage.run_folder import RunFolder
from harness.types import Grade, Sample, Verdict
from harness.workflows.evaluate import evaluate
from harness.workflows.run_settings import RunSettings
from tests.support.server_facts import CONTINUOUS
from tests.support.servers import RealServer


class Right(NamedTuple):
    """How many draws of one problem are right, and of how many."""

    n: int
    of: int


@dataclass(frozen=True)
class Drawn:
    """What a run has stored of one task."""

    samples: list[Sample]
    grades: list[Grade]
    notices: list[str]

    def right(self, problems: Set[str]) -> dict[str, Right]:
        """How many draws of some of the problems are right."""
        verdicts: dict[str, list[bool]] = defaultdict(list)
        for grade in self.grades:
            if grade.problem_id in problems:
                verdicts[grade.problem_id].append(grade.verdict is Verdict.CORRECT)
        return {problem: Right(sum(own), len(own)) for problem, own in verdicts.items()}


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
    for name in (
        "model",
        "tasks",
        "engine",
        "base_url",
        "k",
        "limit",
        "temperature",
        "max_tokens",
        "concurrency",
    ):
        value = getattr(given, name)
        if value is not None:
            found += ["--" + name.replace("_", "-"), str(value)]
    for name, text in given.engine_arg.items():
        found += ["--engine-arg", f"{name}={text}"]
    return found


def as_new(server: RealServer, temperature: float | None = None) -> None:
    """Start a server again whose first request sets how all later ones are sampled.

    Args:
        server: any; nothing is done where each request has its own sampling, or the same as before.
        temperature: of the run to come; None is the tasks' own.
    """
    if server.name != CONTINUOUS:
        return
    if server.ruled not in (None, (temperature,)):
        server.kill()
        server.start()
    server.ruled = (temperature,)


def draw(server: RealServer, given: RunSettings, observe: Observer = silent) -> dict[str, Drawn]:
    """Complete a run; returns what it has stored, by task."""
    as_new(server, given.temperature)

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


def errors_apart(ours: Mapping[str, Right], theirs: Mapping[str, Right]) -> float:
    """How far two scores of one model lie apart, in sampling errors of the difference.

    If both draw from one distribution, then among the draws of a problem, given how many of all are
    right, each is as likely to be ours: the error is exact without an estimate of any probability
    (N. Mantel and W. Haenszel, "Statistical aspects of the analysis of data from retrospective
    studies of disease", 1959). A problem whose draws are all right, or all wrong, tells nothing.

    Args:
        ours: draws by problem.
        theirs: of the same problems.
    """
    assert ours and set(ours) == set(theirs)
    difference = variance = 0.0
    for problem, own in ours.items():
        other = theirs[problem]
        draws, right = own.of + other.of, own.n + other.n
        difference += own.n / own.of - other.n / other.of
        count = own.of * right / draws * (1 - right / draws) * other.of / (draws - 1)
        variance += count * (1 / own.of + 1 / other.of) ** 2
    return abs(difference) / math.sqrt(variance) if variance else 0.0


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
