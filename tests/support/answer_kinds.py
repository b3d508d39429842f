"""The kinds of answers in tests/corpora/kinds: what is equal, what is not, and the rule behind it.

One YAML file per group of kinds; each kind is a mapping:

    kind: Units behind a formula          its heading in docs/grading.md
    graders: [math, integer]              math (the default), integer, choice
    form: answer                          answer: already extracted (the default); response: a whole response
    rule: What the grader does, and why.  one or two sentences for docs/grading.md
    equal: [[reference, text], ..]        correct under both policies; the first pair is the example
    different: [[reference, text], ..]    anything but correct under both
    lenient: [[reference, text], ..]      correct under `lenient`, not under `strict`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

FOLDER = Path(__file__).parents[1] / "corpora" / "kinds"

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class AnswerKind:
    """One kind of answer with its cases."""

    kind: str
    rule: str
    graders: tuple[str, ...] = ("math",)
    form: Literal["answer", "response"] = "answer"
    equal: tuple[Pair, ...] = ()
    different: tuple[Pair, ...] = ()
    lenient: tuple[Pair, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison and whether it must come out as correct."""

    kind: str
    grader: str
    form: str
    policy: str
    reference: str
    text: str
    correct: bool


def kinds() -> dict[str, list[AnswerKind]]:
    """The kinds of each file, by the file's name without its ending."""
    return {
        path.stem: [_kind(row) for row in yaml.safe_load(path.read_text(encoding="utf-8"))]
        for path in sorted(FOLDER.glob("*.yaml"))
    }


def _kind(row: dict[str, object]) -> AnswerKind:
    pairs = ("equal", "different", "lenient")
    fields: dict[str, object] = {
        name: tuple(tuple(pair) for pair in value) if name in pairs else value  # type: ignore[attr-defined]
        for name, value in row.items()
    }
    if "graders" in fields:
        fields["graders"] = tuple(fields["graders"])  # type: ignore[arg-type]
    return AnswerKind(**fields)  # type: ignore[arg-type]


def cases() -> Iterator[Case]:
    """Every comparison of every kind, once per grader and policy."""
    for group in kinds().values():
        for kind in group:
            for grader in kind.graders:
                yield from _cases(kind, grader)


def _cases(kind: AnswerKind, grader: str) -> Iterator[Case]:
    for pairs, correct_under in (
        (kind.equal, ("strict", "lenient")),
        (kind.different, ()),
        (kind.lenient, ("lenient",)),
    ):
        for reference, text in pairs:
            for policy in ("strict", "lenient"):
                yield Case(
                    kind.kind, grader, kind.form, policy, reference, text, policy in correct_under
                )
