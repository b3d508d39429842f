"""In which orders of choices a run was drawn, as verdicts on it state them: as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from harness.data.choice_orders import effect_words, order_words, scope_words
from harness.types import LETTERS

from .results import Result


def orders_text(results: Sequence[Result]) -> list[str]:
    """A line per run of a task with choices: which orders a verdict on it holds for."""
    lines = []
    for result in results:
        words, scope = order_words(result.protocol), scope_words(result.protocol)
        if words is None:
            continue
        lines.append(
            f"{result.task}, {result.run}: {words}; a verdict {scope}, and with which orders a "
            "published figure was drawn is not known."
        )
        effect = effect_words(result.position_effects())
        if effect is not None:
            lines.append(f"{result.task}, {result.run}: {effect}.")
    return lines


def orders_json(result: Result) -> dict[str, Any] | None:
    """The ordering, its seed, what a verdict holds for and the effect of positions, as shares.

    None for a task without choices; `positions` is empty where no problem was shown in several
    orders.
    """
    protocol = result.protocol
    if protocol.choice_order is None:
        return None
    return {
        "ordering": protocol.choice_order,
        "seed": protocol.choice_seed,
        "verdict": scope_words(protocol),
        "positions": [
            {**asdict(effect), "position": LETTERS[effect.position]}
            for effect in result.position_effects()
        ],
    }


def orders_rows(results: Sequence[Result]) -> dict[str, list[dict[str, Any]]]:
    """`choice_orders`: a row per run and task with choices; empty where there is none."""
    rows = [
        {"run": result.run, "task": result.task, **row}
        for result in results
        if (row := orders_json(result)) is not None
    ]
    return {"choice_orders": rows} if rows else {}
