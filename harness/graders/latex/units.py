"""Units of measure: one name for each, and what it is in the base unit of its kind."""

from __future__ import annotations

import re
from fractions import Fraction

from harness.graders.latex.vocabulary import names

_NAMES = {
    "degree": "degrees degree deg ° circ",
    "percent": "percent percentage pct % \\%",
    "dollar": "dollars dollar usd \\$ $ bucks",
    "cent": "cents cent ¢",
    "euro": "euros euro",
    "pound": "pounds pound lbs lb",
    "yuan": "yuan rmb",
    "unit": "units unit",
    "mm": "mm millimeter millimeters millimetre millimetres",
    "cm": "cm centimeter centimeters centimetre centimetres",
    "m": "m meter meters metre metres",
    "km": "km kilometer kilometers kilometre kilometres",
    "inch": "inches inch in",
    "foot": "feet foot ft",
    "yard": "yards yard yd",
    "mile": "miles mile mi",
    "second": "seconds second sec s secs",
    "minute": "minutes minute min mins",
    "hour": "hours hour hr hrs h",
    "day": "days day",
    "week": "weeks week",
    "year": "years year yr yrs",
    "gram": "grams gram g",
    "kg": "kg kilogram kilograms",
    "mg": "mg milligram milligrams",
    "ounce": "ounces ounce oz",
    "liter": "liters liter litres litre l",
    "ml": "ml milliliter milliliters millilitres",
    "radian": "radians radian rad",
    "mph": "mph",
}
_BY_WORD = {word: name for name, words in _NAMES.items() for word in words.split()}
_SCALE: dict[str, tuple[str, Fraction]] = {
    "mm": ("length", Fraction(1, 1000)), "cm": ("length", Fraction(1, 100)), "m": ("length", Fraction(1)),
    "km": ("length", Fraction(1000)), "inch": ("imperial", Fraction(1)), "foot": ("imperial", Fraction(12)),
    "yard": ("imperial", Fraction(36)), "mile": ("imperial", Fraction(63360)),
    "second": ("time", Fraction(1)), "minute": ("time", Fraction(60)), "hour": ("time", Fraction(3600)),
    "day": ("time", Fraction(86400)), "week": ("time", Fraction(604800)),
    "gram": ("mass", Fraction(1)), "kg": ("mass", Fraction(1000)), "mg": ("mass", Fraction(1, 1000)),
    "liter": ("volume", Fraction(1)), "ml": ("volume", Fraction(1, 1000)),
    "dollar": ("money", Fraction(1)), "cent": ("money", Fraction(1, 100)),
}  # fmt: skip
_IGNORED = names("the a an of total each long away approximately about")
_POWERS = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cubed": 3}
_WORD = re.compile(r"[A-Za-z°%]+|\\[%$]|\^\{?([0-9])\}?|[0-9]")


def canonical(text: str) -> str:
    """One spelling for a unit as written after a number: "square inches" and "in^2" are "inch^2".

    Words that are no known unit stay as they are, singular.
    """
    power, parts = 1, []
    for part in re.split(r"(/|\bper\b)", text.replace("$", " ").casefold()):
        if part in ("/", "per"):
            parts.append("/")
            continue
        for found in _WORD.finditer(part):
            word = found[0]
            if found[1] or word.isdigit():
                power = int(found[1] or word)
            elif word in _POWERS:
                power = _POWERS[word]
            elif word not in _IGNORED:
                parts.append(_BY_WORD.get(word) or _singular(word))
    name = " ".join(parts)
    return f"{name}^{power}" if power != 1 else name


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def known(unit: str) -> bool:
    """Whether every word of a canonical unit is in the table."""
    return all(part in _NAMES or part == "/" for part in unit.partition("^")[0].split())


def in_base(unit: str) -> tuple[str, Fraction]:
    """(kind, factor to the base unit of that kind); a unit without a scale is its own kind."""
    name, _, power = unit.partition("^")
    if name not in _SCALE:
        return unit, Fraction(1)
    kind, factor = _SCALE[name]
    return f"{kind}^{power or 1}", factor ** int(power or 1)


def compatible(one: str, other: str) -> bool:
    """Whether two units that are not the same may still name the same thing.

    They may when one is just "units", or when the words of one are among the other's
    ("apples" and "red apples").
    """
    first, second = set(one.replace("^", " ^").split()), set(other.replace("^", " ^").split())
    if "unit" in first | second:
        powers = {part for part in first ^ second if part.startswith("^")}
        return not powers
    return not (known(one) and known(other)) and (first <= second or second <= first)
