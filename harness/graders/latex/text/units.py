"""Units of measure: one name for each, and what it is in the base unit of its kind."""

from __future__ import annotations

import re
from fractions import Fraction

from harness.graders.latex.text.vocabulary import names

_NAMES = {
    "degree": "degrees degree deg ° circ",
    "percent": "percent percentage pct prozent % \\%",
    "dollar": "dollars dollar usd \\$ $ bucks",
    "cent": "cents cent ¢",
    "euro": "euros euro eur",
    "pound": "pounds pound lbs lb gbp",
    "yuan": "yuan rmb",
    "yen": "yen",
    "rupee": "rupees rupee rs",
    "unit": "units unit u un",
    "mm": "mm millimeter millimeters millimetre millimetres",
    "cm": "cm cms centimeter centimeters centimetre centimetres",
    "m": "m meter meters metre metres",
    "km": "km kms kilometer kilometers kilometre kilometres",
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
    "kg": "kg kgs kilogram kilograms",
    "mg": "mg milligram milligrams",
    "ounce": "ounces ounce oz",
    "liter": "liters liter litres litre l",
    "celsius": "celsius degc centigrade",
    "fahrenheit": "fahrenheit degf",
    "kelvin": "kelvin kelvins",
    "newton": "newton newtons",
    "joule": "joule joules",
    "watt": "watt watts",
    "volt": "volt volts",
    "ampere": "ampere amperes amp amps",
    "coulomb": "coulomb coulombs",
    "tesla": "tesla teslas",
    "farad": "farad farads",
    "henry": "henry henries",
    "hertz": "hertz hz",
    "pascal": "pascal pascals pa",
    "ohm": "ohm ohms",
    "mole": "mol mole moles",
    "ev": "ev",
    "ml": "ml milliliter milliliters millilitres",
    "radian": "radians radian rad",
    "mph": "mph",
    "km / hour": "kph kmh kmph",
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
_LETTERS = {
    "C": "coulomb", "N": "newton", "J": "joule", "K": "kelvin", "W": "watt", "V": "volt", "A": "ampere",
    "T": "tesla", "F": "farad", "H": "henry", "L": "liter",
}  # fmt: skip
"""Symbols that are another unit, or none, as small letters."""

UNIT_LETTERS = frozenset("mgshlu") | _LETTERS.keys()
"""Letters that, upright behind a value, are its unit."""

SCALES = {
    "dozen": 12, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip
"""Words behind a number that multiply it."""

_CHANGING = names(
    "or and if for where when but not to than more less fewer least most times plus minus over divided"
    " multiplied choose mod modulo factorial half halves third thirds fifth fifths sixths"
    " sevenths eighths ninths tenth tenths twelfths hundredth hundredths thousandth thousandths hundred"
    " remainder through between is are was wrong impossible incorrect r millionen millones millions mille"
    " tausend milliarden milliards th rd nd bn mn lakh lakhs crore crores pi sixteenths doubled tripled too zero unknown hundreds thousands billions trillions dozens only alone solely uniquely fails fail works"
)
_IGNORED = names("the a an of total each long away approximately about")
_POWERS = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cubed": 3}
_PART = re.compile(r"(/|\bper\b)")
_WORD = re.compile(r"[A-Za-z°%]+|\\[%$]|\^\{?(-?[0-9])\}?|[0-9]")
_RESPELT = (
    ("degree celsius", "celsius"), ("degree fahrenheit", "fahrenheit"), ("mile / hour", "mph"),
    ("percent point", "percent"),
)  # fmt: skip


def canonical(text: str) -> str:
    """One spelling for a unit as written after a number: "square inches" and "in^2" are "inch^2".

    Words that are no known unit stay as they are, singular.
    """
    power, parts = 1, []
    for part in _PART.split(text.replace("$", " ")):
        if part in ("/", "per"):
            parts.append("/")
            continue
        for found in _WORD.finditer(part):
            word = _LETTERS.get(found[0]) or found[0].casefold()
            exponent = found[1] or (word if word.isdigit() else "")
            if exponent.startswith("-") and parts:
                parts.insert(-1, "/")
                power = max(power, int(exponent[1:]))
            elif exponent:
                power = int(exponent)
            elif word in _POWERS:
                power = _POWERS[word]
            elif word not in _IGNORED:
                parts.append(_BY_WORD.get(word) or _singular(word))
    name = " ".join(parts)
    for spelt, short in _RESPELT:
        name = name.replace(spelt, short)
    return f"{name}^{power}" if power != 1 and name else name


def changes_value(text: str) -> bool:
    """Whether words behind a number make it another one, or say more than what is counted."""
    text = text.casefold()
    return not _CHANGING.isdisjoint(re.findall(r"[a-z]+", text)) or bool(_BASE.search(text))


_BASE = re.compile(
    r"\bbase[ -]?(?:[2-9]|1[126]|two|three|four|five|six|seven|eight|nine|twelve|sixteen)\b"
)


def symbol(unit: str) -> tuple[str, int] | None:
    """(letter, power) of a unit that a reader may take for a variable: "m^2" is ("m", 2)."""
    name, _, power = unit.partition("^")
    letter = _AS_LETTER.get(name)
    return (letter, int(power or 1)) if letter else None


_AS_LETTER = {"m": "m", "unit": "u", "second": "s", "gram": "g", "hour": "h", "liter": "l"}


def written_as_unit(text: str) -> bool:
    """Whether every word of a text is a unit, its powers and quotients aside: `m/s^2`, `kg m`."""
    found = _WRITTEN.fullmatch(text)
    return bool(found) and all(
        word in _LETTERS or word.casefold() in _BY_WORD for word in re.findall(r"[A-Za-z]+", text)
    )


_WRITTEN = re.compile(r"[A-Za-z]+(?:\^-?[0-9])?(?: ?[/ ] ?[A-Za-z]+(?:\^-?[0-9])?){0,5}")


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def known(unit: str) -> bool:
    """Whether a canonical unit has words, and every one of them is in the table."""
    words = unit.partition("^")[0].split()
    return bool(words) and all(word in _NAMES or word == "/" for word in words)


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
    if {one, other} in ({"degree", "celsius"}, {"degree", "fahrenheit"}):
        return True
    first, second = set(one.replace("^", " ^").split()), set(other.replace("^", " ^").split())
    if "unit" in first | second:
        powers = {part for part in first ^ second if part.startswith("^")}
        return not powers
    return not (known(one) and known(other)) and (first <= second or second <= first)
