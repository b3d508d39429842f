"""Expressions by recursive descent: sums, terms, factors, atoms. See `parser` for answers."""

from __future__ import annotations

from fractions import Fraction

from harness.graders.latex.grammar.cursor import Cursor
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Collection,
    Expr,
    Number,
    Quantity,
    Symbol,
    Unreadable,
    is_expr,
)
from harness.graders.latex.text.literals import based, number
from harness.graders.latex.text.tokens import Token
from harness.graders.latex.text.vocabulary import (
    ATOM_COMMANDS,
    EITHER_SIGN,
    FRACTIONS,
    INFIX,
    MODULO,
    OVER,
    PARENTHESIZED_MODULO,
    TIMES,
)
from harness.graders.latex.values.matrices import add, multiply, negate, transposed

_TRANSPOSE = (["T"], ["t"], ["\\top"], ["\\intercal"])
PERCENT = ("%", "\\%")
_MARKED = {"degree": "degrees", "percent": "percent"}


def need_expr(answer: Answer) -> Expr:
    """The answer, which must be an expression here; an angle or a percentage becomes its value.

    Raises:
        Unreadable: it is none.
    """
    if isinstance(answer, Quantity) and answer.unit in _MARKED:
        return Apply(_MARKED[answer.unit], (answer.value,))
    if isinstance(answer, Collection) and answer.kind == "set" and len(answer.items) == 1:
        return need_expr(answer.items[0])
    if not is_expr(answer):
        raise Unreadable("a tuple or the like inside an expression")
    return answer


def _quotient(upper: Answer, inverse: Apply) -> Answer:
    if is_expr(upper):
        return Apply("div", (upper, inverse.args[1]))
    return multiply([inverse, upper])


class Expressions(Cursor):
    """One method per level of precedence."""

    def sum(self) -> Answer:
        """Terms joined by +, - and ±; a lone tuple or set passes through."""
        self.deeper()
        terms = [self.signed()]
        while self.sign in ("+", "-", *EITHER_SIGN):
            sign = self.next().text
            term = self.signed()
            if sign in EITHER_SIGN:
                either = (need_expr(add(terms)), need_expr(term))
                terms = [Apply(EITHER_SIGN[sign], either)]
            else:
                terms.append(negate(term) if sign == "-" else term)
        self.depth -= 1
        total = add(terms)
        if self.sign in INFIX:
            op = INFIX[self.next().text]
            return Apply(op, (need_expr(total), need_expr(self.sum())))
        return total

    def signed(self) -> Answer:
        """A term with any number of signs before it."""
        negative = False
        while self.sign in ("+", "-"):
            negative ^= self.next().text == "-"
        if self.sign in EITHER_SIGN:
            self.at += 1
            return Apply("pm", (Number(Fraction(0)), need_expr(self.term())))
        term = self.term()
        return negate(term) if negative else term

    def term(self) -> Answer:
        """Factors joined by multiplication, explicit or not, and division, from the left."""
        factors = [self.factor()]
        while True:
            sign = self.sign
            if sign in TIMES:
                self.at += 1
                factors.append(self.signed_factor())
            elif sign in OVER:
                self.at += 1
                inverse = Apply("div", (Number(Fraction(1)), need_expr(self.signed_factor())))
                factors = [_quotient(multiply(factors), inverse)]
            elif sign in MODULO:
                self.at += 1
                value = need_expr(multiply(factors))
                factors = [Apply("mod", (value, need_expr(self.signed_factor())))]
            elif self.starts_atom():
                mixed = self.mixed(factors[-1])
                if mixed is not None:
                    factors[-1] = mixed
                else:
                    factors.append(self.factor())
            else:
                return factors[0] if len(factors) == 1 else multiply(factors)

    def signed_factor(self) -> Answer:
        """A factor after an explicit operator, which may carry a minus."""
        negative = self.accept("-")
        factor = self.factor()
        return negate(factor) if negative else factor

    def mixed(self, whole: Answer) -> Expr | None:
        """`1\\frac{4}{5}`: an integer literal right before a proper fraction of literals."""
        literal = self.tokens[self.at - 1].kind in ("num", "grouped")
        if not (literal and isinstance(whole, Number) and self.sign in FRACTIONS):
            return None
        start = self.at
        self.at += 1
        upper, lower = self.argument(), self.argument()
        if (
            whole.value.denominator == 1
            and isinstance(upper, Number)
            and isinstance(lower, Number)
            and upper.value.denominator == lower.value.denominator == 1
            and (self.sign != "^" or self.raised_circle())
        ):
            if 0 < upper.value < lower.value:
                return need_expr(
                    self.marked_behind(Number(whole.value + upper.value / lower.value))
                )
            if whole.value == 1 and upper.value >= lower.value > 0:
                return Symbol(f'"1 {upper.value}/{lower.value}"')  # nobody multiplies by 1
        self.at = start
        return None

    def starts_atom(self) -> bool:
        """Whether what stands here multiplies what came before without a sign."""
        token = self.token
        if token.kind == "name":
            return True
        if token.kind in ("num", "grouped"):
            before = self.tokens[self.at - 1]
            return before.kind not in ("num", "grouped")
        if token.kind == "op":
            if token.text == "(" and self.modulus_ahead():
                return False
            return token.text in ("(", "[", "{") or (token.text == "|" and "|" not in self.bars)
        if token.kind == "cmd":
            known = token.text in ATOM_COMMANDS or token.text.startswith("\\begin")
            return known and token.text not in self.bars[-1:]
        return False

    def modulus_ahead(self) -> bool:
        r"""Whether `\pmod` or `(mod` stands here."""
        if self.sign in PARENTHESIZED_MODULO:
            return True
        ahead = self.tokens[self.at + 1 : self.at + 2]
        return self.sign == "(" and bool(ahead) and ahead[0].text in MODULO

    def factor(self) -> Answer:
        """An atom with its powers, subscripts, factorials, degrees and percent signs."""
        start = self.at
        base = self.atom()
        while True:
            sign = self.sign
            if sign in ("^", "**"):
                self.at += 1
                turned = self.transposed(base)
                base = turned or self.powered(need_expr(base))
            elif sign == "_":
                self.at += 1
                base = self.subscripted(base, start)
            elif sign == "!" and is_expr(base):
                self.at += 1
                double = not self.token.gap and self.accept("!")
                base = Apply("factorial2" if double else "factorial", (need_expr(base),))
            elif sign == "'":
                self.at += 1
                base = Apply("prime", (need_expr(base),))
            elif sign in PERCENT:
                self.at += 1
                base = Apply("percent", (need_expr(base),))
            else:
                return base

    def transposed(self, base: Answer) -> Answer | None:
        """The transpose of a matrix or row, where a T stands behind ^."""
        if is_expr(base):
            return None
        tokens = [token.text for token in self.tokens[self.at : self.at + 3]]
        braced = tokens[:1] == ["{"] and tokens[2:] == ["}"]
        column = transposed(base) if tokens[braced : braced + 1][:1] in _TRANSPOSE else None
        if column is not None:
            self.at += 3 if braced else 1
        return column

    def raised_circle(self) -> bool:
        """Whether the degree sign stands here, as TeX writes it: `^\\circ` or `^{\\circ}`."""
        ahead = [self.ahead(count).text for count in (1, 2, 3)]
        return ahead[0] == "\\circ" or ahead == ["{", "\\circ", "}"]

    def marked_behind(self, value: Expr) -> Expr:
        """The value with the degree or percent sign that stands here, if one does."""
        if self.sign in PERCENT:
            self.at += 1
            return Apply("percent", (value,))
        return self.powered(value) if self.accept("^") else value

    def powered(self, base: Expr) -> Expr:
        """`base` raised to what stands after ^; a raised circle means degrees."""
        self.deeper()
        if self.sign in ("-", "+"):
            negative = self.next().text == "-"
            exponent = need_expr(self.atom())
            exponent = need_expr(negate(exponent)) if negative else exponent
        elif self.sign == "{":
            exponent = need_expr(self.group())
        else:
            exponent = need_expr(self.atom())
        if self.sign in ("^", "**"):
            self.at += 1
            exponent = self.powered(exponent)
        self.depth -= 1
        if isinstance(exponent, Symbol) and exponent.name in ("circ", "prime"):
            return Apply("degrees" if exponent.name == "circ" else "prime", (base,))
        return Apply("pow", (base, exponent))

    def subscripted(self, base: Answer, start: int) -> Answer:
        """`x_1` is a name of its own; `52_8` a number in base eight."""
        begin = self.at
        if self.sign == "{":
            self.skip_group()
        else:
            self.at += 1
        written = "".join(token.text for token in self.tokens[begin : self.at]).strip("{}()")
        if isinstance(base, Number):
            digits = "".join(token.text for token in self.tokens[start : begin - 1]).strip("{}()")
            return based(digits, written)
        if isinstance(base, Symbol):
            return Symbol(f"{base.name}_{written}")
        return Apply(f"sub {written}", (need_expr(base),))

    def argument(self) -> Expr:
        """What a LaTeX command takes: a group, or one sign (of `43`, the 4)."""
        if self.sign == "{":
            return need_expr(self.group())
        token = self.token
        if token.kind == "num":
            if token.text.isdigit() and len(token.text) > 1:
                first, rest = token.text[0], token.text[1:]
                self.tokens[self.at : self.at + 1] = [
                    Token("num", first, token.gap),
                    Token("num", rest, False),
                ]
            return number(self.next().text)
        return need_expr(self.atom())

    def atom(self) -> Answer:
        """The smallest whole: implemented by `Atoms`."""
        raise NotImplementedError

    def group(self) -> Answer:
        """What stands between a pair of brackets: implemented by the parser."""
        raise NotImplementedError
