"""Brackets and environments: tuples, intervals, sets, set-builders, matrices and systems."""

from __future__ import annotations

from harness.graders.latex.grammar.pieces import PIECEWISE, Pieces
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Brackets,
    Collection,
    Matrix,
    Relation,
    Symbol,
    Unreadable,
)
from harness.graders.latex.text.tokens import Token
from harness.graders.latex.text.vocabulary import GREEK, RELATIONS, SYSTEMS

_OPENERS = {"(": "(", "[": "[", "{": "{", "\\{": "\\{", "\\lbrace": "\\{", "\\langle": "<"}
_CLOSERS = {")": ")", "]": "]", "}": "}", "\\}": "\\}", "\\rbrace": "\\}", "\\rangle": ">"}
_PAIRS = {"(": ")", "[": "]", "{": "}", "\\{": "\\}", "<": ">"}
_BARS = frozenset({"|", "\\vert", "\\mid", "\\lvert"})
_STOPS = _BARS | {":", "\\colon"}
_HEDGES = frozenset({"approximately", "about", "exactly", "approx.", "roughly", "around"})
_BETWEEN = frozenset({"&", ",", ";", "\\\\", "."})
_SUCH_THAT = frozenset({":", "|"})


class Groups(Pieces):
    """What stands between brackets, or between the begin and end of an environment."""

    def mark_builder(self, opening: str) -> None:
        """Tell the bar of a set-builder from that of an absolute value, by what stands before it."""
        if opening != "\\{" or self.token.kind not in ("name", "cmd"):
            return
        end = self.at + 1
        if self.token.kind == "cmd" and self.sign[1:] not in GREEK:
            return
        if self.tokens[end : end + 1] and self.tokens[end].text == "\\in":
            end += 1
            while end < min(len(self.tokens), self.at + 12) and self.tokens[end].text not in _STOPS:
                end += 1
        if self.tokens[end : end + 1] and self.tokens[end].text in _BARS:
            self.tokens[end] = Token("cmd", "\\mid", self.tokens[end].gap)

    def group(self) -> Answer:
        """What stands between brackets: one answer, a tuple, an interval, or a set.

        Raises:
            Unreadable: brackets that are missing or do not match.
        """
        self.deeper()
        opening = _OPENERS.get(self.sign, "")
        if not opening:
            raise Unreadable("brackets missing")
        self.at += 1
        if self.hedged or (opening in ("(", "[") and RELATIONS.get(self.sign) in ("~", "=")):
            raise Unreadable("an approximation in brackets")
        if opening == "\\{" and self.token.text.startswith("\\begin"):
            self.depth -= 1
            return self.braced()
        outer_bars, self.bars = self.bars, []
        self.brackets += opening != "{"
        if opening == "\\{" and self.sign in _CLOSERS:
            items: list[Answer] = []
        else:
            self.mark_builder(opening)
            items = [self.relation()]
            kind = "list"
            while self.separated():
                if self.tokens[self.at - 1].text == "or":
                    kind = "or"
                items.append(self.relation())
            if opening == "\\{":
                items = _builder(items, kind)
        closing = _CLOSERS.get(self.sign)
        if closing is None or (closing != _PAIRS[opening] and not _half_open(opening, closing)):
            raise Unreadable("brackets that do not match")
        self.at += 1
        self.brackets -= opening != "{"
        self.bars = outer_bars
        self.depth -= 1
        return _grouped(opening, closing, items)

    def braced(self) -> Answer:
        """A system behind a brace that need not be closed."""
        inside = self.atom()
        self.accept("\\}")
        return inside

    def matrix(self, begin: str) -> Matrix | Collection | Apply:
        """A matrix, the relations of a system, or a function with pieces.

        Raises:
            Unreadable: none of them.
        """
        name = begin.partition("{")[2].partition("}")[0]
        start = end = self.at
        while end < len(self.tokens) and not self.tokens[end].text.startswith("\\end"):
            end += 1
        signs = [at for at in range(start, end) if self.tokens[at].text in RELATIONS]
        if (name not in SYSTEMS and name != "matrix") or not signs:
            return super().matrix(begin)
        if name in PIECEWISE and (pieces := self.pieces()) is not None:
            return pieces
        beside = {at + step for at in signs for step in (-1, 1)}
        self.tokens[start:end] = [
            token
            for at, token in enumerate(self.tokens[start:end], start)
            if not (token.text == "&" and at in beside)
        ]
        relations: list[Relation] = []
        while not self.token.text.startswith("\\end"):
            if self.sign in _BETWEEN or self.token.kind == "join":
                self.at += 1
                continue
            goes_on = RELATIONS.get(self.sign) == "=" and relations
            relation = self.relation()
            if goes_on:  # x = 1 + 1, and in the next row: = 2
                *relations, before = relations
                rest = relation if isinstance(relation, Relation) else Relation((relation,), ())
                relation = Relation(
                    (*before.sides, *rest.sides), (*before.operators, "=", *rest.operators)
                )
            if not isinstance(relation, Relation):
                raise Unreadable("a row of a system that is no relation")
            relations.append(relation)
        self.at += 1
        return Collection("list", tuple(relations))

    @property
    def hedged(self) -> bool:
        """Whether "about" or the like stands under the cursor."""
        return self.token.kind == "text" and self.token.text.casefold() in _HEDGES

    def separated(self) -> bool:
        """Move over what separates answers: implemented by the parser."""
        raise NotImplementedError


def _builder(items: list[Answer], kind: str) -> list[Answer]:
    """`x in S : x < 1 or x > 3` as the head of a set-builder and its conditions; else the items."""
    first, *others = items
    at = -1
    if isinstance(first, Relation):
        at = next((at for at, sign in enumerate(first.operators) if sign in _SUCH_THAT), -1)
    if at < 0 or not isinstance(first, Relation):
        return items
    head, condition = (
        Relation(sides, operators) if operators else sides[0]
        for sides, operators in (
            (first.sides[: at + 1], first.operators[:at]),
            (first.sides[at + 1 :], first.operators[at + 1 :]),
        )
    )
    conditions = Collection(kind, (condition, *others)) if others else condition
    return [Relation((head, conditions), (":",))]


def _half_open(opening: str, closing: str) -> bool:
    return (opening, closing) in (("(", "]"), ("[", ")"))


def _grouped(opening: str, closing: str, items: list[Answer]) -> Answer:
    if not items:
        return Symbol("{}")
    if opening == "\\{":
        return Collection("set", tuple(items))
    if opening == "{" and len(items) > 1:  # braces that TeX does not show: a list
        return Collection("list", tuple(items))
    if len(items) == 1:
        if _half_open(opening, closing):
            raise Unreadable("half an interval")
        return items[0]
    return Brackets(opening, closing, tuple(items))
