"""Beside which line of a table a run belongs. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reports.baselines.protocol_differences import MODES
from harness.reports.results import Result

from .layouts import Row


def line_of(rows: Sequence[Row], result: Result) -> int | None:
    """The position of the line that a run is held against; None where the table has none for it.

    A model has several lines where a paper lists it under several settings. The run belongs to the one
    that it is claimed for by name, else to the one whose effort and mode are its own, and to none where
    it does not state what tells them apart.

    Args:
        rows: of the table.
        result: any task of the run.
    """
    claimed = [n for n, row in enumerate(rows) if result.is_of(row.name)]
    own = [n for n, row in enumerate(rows) if result.is_of(row.model) and _fits(row, result)]
    return next((found[0] for found in (claimed, own) if len(found) == 1), None)


def lines_of(rows: Sequence[Row], result: Result) -> list[str]:
    """The names of the lines under which a table has the model of a run."""
    return [row.name for row in rows if result.is_of(row.model)]


def _fits(row: Row, result: Result) -> bool:
    """Whether nothing that the run states is another setting than the line's."""
    stated = dict(row.protocol)
    ours = {
        "effort": result.protocol.effort,
        "mode": MODES.get(result.protocol.thinking),
    }
    return all(
        value is None or name not in stated or value == stated[name] for name, value in ours.items()
    )
