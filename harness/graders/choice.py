"""Multiple choice: the letter that a response states, mapped to the choice shown under it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from harness.errors import DataError
from harness.graders.base import make_grade, no_answer
from harness.graders.extraction.find import Policy
from harness.graders.letters.stated import stated_letter
from harness.graders.letters.text import in_box
from harness.interfaces import Grader
from harness.types import LETTERS, Grade, Problem, Sample, Verdict


@dataclass(frozen=True, slots=True)
class Choice(Grader):
    """Grades the letter that a response states as its choice.

    Where the problem holds its choices, the letter is read in the order that the sample was shown
    and the extracted answer is the text of that choice, so that votes add up under any order.
    Where the statement itself lists them, the answer is the letter.

    Args:
        extract: where a letter may stand, see `harness.graders.letters.stated.stated_letter`.
    """

    extract: Policy = "strict"

    @property
    def version(self) -> str:
        """Raised whenever a verdict may change."""
        return "choice/2"

    def grade(self, problem: Problem, sample: Sample) -> Grade:
        """Decide one sample by its response alone.

        Raises:
            DataError: the problem has no reference answer, or lists no choices and its reference
                answer is no letter.
        """
        started = time.perf_counter()
        if problem.answer is None:
            raise DataError(f"problem {problem.id} has no reference answer: choice needs one")
        policy: Policy = "strict" if sample.finish_reason == "length" else self.extract
        letter = stated_letter(sample.response, policy) if sample.response else None
        answer = None if letter is None else _chosen(letter, problem, sample)
        if letter is None:
            verdict, stage = no_answer(sample), "no letter"
        elif answer is None:
            verdict, stage, answer = Verdict.WRONG_ANSWER, "no such choice", letter
        else:
            right = _same(answer, problem)
            verdict, stage = (Verdict.CORRECT if right else Verdict.WRONG_ANSWER), "letter"
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
        """(verdict, stage) of a text that states a letter, where the reference is a letter.

        Raises:
            DataError: the reference is no letter.
        """
        letter = stated_letter(answer, "lenient")
        if letter is None:
            return Verdict.NO_ANSWER, "no letter"
        right = letter == _letter_of(reference)
        return (Verdict.CORRECT if right else Verdict.WRONG_ANSWER), "letter"


def _chosen(letter: str, problem: Problem, sample: Sample) -> str | None:
    """The text of the choice shown under a letter; None where nothing was shown under it."""
    if not problem.choices:
        return letter
    shown = LETTERS.index(letter)
    order = sample.choice_order or tuple(range(len(problem.choices)))
    return problem.choices[order[shown]] if shown < len(order) else None


def _same(answer: str, problem: Problem) -> bool:
    if problem.choices:
        return answer == problem.answer
    return answer == _letter_of(problem.answer or "", f" of problem {problem.id}")


def reference_letter(reference: str) -> str | None:
    """The letter that a reference answer names ("C", "(c)", "C. benzene"); None where it names none."""
    letters = in_box(reference[:4000])
    return next(iter(letters)) if len(letters) == 1 else None


def _letter_of(reference: str, of: str = "") -> str:
    letter = reference_letter(reference)
    if letter is None:
        raise DataError(f"the reference answer {reference[:80]!r}{of} is no letter")
    return letter
