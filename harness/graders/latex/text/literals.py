"""Literals: integers and decimals, their separators and periods, numbers in a base."""

from __future__ import annotations

import re
from fractions import Fraction

from harness.graders.latex.syntax import Based, Number, Unreadable

_SEPARATORS = re.compile(r"\{,\}|\{\\,\}|\\[, ]|,\\!\s?|,")
_BASES = {
    name: str(value)
    for value, name in enumerate(
        ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 2
    )
}


def number(text: str) -> Number:
    """An integer or decimal literal, with its separators of thousands.

    Raises:
        Unreadable: more digits than an answer has, or an exponent out of reach.
    """
    if "." not in text and "{,}" in text and not re.fullmatch(r"[0-9]{1,3}(\{,\}[0-9]{3})+", text):
        text = text.replace("{,}", ".")
    text = _SEPARATORS.sub("", text).replace("{.}", ".")
    mantissa, _, exponent = text.replace("E", "e").partition("e")
    whole, point, decimals = mantissa.partition(".")
    if abs(int(exponent or "0")) > 4000:
        raise Unreadable("an exponent out of reach")
    value = Fraction(int(whole + decimals or "0"), 10 ** len(decimals))
    if exponent:
        return Number(value * Fraction(10) ** int(exponent))
    return Number(value, len(decimals) if point and decimals else None)


def repeating(text: str, period: str) -> Number:
    """`0.1` with the period `6` is one sixth."""
    whole, _, decimals = text.partition(".")
    nines = 10 ** len(period) - 1
    tail = Fraction(int(period), nines * 10 ** len(decimals))
    return Number(Fraction(int(whole + decimals or "0"), 10 ** len(decimals)) + tail)


def based(digits: str, base: str) -> Based:
    """Digits in a base that is written as a number or in words.

    Raises:
        Unreadable: no integer, or no base from 2 to 36.
    """
    number_of_base = _BASES.get(base, base)
    if not (digits.isdigit() and number_of_base.isdigit() and len(number_of_base) <= 2):
        raise Unreadable("a subscript of a number that is no base")
    return Based(digits.lstrip("0") or "0", int(number_of_base))


def split_period(text: str) -> tuple[str, str]:
    """From "0.1666" to ("0.1", "6"): the shortest block that the digits end with again and again.

    Raises:
        Unreadable: no block is written often enough to be sure of it.
    """
    whole, _, decimals = text.partition(".")
    for length in range(1, len(decimals) // 2 + 1):
        block = decimals[-length:]
        times = 3 if length < 3 else 2
        if decimals.endswith(block * times):
            while decimals.endswith(block):
                decimals = decimals[:-length]
            return f"{whole}.{decimals}", block
    raise Unreadable("dots after digits that do not repeat")
