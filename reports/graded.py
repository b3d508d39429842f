"""The grades that count of a task, as columns: some twenty bytes for each, however many there are."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from harness.storage.rows import MAX_INDEX, Index
from harness.storage.run_folder import TaskFolder
from harness.types import Tally, Verdict, Vote

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VERDICTS = tuple(Verdict)
_ERROR = VERDICTS.index(Verdict.ERROR)
_CORRECT = VERDICTS.index(Verdict.CORRECT)
_NUMBERS = {verdict: number for number, verdict in enumerate(VERDICTS)}

Decision = tuple[str, tuple[tuple[str, str], ...]]
"""What settled a grade, and the verdicts under further scorings."""

Classes = Callable[[Sequence[str]], list[int]]
"""Numbers the equivalence classes of answers; equal numbers, equal answers."""


class _Row(msgspec.Struct, gc=False):
    problem_id: str
    index: Index
    verdict: Verdict
    answer: str | None = None
    detail: str = ""
    also: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Grades:
    """One grade a sample, sorted by problem and index; entry i of every column is grade i.

    `problems` holds numbers of `ids`, `verdicts` of VERDICTS, `answers` of `texts` (-1: none), and
    `reasons` of `decisions`.
    """

    ids: Sequence[str]
    problems: NDArray[np.int32]
    indices: NDArray[np.int32]
    verdicts: NDArray[np.uint8]
    answers: NDArray[np.int32]
    reasons: NDArray[np.int32]
    texts: Sequence[str] = ()
    decisions: Sequence[Decision] = ()

    @classmethod
    def none(cls) -> Grades:
        """Those of no problem."""
        import numpy as np

        number = np.empty(0, dtype=np.int32)
        return cls((), number, number, number.astype(np.uint8), number, number)

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Which of them are a grade, and no internal error."""
        found: NDArray[np.bool_] = self.verdicts != _ERROR
        return found

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which of them are right."""
        found: NDArray[np.bool_] = self.verdicts == _CORRECT
        return found

    def counts(self, among: NDArray[np.bool_] | None = None) -> dict[str, Tally]:
        """By problem, its graded samples and how many of them are right, without votes.

        Args:
            among: only these grades count; by default all.
        """
        import numpy as np

        counted = self.decided if among is None else self.decided & among
        n = np.bincount(self.problems[counted], minlength=len(self.ids))
        right = np.bincount(self.problems[counted & self.correct], minlength=len(self.ids))
        pairs = zip(self.ids, n.tolist(), right.tolist(), strict=True)
        return {id: Tally(graded, correct) for id, graded, correct in pairs if graded}

    def missing(self, keys: Collection[tuple[str, int]]) -> list[tuple[str, int]]:
        """Those of these samples that have no grade, or an internal error in its place."""
        import numpy as np

        order = {id: number for number, id in enumerate(self.ids)}
        known = [key for key in keys if key[0] in order]
        found = np.array([order[id] * MAX_INDEX + index for id, index in known], dtype=np.int64)
        held = keys_of(self.problems[self.decided], self.indices[self.decided])
        there = np.isin(found, held).tolist()
        return [key for key, graded in zip(known, there, strict=True) if not graded]

    def verdict_counts(self) -> Counter[str]:
        """How many of them end in each verdict."""
        import numpy as np

        found = np.bincount(self.verdicts, minlength=len(VERDICTS)).tolist()
        return Counter({str(v): n for v, n in zip(VERDICTS, found, strict=True) if n})

    def among(self, ids: Collection[str]) -> Grades:
        """Those of these problems alone, in their order."""
        import numpy as np

        old = {id: number for number, id in enumerate(self.ids)}
        numbers = np.full(len(self.ids), -1, dtype=np.int32)
        numbers[[old[id] for id in ids]] = range(len(ids))
        rows = np.flatnonzero(numbers[self.problems] >= 0)
        rows = rows[np.argsort(numbers[self.problems[rows]], kind="stable")]
        return replace(
            self, ids=list(ids), problems=numbers[self.problems[rows]], indices=self.indices[rows],
            verdicts=self.verdicts[rows], answers=self.answers[rows], reasons=self.reasons[rows],
        )  # fmt: skip

    def tallies(self, classes: Classes | None) -> list[Tally]:
        """One tally per problem that has a grade; without `classes` it holds no votes that mean anything."""
        import numpy as np

        kept = np.flatnonzero(self.decided)
        ends = np.searchsorted(self.problems[kept], np.arange(len(self.ids) + 1))
        return [
            self._tally(kept[start:end], classes)
            for start, end in zip(ends.tolist(), ends[1:].tolist(), strict=False)
            if end > start
        ]

    def _tally(self, rows: NDArray[np.int64], classes: Classes | None) -> Tally:
        import numpy as np

        right, answers = self.correct[rows], self.answers[rows]
        n, correct = len(rows), int(right.sum())
        if classes is None:
            return Tally(n, correct, tuple(Vote(1, int(r)) for r in right[answers >= 0]))
        found, first, places = np.unique(answers, return_index=True, return_inverse=True)
        sizes = np.bincount(places)
        hits = np.bincount(places, weights=right).astype(int)
        order = [place for place in np.argsort(first).tolist() if found[place] >= 0]
        votes: dict[int, list[int]] = {}
        numbers = classes([self.texts[found[place]] for place in order])
        for number, place in zip(numbers, order, strict=True):
            vote = votes.setdefault(number, [0, 0])
            vote[0] += int(sizes[place])
            vote[1] += int(hits[place])
        return Tally(n, correct, tuple(Vote(*vote) for vote in votes.values()))


def read_grades(folder: TaskFolder, problems: Mapping[str, object]) -> Grades:
    """The last grade of every sample of these problems; an internal error replaces no other grade.

    Raises:
        DataError: a grades.jsonl that is damaged, with the line.
    """
    import numpy as np

    order = {id: number for number, id in enumerate(problems)}
    texts: dict[str, int] = {}
    decisions: dict[Decision, int] = {}
    keys, verdicts, answers, reasons = array("q"), array("B"), array("i"), array("i")
    for row in folder.read("grades.jsonl", _Row):
        number = order.get(row.problem_id)
        if number is None:
            continue
        keys.append(number * MAX_INDEX + row.index)
        verdicts.append(_NUMBERS[row.verdict])
        answer = row.answer
        answers.append(-1 if answer is None else texts.setdefault(answer, len(texts)))
        decision = row.detail, tuple(row.also.items())
        reasons.append(decisions.setdefault(decision, len(decisions)))
    key, verdict = np.array(keys), np.array(verdicts)
    chosen = last_of_each(key, verdict != _ERROR)
    return Grades(
        list(order),
        *places_of(key[chosen]),
        verdict[chosen],
        np.array(answers)[chosen],
        np.array(reasons)[chosen],
        list(texts),
        list(decisions),
    )


def last_of_each(
    keys: NDArray[np.int64], preferred: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """The places of one row per key, by key: its last row, or the last of its preferred ones."""
    import numpy as np

    order = np.argsort(keys, kind="stable") if preferred is None else np.lexsort((preferred, keys))
    ends = np.ones(len(order), dtype=bool)
    ends[:-1] = keys[order][1:] != keys[order][:-1]
    found: NDArray[np.int64] = order[ends]
    return found


def places_of(keys: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The problems' numbers and the indices that keys were made of."""
    import numpy as np

    return (keys // MAX_INDEX).astype(np.int32), (keys % MAX_INDEX).astype(np.int32)


def keys_of(problems: NDArray[np.int32], indices: NDArray[np.int32]) -> NDArray[np.int64]:
    """One number per sample, in the order of problem and index."""
    import numpy as np

    return problems.astype(np.int64) * MAX_INDEX + indices
