"""Which nights are tested together, what is said of the others, and what a baseline was chosen from."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.stats.nights import Night
from harness.storage.files import write_json
from harness.storage.ledger import (
    HISTORY,
    Acceptance,
    History,
    append_history,
    read_history,
    read_ledger,
    write_ledger,
)
from harness.storage.nights import HistoryLine, TaskLine
from harness.storage.run_folder import RunFolder
from harness.tasks.kinds import KINDS
from harness.workflows.accept import accept
from harness.workflows.import_responses import import_responses
from harness.workflows.over_nights import Observed, chosen_from, collect, observe

TASK = "integer"


def line(run: str, day: int, **task: Any) -> HistoryLine:
    """One night; its task's line has what is given in place of a plain one."""
    values: dict[str, Any] = {
        "k": 4, "pending": 0, "errors": 0, "verdict": "no regression", "base": "n1",
        "protocol": "p", "observed": 0.6, "variance": 1e-3, "samples": 4.0, **task,
    }  # fmt: skip
    return HistoryLine(
        time=f"2026-03-{day:02}T02:00:00+0000", run=run, checkpoint=f"out/{run}", content="x",
        complete=True, verdict="no regression", exit_code=0, failure=None,
        tasks={TASK: TaskLine(**values)}, fingerprint={},
    )  # fmt: skip


def history(*lines: HistoryLine, **more: Any) -> History:
    return History({item.run: item for item in lines}, {i.run: i.time for i in lines}, **more)


def accepted(run: str, day: int = 1, **more: Any) -> Acceptance:
    return Acceptance(TASK, run, f"2026-03-{day:02}T12:00:00+0000", **more)


TONIGHT = Observed(Night(run="tonight", score=0.6, variance=1e-3, n=4), "p")


def runs_of(nights: tuple[Night, ...]) -> list[str]:
    return [night.run for night in nights]


def test_nights_of_another_kind_are_left_out_and_each_is_named(tmp_path: Path) -> None:
    elsewhere = HistoryLine(**{**vars_of(line("n5", 5)), "tasks": {}})
    known = history(
        line("n1", 1), line("n2", 2, protocol="q"), line("n3", 3, observed=None),
        line("n4", 4), elsewhere, line("n6", 6, stopped=2),
        incomplete=("n0", "tonight"), left_out=("runs/history.jsonl, line 3: not valid JSON",),
    )  # fmt: skip
    found = collect(tmp_path, TASK, known, accepted("n1", begin="n1"), TONIGHT)
    assert runs_of(found.nights) == ["n1", "n4", "n6", "tonight"]
    said = "\n".join(found.left_out)
    assert "left out: 1 night of another protocol (n2)" in said
    assert "1 night of an earlier version whose run folder is gone (n3)" in said
    assert "1 night without this task (n5)" in said
    assert "1 night not complete (n0)" in said
    assert "left out: runs/history.jsonl, line 3: not valid JSON" in said
    assert "1 night stopped early, counted with the samples up to the first interim" in said
    assert "missing nights" not in said, "three nights in six days are no nightly job"


def vars_of(item: HistoryLine) -> dict[str, Any]:
    return {name: getattr(item, name) for name in HistoryLine.__dataclass_fields__}


def test_missing_days_of_a_nightly_job_are_told(tmp_path: Path) -> None:
    days = [1, 2, 3, 4, 7, 8, 9, 12]
    known = history(*(line(f"n{day}", day) for day in days))
    found = collect(tmp_path, TASK, known, accepted("n1", begin="n1"), TONIGHT)
    assert found.left_out == ("missing nights: 2 after n4, 2 after n9",)
    two_a_week = history(*(line(f"n{day}", day) for day in (1, 4, 8, 11, 20)))
    found = collect(tmp_path, TASK, two_a_week, accepted("n1", begin="n1"), TONIGHT)
    assert found.left_out == ()


def test_the_test_begins_where_the_ledger_says(tmp_path: Path) -> None:
    known = history(*(line(f"n{day}", day) for day in range(1, 7)))
    for begin, first in ((None, "n4"), ("n2", "n2")):
        found = collect(tmp_path, TASK, known, accepted("n4", begin=begin), TONIGHT)
        assert runs_of(found.nights)[0] == first
    found = collect(tmp_path, TASK, known, accepted("n4", begin="n0"), TONIGHT)
    assert runs_of(found.nights)[0] == "n1"
    assert found.left_out == ("n0, with which the test began, has no line in the history",)


def test_a_night_that_is_held_again_is_tested_as_of_its_own_time(tmp_path: Path) -> None:
    known = history(*(line(f"n{day}", day) for day in range(1, 7)))
    again = Observed(Night(run="n3", score=0.6, variance=1e-3, n=4), "p")
    found = collect(tmp_path, TASK, known, accepted("n1", begin="n1"), again)
    assert runs_of(found.nights) == ["n1", "n2", "n3"]


def test_candidates_that_are_gone_or_of_another_protocol_are_told(tmp_path: Path) -> None:
    known = history(line("n1", 1), line("n2", 2, protocol="q"), line("n3", 3))
    entry = accepted("n3", 3, begin="n3", candidates=("n0", "n1", "n2", "n3"))
    found = collect(tmp_path, TASK, known, entry, TONIGHT)
    assert runs_of(found.candidates) == ["n1", "n3"]
    assert "of the baseline's candidates n0, n2 cannot be counted" in found.left_out


# Runs on disk


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two problems with four samples each, three of them right."""
    folder = tmp_path_factory.mktemp("graded")
    responses = folder / "responses.jsonl"
    rows = [{"id": id, "statement": f"{id}+1?", "answer": "2",
             "responses": ["\\boxed{2}"] * 3 + ["\\boxed{3}"]} for id in "ab"]  # fmt: skip
    responses.write_text("".join(json.dumps(row) + "\n" for row in rows))
    work = import_responses(responses, KINDS[TASK], {}, folder / "runs" / "one", model="out/one",
                            observe=lambda _: lambda *_: None)  # fmt: skip
    asyncio.run(work)
    return folder / "runs"


@pytest.fixture
def runs(graded: Path, tmp_path: Path) -> Path:
    return shutil.copytree(graded, tmp_path / "runs")


def protocol_of(runs: Path) -> str:
    return RunFolder(runs / "one").task(TASK).protocol().hash


def test_a_line_of_an_earlier_version_is_read_from_its_run(runs: Path) -> None:
    seen = observe(RunFolder(runs / "one").task(TASK), "one")
    assert seen is not None
    assert (seen.night.score, seen.night.n, seen.stopped) == (0.75, 4, None)
    old = line("one", 1, protocol=None, observed=None, variance=None, samples=None)
    tonight = Observed(TONIGHT.night, seen.protocol)
    found = collect(runs, TASK, history(old), accepted("one"), tonight)
    assert found.nights == (seen.night, TONIGHT.night)


def test_a_baseline_that_was_no_night_counts_as_one_when_it_was_accepted(runs: Path) -> None:
    protocol = protocol_of(runs)
    known = history(*(line(f"n{day}", day, protocol=protocol) for day in range(1, 5)))
    tonight = Observed(TONIGHT.night, protocol)
    found = collect(runs, TASK, known, accepted("one", 2, begin="n1"), tonight)
    assert runs_of(found.nights) == ["n1", "n2", "one", "n3", "n4", "tonight"]
    assert any("one was no night; it counts as one" in words for words in found.left_out)
    other = collect(runs, TASK, known, accepted("one", 2, begin="n1"), TONIGHT)
    assert "left out: the accepted run one, of another protocol" in other.left_out
    short = accepted("one", 2, begin="n1", missing="3 samples pending")
    lacking = collect(runs, TASK, known, short, tonight)
    assert "left out: the accepted run one, not complete: 3 samples pending" in lacking.left_out
    gone = collect(runs, TASK, known, accepted("gone", 2, begin="n1"), tonight)
    assert any("left out: the accepted run gone (" in words for words in gone.left_out)


def chosen(runs: Path, known: History, run: str, before: Acceptance | None = None) -> Any:
    if not (runs / run).exists():
        shutil.copytree(runs / "one", runs / run)
    return chosen_from(runs, RunFolder(runs / run).task(TASK), known, run, before)


def test_a_run_is_chosen_from_the_nights_since_the_acceptance_before(runs: Path) -> None:
    protocol = protocol_of(runs)
    known = history(
        *(
            line(f"n{day}", day, protocol=protocol, observed=0.6 + day / 1000)
            for day in range(1, 7)
        ),
        line("n7", 7, protocol="q"),
    )
    first = chosen(runs, known, "n6")
    assert first.candidates == ("n1", "n2", "n3", "n4", "n5", "n6")
    assert (first.begin, first.choice.best, first.choice.n) == ("n1", True, 6)
    before = accepted("n2", 2, begin="n1")
    second = chosen(runs, known, "n5", before)
    assert (second.candidates, second.begin) == (("n3", "n4", "n5", "n6"), "n1")
    back = chosen(runs, known, "n1", accepted("n4", 4, begin="n1"))
    assert back.candidates == tuple(f"n{day}" for day in range(1, 7))
    assert chosen(runs, history(), "n1").candidates == ()
    elsewhere = chosen(runs, known, "one", before)
    assert (elsewhere.candidates, elsewhere.choice, elsewhere.begin) == ((), None, "n1")
    assert [night.run for night in elsewhere.recent] == ["n3", "n4", "n5", "n6"]


def test_to_accept_an_alarm_begins_the_test_anew_also_by_drawing_it_again(runs: Path) -> None:
    protocol = protocol_of(runs)
    verdicts = ["no regression", "no regression", "regression", "regression"]
    known = history(*(line(f"n{day}", day, protocol=protocol, verdict=verdict)
                      for day, verdict in enumerate(verdicts, 1)))  # fmt: skip
    before = accepted("n1", 1, begin="n1")
    assert chosen(runs, known, "n4", before).begin == "n3"
    assert chosen(runs, known, "n4-redrawn", before).begin == "n3"
    assert chosen(runs, known, "n4-redrawn", before).candidates == ()
    assert chosen(runs, known, "n2", before).begin == "n1"


def test_the_ledger_keeps_what_a_baseline_was_chosen_from(runs: Path) -> None:
    protocol = protocol_of(runs)
    for day in (1, 2, 3):
        shutil.copytree(runs / "one", runs / f"n{day}")
        append_history(runs, line(f"n{day}", day, protocol=protocol))
    accept(runs / "n3")
    entry = read_ledger(runs).last(TASK)
    assert entry is not None
    assert (entry.candidates, entry.begin) == (("n1", "n2", "n3"), "n1")
    data = json.loads((runs / "accepted.json").read_bytes())
    for row in data["history"]:
        del row["candidates"], row["begin"]
    write_json(runs / "accepted.json", data)
    old = read_ledger(runs).last(TASK)
    assert old is not None
    assert (old.run, old.candidates, old.begin) == ("n3", (), None), "of an earlier version"
    write_ledger(runs, read_ledger(runs), [])
    assert read_ledger(runs).last("math") is None


def test_damaged_lines_of_the_history_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    for day in (1, 2):
        append_history(tmp_path, line(f"n{day}", day))
    append_history(tmp_path, HistoryLine(**{**vars_of(line("n3", 3)), "complete": False}))
    path = tmp_path / HISTORY
    first, second, third = path.read_text().splitlines()
    odd_time = first.replace("2026-03-01", "yesterday").replace("n1", "n4")
    path.write_text("\n".join((first, second[:40], '{"run": 1}', third, odd_time, second, "torn")))
    found = read_history(tmp_path)
    assert list(found.lines) == ["n1", "n2"]
    assert found.incomplete == ("n3",)
    assert [words.split(": ")[0].rsplit(", ")[-1] for words in found.left_out] == [
        "line 2", "line 3", "line 5"
    ]  # fmt: skip
    assert read_history(tmp_path / "nowhere") == History()
