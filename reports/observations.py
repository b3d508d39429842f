"""What figures need of a task's samples, gathered in one pass: lengths, outcomes, words.

Texts are read one by one and dropped; what stays is a few numbers per sample.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness.stats.metrics import tally_problem
from harness.types import Grade, Tally, Verdict

from .results import Result

Classes = Callable[[str], Callable[[Sequence[str]], list[int]] | None]
"""By a task's name, what numbers the equivalence classes of its answers; None where unknown."""

_WORDS = Path(__file__).parent / "reflection_words.txt"


@dataclass(frozen=True, slots=True)
class Length:
    """One graded sample: whether it is right, and its tokens with the reasoning."""

    problem_id: str
    correct: bool
    tokens: int


@dataclass(slots=True)
class Observations:
    """One task of one run.

    `grades` holds each problem's graded samples by index, `lengths` those whose tokens were
    counted, `words` how often each reflection word stands in the `n_reasoning` samples that hold reasoning.
    """

    grades: Mapping[str, Sequence[Grade]]
    lengths: list[Length] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)
    n_reasoning: int = 0

    def tallies(self, classes: Callable[[Sequence[str]], list[int]] | None) -> list[Tally]:
        """One tally a problem; without `classes` it holds no votes that mean anything."""
        return [tally_problem(id, found, classes) for id, found in self.grades.items() if found]


def observe(result: Result, *, words: bool = False) -> Observations:
    """Read the samples and grades of one result.

    Args:
        result: which task of which run; problems outside of a window are left out.
        words: count the reflection words in reasoning too.
    """
    if result.folder is None:
        return Observations({})
    grades: dict[str, dict[int, Grade]] = {id: {} for id in result.problems}
    for grade in result.folder.grades():
        if grade.verdict is not Verdict.ERROR and grade.problem_id in grades:
            grades[grade.problem_id][grade.index] = grade
    seen = Observations({id: [found[i] for i in sorted(found)] for id, found in grades.items()})
    for sample in result.folder.samples():
        found = grades.get(sample.problem_id, {}).get(sample.index)
        if found is None:
            continue
        if sample.n_tokens is not None:
            right = found.verdict is Verdict.CORRECT
            seen.lengths.append(Length(sample.problem_id, right, sample.n_tokens))
        if words and sample.reasoning is not None:
            seen.n_reasoning += 1
            seen.words.update(count_words(sample.reasoning))
    return seen


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
    # What stands before a word is looked at afterwards: a pattern that begins with a choice of
    # letters is searched for several times as fast.
    return re.compile(rf"(?:{choices})(?![\w-])")
