"""What one published score says of itself, in short texts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from harness.reports.baselines.scores import PublishedScore
from harness.reports.format import points

_KINDS = {"quoted": "quoted", "reproduction": "measured again"}


def k_text(cell: PublishedScore) -> str:
    """Samples per problem: 64, the source's range 4–64, or – where it states none."""
    if cell.k is None and cell.protocol.k is not None and cell.unit == "share":
        return "–".join(map(str, cell.protocol.k))
    return str(cell.k or "–")


def kind_text(cell: PublishedScore) -> str:
    """What a figure is that is not its source's own: quoted, measured again."""
    return _KINDS.get(cell.kind, "")


def settings_text(cell: PublishedScore) -> str:
    """How much the model may reason and with what, and on which problems: effort high, no tools."""
    facts = cell.protocol.facts()
    parts = [facts[part] for part in _FIRST if part in facts]
    return ", ".join([*parts, *filter(None, [subset_text(cell)])])


def condition_text(cell: PublishedScore) -> str:
    """What else its source states of the protocol."""
    facts = cell.protocol.facts()
    words = ", ".join(text for part, text in facts.items() if part not in _FIRST)
    return "; ".join(filter(None, [words, cell.protocol.note]))


def subset_text(cell: PublishedScore) -> str:
    """Which problems a figure is of, where it is some: difficulty easy."""
    return ", ".join(f"{field} {value}" for field, value in cell.subset.items())


def apart(cells: Sequence[PublishedScore]) -> float:
    """How far two sources are apart at most, each by its value that is nearest to the other's.

    A source may have several, as of several efforts, where another does not say which one it means.
    """
    values: dict[str, list[float]] = {}
    for cell in cells:
        values.setdefault(cell.source, []).append(cell.value)
    return max(
        (
            min(abs(one - other) for one in first for other in second)
            for first, second in combinations(values.values(), 2)
        ),
        default=0.0,
    )


def apart_text(cells: Sequence[PublishedScore]) -> str:
    """`apart` in points, or in the unit of scores that are no shares."""
    distance = apart(cells)
    if cells[0].unit == "share":
        return f"{points(distance, sign=False)} points"
    return f"{distance:g}"


def shared_facts(
    cells: Sequence[PublishedScore],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """What all scores state of their protocols and remark alike, then what else each one does.

    Of each first how much the model may reason and with what, which is short and moves a score most,
    then the rest.
    """
    stated = [_said(cell) for cell in cells]
    common = set.intersection(*(set(one.items()) for one in stated))
    shared = {part: text for part, text in stated[0].items() if (part, text) in common}
    return _texts(shared), [
        _texts({part: text for part, text in one.items() if part not in shared}) for one in stated
    ]


_FIRST = ("mode", "effort", "reasoning_budget", "tools")
_REMARKS = ("protocol note", "note")


def _said(cell: PublishedScore) -> dict[str, str]:
    remarks = zip(_REMARKS, (cell.protocol.note, cell.note), strict=True)
    return {**cell.protocol.facts(), **{part: text for part, text in remarks if text}}


def _texts(said: Mapping[str, str]) -> tuple[str, ...]:
    rest = [text for part, text in said.items() if part not in (*_FIRST, *_REMARKS)]
    remarks = [said[part] for part in _REMARKS if part in said]
    first = ", ".join(said[part] for part in _FIRST if part in said)
    return tuple(filter(None, (first, "; ".join(filter(None, (", ".join(rest), *remarks))))))
