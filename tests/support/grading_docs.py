"""The kinds of answers as docs/grading.md lists them: `python -m tests.support.grading_docs` rewrites the list."""

from __future__ import annotations

from pathlib import Path

from tests.support.answer_kinds import AnswerKind, Pair, kinds

PAGE = Path(__file__).parents[2] / "docs" / "grading.md"
BEGIN = "<!-- kinds: written by `make docs` from tests/corpora/kinds -->\n"
END = "<!-- end of kinds -->\n"

GROUPS = {
    "phrases": "Where the answer stands",
    "letters": "Letters of choices",
    "relations": "Answers given as a relation",
    "units": "Units",
    "qualifiers": "Qualifiers",
    "notation": "Notations",
    "functions": "Functions",
    "sets": "Sets and inequalities",
    "systems": "Systems, tuples and matrices",
    "symbolic": "Computer algebra",
}
"""File of tests/corpora/kinds to its heading, in the order of the page."""


def listed() -> str:
    """The list in Markdown: per kind its rule and one example."""
    found = kinds()
    missing = sorted(found.keys() - GROUPS.keys())
    if missing:
        raise KeyError(f"tests/corpora/kinds: {missing} has no heading in {__name__}")
    parts = [
        f"### {title}\n\n" + "".join(_entry(kind) for kind in found[name])
        for name, title in GROUPS.items()
        if name in found
    ]
    return "\n".join(parts)


def _entry(kind: AnswerKind) -> str:
    examples = [_example(pairs[0], verdict) for pairs, verdict in (
        (kind.equal, "is accepted"), (kind.lenient, "is accepted by `lenient` alone"),
        (kind.different, "is not")) if pairs]  # fmt: skip
    return f"- **{kind.kind}.** {' '.join(kind.rule.split())} {'; '.join(examples)}.\n"


def _example(pair: Pair, verdict: str) -> str:
    reference, text = (_code(part) for part in pair)
    return f"{text} for {reference} {verdict}"


def _code(text: str) -> str:
    """A code span; line ends are shown as ⏎."""
    text = text.replace("\n", "⏎").replace("\0", "")
    fence = "``" if "`" in text else "`"
    pad = " " if fence == "``" or text.startswith(" ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def page() -> str:
    """docs/grading.md with the list as it must be."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{listed()}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
