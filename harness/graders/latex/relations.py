"""The number that an answer states as a relation: `p^2+q^2 = 204`, `N \\equiv 204 \\pmod{1000}`.

Asked only where the reference is a number. An equation that is to be solved (`2x = 204`,
`x^2+3x = 204`) states none, and neither does a list of several.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.graders.latex.compare import same
from harness.graders.latex.grammar.parser import read
from harness.graders.latex.meaning.canonical import meaning
from harness.graders.latex.meaning.chains import contradicts
from harness.graders.latex.meaning.residues import congruent
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Collection,
    Expr,
    Named,
    Number,
    Relation,
    Symbol,
    is_expr,
    unitless,
    unnamed,
    variables,
    walk,
)

_IMPLIES = re.compile(
    r"\\(?:Rightarrow|Longrightarrow|implies|therefore|iff|Leftrightarrow|Longleftrightarrow)(?![a-zA-Z])"
    r"|[⇒⟹∴⇔⟺]|=>|\\(?:text|mathrm)\s*\{[\s,;]*(?:so|hence|thus|therefore|giving|which gives)[\s,:]*\}"
)
_NAME_GIVERS = ("call ", "prime", "big ")
_ARROW = re.compile(r"\\(?:to|rightarrow|longrightarrow)(?![a-zA-Z])|→")
_APPLIED = re.compile(
    r"(?:[A-Za-z]'{0,3}|\\[a-z]{2,8}|\^\{-1\})\s*(?:\\left)?\(\s*-?[0-9]{1,9}\s*(?:\\right)?\)"
)
_NO_EQUATION = frozenset({"mod", "floor", "ceil", "log", "gcd", "lcm"})
_PARTED = re.compile(
    r"[,;]|\\pm|\\mp|\\lor|\\\\|±|\\(?:text|mathrm)\s*\{\s*(?:or|and)\b|\b(?:or|and)\b"
)
_BRACKETED_MOD = re.compile(r"\(\s*\\b?mod(?![a-zA-Z])")
_SIGNS = re.compile(r"=|mod|\\equiv|arrow|\\to(?![a-zA-Z])|→|" + _IMPLIES.pattern)
_REMARKED = re.compile(
    r"(?P<value>[^=]*?[0-9})])(?:\s|~|\\[,;: ]|\\q?quad)*(?:\\(?:text|mathrm|mbox|textrm)\s*\{[^{}]*[a-z]{2}[^{}]*\}"
    r"|(?<=\s)[a-z]{2,12}(?=\s)|\\text\s*\{\s*s\.\s?t\.\s*\})[^=]*[A-Za-z)}]\s*="
)
_DOTS = re.compile(r"\\[lc]?dots(?![a-z])|\.\.\.+")
_LONGEST = 400  # characters of a relation that states a number


def relates(text: str) -> bool:
    """Whether a text holds a sign that `stated_number` looks for."""
    return len(text) <= _LONGEST and _SIGNS.search(text) is not None


def stated_number(text: str) -> Answer | None:
    """What a relation gives as its value, where that is a number; None where it gives none.

    It carries the other side of the relation as its name, where it has one.
    """
    if len(text) > _LONGEST:
        return None
    text = _BRACKETED_MOD.sub("(mod ", _conclusion(text))
    if _remarked(text):
        return None
    answer = read(text)
    if answer is None:
        return _right_side(text)
    value: Answer | None = _residue(answer) or answer
    if isinstance(answer, Relation):
        value = _of_relation(answer, applied=_APPLIED.search(text) is not None)
    elif isinstance(answer, Collection):
        value = _derived(answer)
    bare = None if value is None else unnamed(value)
    return value if bare is not None and is_number(bare) else None


def _conclusion(text: str) -> str:
    """What follows the last implication that stands outside of all brackets."""
    last = 0
    for found in _IMPLIES.finditer(text):
        if _level(text[: found.start()]) == 0:
            last = found.end()
    for found in _ARROW.finditer(text, last):
        before = text[last : found.start()]
        if _level(before) == 0 and ("=" in before or "frac" in before):
            last = found.end()
    return text[last:]


def _right_side(text: str) -> Answer | None:
    r"""The number to the right of the last =, where the left cannot be read: `\deg P = 204`."""
    left, sign, right = text.rpartition("=")
    if not sign or _level(left) or left.endswith(("<", ">", "!", "\\not")) or _parted(left):
        return None
    answer = read(right)
    if answer is None or not is_number(answer):
        return None
    parts = _DOTS.sub("", left).split("=")
    given = [side for part in parts if (side := read(part)) is not None]
    if contradicts([*given, answer]):
        return None
    return Named(Symbol(f'"{left.strip()}"'), answer)


def _remarked(text: str) -> bool:
    """Whether a number with words stands before the relation, which is then a remark: `34 once n = 5`."""
    found = _REMARKED.match(text)
    before = read(found["value"]) if found else None
    return before is not None and is_number(before)


def _parted(left: str) -> bool:
    """Whether a left side holds more than one statement, outside of brackets."""
    return any(_level(left[: found.start()]) == 0 for found in _PARTED.finditer(left))


def _level(text: str) -> int:
    """How many brackets are open at the end of a text."""
    return sum(text.count(sign) for sign in "({[") - sum(text.count(sign) for sign in ")}]")


def _derived(answer: Collection) -> Answer | None:
    """204 in `m=5, n=199, m+n=204`: an equation between the values that stand before it."""
    *given, last = (meaning(item) for item in answer.items)
    if not isinstance(last, Named) or not is_number(last.value):
        return None
    values = {
        item.name.name: item.value
        for item in given
        if isinstance(item, Named) and isinstance(item.name, Symbol) and is_expr(item.value)
    }
    if len(values) < len(given) or variables(last.name) != values.keys():
        return None
    return last if same(_filled(last.name, values), last.value) else None


def _filled(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """An expression with its variables replaced by their values."""
    if isinstance(expr, Symbol):
        return values.get(expr.name, expr)
    if isinstance(expr, Apply):
        return Apply(expr.op, tuple(_filled(arg, values) for arg in expr.args))
    return expr


def _of_relation(answer: Relation, *, applied: bool) -> Answer | None:
    operators = set(answer.operators)
    if not operators <= {"=", "equiv"}:
        return meaning(answer) if operators <= {"=", "~"} else None
    if "equiv" not in operators and contradicts(answer.sides):
        return None
    sides = list(answer.sides)
    if operators == {"equiv"}:
        sides[1:] = [congruent(side) for side in sides[1:]]
    sides = [_residue(side) or side for side in sides]
    constant = [side for side in sides if is_number(side)]
    if not constant or (not applied and any(_is_unsolved(side) for side in sides)):
        return None
    if len(constant) > 1 and "equiv" not in operators and not is_number(sides[-1]):
        return None
    names = [side for side in sides if is_expr(side) and not is_number(side)]
    return Named(names[0], constant[-1]) if names else constant[-1]


def _is_unsolved(side: Answer) -> bool:
    """Whether a side of one variable asks for it: `2x`, `x^2+3x`, `|x-1|`; not `x^2`, `f(2)`."""
    if not is_expr(side) or isinstance(side, Symbol) or len(variables(side)) != 1:
        return False
    if not any(isinstance(node, Number) for node in walk(side)):
        return False
    if not isinstance(side, Apply) or side.op in _NO_EQUATION or side.op.startswith(_NAME_GIVERS):
        return False
    base = side.args[0] if side.op == "pow" else side
    return not (
        isinstance(base, Symbol)
        or (isinstance(base, Apply) and base.op == "abs" and isinstance(base.args[0], Symbol))
    )


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
    bare = unitless(answer)
    return is_expr(bare) and not variables(bare)
