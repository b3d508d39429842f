"""Values of expressions: exact rationals where they are rational, else many digits.

An expression with variables is evaluated at fixed points that no answer was written for, some of
them negative: two expressions that agree at all points to fifty digits are the same function.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from harness.graders.latex.syntax import Apply, Expr, Number, Symbol, Unreadable
from harness.graders.latex.values.operations import EXACT_BITS, OPERATIONS, Undefined, Value, hashed

POINTS = 3
INSIDE = range(POINTS, POINTS + 3)
"""Points with all variables above 0, or below 1 as well, for functions that are real only there."""
DIGITS = 60
_DIGITS = (220, 1000, 4000)
_REMEMBERED = 4096

Place = int | tuple[tuple[str, Fraction], ...]
"""Where variables stand: the number of a generic point, or the value of each."""

_local = threading.local()


def context(digits: int) -> Any:
    """The mpmath context of this thread for a precision in decimal digits (the global is not thread-safe)."""
    contexts: dict[int, Any] = _local.__dict__.setdefault("contexts", {})
    if digits not in contexts:
        from mpmath.ctx_mp import MPContext  # type: ignore[import-untyped]

        contexts[digits] = MPContext()
        contexts[digits].dps = digits
    return contexts[digits]


class Evaluator:
    """Evaluates expressions at one point.

    Args:
        point: where the variables stand.
        digits: precision of what is not rational.
        natural: whether a logarithm without a base is the natural one.

    Attributes:
        opaque: whether something that cannot be computed (a sum, an unknown function) stood in
            for by a number of its own; then other values prove nothing.
        cut: whether an exact value beyond the caps was rounded; then equal values prove nothing.
        bits: size of the largest exact value that was turned into digits.
    """

    def __init__(self, point: Place = 0, digits: int = DIGITS, *, natural: bool = False) -> None:
        self.point = point
        self.values = {} if isinstance(point, int) else dict(point)
        self.ctx = context(digits)
        self.natural = natural
        self.opaque = False
        self.cut = False
        self.bits = 0

    def value(self, expr: Expr) -> Value:
        """The value of an expression.

        Raises:
            Undefined: the value does not exist.
            Unreadable: it is out of reach.
        """
        if isinstance(expr, Number):
            return expr.value
        if isinstance(expr, Symbol):
            return self.symbol(expr.name)
        if expr.op == "cases":
            return self.chosen(expr)
        operation = OPERATIONS.get(expr.op)
        if operation is None:
            return self.stand_in(expr)
        args = [self.value(arg) for arg in expr.args]
        try:
            return self.bounded(operation(self, *args))
        except ZeroDivisionError:
            raise Undefined("a division by zero") from None
        except (ValueError, OverflowError, TypeError, self.ctx.NoConvergence) as error:
            raise Unreadable(f"{expr.op} out of reach") from error

    def chosen(self, cases: Apply) -> Value:
        """The value of the first case whose condition holds; one of its own where none does."""
        for value, condition in zip(cases.args[::2], cases.args[1::2], strict=True):
            if self.value(condition) == 1:
                return self.value(value)
        return hashed("no case")

    def symbol(self, name: str) -> Value:
        """A constant, or where the variable of that name stands at this point."""
        if name == "pi":
            return +self.ctx.pi
        if name == "e":
            return +self.ctx.e
        if name == "i":
            return self.ctx.mpc(0, 1)
        if isinstance(self.point, int):
            return generic(name, self.point)
        return self.values[name] if name in self.values else generic(name, 0)

    def real(self, value: Value) -> Value:
        """A value as a number of the context."""
        if isinstance(value, Fraction):
            bits = value.numerator.bit_length() + value.denominator.bit_length()
            self.bits = max(self.bits, bits)
            return self.ctx.mpf(value.numerator) / value.denominator
        return value

    def bounded(self, value: Value) -> Value:
        """The value, in digits where its exact form outgrows the caps.

        Raises:
            Undefined: it is infinite or not a number.
        """
        if isinstance(value, Fraction):
            bits = value.numerator.bit_length() + value.denominator.bit_length()
            if bits > EXACT_BITS:
                self.cut = True
                return self.real(value)
            return value
        if isinstance(value, self.ctx.mpc) and value.imag == 0:
            return value.real
        if not self.ctx.isfinite(value):
            raise Undefined("no finite value")
        return value

    def stand_in(self, expr: Apply) -> Fraction:
        """A number that stands for what is not computed, the same for equal arguments."""
        self.opaque |= not expr.op.startswith(_UNINTERPRETED)
        values = ",".join(self.digest(arg) for arg in expr.args)
        return hashed(f"{expr.op}({values})")

    def digest(self, expr: Expr) -> str:
        """A name for the value of an argument, up to rounding."""
        if isinstance(expr, Apply) and expr.op in ("_", "^"):
            return expr.op + ",".join(self.digest(arg) for arg in expr.args)
        return str(self.ctx.nstr(self.real(self.value(expr)), 30))


_UNINTERPRETED = ("call ", "prime", "sub ")
"""Operations that are the same function of their arguments only where they have the same name."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The value of an expression at one point, and how far it can be trusted; see `Evaluator`.

    `value` is None where it does not exist (`exists` is False) or is out of reach.
    """

    value: Value
    exists: bool = True
    opaque: bool = False
    cut: bool = False
    bits: int = 0


def evaluated(expr: Expr, point: Place, digits: int, *, natural: bool = False) -> Evaluated:
    """The value of an expression at a point, cached per thread.

    Args:
        expr: the expression.
        point: where the variables stand.
        digits: precision in decimal digits of what is not rational.
        natural: whether a logarithm without a base is the natural one.
    """
    memory: dict[Any, Evaluated] = _local.__dict__.setdefault("memory", {})
    key = (expr, point, digits, natural)
    known = memory.get(key)
    if known is None:
        if len(memory) >= _REMEMBERED:
            memory.clear()
        known = memory[key] = _evaluated(expr, Evaluator(point, digits, natural=natural))
    return known


def _evaluated(expr: Expr, ev: Evaluator) -> Evaluated:
    try:
        value = ev.value(expr)
    except Undefined:
        return Evaluated(None, exists=False)
    except (Unreadable, RecursionError):
        return Evaluated(None)
    return Evaluated(value, opaque=ev.opaque, cut=ev.cut, bits=ev.bits)


def enough_digits(bits: int) -> int | None:
    """Decimal digits that separate roots and the like of exact values of that many bits, if any do."""
    return next((digits for digits in _DIGITS if digits >= DIGITS + bits), None)


def generic(name: str, point: int) -> Fraction:
    """Where a variable stands at one of the `POINTS`: above 1, then between -1 and 0, then on either side."""
    share = hashed(f"{name}@{point}")
    if point == 0:
        return 1 + 2 * share
    if point == 1:
        return -share
    if point == POINTS:
        return share
    return 3 * share - Fraction(3, 2) if point < POINTS else (point - 1) * share + 1
