"""The verdicts of one task's samples, a byte each: what tallies and comparisons need of any number. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from harness.types import Tally, Verdict

_ORDER = tuple(Verdict)
_CODES = {verdict: code for code, verdict in enumerate(_ORDER, 1)}
_ERROR, _CORRECT = _CODES[Verdict.ERROR], _CODES[Verdict.CORRECT]


class Graded(Protocol):
    """A grade, or whatever else has the verdict on a sample of a problem."""

    @property
    def problem_id(self) -> str:
        """Whose sample it is."""
        ...

    @property
    def index(self) -> int:
        """Which of the problem's samples it is."""
        ...

    @property
    def verdict(self) -> Verdict:
        """How it ended."""
        ...


class VerdictTable:
    """By problem and index, the verdict that counts of each sample.

    The last one counts, but an internal error never replaces another verdict: it says nothing of the
    sample.

    Args:
        grades: in the order in which they were made; read once.
    """

    __slots__ = ("_rows",)

    def __init__(self, grades: Iterable[Graded] = ()) -> None:
        self._rows: dict[str, bytearray] = {}
        self.add(grades)

    def add(self, grades: Iterable[Graded]) -> None:
        """Count further grades, which were made after those before."""
        rows, codes = self._rows, _CODES
        for grade in grades:
            index, code = grade.index, codes[grade.verdict]
            row = rows.get(grade.problem_id)
            if row is None:
                row = rows[grade.problem_id] = bytearray()
            if index >= len(row):
                row.extend(bytes(index + 1 - len(row)))
            if code != _ERROR or not row[index]:
                row[index] = code

    def __contains__(self, key: tuple[str, int]) -> bool:
        """Whether a sample has any verdict, an internal error included."""
        return self.get(key) is not None

    def __len__(self) -> int:
        """Samples with a verdict, internal errors included."""
        return sum(len(row) - row.count(0) for row in self._rows.values())

    def get(self, key: tuple[str, int]) -> Verdict | None:
        """The verdict on a sample; None where there is none."""
        row = self._rows.get(key[0], b"")
        code = row[key[1]] if key[1] < len(row) else 0
        return _ORDER[code - 1] if code else None

    def of(self, problem_id: str) -> Iterator[Verdict]:
        """The verdicts of one problem in the order of the index."""
        return (_ORDER[code - 1] for code in self._rows.get(problem_id, b"") if code)

    def tallies(self, asked: Mapping[str, int] | None = None) -> dict[str, Tally]:
        """Each problem's graded samples and how many are right, without votes; `error` does not count.

        Args:
            asked: by problem, only so many of its first samples; all by default.
        """
        found = {}
        for id, row in self._rows.items():
            end = len(row) if asked is None else asked.get(id, 0)
            if n := min(end, len(row)) - row.count(0, 0, end) - row.count(_ERROR, 0, end):
                found[id] = Tally(n, row.count(_CORRECT, 0, end))
        return found

    def errors(self) -> Counter[str]:
        """By problem, the samples of which only an internal error is known."""
        return +Counter({id: row.count(_ERROR) for id, row in self._rows.items()})
