"""pass@1 by level of the problems, over the checkpoints of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.reports.format import ends_text, value_text
from harness.reports.results import Result
from harness.stats.scores import BreakdownRow

from .model import Column, Row, Table

_BY = ("level", "difficulty")  # the first of them that the problems have


@dataclass(frozen=True, slots=True)
class Levels:
    """The checkpoints of one task by step, each with its groups of problems.

    `by` is what the groups are of, and `groups` are in ascending order; `rows` hold a step, the run
    and its groups.
    """

    by: str
    groups: tuple[str, ...]
    rows: tuple[tuple[int, Result, Mapping[str, BreakdownRow]], ...]

    def name(self, group: str) -> str:
        """A group as a heading: level 5, easy."""
        return f"{self.by} {group}" if self.by == "level" else group

    @property
    def note(self) -> str:
        """What the intervals are, and how many problems each group has."""
        counts = {g: row.n_problems for _, _, known in self.rows for g, row in known.items()}
        sizes = ", ".join(f"{self.name(group)} {counts[group]:,}" for group in self.groups)
        bare = any(row.interval_sampling is None for _, _, known in self.rows
                   for row in known.values())  # fmt: skip
        lacking = " Points without one: one sample per problem, or scores of an earlier version " \
                  "(harness score adds them)." if bare else ""  # fmt: skip
        return (
            "with the 95 % interval for the same problems again (sampling). "
            f"Problems: {sizes}.{lacking}"
        )


def by_level(points: Sequence[tuple[int, Result]]) -> Levels | None:
    """The groups of the checkpoints; None where the problems of none have a level.

    Args:
        points: the runs of one task with their steps.
    """
    for by in _BY:
        rows = tuple(
            (step, result, known)
            for step, result in sorted(points, key=lambda point: point[0])
            if result.scored
            for known in ({r.group: r for r in result.scored.breakdown if r.by == by},)
            if known
        )
        if rows:
            groups = tuple(dict.fromkeys(group for *_, known in rows for group in known))
            return Levels(by, groups, rows)
    return None


def levels_table(points: Sequence[tuple[int, Result]]) -> Table:
    """Level by level one row per checkpoint; without rows where there are not two of them."""
    found = by_level(points)
    if found is None or len({step for step, *_ in found.rows}) < 2:
        return Table("", (), ())
    columns = (
        Column(found.by.capitalize(), "name"),
        Column("Step"),
        Column("pass@1"),
        Column("95 %"),
        Column("Run", "name", detail=True),
    )
    rows = []
    for group in found.groups:
        head = group
        for step, result, known in found.rows:
            if group in known:
                rows.append(Row((head, f"{step:,}", *_cells(known[group]), result.run)))
                head = ""
    title = f"Accuracy by {found.by} over training steps"
    return Table(title, columns, tuple(rows), notes=(f"pass@1 in percent, {found.note}",))


def _cells(row: BreakdownRow) -> tuple[str, str]:
    ends = row.interval_sampling
    return value_text("pass@1", row.value), "–" if ends is None else ends_text("pass@1", ends)
