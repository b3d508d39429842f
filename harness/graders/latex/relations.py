"""The number that an answer states as a relation: `p^2+q^2 = 204`, `N \\equiv 204 \\pmod{1000}`.

Asked only where the reference is a number. An equation that is to be solved (`2x = 204`,
`x^2+3x = 204`) states none, and neither does a list of several.
"""

from __future__ import annotations

import re

from harness.graders.latex.meaning import meaning
from harness.graders.latex.parser import read
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Expr,
    Named,
    Number,
    Quantity,
    Relation,
    Symbol,
    is_expr,
    variables,
    walk,
)

_IMPLIES = re.compile(
    r"\\(?:Rightarrow|Longrightarrow|implies|therefore|iff|Leftrightarrow|Longleftrightarrow)(?![a-zA-Z])"
    r"|[⇒⟹∴⇔⟺]|=>|\\(?:text|mathrm)\s*\{[\s,;]*(?:so|hence|thus|therefore|giving|which gives)[\s,:]*\}"
)
_NAME_GIVERS = ("call ", "prime")
_NO_EQUATION = frozenset({"mod", "floor", "ceil", "log", "gcd", "lcm"})
_PARTED = re.compile(
    r"[,;]|\\pm|\\mp|\\lor|\\\\|±|\\(?:text|mathrm)\s*\{\s*(?:or|and)\b|\b(?:or|and)\b"
)
_BRACKETED_MOD = re.compile(r"\(\s*\\b?mod(?![a-zA-Z])")
_LONGEST = 400  # characters of a relation that states a number


def relates(text: str) -> bool:
    """Whether a text holds a sign that `stated_number` looks for."""
    return len(text) <= _LONGEST and (
        "=" in text or "mod" in text or "\\equiv" in text or _IMPLIES.search(text) is not None
    )


def stated_number(text: str) -> Answer | None:
    """What a relation gives as its value, where that is a number; None where it gives none."""
    if len(text) > _LONGEST:
        return None
    text = _BRACKETED_MOD.sub("(mod ", _conclusion(text))
    answer = read(text)
    if answer is None:
        return _right_side(text)
    value = _of_relation(answer) if isinstance(answer, Relation) else _residue(answer) or answer
    return value if value is not None and is_number(value) else None


def _conclusion(text: str) -> str:
    """What follows the last implication that stands outside of all brackets."""
    last = 0
    for found in _IMPLIES.finditer(text):
        if _level(text[: found.start()]) == 0:
            last = found.end()
    return text[last:]


def _right_side(text: str) -> Answer | None:
    r"""The number to the right of the last =, where the left cannot be read: `\deg P = 204`."""
    left, sign, right = text.rpartition("=")
    if not sign or _level(left) or left.endswith(("<", ">", "!", "\\not")) or _parted(left):
        return None
    answer = read(right)
    return answer if answer is not None and is_number(answer) else None


def _parted(left: str) -> bool:
    """Whether a left side holds more than one statement, outside of brackets."""
    return any(_level(left[: found.start()]) == 0 for found in _PARTED.finditer(left))


def _level(text: str) -> int:
    """How many brackets are open at the end of a text."""
    return sum(text.count(sign) for sign in "({[") - sum(text.count(sign) for sign in ")}]")


def _of_relation(answer: Relation) -> Answer | None:
    operators = set(answer.operators)
    if not operators <= {"=", "equiv"}:
        meant = meaning(answer) if operators <= {"=", "~"} else None
        return meant.value if isinstance(meant, Named) else meant
    sides = [_residue(side) or side for side in answer.sides]
    constant = [side for side in sides if is_number(side)]
    if not constant or any(_is_unsolved(side) for side in sides):
        return None
    if len(constant) > 1 and "equiv" not in operators and not is_number(sides[-1]):
        return None
    return constant[-1]


def _is_unsolved(side: Answer) -> bool:
    """Whether a side of one variable asks for it: `2x`, `x^2+3x`, `|x-1|`; not `x^2`, `f(2)`."""
    if not is_expr(side) or isinstance(side, Symbol) or len(variables(side)) != 1:
        return False
    if not any(isinstance(node, Number) for node in walk(side)):
        return False
    if not isinstance(side, Apply) or side.op in _NO_EQUATION or side.op.startswith(_NAME_GIVERS):
        return False
    return not (side.op == "pow" and isinstance(side.args[0], Symbol))


def _residue(answer: Answer) -> Expr | None:
    """The least residue in `204 \\pmod{1000}`; None for anything else."""
    if not isinstance(answer, Apply) or answer.op not in ("residue", "mod"):
        return None
    value, modulus = answer.args
    if not isinstance(value, Number) or not isinstance(modulus, Number):
        return value if isinstance(value, Symbol) and answer.op == "residue" else None
    return value if 0 <= value.value < modulus.value else None


def is_number(answer: Answer) -> bool:
    """Whether an answer is one constant, with or without a unit."""
    bare = answer.value if isinstance(answer, Quantity) else answer
    return is_expr(bare) and not variables(bare)
