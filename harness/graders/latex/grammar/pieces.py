"""The grammar: functions with pieces, each under its condition."""

from __future__ import annotations

from fractions import Fraction

from harness.graders.latex.grammar.atoms import Atoms
from harness.graders.latex.grammar.expressions import need_expr
from harness.graders.latex.syntax import Answer, Apply, Expr, Number, Relation, Unreadable
from harness.graders.latex.text.vocabulary import RELATIONS, names

PIECEWISE = names("cases dcases rcases array")
"""Environments that may hold the pieces of a function."""

_CONDITIONAL = names("if for when where with")
_OTHERWISE = names("otherwise else")
_CONDITIONS = frozenset({"<", "<=", ">", ">=", "=", "!="})


class Pieces(Atoms):
    r"""`\begin{cases} x & x \ge 0 \\ -x & \text{otherwise} \end{cases}`."""

    def pieces(self) -> Apply | None:
        """The function with pieces that stands here; None, and nothing read, where rows are relations.

        Its arguments are the values, each with its condition behind it; the first that holds counts.
        """
        start = self.at
        if not self.rows_are_pieces():
            return None
        args: list[Expr] = []
        while not self.token.text.startswith("\\end"):
            args.append(need_expr(self.sum()))
            self.accept(",")
            self.expect("&")
            args.append(self.condition())
            while self.sign in (",", ".", ";"):
                self.at += 1
            if not self.accept("\\\\") and not self.token.text.startswith("\\end"):
                raise Unreadable("a piece that is cut off")
        if not args:
            self.at = start
            return None
        self.at += 1
        return Apply("cases", tuple(args))

    def rows_are_pieces(self) -> bool:
        """Whether each row is a value without a relation, then one sign of alignment and a condition."""
        aligned = related = False
        for at in range(self.at, len(self.tokens)):
            text = self.tokens[at].text
            if text == "\\\\" or text.startswith("\\end"):
                if not aligned and at > self.at and self.tokens[at - 1].text != "\\\\":
                    return False
                if text != "\\\\":
                    return True
                aligned = related = False
            elif text == "&":
                beside = self.tokens[at + 1].text if at + 1 < len(self.tokens) else ""
                if aligned or related or beside in RELATIONS:
                    return False
                aligned = True
            elif text in RELATIONS and not aligned:
                related = True
        return False

    def condition(self) -> Expr:
        """1 where a condition holds, else 0, as an expression.

        Raises:
            Unreadable: a condition that is no relation between expressions.
        """
        if self.token.kind == "text":
            word = self.next().text.strip().casefold()
            if word in _OTHERWISE:
                return Number(Fraction(1))
            if word not in _CONDITIONAL:
                raise Unreadable("a condition in words")
        relation = self.relation()
        if not isinstance(relation, Relation) or not _CONDITIONS.issuperset(relation.operators):
            raise Unreadable("a condition that is no relation")
        sides = [need_expr(side) for side in relation.sides]
        held: list[Expr] = [
            Apply(f"holds {sign}", (sides[at], sides[at + 1]))
            for at, sign in enumerate(relation.operators)
        ]
        return held[0] if len(held) == 1 else Apply("mul", tuple(held))

    def relation(self) -> Answer:
        """Quantities joined by =, <, .. : implemented by the parser."""
        raise NotImplementedError
