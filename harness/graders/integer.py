"""Integer answers, such as AIME's 000 to 999: exact, and nothing else."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from harness.errors import DataError
from harness.graders.base import make_grade, no_answer
from harness.graders.extraction.find import Policy
from harness.graders.latex.grammar.parser import meant
from harness.graders.latex.relations import relates, stated_number
from harness.graders.latex.stated import unqualified
from harness.graders.latex.syntax import (
    Unreadable,
    is_expr,
    unitless,
    unnamed,
    variables,
)
from harness.graders.latex.values.evaluate import Evaluator
from harness.graders.latex.values.operations import Undefined
from harness.graders.math import extracted
from harness.interfaces import Grader
from harness.types import Grade, Problem, Sample, Verdict


@dataclass(frozen=True, slots=True)
class Integer(Grader):
    """Grades answers that are integers in [low, high].

    "025", "m+n = 25", "N ≡ 25 (mod 1000)" and "50/2" are 25; what is no integer, or lies outside, is wrong.

    Args:
        low: smallest integer that can be an answer.
        high: largest integer that can be an answer.
        extract: where an answer may stand, see `harness.graders.extraction.find.Policy`.
    """

    low: int
    high: int
    extract: Policy = "strict"

    @property
    def version(self) -> str:
        """Raised whenever a verdict may change."""
        return "integer/2"

    def grade(self, problem: Problem, sample: Sample) -> Grade:
        """Decide one sample by its response alone.

        Raises:
            DataError: the reference answer is missing or no integer in range.
        """
        started = time.perf_counter()
        reference = self._reference(problem.answer or "", problem.id)
        cut = sample.finish_reason == "length"
        answer = extracted(sample.response, self.extract, cut=cut)
        if answer is None:
            verdict, stage = no_answer(sample), "no answer"
        else:
            verdict, stage = _settle(reference, answer)
        return make_grade(
            problem,
            sample,
            verdict,
            answer=answer,
            stage=stage,
            started=started,
            version=self.version,
        )

    def settle(self, reference: str, answer: str) -> tuple[Verdict, str]:
        """(verdict, stage that settled it) of an extracted answer.

        Raises:
            DataError: the reference is no integer in range.
        """
        return _settle(self._reference(reference, ""), answer)

    def _reference(self, text: str, problem_id: str) -> int:
        value = integer_of(text)
        if not isinstance(value, int) or not self.low <= value <= self.high:
            place = f"problem {problem_id}: " if problem_id else ""
            raise DataError(
                f"{place}reference answer {text!r} is no integer from {self.low} to {self.high}"
            )
        return value

    def classes(self, answers: Sequence[str]) -> list[int]:
        """Number the equivalence classes: equal integers, else equal texts."""
        numbers: dict[int | str, int] = {}
        keys = (integer_of(answer) for answer in answers)
        return [
            numbers.setdefault(key if isinstance(key, int) else answer.strip(), len(numbers))
            for key, answer in zip(keys, answers, strict=True)
        ]


def _settle(reference: int, answer: str) -> tuple[Verdict, str]:
    value = integer_of(answer)
    if value is None:
        return Verdict.UNDECIDED, "undecided"
    return (Verdict.CORRECT if value == reference else Verdict.WRONG_ANSWER), "integer"


_LITERAL = re.compile(r"[+-]?[0-9]{1,1000}")


def integer_of(text: str) -> int | str | None:
    """The integer that a text states.

    Returns:
        The integer; the text itself where it states something else; None where it cannot be read.
    """
    if _LITERAL.fullmatch(text):
        return int(text)
    stated = stated_number(text) if relates(text) else None
    if stated is None:
        answer = meant(text)
        if answer is None:
            return None
        stated = unqualified(answer)
    value = unitless(unnamed(stated))
    if not is_expr(value) or variables(value):
        return text
    try:
        number = Evaluator().value(value)
    except Undefined:
        return text
    except Unreadable:
        return None
    whole = isinstance(number, Fraction) and number.denominator == 1
    return int(number) if whole else text
