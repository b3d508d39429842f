"""What the verdict on a task with choices holds for: which orders of choices its runs showed."""

from __future__ import annotations

from collections.abc import Sequence

from harness.data.choice_orders import (
    effect_words,
    orders_compared,
    problems_in_other_orders,
    right_positions,
)
from harness.stats.positions import position_effects
from harness.stats.verdict_table import VerdictTable
from harness.storage.run_folder import TaskFolder


def choice_notes(base: TaskFolder, new: TaskFolder, verdicts: Sequence[VerdictTable]) -> list[str]:
    """The orders of choices behind a verdict, and what position does where each sample has its own.

    Samples are read only where their orders say more than the protocol: drawn per sample, which
    shows the effect of the position, or published, which may be other orders in either run.

    Args:
        base: the base's task.
        new: the same task of the new run.
        verdicts: on the samples of the base, and of the new run.

    Raises:
        DataError: a file that cannot be read.
    """
    old, now = base.protocol(), new.protocol()
    compared = orders_compared(old, now)
    if compared is None:
        return []
    notes = [compared]
    if old.choice_order == now.choice_order == "published":
        other = problems_in_other_orders(base.samples(), new.samples())
        if other:
            notes = [f"{other} problems were shown with choices in other orders than in the base: a "
                     "change may come of the orders alone"]  # fmt: skip
    for side, folder, found in zip(("base", "new"), (base, new), verdicts, strict=True):
        if folder.protocol().choice_order == "per-problem":
            continue
        shown = right_positions(folder.problems(), folder.samples(), found)
        words = effect_words(position_effects(shown))
        if words is not None:
            notes.append(f"{side}: {words}")
    return notes
