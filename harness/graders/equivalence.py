"""Equivalence classes of extracted answers, for votes: the same in any order of samples.

Answers are first joined where they are exactly the same. A name ("x = 5") or a unit ("5 cm") that
only some of them carry is dropped where no other name or unit competes for the same value, and a
decimal goes to the one exact value that it stands for. So neither 5 cm and 5 m are joined by a
bare 5, nor two exact values by a decimal near both.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

from harness.graders import sympy_client
from harness.graders.latex.compare import same
from harness.graders.latex.grammar.parser import meant
from harness.graders.latex.relations import is_number, relates, stated_number
from harness.graders.latex.syntax import (
    Answer,
    Clock,
    Named,
    Number,
    Qualified,
    Quantity,
    unitless,
    unnamed,
)
from harness.graders.latex.values.equality import approximates

_MOST_PAIRS = 24  # pairs that computer algebra compares for one vote


@dataclass(slots=True)
class _Class:
    """Texts that are one answer; `value` is the meaning of the first of them in text order."""

    texts: list[str]
    value: Answer | None
    decimal: bool = field(default=False)  # every text is a decimal literal


def partition(answers: Sequence[str]) -> list[int]:
    """Number the classes by first appearance; equal numbers, equal answers."""
    classes = _exact(sorted(set(answers)))
    classes = _merge_tagged(classes, _condition, _without_condition)
    classes = _merge_tagged(classes, _half, _without_half)
    classes = _merge_tagged(classes, _name, unnamed)
    classes = _merge_tagged(classes, _unit, _without_unit)
    classes = _merge_decimals(classes)
    of_text = {text: number for number, each in enumerate(classes) for text in each.texts}
    numbers: dict[int, int] = {}
    return [numbers.setdefault(of_text[answer], len(numbers)) for answer in answers]


def _exact(texts: Sequence[str]) -> list[_Class]:
    """Classes of exactly equal answers; a text that cannot be read is equal to itself alone."""
    classes: list[_Class] = []
    unknown: list[tuple[str, str]] = []
    for text in texts:
        value = _value(text)
        known = [each for each in classes if _same(each.value, value) is True]
        if known:
            known[0].texts.append(text)
            known[0].decimal &= _is_decimal(value)
            continue
        unknown.extend(
            (each.texts[0], text) for each in classes if _same(each.value, value) is None
        )
        classes.append(_Class([text], value, _is_decimal(value)))
    return _join_unknown(classes, unknown[:_MOST_PAIRS])


def _value(text: str) -> Answer | None:
    """What a text means; a relation that states a number is that number, with its name."""
    value = meant(text)
    if relates(text) and not isinstance(value, Named) and (value is None or not is_number(value)):
        return stated_number(text) or value
    return value


def _same(one: Answer | None, other: Answer | None) -> bool | None:
    if one is None or other is None:
        return False
    return same(one, other, exact=True)


def _is_decimal(value: Answer | None) -> bool:
    return isinstance(value, Number) and value.places is not None


def _join_unknown(classes: list[_Class], pairs: Sequence[tuple[str, str]]) -> list[_Class]:
    """Join the classes whose first texts computer algebra finds equal."""
    if not pairs:
        return classes
    for (one, other), equal in zip(pairs, sympy_client.same(pairs), strict=True):
        if equal:
            first, second = (next(c for c in classes if text in c.texts) for text in (one, other))
            if first is not second:
                first.texts.extend(second.texts)
                classes.remove(second)
    return classes


def _condition(value: Answer | None) -> Hashable:
    return value.condition if isinstance(value, Qualified) else None


def _without_condition(value: Answer) -> Answer:
    return value.value if isinstance(value, Qualified) else value


def _half(value: Answer | None) -> Hashable:
    return (value.half or None) if isinstance(value, Clock) else None


def _without_half(value: Answer) -> Answer:
    return replace(value, half="") if isinstance(value, Clock) else value


def _name(value: Answer | None) -> Hashable:
    return value.name if isinstance(value, Named) else None


def _unit(value: Answer | None) -> Hashable:
    bare = None if value is None else unnamed(value)
    return bare.unit if isinstance(bare, Quantity) else None


def _without_unit(value: Answer) -> Answer:
    return unitless(unnamed(value))


def _merge_tagged(
    classes: list[_Class],
    tag: Callable[[Answer | None], Hashable],
    without: Callable[[Answer], Answer],
) -> list[_Class]:
    """Join the class without a tag to the one class of the same value that carries one."""
    merged = list(classes)
    for bare in classes:
        if bare.value is None or tag(bare.value) is not None:
            continue
        tagged = [
            each
            for each in merged
            if each.value is not None
            and tag(each.value) is not None
            and _same(without(each.value), without(bare.value)) is True
        ]
        if len(tagged) == 1:
            tagged[0].texts.extend(bare.texts)
            merged.remove(bare)
    return merged


def _merge_decimals(classes: list[_Class]) -> list[_Class]:
    """Join a class of decimals to the one exact value without a finite decimal that they round."""
    merged = list(classes)
    for decimal in classes:
        if not decimal.decimal or decimal.value is None:
            continue
        exact = [
            each
            for each in merged
            if not each.decimal
            and each.value is not None
            and approximates(decimal.value, _without_unit(each.value))
        ]
        if len(exact) == 1:
            exact[0].texts.extend(decimal.texts)
            merged.remove(decimal)
    return merged
