"""Tokens to an answer by recursive descent. Whole input or nothing; depth and length are capped."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TypeGuard

from harness.graders.latex.grammar.expressions import PERCENT, need_expr
from harness.graders.latex.grammar.groups import Groups
from harness.graders.latex.grammar.qualifiers import qualified
from harness.graders.latex.grammar.set_words import said_set
from harness.graders.latex.grammar.words import words
from harness.graders.latex.meaning.canonical import meaning
from harness.graders.latex.meaning.sequences import ELLIPSIS
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Collection,
    Expr,
    Number,
    Quantity,
    Relation,
    Unreadable,
    height,
    is_expr,
)
from harness.graders.latex.text import units
from harness.graders.latex.text.literals import based
from harness.graders.latex.text.tokens import Token, clean, tokenize
from harness.graders.latex.text.vocabulary import DOTS, RELATIONS

MAX_ITEMS = 100
MAX_HEIGHT = 80
"""Levels of an answer: chains such as x'''' grow without nesting."""

_SET_OPERATORS = {
    "\\cup": "union",
    "\\cap": "cap",
    "\\setminus": "minus",
    "\\smallsetminus": "minus",
    "\\backslash": "minus",
}
_ENDS = frozenset({",", ";", ")", "]", "}", "\\}", "\\rbrace"})
_CURRENCIES = {"\\$": "dollar"}
_CURRENCY_WORDS = frozenset({"dollar", "euro", "pound", "yuan", "yen", "rupee"})


@lru_cache(maxsize=8192)
def read(text: str, *, split_groups: bool = False) -> Answer | None:
    """The answer that a text states, or None where it cannot be read as a whole.

    Args:
        text: LaTeX or plain text, as extracted.
        split_groups: read "100,200,300" as three numbers, not as one.
    """
    try:
        cleaned = clean(text)
        try:
            return parse(cleaned, split_groups=split_groups)
        except Unreadable:
            return qualified(cleaned, lambda part: parse(part, split_groups=split_groups))
    except (Unreadable, RecursionError):
        return None


@lru_cache(maxsize=8192)
def meant(text: str) -> Answer | None:
    """The meaning of a text, or None where it cannot be read; a reference is asked for once per sample."""
    answer = read(text)
    return None if answer is None else meaning(answer)


def parse(text: str, *, split_groups: bool = False) -> Answer:
    """Parse a cleaned text.

    Raises:
        Unreadable: any part of it cannot be read.
    """
    worded = said_set(text, parse) or words(text)
    if worded is not None:
        return worded
    parser = Parser(tokenize(text), split_groups=split_groups)
    answer = parser.answers()
    if parser.token.kind != "end":
        raise Unreadable(f"{parser.token.text!r} is left over")
    if height(answer) > MAX_HEIGHT:
        raise Unreadable("built too high")
    return answer


class Parser(Groups):
    """The outer levels: lists, relations, quantities, sets and brackets."""

    def answers(self) -> Answer:
        """Answers joined by commas, "and" and "or"; a single one stands for itself.

        Raises:
            Unreadable: a value, then an approximation of it.
        """
        hedged = self.hedged
        items = [self.relation()]
        kind = "list"
        while self.separated():
            if self.tokens[self.at - 1].text == "or":
                kind = "or"
            if (self.hedged and not hedged) or RELATIONS.get(self.sign) == "~":
                raise Unreadable("an approximation behind the value")
            items.append(self.relation())
        return items[0] if len(items) == 1 else Collection(kind, tuple(items))

    def separated(self) -> bool:
        """Move over a comma, a joining word, or both.

        Raises:
            Unreadable: more than `MAX_ITEMS` of them.
        """
        start = self.at
        while self.sign in (",", ";", "\\&", "\\\\") or self.token.kind == "join":
            self.at += 1
        self.separators += self.at > start
        if self.separators > MAX_ITEMS:
            raise Unreadable("more elements than an answer lists")
        return self.at > start

    def relation(self) -> Answer:
        """Quantities joined by =, <, .. ; a leading = or ≈ is dropped."""
        sign = self.sign
        if sign in DOTS and self.ends(self.at + 1):
            self.at += 1
            return ELLIPSIS
        if RELATIONS.get(sign) in ("=", "~", "equiv"):
            self.at += 1
        sides = [self.quantity()]
        operators: list[str] = []
        while self.sign in RELATIONS:
            operators.append(RELATIONS[self.next().text])
            if operators[-1] == ":" and self.sign in DOTS and self.ends(self.at + 1):
                self.at += 1
                sides.append(ELLIPSIS)
                break
            sides.append(self.quantity())
        return Relation(tuple(sides), tuple(operators)) if operators else sides[0]

    def ends(self, at: int) -> bool:
        """Whether nothing, a separator or a closing bracket stands at a token."""
        return at >= len(self.tokens) or (
            self.tokens[at].kind == "join" or self.tokens[at].text in _ENDS
        )

    def quantity(self) -> Answer:
        """A value with its unit, if it has one."""
        while self.hedged:
            self.at += 1
        negative = self.sign == "-" and self.ahead(1).text in _CURRENCIES
        self.at += negative
        currency = _CURRENCIES.get(self.sign)
        if self.token.kind == "text" and units.canonical(self.token.text) in _CURRENCY_WORDS:
            currency = units.canonical(self.token.text)
        self.at += currency is not None
        value = self.residue(self.sets())
        if not is_expr(value):
            return value
        if negative:
            value = Apply("neg", (value,))
        if self.sign in _CURRENCIES and currency is None:
            currency = _CURRENCIES[self.next().text]
        if self.token.kind == "text":
            if self.token.text == "base" and isinstance(value, Number):
                self.at += 2
                return based(str(value.value), self.tokens[self.at - 1 : self.at][0].text)
            return self.counted(_unmark(value)[0], currency)
        if currency:
            return Quantity(value, currency)
        bare, mark = _unmark(value)
        return Quantity(bare, mark) if mark else value

    def counted(self, value: Expr, currency: str | None) -> Quantity:
        """The value with the words behind it: its unit, or "million" and the like with a unit."""
        unit = self.unit()
        scale, _, rest = unit.partition(" ")
        said = words(unit) if isinstance(value, Number) and scale not in units.SCALES else None
        if isinstance(said, Number) and isinstance(value, Number) and said.value != value.value:
            raise Unreadable("a number in words that is another one")
        if scale in units.SCALES:
            value = Apply("mul", (value, Number(Fraction(units.SCALES[scale]))))
            return (
                Quantity(value, currency or rest) if currency or rest else Quantity(value, "unit")
            )
        return Quantity(value, currency or f"{scale} {rest}".strip())

    def residue(self, value: Answer) -> Answer:
        """The residue class of a value, where a modulus in parentheses follows."""
        if not (self.sign and self.modulus_ahead()):
            return value
        in_brackets = self.next().text == "("
        if in_brackets:
            self.at += 1
            modulus = need_expr(self.sum())
            self.expect(")")
        else:
            modulus = need_expr(self.atom() if self.token.kind == "num" else self.argument())
        return Apply("residue", (need_expr(value), modulus))

    def unit(self) -> str:
        """Words after a value, with their exponents, up to a separator or the end.

        Raises:
            Unreadable: they are a sentence, or a word that changes the value.
        """
        parts: list[str] = []
        while self.token.kind == "text":
            parts.append(self.next().text)
            if self.accept("^"):
                parts.append("^" + "".join(t.text for t in self.exponent_tokens()))
            elif self.sign in ("/", "\\cdot", "\\times") and self.ahead(1).kind == "text":
                parts.append("/" if self.next().text == "/" else " ")
            elif self.sign in PERCENT:
                self.at += 1
        unit = " ".join(parts)
        if units.changes_value(unit):
            raise Unreadable("a sentence after a value")
        named = units.canonical(unit)
        if not named:
            raise Unreadable("no unit after a value")
        return named

    def exponent_tokens(self) -> list[Token]:
        """The tokens of a unit's exponent."""
        begin = self.at
        if self.sign == "{":
            self.skip_group()
            return list(self.tokens[begin + 1 : self.at - 1])
        self.at += 1
        return list(self.tokens[begin : self.at])

    def sets(self) -> Answer:
        """Sets and intervals joined by union, intersection and difference."""
        left = self.sum()
        while self.sign in _SET_OPERATORS:
            operator = _SET_OPERATORS[self.next().text]
            right = self.sum()
            if operator == "union":
                before = left.items if _is_union(left) else (left,)
                left = Collection("union", (*before, right))
            else:
                left = Relation((left, right), (operator,))
        return left


def _is_union(answer: Answer) -> TypeGuard[Collection]:
    return isinstance(answer, Collection) and answer.kind == "union"


def _unmark(expr: Expr) -> tuple[Expr, str]:
    """The value without a degree or percent sign at its end, and the unit that this names."""
    if isinstance(expr, Apply):
        if expr.op in ("degrees", "percent"):
            return expr.args[0], "degree" if expr.op == "degrees" else "percent"
        if expr.op in ("neg", "mul"):
            last, mark = _unmark(expr.args[-1])
            if mark:
                return Apply(expr.op, (*expr.args[:-1], last)), mark
    return expr, ""
