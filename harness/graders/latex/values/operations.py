"""The operations of expressions on values: exact where they can be, bounded always."""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol

from harness.graders.latex.syntax import Unreadable

EXACT_BITS = 40_000
_REACH = 10**9  # decimal exponent beyond which nothing is computed

Value = Any
"""A Fraction, or an mpf or mpc of the evaluator's context."""


class Undefined(ArithmeticError):
    """A value that does not exist: 0/0, log 0."""


class Arithmetic(Protocol):
    """What operations need of the evaluator: see `evaluate.Evaluator`."""

    ctx: Any
    natural: bool
    opaque: bool
    cut: bool

    def real(self, value: Value) -> Value:
        """A value as a number of the context."""
        ...

    def bounded(self, value: Value) -> Value:
        """The value, in digits where its exact form outgrows the caps."""
        ...


def hashed(text: str) -> Fraction:
    """A number in [0, 1) that only this text stands for."""
    digest = hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=4).digest()
    return Fraction(int.from_bytes(digest, "big") % 1_000_003, 1_000_003)


def _add(ev: Arithmetic, *terms: Value) -> Value:
    return _fold(ev, terms, lambda a, b: a + b)


def _mul(ev: Arithmetic, *factors: Value) -> Value:
    return _fold(ev, factors, lambda a, b: a * b)


def _fold(
    ev: Arithmetic, values: tuple[Value, ...], join: Callable[[Value, Value], Value]
) -> Value:
    total = values[0]
    for value in values[1:]:
        if isinstance(total, Fraction) and isinstance(value, Fraction):
            total = ev.bounded(join(total, value))
        else:
            total = join(ev.real(total), ev.real(value))
    return total


def _neg(ev: Arithmetic, value: Value) -> Value:
    return -value


def _div(ev: Arithmetic, upper: Value, lower: Value) -> Value:
    if isinstance(upper, Fraction) and isinstance(lower, Fraction):
        return upper / lower
    return ev.real(upper) / ev.real(lower)


def _pow(ev: Arithmetic, base: Value, exponent: Value) -> Value:
    if isinstance(exponent, Fraction):
        if exponent.denominator == 1 and isinstance(base, Fraction):
            return _integer_power(ev, base, int(exponent))
        if exponent.denominator > 1 and isinstance(base, Fraction):
            root = _exact_root(base, exponent.denominator)
            if root is not None:
                return _integer_power(ev, root, exponent.numerator)
            if base < 0 and exponent.denominator % 2:
                sign = -1 if exponent.numerator % 2 else 1
                return sign * _power(ev, -base, exponent)
    return _power(ev, base, exponent)


def _integer_power(ev: Arithmetic, base: Fraction, exponent: int) -> Value:
    bits = (base.numerator.bit_length() + base.denominator.bit_length()) * abs(exponent)
    if base in (0, 1, -1) or bits <= EXACT_BITS:
        return base**exponent
    ev.cut = True
    return _power(ev, base, Fraction(exponent))


def _power(ev: Arithmetic, base: Value, exponent: Value) -> Value:
    ctx = ev.ctx
    base, exponent = ev.real(base), ev.real(exponent)
    if base == 0:
        if exponent == 0:
            return Fraction(1)
        if ctx.re(exponent) > 0:
            return Fraction(0)
        raise Undefined("zero to a power that is not positive")
    size = abs(exponent) * (abs(ctx.log10(abs(base))) + 1)
    if not size < _REACH:
        raise Unreadable("a power out of reach")
    return ctx.power(base, exponent)


def _exact_root(base: Fraction, degree: int) -> Fraction | None:
    """The rational root, real for odd degrees; None where there is none."""
    if degree > 64 or base.numerator.bit_length() + base.denominator.bit_length() > 4000:
        return None
    if base < 0:
        root = _exact_root(-base, degree) if degree % 2 else None
        return None if root is None else -root
    upper, lower = _integer_root(base.numerator, degree), _integer_root(base.denominator, degree)
    return None if upper is None or lower is None else Fraction(upper, lower)


def _integer_root(number: int, degree: int) -> int | None:
    if degree == 2:
        root = math.isqrt(number)
    else:
        low, high = 0, 1 << (number.bit_length() // degree + 1)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**degree <= number else (low, middle - 1)
        root = low
    return root if root**degree == number else None


def _root(ev: Arithmetic, radicand: Value, degree: Value) -> Value:
    if not isinstance(degree, Fraction) or degree == 0:
        return _power(ev, radicand, _div(ev, Fraction(1), degree))
    odd = degree.denominator == 1 and degree % 2 == 1
    if odd and isinstance(radicand, ev.ctx.mpf) and radicand < 0:
        return -_power(ev, -radicand, 1 / degree)
    return _pow(ev, radicand, 1 / degree)


def _abs(ev: Arithmetic, value: Value) -> Value:
    return abs(value)


def _factorial(ev: Arithmetic, value: Value) -> Value:
    if isinstance(value, Fraction) and value.denominator == 1:
        if value < 0:
            raise Undefined("the factorial of a negative integer")
        if value <= _FACTORIAL_REACH:
            return Fraction(math.factorial(int(value)))
        ev.cut = True
    elif ev.ctx.dps > 300:  # gamma takes seconds at thousands of digits
        raise Unreadable("the factorial of a fraction, to very many digits")
    if abs(value) > 10**12:
        raise Unreadable("a factorial out of reach")
    return ev.ctx.gamma(ev.real(value) + 1)


_FACTORIAL_REACH = 3000  # some 30,000 bits


def _double_factorial(ev: Arithmetic, value: Value) -> Value:
    if not _whole(value):
        ev.opaque = True  # it has no one continuation beyond the integers
        return hashed(f"!! {ev.ctx.nstr(ev.real(value), 30)}")
    if value < -1:
        raise Undefined("the double factorial of a negative integer")
    if value > 2 * _FACTORIAL_REACH:
        raise Unreadable("a double factorial out of reach")
    return Fraction(math.prod(range(int(value), 0, -2)))


def _cis(ev: Arithmetic, value: Value) -> Value:
    number = ev.real(value)
    if abs(number) > 10**40:
        raise Unreadable("cis out of reach")
    return ev.ctx.expj(number)


def _binomial(ev: Arithmetic, upper: Value, lower: Value) -> Value:
    if _whole(upper) and _whole(lower) and 0 <= upper <= 5000:
        return Fraction(math.comb(int(upper), int(lower))) if lower >= 0 else Fraction(0)
    if abs(upper) > 10**12 or abs(lower) > 10**12:
        raise Unreadable("a binomial out of reach")
    ev.cut = ev.cut or (_whole(upper) and _whole(lower))
    return ev.ctx.binomial(ev.real(upper), ev.real(lower))


def _whole(value: Value) -> bool:
    return isinstance(value, Fraction) and value.denominator == 1


def _rounded(down: bool) -> Callable[[Arithmetic, Value], Value]:
    def operation(ev: Arithmetic, value: Value) -> Value:
        if isinstance(value, Fraction):
            return Fraction(math.floor(value) if down else math.ceil(value))
        if abs(value) > 10**30:
            raise Unreadable("too large to round")
        return Fraction(int(ev.ctx.floor(value) if down else ev.ctx.ceil(value)))

    return operation


def _log(ev: Arithmetic, value: Value, base: Value | None = None) -> Value:
    ctx = ev.ctx
    if value == 0:
        raise Undefined("the logarithm of zero")
    if base is None:
        return ctx.ln(ev.real(value)) if ev.natural else ctx.log10(ev.real(value))
    if isinstance(value, Fraction) and isinstance(base, Fraction) and base > 0 and base != 1:
        exact = _exact_log(value, base)
        if exact is not None:
            return exact
    return ctx.ln(ev.real(value)) / ctx.ln(ev.real(base))


def _exact_log(value: Fraction, base: Fraction) -> Fraction | None:
    if value <= 0:
        return None
    guess = round(math.log(value) / math.log(base)) if value < 10**300 and base < 10**300 else 0
    return Fraction(guess) if 0 < abs(guess) < 1000 and base**guess == value else None


def _function(name: str) -> Callable[[Arithmetic, Value], Value]:
    def operation(ev: Arithmetic, value: Value) -> Value:
        number = ev.real(value)
        if abs(number) > _FUNCTION_REACH.get(name, 10**40):
            raise Unreadable(f"{name} out of reach")
        return getattr(ev.ctx, name)(number)

    return operation


_FUNCTION_REACH = {"exp": 10**8, "sinh": 10**8, "cosh": 10**8, "tanh": 10**8, "coth": 10**8}


def _inverse_cot(ev: Arithmetic, value: Value) -> Value:
    return ev.ctx.pi / 2 - ev.ctx.atan(ev.real(value))


def _mod(ev: Arithmetic, value: Value, modulus: Value) -> Value:
    if _whole(value) and _whole(modulus):
        return value % modulus
    ev.opaque = True
    return hashed(f"mod {ev.ctx.nstr(ev.real(value), 30)} {ev.ctx.nstr(ev.real(modulus), 30)}")


def _whole_numbers(name: str, exact: Callable[..., int]) -> Callable[..., Value]:
    def operation(ev: Arithmetic, *values: Value) -> Value:
        if all(_whole(value) for value in values):
            return Fraction(exact(*(int(value) for value in values)))
        ev.opaque = True
        return hashed(name + " ".join(sorted(ev.ctx.nstr(ev.real(value), 30) for value in values)))

    return operation


def _extreme(pick: Callable[..., Value]) -> Callable[..., Value]:
    def operation(ev: Arithmetic, *values: Value) -> Value:
        return pick(values, key=ev.real)

    return operation


def _degrees(ev: Arithmetic, value: Value) -> Value:
    return ev.real(value) * ev.ctx.pi / 180


def _percent(ev: Arithmetic, value: Value) -> Value:
    return value / 100


def _holds(relation: Callable[[Value, Value], bool]) -> Callable[..., Value]:
    """1 where a relation between real numbers holds, else 0."""

    def holds(ev: Arithmetic, one: Value, other: Value) -> Value:
        if not (isinstance(one, Fraction) and isinstance(other, Fraction)):
            one, other = ev.real(one), ev.real(other)
        return Fraction(int(relation(one, other)))

    return holds


OPERATIONS: dict[str, Callable[..., Value]] = {
    "add": _add, "mul": _mul, "neg": _neg, "div": _div, "pow": _pow, "root": _root,
    "sqrt": lambda ev, x: _root(ev, x, Fraction(2)), "cbrt": lambda ev, x: _root(ev, x, Fraction(3)),
    "abs": _abs, "factorial": _factorial, "factorial2": _double_factorial, "cis": _cis, "binomial": _binomial,
    "floor": _rounded(True), "ceil": _rounded(False), "mod": _mod,
    "gcd": _whole_numbers("gcd", math.gcd), "lcm": _whole_numbers("lcm", math.lcm),
    "max": _extreme(max), "min": _extreme(min), "degrees": _degrees, "percent": _percent,
    "log": _log, "ln": _function("ln"), "lg": lambda ev, x: _log(ev, x, Fraction(10)),
    "exp": _function("exp"),
    **{name: _function(name) for name in ["sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "sech", "csch"]},
    **{"arc" + name: _function("a" + name) for name in ["sin", "cos", "tan", "sec", "csc", "sinh", "cosh", "tanh", "coth", "sech", "csch"]},
    "arccot": _inverse_cot,
    "holds <": _holds(operator.lt), "holds <=": _holds(operator.le), "holds >": _holds(operator.gt),
    "holds >=": _holds(operator.ge), "holds =": _holds(operator.eq), "holds !=": _holds(operator.ne),
}  # fmt: skip
