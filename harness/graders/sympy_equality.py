"""Equality by computer algebra. Runs in the symbolic worker's child only: it may never end.

What `latex.grammar` reads becomes sympy objects node by node. Other texts go to math-verify's LaTeX
grammar, and count where that grammar consumed the whole text. No text is ever evaluated: the
grammar's converter calls parse_expr and sympy.Number (which evaluate) on single tokens, so they are
replaced here by a function that accepts numbers and names alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sympy
from antlr4 import PredictionMode, Token
from latex2sympy2_extended import latex2sympy2
from latex2sympy2_extended.latex2sympy2 import ConversionConfig, _Latex2Sympy
from math_verify.grader import sympy_expr_eq

from harness.graders.latex.grammar.parser import meant
from harness.graders.latex.syntax import (
    Apply,
    Expr,
    Number,
    Symbol,
    Unreadable,
    is_expr,
    unitless,
    unnamed,
)
from harness.graders.latex.text.tokens import clean


def _token(text: str, *_: Any, **__: Any) -> Any:
    """Replaces sympy's parse_expr: a number or a name, and nothing else.

    Raises:
        Unreadable: any other token.
    """
    text = str(text).strip()
    if re.fullmatch(r"[0-9]{1,1000}(\.[0-9]{1,1000})?|\.[0-9]{1,1000}", text):
        return sympy.Rational(text)
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,20}", text):
        return sympy.Symbol(text)
    raise Unreadable("a token that is no number and no name")


latex2sympy2.parse_expr = _token
# sympy.Number(text), its own way, executes "from sympy import *" for every number
_Latex2Sympy.parse_number = lambda self, text: _token(text.replace(",", ""))

_PLACES = 15  # decimals to which math-verify compares floats

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": sympy.Add, "mul": sympy.Mul, "pow": sympy.Pow, "neg": lambda x: -x,
    "div": lambda x, y: x / y, "root": lambda x, n: sympy.real_root(x, n) if n.is_odd else sympy.root(x, n),
    "log": lambda x, base=10: sympy.log(x, base), "degrees": lambda x: x * sympy.pi / 180,
    "percent": lambda x: x / 100,
    "abs": sympy.Abs, "factorial": sympy.factorial, "factorial2": sympy.factorial2, "cis": lambda x: sympy.exp(sympy.I * x),
    "binomial": sympy.binomial,
    "floor": sympy.floor, "ceil": sympy.ceiling, "ln": sympy.log, "exp": sympy.exp,
    "gcd": sympy.gcd, "lcm": sympy.lcm, "max": sympy.Max, "min": sympy.Min, "mod": sympy.Mod,
    "sqrt": sympy.sqrt, "cbrt": sympy.cbrt,
    **{name: getattr(sympy, name) for name in (
        "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "sech", "csch")},
    **{"arc" + name: getattr(sympy, "a" + name) for name in (
        "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "sech", "csch")},
}  # fmt: skip
_CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo}


def same(reference: str, answer: str) -> bool | None:
    """Whether two texts are equal by algebra; None where that cannot be decided.

    What only math-verify's grammar reads may be misread, so it can confirm, but not refute.
    """
    ours = {text: _expression(text) for text in (reference, answer)}
    if all(expr is not None for expr in ours.values()):
        return _equal(ours[reference], ours[answer])
    theirs: dict[str, Any] = {}
    for text in sorted(ours, key=lambda text: ours[text] is not None):  # most often unreadable
        theirs[text] = _theirs(text)
        if not isinstance(theirs[text], sympy.Expr | sympy.MatrixBase):
            return None
    one, other = theirs[reference], theirs[answer]
    equal = sympy_expr_eq(one, other, float_rounding=_PLACES, numeric_precision=50, strict=True)
    return True if equal else None


_WORDS = re.compile(
    r"\\(?:text|math(?:rm|bf|it|sf)|mbox|operatorname)|[:;=<>]|(?<![\\a-zA-Z])[a-zA-Z]{3,}"
)
"""What the grammar would read as products of letters, quotients or relations."""


def _expression(text: str) -> Any:
    """The sympy object of a text that `latex.grammar` reads as one expression, or None."""
    answer = meant(text)
    if answer is None:
        return None
    value = unitless(unnamed(answer))
    try:
        return convert(value) if is_expr(value) else None
    except Unreadable:
        return None


def _equal(one: Any, other: Any) -> bool | None:
    difference = one.doit() - other.doit()
    if difference == 0:
        return True
    simplified = sympy.simplify(difference)
    if simplified == 0:
        return True
    verdict = simplified.equals(0)
    return None if verdict is None else bool(verdict)


def convert(expr: Expr) -> Any:
    """The sympy object of an expression, built node by node.

    Raises:
        Unreadable: an operation without a counterpart.
    """
    if isinstance(expr, Number):
        return sympy.Rational(expr.value.numerator, expr.value.denominator)
    if isinstance(expr, Symbol):
        return _CONSTANTS.get(expr.name) or sympy.Symbol(expr.name)
    if expr.op.startswith("big "):
        return _big(expr)
    args = [convert(arg) for arg in expr.args]
    if expr.op in _FUNCTIONS:
        return _FUNCTIONS[expr.op](*args)
    if expr.op.startswith("call "):
        return sympy.Function(expr.op[5:])(*args)
    raise Unreadable(f"no counterpart of {expr.op}")


def _big(expr: Apply) -> Any:
    """A sum, product, integral or limit with its bounds.

    Raises:
        Unreadable: bounds without a counterpart.
    """
    bounds = {bound.op: bound.args for bound in expr.args[:-1] if isinstance(bound, Apply)}
    low, high, body = bounds.get("_", ()), bounds.get("^", ()), expr.args[-1]
    name = expr.op[4:]
    if name == "lim" and len(low) == 2:
        return sympy.Limit(convert(body), convert(low[0]), convert(low[1]))
    if name in ("sum", "prod") and len(low) == 2 and len(high) == 1:
        kind = sympy.Sum if name == "sum" else sympy.Product
        return kind(convert(body), (convert(low[0]), convert(low[1]), convert(high[0])))
    if name == "int" and isinstance(body, Apply) and body.op == "mul":
        *factors, differential, variable = body.args
        if differential == Symbol("d") and isinstance(variable, Symbol):
            inside = sympy.Mul(*(convert(factor) for factor in factors))
            if len(low) == len(high) == 1:
                return sympy.Integral(
                    inside, (convert(variable), convert(low[0]), convert(high[0]))
                )
    raise Unreadable(f"no counterpart of {name} with these bounds")


def _theirs(text: str) -> Any:
    """The expression that math-verify's grammar reads, if it reads the whole text.

    The grammar is first tried in ANTLR's SLL mode, several times as fast: what it accepts, the full
    mode reads alike.
    """
    written = clean(text).strip("$ ")
    if _WORDS.search(re.sub(r"_\{[^{}]*\}", "", written)):
        return None
    fast = _converted(written, PredictionMode.SLL)
    return _converted(written, PredictionMode.LL) if fast is None else fast


def _converted(written: str, mode: int) -> Any:
    converter = _Latex2Sympy(is_real=True, config=ConversionConfig())
    plain = converter.create_parser

    def create_parser(latex_str: str) -> Any:
        parser = plain(latex_str)
        parser._interp.predictionMode = mode
        return parser

    converter.create_parser = create_parser  # parse() takes its parser from there
    try:
        parser = create_parser(written)
        parser.math()
        if parser.getCurrentToken().type != Token.EOF:
            return None
        return converter.parse(written)
    except Exception:
        return None
