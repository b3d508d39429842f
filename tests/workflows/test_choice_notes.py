"""A verdict on a task with choices says which orders of choices it holds for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.task_lookup import task_named
from harness.data.prompts import choice_order
from harness.reports.baselines.loader import load
from harness.reports.page.build import build
from harness.reports.page.output import render_json
from harness.reports.results import read_results
from harness.reports.tables.published import beside
from harness.storage.files import write_lines
from harness.storage.run_folder import RunFolder
from harness.types import Problem, Verdict
from harness.workflows.compare import compare_runs

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER
WriteRun = Callable[..., Path]
PROBLEMS = [Problem(f"p{i:02}", "Which?", answer="right", choices=("right", "b", "c", "d"))
            for i in range(12)]  # fmt: skip


def notes_of(base: Path, new: Path, *allow: str) -> tuple[str, ...]:
    found = asyncio.run(compare_runs(base, new, task_named, allow=allow))
    return found.tasks[0].notes


def drawn(write_run: WriteRun, name: str, ordering: str, *, seed: int = 0, k: int = 8) -> Path:
    """A model that is right wherever the right choice stands first, and half the time elsewhere."""
    verdicts = [[C if _place(problem, ordering, seed, j) == 0 or j % 2 else W for j in range(k)]
                for problem in PROBLEMS]  # fmt: skip
    return write_run(verdicts, name=name, task="gpqa_diamond", problems=PROBLEMS,
                     sampling={"choice_seed": seed}, choice_order=ordering)  # fmt: skip


def _place(problem: Problem, ordering: str, seed: int, index: int) -> int:
    if ordering == "published":
        return 0
    order = choice_order(4, ordering, seed=seed, problem_id=problem.id, index=index)  # type: ignore[arg-type]
    return order.index(0)


def test_one_order_per_problem_is_the_one_that_the_verdict_holds_for(write_run: WriteRun) -> None:
    base, new = (drawn(write_run, name, "per-problem") for name in ("base", "new"))
    assert notes_of(base, new) == (
        "one order of choices per problem, choice seed 0: the verdict holds for this one order of "
        "choices",
    )


def test_orders_of_two_seeds_may_be_the_change(write_run: WriteRun) -> None:
    base = drawn(write_run, "base", "per-problem")
    new = drawn(write_run, "new", "per-problem", seed=1)
    assert notes_of(base, new, "choice_seed")[-1] == (
        "one order of choices per problem, choice seed 0 against one order of choices per problem, "
        "choice seed 1: a change may come of the orders alone"
    )


def test_an_order_per_sample_averages_and_shows_the_effect_of_the_position(
    write_run: WriteRun,
) -> None:
    base = drawn(write_run, "base", "per-sample")
    new = drawn(write_run, "new", "per-sample", seed=1)
    notes = notes_of(base, new, "choice_seed")
    assert notes[1].endswith("choice seed 1: the verdict averages over orders of choices")
    assert notes[2].startswith("base: right choice shown as A +")
    assert notes[3].startswith("new: right choice shown as A +")
    assert "±" in notes[3]


def test_published_orders_are_held_against_each_other(write_run: WriteRun) -> None:
    base, new = (drawn(write_run, name, "published") for name in ("base", "new"))
    assert notes_of(base, new) == (
        "choices in the order in which they were published: the verdict holds for this one order "
        "of choices",
    )
    path = new / "gpqa_diamond" / "samples.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if row["problem_id"] in ("p00", "p01"):
            row["choice_order"] = [1, 0, 2, 3]
    write_lines(path, rows)
    (note,) = notes_of(base, new)
    assert note.startswith("2 problems were shown with choices in other orders than in the base")


def test_a_task_without_choices_says_nothing_of_orders(write_run: WriteRun) -> None:
    base, new = (write_run([[C, W]] * 4, name=name) for name in ("base", "new"))
    assert not [note for note in notes_of(base, new) if "order" in note]


@pytest.mark.parametrize("ordering", ["per-problem", "per-sample"])
def test_reports_state_the_orders_beside_published_figures(
    write_run: WriteRun, ordering: str
) -> None:
    results = read_results([drawn(write_run, "late", ordering)])
    lines = [note for note in beside(results, load().scores).notes if "orders a" in note]
    assert len(lines) == 1
    assert "with which orders a published figure was drawn is not known" in lines[0]
    (row,) = json.loads(render_json(build(results, load().scores)))["choice_orders"]
    assert (row["ordering"], row["seed"]) == (ordering, 0)
    assert [place["position"] for place in row["positions"]] == (
        ["A", "B", "C", "D"] if ordering == "per-sample" else []
    )
    assert RunFolder(Path(results[0].folder.path.parent)).name == "late"  # type: ignore[union-attr]
