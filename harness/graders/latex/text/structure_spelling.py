"""Other spellings of sets, residue classes, transposes and unit vectors."""

from __future__ import annotations

import re

_BEFORE = r"(?:\A|(?<=[\s={,(:$])|(?<=\\left)|(?<=\\cup)|(?<=\\cap)|(?<=\\in)|(?<=\\setminus))"
_BOUNDS = (
    r"([^\[\],;]{0,80}[^\s\[\],;]\s{0,4}[,;](?:(?!\\c[au]p)[^\[\],;]){1,80})(?<!\\sqrt)(?<!\\right)"
)
_LEFT_OPEN = re.compile(rf"{_BEFORE}\]{_BOUNDS}(?:\\right)?\s?([\[\])])")
_RIGHT_OPEN = re.compile(
    rf"([\[(]){_BOUNDS}(?:\\right)?\s?\[(?=\s*(?:\Z|[$,.)}}]|\\(?:[)\],; ]|c[au]p\b|setminus\b|text|q?quad\b)))"
)


_OTHERS = tuple(
    (needle, re.compile(pattern), replacement)
    for needle, pattern, replacement in (
        ("\\", r"\\([RZNQC])(?![A-Za-z])", r"\\mathbb{\1}"),
        ("\\Bbb", r"\\Bbb\s*(?:\{([RZNQC])\}|([RZNQC])(?![A-Za-z]))", r"\\mathbb{\1\2}"),
        (
            "\\setminus",
            r"\\math(?:bf|rm)\s*(?:\{([RZNQ])\}|([RZNQ])(?![A-Za-z]))(?=\s*\\setminus)",
            r"\\mathbb{\1\2}",
        ),
        ("\\mathcal", r"\\mathcal\s*(?:\{\s*O\s*\}|\sO)(?=\s*(?:\\left)?\()", "O"),
        (
            "\\in",
            r"(\\in\s*)\\math(?:bf|rm)\s*(?:\{([RZNQ])\}|([RZNQ])(?![A-Za-z]))",
            r"\1\\mathbb{\2\3}",
        ),
        ("\\mathbb", r"\\mathbb\s*\{?Z\}?\s*[\^_]\s*\{?\+\}?", r"\\mathbb{Z}_{>0}"),
        (
            "\\mathbb",
            r"(\\mathbb\s*(?:\{[RZQC]\}|[RZQC]))\s*[-/]\s*(?=\\\{|[\[(])",
            r"\1\\setminus ",
        ),
        (
            "math",
            r"\\(?:hat|vec|widehat)\s*(?:\{\s*\\([ij])math\s*\}|\\([ij])math)",
            r"\\hat{\1\2}",
        ),
        (
            "at",
            r"\\(?:hat|vec|widehat)\s*\{\s*\\(?:math(?:bf|rm)|bm|boldsymbol)\s*\{?([ijk])\}?\s*\}",
            r"\\hat{\1}",
        ),
        ("^", r"\^\s*(?:\{\s*)?\\(?:math(?:sf|rm|bf)|text)\s*(?:\{\s*T\s*\}|\sT)(?:\s*\})?", "^T"),
        ("mod", r"\\text\{\s*\(\s*mod\s*\}", r"(\\mod "),
        (
            "\\angle",
            r"(?<=[0-9)}])\s*\\angle\s*(?=[({]?-?[0-9]|\\[dt]?frac)",
            r"\\operatorname{cis}",
        ),
        (
            "\\mathbb",
            r"\\mathbb\s*(?:\{R\}|R)\s*\^\s*\{?(?:\*|\\times|\\ast)\}?",
            r"\\mathbb{R}\\setminus\\{0\\}",
        ),
        ("mod", r"(?:\\[ ,;:!]|\s)?\\text\{\s*\(?mod\s*([0-9a-z]{1,9})\)?\s*\}", r"\\pmod{\1}"),
    )
)


def structures(text: str) -> str:
    """The text in the spelling that the tokens know; linear in its length."""
    for needle, pattern, replacement in _OTHERS:
        if needle in text:
            text = pattern.sub(replacement, text)
    if "]" in text:
        text = _LEFT_OPEN.sub(_left, text)
    if "[" in text:
        text = _RIGHT_OPEN.sub(_right, text)
    return text


def _left(found: re.Match[str]) -> str:
    closing = ")" if found[2] == "[" else found[2]
    return f"({found[1].replace(';', ',')}{closing}"


def _right(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2].replace(';', ',')})"
