r"""Rarer notations, rewritten to the common one: `{}_nC_k`, `36^\circ30'`, `6.02\mathrm{e}23`, `\SI{12}{cm}`.

Each is looked for only where a part of it stands in the text, so that plain answers cost next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

_FONTED = r"\\(?:text|textrm|textup|mathrm|mathbf|mbox|operatorname)\s*"
_ARG = r"(?:\{\s*([^{}]{1,30}?)\s*\}|([A-Za-z0-9]))"
_C = rf"(?:C|{_FONTED}\{{\s*C\s*\}})"
_SPACE = r"(?:\s|\\[,;:! ]|~|\\q?quad(?![a-z])){0,8}"  # bounded: it may begin anywhere
_DEGREE = r"(?:\^\s*\{?\s*\\circ\s*\}?)"
_PRIME = r"(?:'(?!')|\^\s*\{?\s*(?:\\prime|')\s*\}?(?!\\prime))"
_DOUBLE_PRIME = r"(?:''|\"|\^\s*\{?\s*\\prime\s*\\prime\s*\}?)"

Replacement = str | Callable[[re.Match[str]], str]


Rule = tuple[str, re.Pattern[str], Replacement]
"""A literal that must stand in the text, what is looked for, and what takes its place."""


def rules(*written: tuple[str, str, Replacement]) -> tuple[Rule, ...]:
    """Rules with their patterns compiled."""
    return tuple((literal, re.compile(pattern), to) for literal, pattern, to in written)


def rewritten(text: str, by: tuple[Rule, ...]) -> str:
    """The text after each rule in turn; a pattern is tried only where its literal stands."""
    for literal, pattern, replacement in by:
        if literal in text:
            text = pattern.sub(replacement, text)
    return text


# Binomial coefficients


def _binomial(found: re.Match[str]) -> str:
    upper, lower = (part for part in found.groups() if part is not None)
    return rf"\binom{{{upper}}}{{{lower}}}"


def _permutations(found: re.Match[str]) -> str:
    upper, lower = (part for part in found.groups() if part is not None)
    return rf"\frac{{({upper})!}}{{(({upper})-({lower}))!}}"


def _subscript_first(found: re.Match[str]) -> str:
    below, above = (part for part in found.groups() if part is not None)
    return _indexed(found, below, above)


def _superscript_first(found: re.Match[str]) -> str:
    above, below = (part for part in found.groups() if part is not None)
    return _indexed(found, below, above)


def _indexed(found: re.Match[str], below: str, above: str) -> str:
    """`C_n^k`; but a constant `C_1` squared stays what it is."""
    if below.isdigit():
        constant = re.search(r"C_\{?[0-9]\}?(?!\s*[\^0-9])", found.string)
        if not above.isdigit() or constant:
            return found[0]
        if int(below) < int(above) and len(above) > 1:
            below, above = above, below
        if int(below) <= int(above):
            return found[0]
    return rf"\binom{{{below}}}{{{above}}}"


def _called(found: re.Match[str]) -> str:
    if re.match(r"\s*=", found.string[found.end() :]) and not found[1].strip().isdigit():
        return found[0]  # a function that is being defined
    return rf"\binom{{{found[1].strip()}}}{{{found[2].strip()}}}"


# Angles in degrees, minutes and seconds


def _sexagesimal(found: re.Match[str]) -> str:
    degrees, minutes, seconds = (Fraction(part or 0) for part in found.groups())
    if minutes >= 60 or seconds >= 60:
        return found[0]
    value = degrees + minutes / 60 + seconds / 3600
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}^{{\circ}}"


# Repeating decimals


def _dotted(found: re.Match[str]) -> str:
    digits = re.sub(r"\\dot|[{}\s]", "", found[0])
    return rf"\overline{{{digits}}}"


def _barred(found: re.Match[str]) -> str:
    return found[1] + found[2].replace(" ", "") + "}"


def _powers_bare(found: re.Match[str]) -> str:
    return re.sub(r"\^\{(-?[0-9])\}", r"^\1", found[0])


# siunitx

_PREFIXES = {
    "kilo": "k", "centi": "c", "milli": "m", "micro": "micro", "nano": "n", "mega": "M", "giga": "G",
    "deci": "d", "hecto": "h", "deca": "da", "deka": "da", "pico": "p", "tera": "T",
}  # fmt: skip
_SI_UNITS = {
    "metre": "m", "meter": "m", "gram": "g", "second": "s", "ampere": "A", "kelvin": "K", "newton": "N",
    "joule": "J", "watt": "W", "volt": "V", "coulomb": "C", "tesla": "T", "farad": "F", "hertz": "Hz",
    "pascal": "Pa", "ohm": "ohm", "liter": "L", "litre": "L", "hour": "h", "minute": "min", "day": "day",
    "mole": "mol", "celsius": "celsius", "degreeCelsius": "celsius", "percent": "percent",
    "degree": "degree", "kilogram": "kg", "electronvolt": "eV", "radian": "rad",
    "cm": "cm", "mm": "mm", "km": "km", "m": "m", "kg": "kg", "s": "s", "g": "g",
}  # fmt: skip
_SI_WORD = re.compile(r"\\([A-Za-z]+)|([A-Za-z]+)|\^\{?(-?[0-9])\}?|(/)")


def _si_unit(text: str) -> str:
    """`\\kilo\\metre\\per\\hour` and `km.h^{-1}` in the words of `units`."""
    parts: list[str] = []
    prefix = power = ""
    for command, word, exponent, slash in _SI_WORD.findall(text):
        if slash or command == "per":
            parts.append("/")
        elif command in _PREFIXES:
            prefix = _PREFIXES[command]
        elif command in ("square", "cubic"):
            power = "^2" if command == "square" else "^3"
        elif command in ("squared", "cubed") or exponent:
            parts.append("^" + (exponent or ("2" if command == "squared" else "3")))
        else:
            parts.append(prefix + (word or _SI_UNITS.get(command, command)) + power)
            prefix = power = ""
    return " ".join(parts).replace(" ^", "^")


def _quantity(found: re.Match[str]) -> str:
    return rf"{found[1]}\text{{ {_si_unit(found[2])}}}"


def _unit(found: re.Match[str]) -> str:
    return rf"\text{{ {_si_unit(found[1])}}}"


def _angle(found: re.Match[str]) -> str:
    degrees, minutes, seconds = ([*found[1].split(";"), "", ""][at].strip() for at in range(3))
    return rf"{degrees}^{{\circ}}{minutes or 0}'{seconds or 0}''"


# A unit over a unit


def _fraction_of_units(found: re.Match[str]) -> str:
    upper = "".join(part or "" for part in found.groups()[:-2]).strip()
    lower = "".join(part or "" for part in found.groups()[-2:]).strip()
    return rf"\text{{ {upper}/{lower}}}".replace("^{", "^").replace("}}", "}")


_PER = r"(?:km|cm|mm|m|mi|ft|miles?|kilomet(?:er|re)s?|met(?:er|re)s?|feet|kg|g|l|L)"
_TIME = r"(?:hours?|hrs?|h|seconds?|secs?|s|min|minutes?)"
_BRACED = rf"(?:{_FONTED}\{{\s*([A-Za-z]{{1,12}}(?:\^[0-9])?)\s*\}}(\^\{{?[0-9]\}}?)?)"
_PERIOD = r"(?:\\dot\s*(?:\{\s*[0-9]\s*\}|[0-9]))"

_UPRIGHT_E = (
    r"(?:\\(?:text|textrm|mathrm|mathsf|mathtt|operatorname)\s*\{\s*[eE]\s*\}|\{\\rm\s+[eE]\})"
)

_RULES = rules(
    ("phantom", r"\\[hv]?phantom\s*\{(?:[^{}]|\{[^{}]*\})*\}", " "),
    # siunitx
    (r"\ang", r"\\ang\s*\{([0-9.]+;[0-9.; ]*)\}", _angle),
    (r"\SI", r"\\SI\s*(?:\[[^\]]*\])?\s*\{((?:[^{}]|\{[^{}]*\})*)\}\s*\{((?:[^{}]|\{[^{}]*\})*)\}", _quantity),
    (r"\qty", r"\\qty\s*(?:\[[^\]]*\])?\s*\{((?:[^{}]|\{[^{}]*\})*)\}\s*\{((?:[^{}]|\{[^{}]*\})*)\}", _quantity),
    (r"\si", r"\\si\s*\{((?:[^{}]|\{[^{}]*\})*)\}", _unit),
    (r"\unit", r"\\unit\s*\{((?:[^{}]|\{[^{}]*\})*)\}", _unit),
    (r"\num", r"\\num\s*\{([^{}]*)\}", r"\1"),
    # units: powers inside of \text, quotients, micro, ohm, degrees of temperature
    ("^", rf"{_FONTED}\{{(?:[^{{}}]|\^\{{-?[0-9]\}})*\}}", _powers_bare),
    ("frac", r"\\[dt]?frac\s*\{(km|mi|miles|ft)()\}\s*\{(h|hr|s|hour|sec)()\}", _fraction_of_units),
    ("\\text", rf"(?<=[0-9}}]){_SPACE}[(\[]\s*(\\(?:text|mathrm)\{{[A-Za-z/. ]+\}})\s*[)\]]\Z", r"\1"),
    ("\\text", r"(?<=[0-9])\{(\\(?:text|mathrm)\{[A-Za-z/. ]+\})\}", r"\1"),
    ("\\text", r"\A\\text\s*\{\s*(-?[0-9][0-9.,]*?)(?=,?\s)(?=[^{}]*\}\s*[^\s])", r"\1\\text{"),
    ("frac", rf"\\[dt]?frac\s*\{{\s*{_BRACED}\s*\}}\s*\{{\s*{_BRACED}\s*\}}", _fraction_of_units),
    ("frac", rf"{_FONTED}\{{\s*\\[dt]?frac\s*\{{([A-Za-z ]+)()\}}\s*\{{([A-Za-z ]+\^?[0-9]?)()\}}\s*\}}", _fraction_of_units),
    (r"\mu", r"(\\(?:text|textrm|mathrm)\{\s*)\\mu\s*(?=[A-Za-z])", r"\1micro"),
    (r"\mu", r"(?<=[0-9}])((?:\s|\\[,;: ]|~){0,8})\\mu\s*\\(text|mathrm)\{\s*", r"\1\\text{ micro"),
    (r"\Omega", rf"(?<=[0-9}}]){_SPACE}\\(?:text|mathrm)\{{\s*([kM])\s*\}}\s*\\Omega\s*\Z", r"\\text{ \1ohm}"),
    (r"\Omega", rf"(?<=[0-9}}]){_SPACE}\\(?:text\{{\s*)?\\?Omega\s*\}}?\s*\Z", r"\\text{ ohm}"),
    ("/", rf"(?<=[0-9}}]){_SPACE}({_PER}\s*/\s*{_TIME})(\^\{{?2\}}?)?\s*\Z", r"\\text{ \1}\2"),
    ("u^", r"(?<=[0-9}])(?:\s|\\[,;: ]|~|\\q?quad){1,8}u\^\{?([23])\}?\Z", r"\\text{ u}^\1"),
    (r"\circ", r"\\text\s*\{\s*\^\{\\circ\}\s*\}", r"^{\\circ}"),
    (r"\circ", r"\^\{\^\{\\circ\}\}", r"^{\\circ}"),
    (r"\degree", r"\\degree(?![A-Za-z])", r"^{\\circ}"),
    (r"\circ", rf"{_FONTED}\{{\s*{_DEGREE}\s*([CF])\s*\}}", r"\\text{ deg\1}"),
    (r"\circ", rf"(?:\{{\}})?{_SPACE}{_DEGREE}{_SPACE}{_FONTED}\{{\s*([CF])\s*\}}", r"\\text{ deg\1}"),
    (r"\circ", rf"(?:\{{\}})?{_SPACE}{_DEGREE}{_SPACE}([CF])\s*\Z", r"\\text{ deg\1}"),
    # money
    (r"\$", rf"(?:\b(?:US|USD)|{_FONTED}\{{\s*(?:US|USD)\s*\}})\s*\\\$", r"\\$"),
    ("$", rf"{_FONTED}\{{\s*(?:US)?\\?\$\s*([0-9.,]*)\s*\}}", r"\\$\1"),
    ("{\\", r"(?<![A-Za-z])\{(\\[$%])\}", r"\1"),
    ("cent", r"\bper[ -]+cent\b", "percent"),
    ("cent", rf"(?:\\\$)?(?<![0-9])([0-9]+){_SPACE}(?:\\text\{{)?\s*(?:dollars?)?,?\s*(?:and)?\s*\}}?{_SPACE}([0-9]{{2}}){_SPACE}(?:\\text\{{)?\s*cents\s*\}}?\Z",
     r"\\$\1.\2"),
    # angles
    (r"\circ", rf"(?<![0-9])([0-9]+){_SPACE}{_DEGREE}(?:\\text\{{\s*\}})?{_SPACE}([0-9]+(?:\.[0-9]+)?){_SPACE}"
               rf"(?:{_PRIME}|{_FONTED}\{{\s*min(?:utes?)?\s*\}})"
               rf"(?:{_SPACE}([0-9]+(?:\.[0-9]+)?){_SPACE}"
               rf"(?:{_DOUBLE_PRIME}|{_FONTED}\{{\s*sec(?:onds?)?\s*\}}))?\s*\Z", _sexagesimal),
    ("deg", rf"(?<![0-9])([0-9]+){_SPACE}(?:{_FONTED}\{{)?\s*degrees?\s*(?:and\s*)?\}}?(?:{_SPACE}\\text\{{\s*and\s*\}})?{_SPACE}([0-9]+){_SPACE}"
            rf"(?:{_FONTED}\{{)?\s*min(?:utes?)?\s*\}}?()\Z", _sexagesimal),
    # roots, numbers in a base with letters as digits
    (r"\root", r"\\root\s*\{?\s*([0-9a-z]{1,4})\s*\}?\s*\\of(?![a-z])", r"\\sqrt[\1]"),
    ("_", r"(?:\\left)?\(\s*(?:\\(?:text|mathrm)\s*\{\s*)?([0-9A-F]{0,12}[A-F][0-9A-F]{0,12})\s*\}?\s*(?:\\right)?\)(?=_\{?(?:1[1-6])(?![0-9]))", r"\1"),
    # fractions
    ("/_", r"(?:\{\})?\^\s*\{?([0-9]+)\}?\s*(?:\\!)*\s*/\s*_\s*\{?([0-9]+)\}?", r"\\frac{\1}{\2}"),
    # repeating decimals
    (r"\overset", r"\\overset\s*\{(?:\.|\\cdot)\}\s*\{([0-9])\}", r"\\dot{\1}"),
    (r"\dot", rf"(?<=\.){_PERIOD}\s*(?:[0-9]*\s*{_PERIOD})?|(?<=\.[0-9]){_PERIOD}\s*(?:[0-9]*\s*{_PERIOD})?"
              rf"|(?<=[0-9]){_PERIOD}\s*(?:[0-9]*\s*{_PERIOD})?", _dotted),
    ("{.}", r"(?<=[0-9])\{\.\}(?=[0-9\\])", "."),
    ("line{", r"(?<=\.)([0-9]*\\overline\s*\{)([0-9 ]+)\}(?:\{\}|\s|\\[lc]?dots(?![a-z])|\.\.\.+)*", _barred),
    (r".{\overline", r"\.\{(\\overline\s*\{[0-9]+\})\}", r".\1"),
    (".\\", r"(?<![0-9.}])\.(?=\\(?:overline|bar))", "0."),
    # scientific notation
    ("10", rf"(?<=[0-9]){_SPACE}(?:[xX]|\\bullet|{_FONTED}\{{\s*(?:[xX]|times)\s*\}}){_SPACE}(?=10\s*(?:\^|\*\*)\s*\{{?\s*[-+]?\s*[0-9])", r"\\times "),
    ("e}", rf"(?<=[0-9]){_SPACE}{_UPRIGHT_E}{_SPACE}\{{?\s*([-+]?[0-9]{{1,4}})\s*\}}?(?![0-9.])", r"\\times 10^{\1}"),
    ("E}", rf"(?<=[0-9]){_SPACE}{_UPRIGHT_E}{_SPACE}\{{?\s*([-+]?[0-9]{{1,4}})\s*\}}?(?![0-9.])", r"\\times 10^{\1}"),
    ("-}", rf"(?<=[0-9]){_SPACE}\\(?:text|textrm|mathrm)\s*\{{\s*[eE]\s*-\s*\}}\s*\{{?([0-9]{{1,4}})\}}?(?![0-9.])", r"\\times 10^{-\1}"),
    ("{e", r"(?<=[0-9])\s*\\(?:text|textrm|mathrm)\s*\{\s*e\s*([-+]?[0-9]{1,4})\s*\}", r"\\times 10^{\1}"),
    ("{E", r"(?<=[0-9])\s*\\(?:text|textrm|mathrm)\s*\{\s*E\s*([-+]?[0-9]{1,4})\s*\}", r"\\times 10^{\1}"),
    ("e{", r"(?<=[0-9])e\{([-+]?[0-9]{1,4})\}", r"\\times 10^{\1}"),
    ("E{", r"(?<=[0-9])E\{([-+]?[0-9]{1,4})\}", r"\\times 10^{\1}"),
    # binomials and permutations
    ("C", rf"(?:\{{\s*\}}|(?<![A-Za-z0-9}})\]])(?<!\d\s))\s*[_^]\s*{_ARG}\s*{_C}\s*_\s*{_ARG}", _binomial),
    ("P", rf"\{{\s*\}}\s*[_^]\s*{_ARG}\s*{_C.replace('C', 'P')}\s*_\s*{_ARG}", _permutations),
    ("C", rf"(?<![A-Za-z\\}}]){_C}\s*_\s*{_ARG}\s*\^\s*{_ARG}", _subscript_first),
    ("C", rf"(?<![A-Za-z\\}}]){_C}\s*\^\s*{_ARG}\s*_\s*{_ARG}", _superscript_first),
    ("C", rf"(?<![A-Za-z\\_^]){_C}\s*(?:\\left)?\(\s*([^(),]{{1,30}}),\s*([^(),]{{1,30}}?)\s*(?:\\right)?\)", _called),
    ("C", r"(?<![A-Za-z0-9_{^\\.])([0-9]{1,4})C([0-9]{1,4})(?![0-9A-Za-z])", r"\\binom{\1}{\2}"),
    ("choose", r"(?<![A-Za-z0-9\\])([0-9]{1,4}|[a-z])\s*(?:\\text\{\s*choose\s*\}|(?<!\\)choose)\s*([0-9]{1,4}|[a-z])(?![A-Za-z])", r"\\binom{\1}{\2}"),
)  # fmt: skip


def common(text: str) -> str:
    """The text with rarer notations rewritten to the common one."""
    return rewritten(text, _RULES)
