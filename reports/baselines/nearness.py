"""Which published scores are closest to a run by the protocol that their sources state. Pure.

No value plays a part. A run is held against the scores of its task and metric: those of its own
model first, then by the weight of the parts that are known to differ, then by the weight of those
that one of the two does not state and of another k, and the newest first among equals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.errors import UsageError
from harness.reports.results import Result
from harness.types import Score

from .protocol_differences import Part, one_sided, parts
from .scores import PublishedScore

WEIGHTS = {
    "number of problems": 8,
    "window": 8,
    "tools": 8,
    "mode": 8,
    "effort": 4,
    "reasoning budget": 4,
    "cap": 4,
    "prompt": 2,
    "wording of the prompt": 2,
    "extraction": 2,
    "scoring": 2,
    "choice order": 2,
    "temperature": 2,
    "repetition guard": 1,
    "top-p": 1,
    "top-k": 1,
    "k": 1,
}
"""What a part counts: other problems, tools or no reasoning make another measurement; how much a model
may reason moves most of what is left; a prompt or a temperature moves less; k moves the error alone."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A published score beside a run.

    Args:
        score: the published one.
        same_model: whether it is of the run's model.
        differs: the parts that both state, and not alike.
        silent: the parts that its source does not state, as the run does.
        open: the parts that its source states and the run does not.
        described: the parts that its source states in words that no rule compares.
    """

    score: PublishedScore
    same_model: bool
    differs: tuple[Part, ...]
    silent: tuple[Part, ...]
    open: tuple[Part, ...]
    described: tuple[Part, ...]

    @property
    def distance(self) -> tuple[int, int]:
        """The weight of what makes scores incomparable, then of another k and what cannot be told."""
        another = [part for part in self.differs if part.decides]
        rest = [part for part in self.differs if not part.decides]
        return _weight(another), _weight((*rest, *self.silent, *self.open, *self.described))


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """A score of a run and the published ones of its task and metric, the nearest first.

    `metrics` are those that scores of the task are published in.
    """

    result: Result
    score: Score
    neighbours: tuple[Neighbour, ...]
    metrics: tuple[str, ...]


def neighbourhoods(
    results: Sequence[Result], published: Sequence[PublishedScore]
) -> list[Neighbourhood]:
    """Every score of the tasks' own scoring with its neighbours, none where none are published.

    Args:
        results: the tasks of runs.
        published: the scores to choose from, the newest first.

    Raises:
        UsageError: not one of the tasks has scores.
    """
    if not any(result.scored for result in results):
        states = "; ".join(f"{result.task}: {result.status}" for result in results)
        raise UsageError(f"--nearest {results[0].run}: it has no scores ({states})")
    found = []
    for result in results:
        cells = [cell for cell in published if cell.task == result.task]
        metrics = tuple(dict.fromkeys(cell.metric for cell in cells))
        for score in result.scored.main.values() if result.scored else ():
            beside = nearest(result, score.metric, cells)
            found.append(Neighbourhood(result, score, tuple(beside), metrics))
    return found


def nearest(result: Result, metric: str, published: Iterable[PublishedScore]) -> list[Neighbour]:
    """The published scores of a run's task and metric, the nearest protocol first.

    Args:
        result: a task of the run.
        metric: its name.
        published: the scores to choose from, the newest first.
    """
    found = [
        _neighbour(result, cell)
        for cell in published
        if (cell.task, cell.metric) == (result.task, metric)
    ]

    def order(one: Neighbour) -> tuple[bool, tuple[int, int], bool]:
        return not one.same_model, one.distance, one.score.kind == "quoted"

    return sorted(found, key=order)


def _neighbour(result: Result, cell: PublishedScore) -> Neighbour:
    found = parts(result, cell)
    both = [part for part in found if part.ours is not None and part.theirs is not None]
    silent, open = one_sided(found)
    return Neighbour(
        cell,
        result.is_of(cell.model),
        differs=tuple(part for part in both if part.difference),
        silent=tuple(silent),
        open=tuple(open),
        described=tuple(part for part in both if part.in_words),
    )


def _weight(parts: Iterable[Part]) -> int:
    return sum(WEIGHTS[part.name] for part in parts)
