"""Nights with an engine whose checkpoints are as good as their config.json says."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run_command
from harness.errors import DataError, Incomplete, ProtocolMismatch, UsageError
from harness.reports.tables.nightly import to_table
from harness.storage.ledger import HISTORY, read_history, read_ledger
from harness.storage.nights import Checkpoint, CheckpointResult, HistoryLine, worst
from harness.storage.run_folder import RunFolder
from harness.workflows.accept import accept
from harness.workflows.checkpoints import find_checkpoints, is_new, name_runs
from harness.workflows.night_settings import NightSettings, read_night
from harness.workflows.nightly import hold, plan
from harness.workflows.redraw import redraw
from tests.support.checkpoints import INTEGER, TASK, Trained, save


@pytest.fixture(autouse=True)
def _fake_engine(inline_grading: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        "harness.workflows.engine_loading.make_engine", lambda settings: Trained(settings.model)
    )
    monkeypatch.chdir(tmp_path)


def settings(**changes: Any) -> NightSettings:
    values: dict[str, Any] = {"checkpoints": "out/*", "run": {"tasks": TASK, "k": 8, "limit": 12}}
    return NightSettings(**{**values, **changes})


def night(given: NightSettings, *chosen: str, full: bool = False) -> list[CheckpointResult]:
    found = plan(given, [INTEGER], chosen)
    return [
        asyncio.run(
            hold(found, item, lambda _: INTEGER, observe=lambda _: lambda *_: None, full=full)
        )
        for item in found.due
    ]


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path("runs") / HISTORY).read_text().splitlines()]


# The story


def test_without_a_baseline_a_night_scores_and_exits_0() -> None:
    save("step-1")
    (result,) = night(settings())
    assert (result.verdict, result.exit_code, result.complete) == ("no baseline", 0, True)
    (line,) = lines()
    task = line["tasks"][TASK]
    assert task["score"] == RunFolder(Path("runs/step-1")).task(TASK).scores().scores[0].value
    assert (task["base"], task["k"], task["errors"]) == (None, 8, 0)
    assert not Path("runs/accepted.json").exists(), "nothing is accepted by itself"
    assert night(settings()) == []


def test_a_drop_a_rise_and_what_changed_are_told_apart() -> None:
    save("step-1")
    night(settings())
    accept(Path("runs/step-1"))
    save("step-2", 0.99)
    save("step-3", 0.3, chat_template="wrong")
    better, worse = night(settings())
    assert (better.verdict, better.exit_code) == ("no regression", 0)
    assert better.comparison is not None
    assert better.comparison.rises == [TASK]
    planned = RunFolder(Path("runs/step-2")).manifest().starts[-1].plan
    assert planned is not None and planned.tasks[TASK].lengths_from == "runs/step-1"
    assert (worse.verdict, worse.exit_code) == ("regression", 1)
    assert worse.fingerprint["chat_template"] == ("plain", "wrong")
    task = lines()[-1]["tasks"][TASK]
    assert task["base"] == "step-1"
    assert task["difference"] < -0.3
    low, high = task["interval"]
    assert low < task["difference"] < high < 0
    (risen,) = night(settings(fail_on_rise=True), "out/step-2")
    assert (risen.verdict, risen.exit_code) == ("rise", 1)


def test_the_baseline_moves_only_by_acceptance() -> None:
    for number, accuracy in enumerate((0.5, 0.95, 0.5), 1):
        save(f"step-{number}", accuracy)
    night(settings(), "out/step-1")
    accept(Path("runs/step-1"))
    risen, back = night(settings())
    assert (risen.exit_code, back.tasks[0].verdict) != (1, "regression"), "it is as the baseline"
    assert (back.verdict, back.exit_code) == ("fall over nights", 1), (
        "and lower than the last night"
    )
    assert plan(settings(), [INTEGER]).bases == {TASK: "step-1"}
    accept(Path("runs/step-2"))
    assert [result.exit_code for result in night(settings(), "out/step-3")] == [1]
    (itself,) = night(settings(), "out/step-2")
    assert (itself.verdict, itself.exit_code) == ("is the baseline", 0)


def test_another_protocol_is_told_and_the_run_is_kept_for_a_new_baseline() -> None:
    save("step-1")
    night(settings())
    accept(Path("runs/step-1"))
    save("step-2")
    warmer = settings(run={"tasks": TASK, "k": 8, "limit": 12, "temperature": 0.9})
    (result,) = night(warmer)
    assert (result.verdict, result.exit_code) == ("not the same protocol", 3)
    assert "temperature: 0.6 against 0.9" in result.tasks[0].why
    accept(Path("runs/step-2"))
    allowed = warmer.model_copy(update={"allow": ("temperature",)})
    accept(Path("runs/step-1"))
    assert night(allowed, "out/step-2")[0].exit_code in (0, 5)


def test_a_stopped_early_run_is_completed_to_be_a_baseline() -> None:
    save("step-1", 0.95)
    night(settings())
    accept(Path("runs/step-1"))
    save("step-2", 0.1)
    gated = settings(until="decided")
    (result,) = night(gated)
    assert result.exit_code == 1
    assert result.tasks[0].scores.k < 8
    alerts = to_table(result, Path("runs")).alerts
    assert any("new run stopped at" in line and "% of its samples" in line for line in alerts)
    assert not any("k of" in line for line in alerts)
    with pytest.raises(Exception, match="stopped early"):
        accept(Path("runs/step-2"))
    (again,) = night(gated, "out/step-2")
    assert again.tasks[0].scores.k == result.tasks[0].scores.k
    assert len(RunFolder(Path("runs/step-2")).manifest().starts) == 1, "decided, not sampled again"
    (result,) = night(gated, "out/step-2", full=True)
    assert result.tasks[0].scores.k == 8
    accept(Path("runs/step-2"))


# Nights as one process


def nights_of(*accuracies: float) -> list[CheckpointResult]:
    """Night after night, each with one new checkpoint, after the first is accepted."""
    given = settings(run={"tasks": TASK, "k": 16, "limit": 30})
    results = []
    for number, accuracy in enumerate(accuracies, 1):
        save(f"step-{number}", accuracy)
        results += night(given)
        if number == 1:
            accept(Path("runs/step-1"))
    return results


def test_a_fall_that_no_single_night_shows_fails_the_job() -> None:
    results = nights_of(0.87, *[0.9] * 6, *[0.86] * 3)
    assert not [result for result in results[:7] if result.exit_code == 1]
    failed = results[7:]
    for result in failed:
        assert result.tasks[0].verdict != "regression"
        assert (result.verdict, result.exit_code) == ("fall over nights", 1)
    test = failed[-1].tasks[0].over_nights
    assert test is not None and test.alarm
    assert (test.since, test.first, test.shape) == ("step-1", "step-8", "step")
    low, high = test.interval
    assert low < test.size < high
    stored = read_history(Path("runs")).lines["step-10"].tasks[TASK]
    assert stored.over_nights == test
    assert stored.alarm
    assert stored.level == pytest.approx(1 / 60)
    assert read_history(Path("runs")).latest(TASK) == results[-1].tasks[0].over_nights
    alerts = to_table(failed[-1], Path("runs")).alerts
    assert any("at step-8, over 10 nights since step-1" in line for line in alerts)


def test_to_accept_the_lower_level_begins_anew() -> None:
    results = nights_of(0.9, 0.9, 0.9, 0.7, 0.7)
    assert [result.exit_code for result in results[3:]] == [1, 1]
    accept(Path("runs/step-5"))
    entry = read_ledger(Path("runs")).last(TASK)
    assert entry is not None
    assert entry.begin == "step-4"
    given = settings(run={"tasks": TASK, "k": 16, "limit": 30})
    for number in (6, 7):
        save(f"step-{number}", 0.7)
    later = night(given)
    assert 1 not in [result.exit_code for result in later]
    test = later[-1].tasks[0].over_nights
    assert test is not None
    assert (test.since, test.nights) == ("step-4", 4)


def test_the_best_of_several_nights_is_held_against_its_luck() -> None:
    results = nights_of(*[0.8] * 12)[1:]
    scores = {result.checkpoint.run: result.tasks[0].scores.scores[0].value for result in results}
    best = max(scores, key=lambda run: scores[run])
    (done,) = accept(Path("runs") / best)
    choice = done.chosen.choice
    assert choice is not None and choice.for_its_score
    assert len(done.entry.candidates) == 11, "those since step-1 was accepted"
    given = settings(run={"tasks": TASK, "k": 16, "limit": 30}, false_alarms_per_month=15)
    lowest = min(scores, key=lambda run: scores[run])
    (again,) = night(given, f"out/{lowest}")
    (task,) = again.tasks
    assert task.comparison is not None
    assert task.choice is not None
    assert task.choice.mean <= task.choice.shrunk < scores[best]
    ruling = task.comparison.ruling
    assert ruling.difference.p_drop < ruling.p_drop, "part of the drop was luck"
    assert any("the best of 11 nights" in line for line in to_table(again, Path("runs")).notes)


def test_nights_that_stop_early_count_with_their_first_interim_analysis() -> None:
    gated = settings(until="decided", run={"tasks": TASK, "k": 16, "limit": 30})
    for number in range(1, 6):
        save(f"step-{number}", 0.9)
        (result,) = night(gated)
        if number == 1:
            accept(Path("runs/step-1"))
    (task,) = result.tasks
    stopping = RunFolder(Path("runs/step-5")).task(TASK).stopping()
    assert stopping is not None and stopping.early
    assert stopping.alpha == pytest.approx(1 / 60)
    assert task.night is not None
    shares = stopping.share, stopping.shares[0]
    assert (task.stopped, task.night.n) == tuple(round(16 * share) for share in shares)
    assert task.over_nights is not None and task.over_nights.nights == 5
    assert any("stopped early, counted with the samples" in line for line in task.remarks)


def test_a_checkpoint_is_drawn_again_with_other_samples_and_no_line() -> None:
    save("step-1", 0.6)
    found = plan(settings(), [INTEGER], ["out/step-1"])
    night(settings())
    before = lines()
    run = asyncio.run(redraw(found, found.due[0], observe=lambda _: lambda *_: None))
    assert run == Path("runs/step-1-redrawn")
    assert lines() == before
    starts = [RunFolder(path).manifest().starts[0] for path in (run, Path("runs/step-1"))]
    assert starts[0].seed != starts[1].seed
    assert starts[0].engine_seed != starts[1].engine_seed
    (done,) = accept(run)
    assert done.entry.candidates == ()
    save("step-2", 0.6)
    (result,) = night(settings())
    assert any("was no night; it counts as one" in line for line in result.tasks[0].remarks)


# What goes wrong


def test_a_base_accepted_without_its_samples_is_told_every_night_and_regresses_nothing() -> None:
    """Its longest samples were not drawn: the score is too high, and no drop against it is one."""
    save("step-1", 0.9)
    night(settings())
    folder = Path("runs/step-1") / TASK
    for name in ("samples", "grades"):
        rows = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
        kept = [row for row in rows if row["index"] < 6]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    assert run_command(["score", "runs/step-1"]) == 4
    with pytest.raises(Incomplete, match="samples pending"):
        accept(Path("runs/step-1"))
    accept(Path("runs/step-1"), force=True)
    for name, accuracy in (("step-2", 0.7), ("step-3", 0.7)):
        save(name, accuracy)
        (result,) = night(settings(false_alarms_per_month=3))
        assert (result.verdict, result.exit_code, result.complete) == ("incomplete", 4, True)
        assert result.comparison is not None
        assert result.comparison.tasks[0].ruling.verdict == "regression", "by what is there alone"
        alerts = to_table(result, Path("runs")).alerts
        assert any(
            "step-1 is accepted although it is not complete: 24 samples pending" in line
            for line in alerts
        )
        assert any(f"{TASK}, base runs/step-1: 24 samples" in line and "so that no verdict" in line
                   for line in alerts)  # fmt: skip
        assert lines()[-1]["tasks"][TASK]["verdict"] == "incomplete"
    save("step-4", 0.02)
    (result,) = night(settings(false_alarms_per_month=3))
    assert (result.verdict, result.exit_code) == ("regression", 1), "whatever the base lacks"


def test_a_checkpoint_that_cannot_be_loaded_does_not_end_the_night_and_is_tried_again() -> None:
    save("step-1", None)
    save("step-2")
    broken, fine = night(settings())
    assert (broken.verdict, broken.exit_code, broken.complete) == ("failed", 2, False)
    assert fine.exit_code == 0
    assert "cannot be loaded" in lines()[0]["failure"]
    save("step-1")
    (mended,) = night(settings())
    assert (mended.checkpoint.run, mended.exit_code) == ("step-1", 0)


def test_samples_that_ended_in_error_make_the_next_night_try_again() -> None:
    path = save("step-1", broken=True)
    (result,) = night(settings())
    assert (result.verdict, result.exit_code) == ("incomplete", 4)
    assert result.tasks[0].line().errors == 12 * 8
    save("step-1")
    (result,) = night(settings())
    assert (result.exit_code, result.complete) == (0, True)
    assert read_history(Path("runs")).lines["step-1"].complete
    assert path.exists()


def test_an_interrupted_night_is_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    save("step-1")
    save("step-2")
    seen: list[str] = []

    def stop(event: str, *_: object) -> None:
        seen.append(event)
        if len(seen) == 20:
            raise KeyboardInterrupt

    found = plan(settings(), [INTEGER])
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(hold(found, found.due[0], lambda _: INTEGER, observe=lambda _: stop))
    kept = len(list(RunFolder(Path("runs/step-1")).task(TASK).samples()))
    assert 0 < kept < 12 * 8
    assert [result.checkpoint.run for result in night(settings())] == ["step-1", "step-2"]
    assert len(RunFolder(Path("runs/step-1")).manifest().starts) == 2


def test_files_that_changed_under_a_finished_run_are_noticed() -> None:
    save("latest", 0.8)
    night(settings())
    save("latest", 0.3)
    (result,) = night(settings())
    assert isinstance(result.failure, ProtocolMismatch)
    assert "'{content}' in the name pattern" in str(result.failure)
    assert [again.exit_code for again in night(settings())] == [3], "not only the first time"
    named = settings(name="{checkpoint}-{content}")
    (result,) = night(named)
    assert result.complete
    assert night(named) == []


def test_an_accepted_run_that_is_gone_is_named_before_anything_is_sampled() -> None:
    save("step-1")
    night(settings())
    accept(Path("runs/step-1"))
    Path("runs/step-1").rename("runs/moved")
    with pytest.raises(
        DataError, match="the accepted run of practice_integer, runs/step-1, is missing"
    ):
        plan(settings(), [INTEGER])


def test_the_worst_exit_code_is_that_of_the_night() -> None:
    assert worst([]) == 0
    assert worst([0, 5, 4]) == 4
    assert worst([3, 4, 0, 5]) == 3
    assert worst([5, 3, 1, 2]) == 1


# Checkpoints


def test_checkpoints_come_by_number_or_else_by_time() -> None:
    for name in ("step-900", "step-1000", "step-2"):
        save(name)
    expected = ["step-2", "step-900", "step-1000"]
    for pattern in ("out", "out/step-*", str(Path.cwd() / "out" / "st*")):
        assert [path.name for path in find_checkpoints([pattern])] == expected
    for seconds, name in enumerate(("late", "early"), 1):
        folder = save(f"named/{name}")
        os.utime(folder / "config.json", (seconds, seconds))
    assert [path.name for path in find_checkpoints(["out/named"])] == ["late", "early"]
    assert [path.name for path in find_checkpoints(["out/step-2", "out/step-900"])] == expected[:2]


def test_a_link_to_a_checkpoint_is_not_another_one() -> None:
    folder = save("step-1")
    (folder.parent / "newest").symlink_to(folder.resolve())
    assert len(find_checkpoints(["out/*"])) == 1


@pytest.mark.parametrize("pattern", ["out", "out/*", "nowhere"])
def test_a_pattern_that_names_nothing_is_an_error(pattern: str) -> None:
    Path("out").mkdir()
    with pytest.raises(DataError, match=r"names no folder with a config\.json"):
        find_checkpoints([pattern])


def test_runs_of_two_checkpoints_need_two_names() -> None:
    paths = [save("a/last"), save("b/last")]
    with pytest.raises(UsageError, match="tells them apart"):
        name_runs(paths, "{checkpoint}")
    assert [c.run for c in name_runs(paths, "{parent}-{checkpoint}")] == ["a-last", "b-last"]
    with pytest.raises(UsageError, match="not a folder below runs"):
        name_runs(paths, "../{parent}")


def test_an_untouched_checkpoint_is_known_without_being_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    item = Checkpoint(save("step-1"), "step-1")
    later = HistoryLine(
        time="2999-01-01T00:00:00+0000", run="step-1", checkpoint="out/step-1", content="x",
        complete=True, verdict="no baseline", exit_code=0, failure=None, tasks={}, fingerprint={},
    )  # fmt: skip
    monkeypatch.setattr("harness.workflows.checkpoints.content", lambda _: 1 / 0)
    assert not is_new(item, later)
    assert is_new(item, None)


# The configuration


def write(text: str) -> Path:
    path = Path("night.yaml")
    path.write_text(text)
    return path


GOOD = "checkpoints: out/*\nrun:\n  tasks: [practice_integer, practice_math]\n  max-tokens: 99\n"


def test_a_configuration_is_read_as_runs_spell_it() -> None:
    found = read_night(write(GOOD + "fail-on-rise: true\nallow: grader\n"))
    assert found.checkpoints == ("out/*",)
    assert found.run == {"tasks": "practice_integer,practice_math", "max_tokens": 99}
    assert (found.fail_on_rise, found.allow, found.runs) == (True, ("grader",), Path("runs"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("run: {tasks: aime24}\n", "yaml: checkpoints is needed"),
        ("checkpoints: out\n", "run is needed"),
        ("checkpoints: []\nrun: {tasks: aime24}\n", "checkpoints"),
        (GOOD + "colour: red\n", "there is no setting 'colour'; there are checkpoints, run, runs"),
        (GOOD + "margin: 0.05\n", "night.yaml: margin 0.05: points are meant; 5 is five points"),
        (GOOD + "margin: 100\n", "margin 100: points above 0 and below 100"),
        (GOOD + "until: tired\n", "until 'tired'"),
        (GOOD + "false_alarms_per_month: 0\n", "false-alarms-per-month 0"),
        (GOOD + "false_alarms_per_month: 31\n", "false-alarms-per-month 31"),
        (GOOD + 'name: "{date}"\n', "there is no field {date}; there are {checkpoint}, {parent}"),
        (GOOD + "  k: many\n", "run: k 'many'"),
        (GOOD + "  kk: 3\n", "kk"),
        (GOOD + "  model: x\n", "model does not belong here"),
        (GOOD + "  margin: 10\n", "margin does not belong here: it is a setting beside run"),
        ("checkpoints: out\nrun: {k: 3}\n", "run: tasks is needed"),
        ("checkpoints: out\nrun: aime24\n", "run 'aime24'"),
    ],
)
def test_a_mistake_is_named_on_one_line(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_night(write(text))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
