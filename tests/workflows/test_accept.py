"""The ledger: what is accepted, what is refused, and what stays on record."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, Incomplete, UsageError
from harness.stats.stopping import Stopping
from harness.storage.files import write_json
from harness.storage.ledger import LEDGER, read_ledger
from harness.storage.scores import write_stopping
from harness.tasks.kinds import KINDS
from harness.workflows.accept import accept
from harness.workflows.import_responses import import_responses


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the same two tasks."""
    folder = tmp_path_factory.mktemp("graded")
    responses = folder / "responses.jsonl"
    row = {"id": "a", "statement": "1+1?", "answer": "2", "responses": ["\\boxed{2}"]}
    responses.write_text(json.dumps(row) + "\n")
    for task in ("integer", "math"):
        work = import_responses(responses, KINDS[task], {}, folder / "runs" / "one", model="m",
                                observe=lambda _: lambda *_: None)  # fmt: skip
        asyncio.run(work)
    shutil.copytree(folder / "runs" / "one", folder / "runs" / "two")
    return folder / "runs"


@pytest.fixture
def runs(graded: Path, tmp_path: Path) -> Path:
    return shutil.copytree(graded, tmp_path / "runs")


def change_scores(run: Path, **values: Any) -> None:
    path = run / "integer" / "scores.json"
    write_json(path, {**json.loads(path.read_bytes()), **values})


def test_a_run_is_accepted_for_all_of_its_tasks_and_replaces_the_one_before(runs: Path) -> None:
    assert read_ledger(runs).accepted == {}
    accept(runs / "one", note="first")
    entries = accept(runs / "two", tasks=["math"])
    assert [(e.entry.task, e.entry.run, e.entry.replaced) for e in entries] == [
        ("math", "two", "one")
    ]
    ledger = read_ledger(runs)
    assert {task: e.run for task, e in ledger.accepted.items()} == {"integer": "one", "math": "two"}
    assert [(e.task, e.run, e.note) for e in ledger.history] == [
        ("integer", "one", "first"), ("math", "one", "first"), ("math", "two", "")
    ]  # fmt: skip
    stored = json.loads((runs / LEDGER).read_bytes())
    assert set(stored["accepted"]["math"]) == {"run", "time", "note"}


def test_an_incomplete_run_is_refused_by_what_it_lacks_unless_forced(runs: Path) -> None:
    change_scores(runs / "one", pending=1200, errors=3)
    with pytest.raises(Incomplete, match="integer: 1,200 samples pending, 3 samples ended in err"):
        accept(runs / "one")
    assert not (runs / LEDGER).exists()
    accept(runs / "one", tasks=["math"])
    (entry,) = accept(runs / "one", tasks=["integer"], force=True)
    assert entry.entry.missing.startswith("1,200 samples pending")
    assert read_ledger(runs).history[-1] == entry.entry


def test_a_run_that_was_not_scored_or_stopped_early_is_refused(runs: Path) -> None:
    (runs / "one" / "integer" / "scores.json").unlink()
    with pytest.raises(Incomplete, match=r"integer: no scores\.json"):
        accept(runs / "one")
    stopping = Stopping(
        base="one", k=16, margin=0.05, alpha=0.05, shares=(0.2, 1.0), decision="no regression"
    )
    write_stopping(runs / "two" / "integer", replace(stopping, stage=1))
    with pytest.raises(Incomplete, match="integer: its sampling stopped early, at 20% of its"):
        accept(runs / "two")
    write_stopping(runs / "two" / "integer", replace(stopping, stage=2))
    assert len(accept(runs / "two")) == 2


def test_runs_are_named_by_their_path_below_the_folder_of_runs(runs: Path) -> None:
    (entry, _) = accept(runs / "one", runs=runs.parent)
    assert entry.entry.run == "runs/one"
    assert not (runs / LEDGER).exists()
    for elsewhere in (runs / "two", runs / "one"):
        with pytest.raises(UsageError, match="is not below"):
            accept(runs / "one", runs=elsewhere)


def test_what_is_no_run_or_no_task_is_named(runs: Path) -> None:
    with pytest.raises(UsageError, match="no task physics; it has integer, math"):
        accept(runs / "one", tasks=["physics"])
    with pytest.raises(DataError, match="is not a run folder"):
        accept(runs / "three")


@pytest.mark.parametrize("text", ['{"accepted": ', "[]", '{"accepted": {"math": {}}}', "{}"])
def test_a_damaged_ledger_is_named_and_left_alone(runs: Path, text: str) -> None:
    (runs / LEDGER).write_text(text)
    with pytest.raises(DataError, match=r"accepted\.json: not"):
        accept(runs / "one")
    assert (runs / LEDGER).read_text() == text


def test_a_run_with_a_problem_that_nobody_answered_is_refused(runs: Path) -> None:
    change_scores(runs / "one", complete=False, unscored=2)
    with pytest.raises(Incomplete, match="2 problems without any sample"):
        accept(runs / "one", tasks=["integer"])
    (entry,) = accept(runs / "one", tasks=["integer"], force=True)
    assert entry.entry.missing == "2 problems without any sample"
