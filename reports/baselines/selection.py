"""Which published scores stand beside runs, where there are too many to show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.reports.results import Result

from .conflicts import conflicts
from .scores import PublishedScore

MOST = 24
"""Lines that a report shows beside its runs."""

Line = tuple[object, ...]
"""What tells lines apart: model, source, kind, and the protocol, subset and note of its figures."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The scores to show, in their order, and how many lines are left out."""

    shown: tuple[PublishedScore, ...]
    left_out: int

    def rest_text(self, task: str) -> str:
        """What is left out and where it is, or nothing."""
        if not self.left_out:
            return ""
        return (
            "Shown are the published scores of the runs' models and those nearest in value; "
            f"{self.left_out} more: harness baselines --task {task}"
        )


def nearest_in_value(
    published: Iterable[PublishedScore],
    group: Sequence[Result],
    metric: str,
    *,
    most: int = MOST,
) -> Selection:
    """Those of the runs' own models, then those nearest in value to a run, with who disagrees.

    Figures that a source only quotes count where they disagree with another.

    Args:
        published: one task's figures, of any metric.
        group: one task's results.
        metric: the one by which they are near.
        most: how many lines to show beside those of the same models.
    """
    found = list(published)
    disputed = conflicts(found)
    doubtful = {cell for same in disputed for cell in same}
    lines: dict[Line, list[PublishedScore]] = {}
    for cell in found:
        if cell.kind != "quoted" or cell in doubtful:
            lines.setdefault(line_of(cell), []).append(cell)
    ours = _values(group, metric)
    same = {line for line, cells in lines.items() if any(r.is_of(cells[0].model) for r in group)}
    others = [line for line in lines if line not in same]
    others.sort(key=lambda line: _distance(lines[line], metric, ours))
    kept = same | set(others[:most])
    for cells in disputed:
        if not kept.isdisjoint(map(line_of, cells)):
            kept |= {line_of(cell) for cell in cells}
    shown = tuple(cell for cell in found if line_of(cell) in kept and cell in lines[line_of(cell)])
    return Selection(shown, len(lines) - len(kept))


def line_of(cell: PublishedScore) -> Line:
    """The line that a figure stands in, beside those of other metrics under one protocol."""
    return cell.model, cell.source, cell.kind, cell.protocol, *cell.subset.items(), cell.note


def _values(group: Sequence[Result], metric: str) -> list[float]:
    scores: list[Mapping[str, float]] = [
        {name: score.value for name, score in result.scored.main.items()} if result.scored else {}
        for result in group
    ]
    return [values[metric] for values in scores if metric in values]


def _distance(
    cells: Sequence[PublishedScore], metric: str, ours: Sequence[float]
) -> tuple[bool, float, str, str]:
    """How far a line is from the nearest run; without runs of a score, the best come first."""
    name = cells[0].model, cells[0].source
    theirs = [cell.value for cell in cells if cell.metric == metric]
    if not theirs:
        return True, 0.0, *name
    near = min((abs(own - value) for own in ours for value in theirs), default=-max(theirs))
    return False, near, *name
