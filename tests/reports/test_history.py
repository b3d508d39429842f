"""What a history calls real: the gate's test, corrected for the pairs that are looked at."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DataError
from harness.reports.changes import Difference, GateTests, Way, difference, judge
from harness.reports.facts import RunFacts, TaskFacts, read_run
from harness.reports.history import History, histories
from harness.stats.design import Design
from harness.stats.gate import Case, rule
from harness.stats.intervals import Interval
from harness.stats.paired_test import compare
from harness.stats.sequential import analyse
from harness.stats.stopping import Stopping
from harness.types import Tally, Verdict
from tests.support.run_folders import WriteRun
from tests.support.sites import add

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER
ROOT = Path(__file__).parents[2]


def facts(right: str, *, task: str = "aime24", metric: str = "pass@1") -> TaskFacts:
    """A complete result of these right samples of those graded, by problem."""
    return TaskFacts(task, "same", "complete", 1, 1, metric=metric, right=right)


def run(name: str, *tasks: TaskFacts) -> RunFacts:
    return RunFacts(name, "model", f"2026-11-01 {name:0>8}", tasks)


def drawn(
    rates: np.ndarray, k: int, random: np.random.Generator, task: str = "aime24"
) -> TaskFacts:
    return facts(" ".join(f"{c}/{k}" for c in random.binomial(k, rates)), task=task)


def history_of(*results: TaskFacts, accepted: int | None = None) -> History:
    """The history of one task whose runs are named by number, oldest first."""
    runs = [run(str(number), found) for number, found in enumerate(results)]
    chosen = {} if accepted is None else {"aime24": str(accepted)}
    (found,) = histories(runs, chosen, [], GateTests())
    return found


def marked(history: History) -> set[str]:
    return {entry.run.name for entry, found in history.tested if found.real}


def test_one_problem_that_flips_with_two_samples_is_noise_as_in_the_gate() -> None:
    found = history_of(facts("2/2"), facts("0/2")).entries[0].change
    assert found is not None
    assert found.p_drop == compare({"0": Tally(2, 2)}, {"0": Tally(2, 0)}).p_drop > 0.05
    assert (found.value, found.real, found.way) == (-1.0, False, "")
    assert found.interval is not None
    assert found.interval.high > -1.0  # a standard error of 0 would have said: certain


def test_the_newest_run_is_judged_as_the_gate_judges_it() -> None:
    random, rates = np.random.default_rng(5), np.random.default_rng(6).beta(1, 1, 20)
    one_sided = 0
    for drop in np.linspace(0, 0.25, 24):
        tasks = ("aime24", "aime25", "gpqa_diamond")
        base = [drawn(rates, 4, random, task) for task in tasks]
        new = [drawn(np.clip(rates - drop, 0, 1), 4, random, task) for task in tasks]
        runs = [run("0", *base), run("1", *new)]
        found = {h.task: h.entries[0] for h in histories(runs, {}, [], GateTests())}
        cases = [
            Case(task=task, base=before.tallies, new=after.tallies)
            for task, before, after in zip(tasks, base, new, strict=True)
        ]
        for ruling in rule(cases):
            change = found[ruling.task].change
            assert change is not None
            assert change.real == (ruling.verdict == "regression" or ruling.rise)
            one_sided += change.real and change.p > 0.05
            assert not change.real or change.way == ("below" if change.value < 0 else "above")
    assert one_sided  # as a gate asks


def test_what_stood_out_alone_may_be_chance_among_sixty() -> None:
    random, rates = np.random.default_rng(1), np.random.default_rng(2).beta(1.5, 0.7, 30)
    quiet = [drawn(rates, 16, random) for _ in range(60)]
    before = history_of(*quiet)
    at_five = [entry for entry, found in before.tested if found.p <= 0.05]
    assert len(at_five) >= 2
    assert not marked(before) - {"59"}
    low = drawn(np.clip(rates - 0.15, 0, 1), 16, random)
    assert marked(history_of(*quiet[:30], low, *quiet[30:])) == {"30", "31"}


def test_a_pair_counts_once_where_the_run_before_is_the_accepted_one() -> None:
    history = history_of(
        facts("9/9 9/9 9/9"), facts("0/9 1/9 0/9"), facts("0/9 0/9 0/9"), accepted=0
    )
    assert [entry.run.name for entry, _ in history.tested] == ["2", "2", "1"]
    assert marked(history) == {"2", "1"}
    first, second = history.entries[1], history.entries[0]
    assert first.change is not None
    assert first.change == first.against_accepted
    assert (second.change and second.change.real) is False
    assert second.against_accepted is not None
    assert second.against_accepted.way == "below"


def test_ragged_and_single_samples_go_the_way_of_the_gate() -> None:
    base, new = facts("3/4 4/4 0/0 2/3"), facts("1/4 2/4 1/1 0/4")
    found = difference(base, new)
    expected = compare(base.tallies, new.tallies)
    assert expected.n_problems == 3
    assert found == Difference(
        expected.value, *expected.interval_sampling, expected.p_drop, expected.p_rise
    )
    single = difference(facts("1/1 " * 8), facts("0/1 " * 8))
    assert single is not None
    assert single.p_drop == pytest.approx(2**-8 / 2)  # mid-p of the one worst arrangement
    assert difference(facts("1/1 0/0"), facts("0/0 1/1")) is None


def stopped(k: int, share: float) -> Stopping:
    return Stopping(base="runs/base", k=k, margin=0.05, alpha=0.05, shares=(share, 1.0), stage=1,
                    decision="regression", score=0.6, interval=Interval(0.4, 0.8))  # fmt: skip


def test_a_run_that_stopped_early_has_the_p_value_that_holds_at_any_analysis() -> None:
    base, stopping = facts(" ".join(["12/16"] * 30)), stopped(16, 0.25)
    new = replace(facts(" ".join(["2/4"] * 18 + ["4/4"] * 12)), stopping=stopping)
    found = difference(base, new)
    assert found is not None
    design = Design.against(base.tallies, dict.fromkeys(base.tallies, 16), shares=stopping.shares)
    assert found.p_drop == analyse(design, base.tallies, new.tallies, 1).p_drop
    assert found.p_drop > compare(base.tallies, new.tallies).p_drop
    assert found.interval is None


def test_a_night_with_tasks_that_stopped_is_judged_as_one() -> None:
    base = facts(" ".join(["12/16"] * 30))
    early = replace(facts(" ".join(["1/4"] * 30)), stopping=stopped(16, 0.25))
    pairs = [(base, early), (base, facts(" ".join(["8/16"] * 30)))]
    cases = [Case(task="a", base=b.tallies, new=n.tallies, stopping=n.stopping) for b, n in pairs]
    expected = ["below" if r.verdict == "regression" else "" for r in rule(cases)]
    assert judge(pairs) == expected
    assert expected[0] == "below"


def test_another_metric_than_the_gates_is_shown_and_not_tested() -> None:
    one, other = (replace(facts("9/9", metric="rating"), value=v) for v in (1500.0, 900.0))
    history = history_of(one, other)
    change = history.entries[0].change
    assert change is not None
    assert (change.value, change.interval, change.real) == (-600.0, None, False)
    assert history.tested == []


def test_everything_is_worked_out_once_and_again_where_what_it_rests_on_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import harness.reports.changes as module

    calls: list[str] = []

    def counted(base: TaskFacts, new: TaskFacts) -> Difference | None:
        calls.append("pair")
        return difference(base, new)

    def judged(pairs: Sequence[tuple[TaskFacts, TaskFacts]]) -> list[Way]:
        calls.append("night")
        return judge(pairs)

    monkeypatch.setattr(module, "difference", counted)
    monkeypatch.setattr(module, "judge", judged)
    one, other = facts("3/4 2/4"), facts("1/4 2/4")
    first = GateTests()
    found, ways = first.difference(one, other), first.night([(one, other)])
    kept = json.loads(json.dumps(first.to_json()))
    later = GateTests(kept)
    assert (later.difference(one, other), later.night([(one, other)])) == (found, ways)
    assert later.to_json() == kept
    assert calls == ["pair", "night"]
    later.difference(one, facts("1/4 1/4"))
    later.night([(one, facts("1/4 1/4"))])
    assert calls == ["pair", "night"] * 2
    for damaged in ([1.0], ["x"] * 5, [0.0, "a", 1.0, 1.0, 1.0], None, {}, [["below"]]):
        again = GateTests(dict.fromkeys(kept, damaged))
        assert (again.difference(one, other), again.night([(one, other)])) == (found, ways)


def test_what_is_kept_of_a_run_is_read_back_as_it_was(write_run: WriteRun, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    folder = add(runs, write_run, "a", [[C, W, None], [C, C, C], [W, W, W]], day=1)
    found, _ = read_run(folder, runs)
    (task,) = found.tasks
    assert task.right == "1/2 3/3 0/3"
    assert task.tallies == {"0": Tally(2, 1), "1": Tally(3, 3), "2": Tally(3, 0)}
    early = replace(found, tasks=(replace(task, stopping=stopped(3, 0.5)),))
    for each in (found, early):
        assert RunFacts.from_json(json.loads(json.dumps(each.to_json())), tmp_path) == each
    old = found.to_json()
    old["tasks"][0].pop("right")
    assert RunFacts.from_json(json.loads(json.dumps(old)), tmp_path).tasks[0].right == ""
    old["tasks"][0].pop("protocol")
    with pytest.raises(DataError, match="protocol"):
        RunFacts.from_json(json.loads(json.dumps(old)), tmp_path)


def test_no_report_makes_an_interval_of_its_own() -> None:
    """intervals.py says how sure a number is; a quantile or a sum of squared errors is a second rule."""
    excepted = {"grid.py", "verdict.py"}  # published figures, whose errors are imputed
    for path in sorted((ROOT / "reports").rglob("*")):
        if path.suffix in (".py", ".jinja", ".js") and path.name not in excepted:
            text = path.read_text()
            assert not re.search(r"1\.96|\bZ95\b|\bhypot\b|NormalDist|norm\.ppf", text), path
