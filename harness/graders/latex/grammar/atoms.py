"""Atoms of an expression: literals, names, fractions, roots, functions, fences."""

from __future__ import annotations

import re
from fractions import Fraction

from harness.graders.latex.grammar.expressions import Expressions, need_expr
from harness.graders.latex.meaning.bound_names import with_own_index
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Brackets,
    Collection,
    Expr,
    Matrix,
    Number,
    Symbol,
    Unreadable,
)
from harness.graders.latex.text.literals import number, repeating, split_period
from harness.graders.latex.text.tokens import Token
from harness.graders.latex.text.vocabulary import (
    BIG,
    BINOMIALS,
    CONSTANTS,
    DOTS,
    FENCES,
    FRACTIONS,
    FUNCTION_COMMANDS,
    GREEK,
    INVERSES,
    MARKS,
    MATRICES,
    OVERLINES,
)

_CALLED = frozenset("fghFGH")
"""Letters that name a function when brackets follow."""

_SENTENCE = re.compile(
    r"\b(?:or|and|if|for|where|when|but|not|is|are|since|because|provided"
    r"|whenever|attained|achieved|reached)\b|\bat\s*\Z|(?:\S+\s+){5}"
)


class Atoms(Expressions):
    """The innermost level of the grammar."""

    def atom(self) -> Answer:
        """The smallest whole under the cursor.

        Raises:
            Unreadable: no expression begins here, or text that is a sentence.
        """
        self.deeper()
        token = self.token
        if token.kind == "num":
            found: Answer = self.literal()
        elif token.kind == "grouped":
            found = self.grouped()
        elif token.kind == "name":
            found = self.named()
        elif token.kind == "text":
            self.at += 1
            if _SENTENCE.search(token.text):
                raise Unreadable("a sentence")
            found = Symbol('"' + " ".join(token.text.casefold().split()) + '"')
        elif token.text in FENCES and token.kind in ("op", "cmd"):
            found = self.fenced(*FENCES[token.text])
        elif self.sign in ("(", "[", "{", "\\{", "\\lbrace", "\\langle"):
            found = self.group()
        elif token.kind == "cmd":
            found = self.command()
        else:
            raise Unreadable(f"{token.text!r} where an expression should begin")
        self.depth -= 1
        return found

    def literal(self) -> Number:
        """An integer or decimal, a repeating decimal, or "3 1/2"."""
        text = self.next().text
        follows = self.token
        if "." in text and follows.kind in ("op", "cmd"):
            period = self.period(text)
            if period is not None:
                return period
        if follows.kind == "num" and follows.gap and text.isdigit() and follows.text.isdigit():
            return self.spaced(text)
        return number(text)

    def period(self, text: str) -> Number | None:
        r"""What follows `0.`: `\overline{3}`, `(3)`, or the dots of 0.333..."""
        ahead = self.tokens[self.at + 1 : self.at + 3]
        if self.sign in OVERLINES or (self.sign == "(" and not self.token.gap):
            digits = ahead[1 if ahead[:1] and ahead[0].text == "{" else 0 :][:1]
            if digits and digits[0].text.isdigit():
                self.at += 2 if digits[0] is ahead[0] else 4
                if self.tokens[self.at - 2].text == "(":
                    self.expect(")")
                return repeating(text, digits[0].text)
        if self.sign in DOTS:
            self.at += 1
            return repeating(*split_period(text))
        return None

    def spaced(self, text: str) -> Number:
        """Numbers with white space between: "3 1/2", or thousands as in "12 500".

        Raises:
            Unreadable: two numbers side by side that are neither.
        """
        upper = self.next().text
        if self.sign == "/" and self.tokens[self.at + 1 : self.at + 2]:
            lower = self.tokens[self.at + 1]
            if lower.kind == "num" and lower.text.isdigit() and int(upper) < int(lower.text):
                self.at += 2
                return Number(Fraction(int(text)) + Fraction(int(upper), int(lower.text)))
        if len(text) > 3 or text.startswith("0") or self.brackets:
            raise Unreadable("two numbers side by side")
        groups = [text, upper]
        while self.token.kind == "num" and self.token.gap:
            groups.append(self.next().text)
        if any(len(group) != 3 or not group.isdigit() for group in groups[1:]):
            raise Unreadable("two numbers side by side")
        return number("".join(groups))

    def grouped(self) -> Number:
        """Read "1,234": one number, but two inside brackets."""
        token = self.next()
        if not self.brackets:
            return number(token.text)
        first, *others = token.text.split(",")
        tail = [Token(*pair, False) for part in others for pair in (("op", ","), ("num", part))]
        self.tokens[self.at - 1 : self.at] = [Token("num", first, token.gap), *tail]
        return number(first)

    def named(self) -> Expr:
        """A variable, or the application of a function that a letter names."""
        name = self.next().text
        if self.sign == "(" and not self.token.gap and (name in _CALLED or self.defined()):
            return Apply(f"call {name}", self.arguments())
        return Symbol(name)

    def defined(self) -> bool:
        """Whether a letter and brackets stand alone before =, as in P(2) = 7, or P(x) = 0, P(x) = x."""
        before = self.tokens[self.at - 2]
        if self.at > 1 and (self.brackets or not (before.kind == "join" or before.text == ",")):
            return False
        texts = [token.text for token in self.tokens[self.at :]]
        return ")" in texts and texts[texts.index(")") + 1 :][:1] == ["="]

    def arguments(self) -> tuple[Expr, ...]:
        """What stands in the brackets of a function application."""
        inside = self.group()
        if isinstance(inside, Brackets | Collection):
            return tuple(need_expr(item) for item in inside.items)
        return (need_expr(inside),)

    def fenced(self, op: str, closing: str) -> Expr:
        """What stands between fences such as |..|."""
        self.at += 1
        self.bars.append(closing)
        inside = need_expr(self.sum())
        self.expect(closing)
        self.bars.pop()
        return Apply(op, (inside,))

    def command(self) -> Answer:
        """What a LaTeX command stands for.

        Raises:
            Unreadable: an unknown command.
        """
        name = self.next().text
        if name in FRACTIONS or name in BINOMIALS:
            op = "div" if name in FRACTIONS else "binomial"
            return Apply(op, (self.argument(), self.argument()))
        if name in CONSTANTS:
            return Symbol(CONSTANTS[name])
        for known, reader in (
            ({"\\sqrt"}, self.root),
            ({"\\boxed", "\\fbox"}, self.group),
            (BIG, lambda: self.big(name)),
            (FUNCTION_COMMANDS, lambda: self.function(FUNCTION_COMMANDS[name])),
            (MARKS, lambda: self.marked(name)),
        ):
            if name in known:
                return reader()
        if name[1:] in GREEK:
            return Symbol(name[1:])
        if name.startswith("\\begin"):
            return self.matrix(name)
        raise Unreadable(f"the command {name}")

    def root(self) -> Expr:
        r"""`\sqrt{x}`, `\sqrt[3]{x}`, and `\sqrt13`, which nobody means as `\sqrt{1}3`."""
        degree: Expr = Number(Fraction(2))
        if self.sign == "[":
            degree = need_expr(self.group())
        radicand = need_expr(self.group() if self.sign in ("{", "(") else self.atom())
        return Apply("root", (radicand, degree))

    def function(self, op: str) -> Expr:
        r"""`\sin^2(x)`, `\log_2 8`, `\sin^{-1} x`, `\sin 2x`, `\gcd(a, b)`.

        Raises:
            Unreadable: mod before its value.
        """
        power: Expr | None = None
        args: tuple[Expr, ...] = ()
        for _ in range(2):
            if self.accept("_"):
                args = (self.argument(),)
            elif self.accept("^"):
                power = self.exponent()
        if power == Number(Fraction(-1)) and op in INVERSES:
            op, power = INVERSES[op], None
        if self.sign in ("(", "[", "{", "\\{"):
            args = (*self.arguments(), *args)
        else:
            args = (self.bare_argument(), *args)
        if op == "mod" and len(args) != 2:
            raise Unreadable("a modulus without a value")
        applied = Apply(op, args)
        return applied if power is None else Apply("pow", (applied, power))

    def exponent(self) -> Expr:
        """What stands after ^ behind the name of a function."""
        negative = self.accept("-")
        power = self.argument()
        return Number(-power.value) if negative and isinstance(power, Number) else power

    def bare_argument(self) -> Expr:
        """The factors that a function without brackets takes: up to an operator or function."""
        factors = [need_expr(self.factor())]
        while self.starts_atom() and self.sign not in FUNCTION_COMMANDS and self.sign != "(":
            factors.append(need_expr(self.factor()))
        return factors[0] if len(factors) == 1 else Apply("mul", tuple(factors))

    def marked(self, name: str) -> Expr:
        r"""`\angle ABC`, `\overline{AB}`, `\vec{v}`, `\mathbb{R}`: a name of its own.

        Raises:
            Unreadable: what it marks is not a name.
        """
        begin = self.at
        if self.sign == "{":
            self.skip_group()
        else:
            while self.token.kind == "name":
                self.at += 1
        written = "".join(token.text for token in self.tokens[begin : self.at]).strip("{}")
        if not re.fullmatch(r"[A-Za-z_0-9']{1,20}", written):
            raise Unreadable(f"what {name} marks")
        if written in ("i", "j", "k") and name in ("\\hat", "\\vec"):
            return Symbol(f"vec {written}")
        mark = "bar" if name == "\\overline" and len(written) == 1 else name[1:]
        return Symbol(f"{mark} {written}")

    def big(self, name: str) -> Expr:
        """A sum, product, integral or limit with its bounds, kept as it is written."""
        bounds: list[Expr] = []
        for _ in range(2):
            if self.sign in ("_", "^"):
                mark = self.next().text
                bounds.append(Apply(mark, self.bound()))
        return with_own_index(Apply("big " + name[1:], (*bounds, need_expr(self.term()))))

    def bound(self) -> tuple[Expr, ...]:
        """`n=1`, `x \\to 0`, `\\infty`: the sides of a bound."""
        if self.sign != "{":
            return (self.argument(),)
        self.at += 1
        sides = [need_expr(self.sum())]
        while self.sign in ("=", "\\to", "->", "\\rightarrow", "\\in"):
            self.at += 1
            sides.append(need_expr(self.sum()))
        self.expect("}")
        return tuple(sides)

    def matrix(self, begin: str) -> Matrix | Collection | Apply:
        """Rows up to the end of the environment.

        Raises:
            Unreadable: an unknown environment, ragged rows, or an entry that is cut off.
        """
        name = begin.partition("{")[2].partition("}")[0]
        if name not in MATRICES:
            raise Unreadable(f"the environment {name}")
        rows: list[list[Expr]] = [[]]
        while True:
            if self.token.text.startswith("\\end"):
                break
            rows[-1].append(need_expr(self.sum()))
            if self.accept("\\\\"):
                rows.append([])
            elif not self.accept("&") and not self.token.text.startswith("\\end"):
                raise Unreadable("a matrix entry that is cut off")
        self.at += 1
        rows = rows if rows[-1] else rows[:-1]
        if not rows or len({len(row) for row in rows}) != 1:
            raise Unreadable("a matrix with ragged rows")
        return Matrix(tuple(tuple(row) for row in rows))
