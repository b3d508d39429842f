"""What a report needs of a task's samples, from one pass over them: where each stands, its length, words.

Texts are read one by one and dropped; what stays is a few numbers per sample in columns, and where its
line is, so that a page copies texts without reading the file again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.types import Tally

from .graded import Grades, keys_of
from .sample_lines import Lines, read_lines

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Classes = Callable[[str], Callable[[Sequence[str]], list[int]] | None]
"""By a task's name, what numbers the equivalence classes of its answers; None where unknown."""

Key = tuple[str, int]
"""Of a sample: problem id and index."""

_WORDS = Path(__file__).parent / "reflection_words.txt"


@dataclass(frozen=True, slots=True)
class Lengths:
    """The graded samples whose tokens were counted, by problem; entry i of every column is sample i.

    `problems` are numbers, `tokens` those of a sample with its reasoning.
    """

    problems: NDArray[np.int32]
    correct: NDArray[np.bool_]
    tokens: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def none(cls) -> Lengths:
        """Those of no sample."""
        import numpy as np

        number = np.empty(0, dtype=np.int64)
        return cls(number.astype(np.int32), number.astype(bool), number)

    def ordered(self, *, correct: bool) -> NDArray[np.int64]:
        """The tokens of the right samples, or of the others, rising."""
        import numpy as np

        return np.sort(self.tokens[self.correct == correct])


def _no_places() -> NDArray[np.int64]:
    import numpy as np

    return np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class Observations:
    """One task of one run.

    `lengths` are of the graded samples whose tokens were counted, `words` how often each reflection word
    stands in the `n_reasoning` graded samples that hold reasoning, `lines` where the samples are, also
    those without a grade, and `grade_of` the place among `grades` of each of these lines' (-1: none).
    """

    grades: Grades = field(default_factory=Grades.none)
    lengths: Lengths = field(default_factory=Lengths.none)
    words: Counter[str] = field(default_factory=Counter)
    n_reasoning: int = 0
    lines: Lines = field(default_factory=Lines.none)
    grade_of: NDArray[np.int64] = field(default_factory=_no_places)

    def tallies(self, classes: Callable[[Sequence[str]], list[int]] | None) -> list[Tally]:
        """One tally per problem; without `classes` it holds no votes that mean anything."""
        return self.grades.tallies(classes)


def observe(
    path: Path, problems: Mapping[str, object], grades: Grades, *, words: bool = False
) -> Observations:
    """Read the samples of a task once.

    Args:
        path: samples.jsonl; one that is missing holds no sample.
        problems: by id, those whose samples count, in the order of the report.
        grades: of those problems; one with verdict `error` is no grade.
        words: count the reflection words in reasoning too.

    Raises:
        DataError: a file that cannot be read, or a line that is no sample (its number is named).
    """
    import numpy as np

    seen = Observations(grades)
    see = _WordCount(seen, problems, grades) if words else None
    seen.lines = lines = read_lines(path, problems, see)
    seen.grade_of = _places(keys_of(grades.problems, grades.indices),
                            keys_of(lines.problems, lines.indices))  # fmt: skip
    decided, correct = (
        np.append(of, False)[seen.grade_of] for of in (grades.decided, grades.correct)
    )
    counted = decided & (lines.tokens >= 0)
    seen.lengths = Lengths(lines.problems[counted], correct[counted], lines.tokens[counted])
    return seen


def _places(among: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each key, its place among rising keys; -1 where it is none of them."""
    import numpy as np

    if not among.size:
        return np.full(keys.size, -1)
    at = np.minimum(np.searchsorted(among, keys), among.size - 1)
    return np.where(among[at] == keys, at, -1)


class _WordCount:
    """Counts the reflection words of graded samples."""

    def __init__(self, seen: Observations, problems: Mapping[str, object], grades: Grades) -> None:
        self.seen = seen
        ids = list(problems)
        pairs = zip(grades.problems[grades.decided].tolist(),
                    grades.indices[grades.decided].tolist(), strict=True)  # fmt: skip
        self.graded = {(ids[number], index) for number, index in pairs}

    def __call__(self, row: Any) -> None:
        if row.reasoning is not None and (row.problem_id, row.index) in self.graded:
            self.seen.n_reasoning += 1
            self.seen.words.update(count_words(row.reasoning))


def count_words(text: str) -> Counter[str]:
    """How often each reflection word stands in a text."""
    low = text.lower()
    return Counter(
        " ".join(found[0].split())
        for found in _pattern().finditer(low)
        if not found.start()
        or not (low[found.start() - 1].isalnum() or low[found.start() - 1] in "_-")
    )


@cache
def reflection_words() -> tuple[str, ...]:
    """The words that are counted, in the order of their file."""
    lines = _WORDS.read_text(encoding="utf-8").splitlines()
    return tuple(line.strip().lower() for line in lines if line.strip() and line[0] != "#")


@cache
def _pattern() -> re.Pattern[str]:
    longest_first = sorted(reflection_words(), key=len, reverse=True)
    choices = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in longest_first)
    # What stands before a word is checked afterwards: a pattern that begins with a choice of
    # letters is searched for several times as fast.
    return re.compile(rf"(?:{choices})(?![\w-])")
