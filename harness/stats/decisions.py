"""What scores need of the grades of one task: by problem, how many samples ended in which way. Pure.

A million samples end in few ways each: those of one problem give a handful of answers, so that counts of
them take little memory, and equal answers are compared once.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from harness.stats.verdict_table import Graded
from harness.types import Tally, Verdict


@dataclass(frozen=True, slots=True)
class Decision:
    """A way in which samples ended: the verdict, the extracted answer, and further scorings' verdicts."""

    verdict: Verdict
    answer: str | None = None
    also: tuple[tuple[str, str], ...] = ()


class Decided(Graded, Protocol):
    """A grade, or whatever else holds what a `Decision` does of one sample."""

    @property
    def answer(self) -> str | None:
        """The extracted answer."""
        ...

    @property
    def also(self) -> Mapping[str, str]:
        """The verdicts of further scorings."""
        ...


class Decisions:
    """The decisions on a task's samples.

    The last grade of a sample counts; internal errors and other problems are left out.

    Args:
        problems: the ids of the task's problems, in its order.
        grades: in the order in which they were made; read once.
    """

    def __init__(self, problems: Iterable[str], grades: Iterable[Decided]) -> None:
        self._rows = {id: array("I") for id in problems}
        known: dict[tuple[Verdict, str | None, tuple[tuple[str, str], ...]], int] = {}
        rows, error = self._rows, Verdict.ERROR
        for grade in grades:
            row = rows.get(grade.problem_id)
            if row is None or grade.verdict is error:
                continue
            also = tuple(sorted(grade.also.items())) if grade.also else ()
            code = known.setdefault((grade.verdict, grade.answer, also), len(known) + 1)
            index = grade.index
            if index >= len(row):
                row.extend([0] * (index + 1 - len(row)))
            row[index] = code
        ways = [Decision(*way) for way in known]
        self.counts = {
            id: Counter({ways[code - 1]: n for code, n in Counter(row).items() if code})
            for id, row in rows.items()
        }
        """By problem, the samples of each decision, in the order of the first sample's index."""

    def __contains__(self, key: tuple[str, int]) -> bool:
        """Whether a sample is graded."""
        row = self._rows.get(key[0], ())
        return key[1] < len(row) and bool(row[key[1]])

    def tallies(self) -> dict[str, Tally]:
        """Of each problem with a graded sample, how many are graded and how many right; no votes."""
        found = {}
        for id, counts in self.counts.items():
            right = sum(n for way, n in counts.items() if way.verdict is Verdict.CORRECT)
            if counts:
                found[id] = Tally(counts.total(), right)
        return found
