"""Mathematical answers: a comparison in stages that reads the whole answer or none of it.

    identical -> integer -> normalised -> rational -> read -> symbolic -> undecided

Each stage settles what it is sure of and passes on the rest; a grade names the stage that settled
it. All but `symbolic` are exact, take microseconds and import nothing heavy.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from harness.errors import DataError
from harness.graders import sympy_client
from harness.graders.base import make_grade, no_answer
from harness.graders.equivalence import partition
from harness.graders.extraction.boxes import boxed
from harness.graders.extraction.find import Policy, find
from harness.graders.latex.compare import same
from harness.graders.latex.grammar.parser import meant, read
from harness.graders.latex.meaning.canonical import meaning
from harness.graders.latex.meaning.residues import as_residue
from harness.graders.latex.relations import is_number, relates, stated_number
from harness.graders.latex.syntax import (
    Answer,
    Number,
    Relation,
    is_expr,
    variables,
)
from harness.graders.latex.values.evaluate import DIGITS, evaluated
from harness.interfaces import Grader
from harness.types import Grade, Problem, Sample, Verdict


@dataclass(frozen=True, slots=True)
class Math(Grader):
    """Grades numbers, expressions, tuples, intervals, sets, matrices, equations and words.

    Args:
        extract: where an answer may stand, see `harness.graders.extraction.find.Policy`.
    """

    extract: Policy = "strict"

    @property
    def version(self) -> str:
        """Raised whenever a verdict may change."""
        return f"math/3+{sympy_client.LIMITS}"

    def grade(self, problem: Problem, sample: Sample) -> Grade:
        """Decide one sample by its response alone.

        Raises:
            DataError: the problem has no reference answer.
        """
        started = time.perf_counter()
        if problem.answer is None:
            raise DataError(f"problem {problem.id} has no reference answer: math needs one")
        answer = extracted(
            sample.response,
            self.extract,
            reference=problem.answer,
            cut=sample.finish_reason == "length",
        )
        if answer is None:
            verdict, stage = no_answer(sample), "no answer"
        else:
            verdict, stage = self.settle(problem.answer, answer)
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
        """(verdict, stage that settled it) of an extracted answer."""
        stated = stated_reference(reference)
        for stage in STAGES:
            settled = stage(stated, answer)
            if settled is not None:
                return (Verdict.CORRECT if settled else Verdict.WRONG_ANSWER), stage.__name__
        return Verdict.UNDECIDED, "undecided"

    def classes(self, answers: Sequence[str]) -> list[int]:
        """Number the equivalence classes; the partition does not depend on the order."""
        return partition(answers)


def extracted(
    response: str | None, policy: Policy, *, reference: str = "", cut: bool = False
) -> str | None:
    """The answer that a response states, or None; a whole text counts only where it can be read.

    Args:
        response: the response; None where the reasoning never ended.
        policy: where an answer may stand.
        reference: a lenient response that equals it is an answer, whether it can be read or not.
        cut: whether the length cap ended the response. It has no closing sentence then, and what it
            breaks off with, as the 3 of "The answer is 3", may be a part of the answer.
    """
    if response is None:
        return None
    if cut:
        found = find(response)
        broken = found and found.place != "box" and response.endswith(found.text)
        return None if found is None or broken else found.text
    found = find(response, policy)
    if (
        found
        and found.place != "box"
        and policy == "lenient"
        and response.strip() == reference.strip()
    ):
        return response.strip()
    if found is None or (found.place == "whole" and read(found.text) is None):
        return None
    return found.text


def stated_reference(reference: str) -> str:
    """The answer in a reference, which may be a whole solution that ends in a box or a phrase."""
    box = boxed(reference)
    if box is not None:
        return box
    if len(reference) > _LONG_REFERENCE:
        found = find(reference, "lenient")
        return found.text if found else reference
    return reference


_LONG_REFERENCE = 200  # characters: no bare answer of a benchmark is as long


def identical(reference: str, answer: str) -> bool | None:
    """True for the same text, else None: each stage returns True, False, or None if undecided."""
    return True if reference.strip() == answer.strip() != "" else None


_INTEGER = re.compile(r"\s*\$?\s*([+-]?[0-9]{1,1000})\s*\$?\s*")


def integer(reference: str, answer: str) -> bool | None:
    """Compare two integers."""
    one, other = _INTEGER.fullmatch(reference), _INTEGER.fullmatch(answer)
    return int(one[1]) == int(other[1]) if one and other else None


_LAYOUT = re.compile(
    r"\\(?:left|right|displaystyle)(?![a-zA-Z])|\\[!;:]|\s+(?=[^\s\w.\\])|(?<=[^\s\w.])\s+"
)


def normalised(reference: str, answer: str) -> bool | None:
    """True for texts that differ in layout alone, else None."""
    return True if _normalise(reference) == _normalise(answer) else None


def _normalise(text: str) -> str:
    text = text.strip().strip("$").replace("dfrac", "frac").replace("tfrac", "frac")
    return _LAYOUT.sub("", text).strip().rstrip(".")


_RATIONAL = re.compile(
    r"\s*\$?\s*([+-]?)\s*(?:\\[dt]?frac\s*\{\s*([+-]?[0-9]{1,300})\s*\}\s*\{\s*([0-9]{1,300})\s*\}"
    r"|([0-9]{1,300})\s*/\s*([0-9]{1,300})|([0-9]{0,300}\.[0-9]{1,300}|[0-9]{1,300}))\s*\$?\s*"
)


def rational(reference: str, answer: str) -> bool | None:
    """Compare two rationals written as fractions or short decimals."""
    one, other = _rational(reference), _rational(answer)
    if one is None or other is None:
        return None
    if one == other:
        return True
    longest = max(len(text.partition(".")[2]) for text in (reference, answer))
    return False if longest < 6 else None


def _rational(text: str) -> Fraction | None:
    found = _RATIONAL.fullmatch(text)
    if not found:
        return None
    sign, upper, lower, over, under, literal = found.groups()
    if literal:
        value = Fraction(literal)
    else:
        below = int(lower or under)
        if below == 0:
            return None
        value = Fraction(int(upper or over), below)
    return -value if sign == "-" else value


def reading(reference: str, answer: str) -> bool | None:
    """Read both as a whole, and compare their meanings."""
    try:
        return _compared(reference, answer)
    except (
        RecursionError
    ):  # the caps bound the depth of an answer, but not that of the caller's stack
        return None


def _compared(reference: str, answer: str) -> bool | None:
    wanted, stated = meant(reference), meant(answer)
    if wanted is None:
        return None
    settled = None if stated is None else same(wanted, stated)
    if settled and reference != answer and _vanishes(wanted, answer):
        settled = False
    if settled is not True and _is_number(wanted) and relates(answer):
        value = stated_number(answer)
        if value is not None:
            return same(wanted, meaning(value))
    if stated is None:
        return None
    if settled is False and _GROUPS.search(reference + " " + answer):
        one, other = (read(text, split_groups=True) for text in (reference, answer))
        if one is not None and other is not None:
            return bool(same(meaning(one), meaning(other)))
    return settled


def _is_number(answer: Answer) -> bool:
    return is_number(answer) and as_residue(answer) is None


def _vanishes(wanted: Answer, text: str) -> bool:
    """Whether an answer is zero only because its words are read as a product: "not 0"."""
    if not isinstance(wanted, Number) or wanted.value or _WORD.search(text) is None:
        return False
    other = read(text)
    parts = other.sides if isinstance(other, Relation) else (other,)
    return any(part is not None and is_expr(part) and variables(part) for part in parts)


_WORD = re.compile(r"(?<![\\A-Za-z{])[A-Za-z]{2,}|0[xXbBoO][0-9]")
_GROUPS = re.compile(r"[0-9],[0-9]{3}(?![0-9])")


_WORDS = re.compile(
    r"\\(?:text|mathrm|mbox)[a-z]{0,2}\s*\{[^{}]*[A-Za-z]{2}|(?<![\\A-Za-z{])[A-Za-z]{3,}"
)
_TOO_LONG = 600  # characters beyond which computer algebra does not end within its limit anyway
_NO_MATHEMATICS = re.compile(
    r"[A-Za-z]{2,} +[A-Za-z]{2,} +[A-Za-z]{2,}|__|[?#@\"`;\x00-\x08]"
    r"|(?<![\^_0-9.])[0-9]+(?:\s|~|\\[,;:! ]|\\q?quad)+[0-9]"
)


def symbolic(reference: str, answer: str) -> bool | None:
    """Ask computer algebra, in a worker process that can be killed."""
    texts = (reference, answer)
    if any(len(text) > _TOO_LONG or _NO_MATHEMATICS.search(text) for text in texts):
        return None
    if any(text.count("{") != text.count("}") for text in texts):
        return None
    if any(text.strip() == "0" for text in texts) and any(map(_WORDS.search, texts)):
        return None  # words would be a product, and zero with them
    if all(_computed(text) for text in texts):
        return None
    return sympy_client.same([texts])[0]


def _computed(text: str) -> bool:
    """Whether a text is a constant that `reading` computes, or is too large for anyone to."""
    value = meant(text)
    if value is None or not is_expr(value) or variables(value):
        return False
    return not evaluated(value, 0, DIGITS).opaque


STAGES: tuple[Callable[[str, str], bool | None], ...] = (
    identical,
    integer,
    normalised,
    rational,
    reading,
    symbolic,
)
