"""`--allocate history`: where the samples go, what is said of it, and what goes on with it."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run_command
from harness.cli.progress import task_progress
from harness.errors import EngineDown, UsageError
from harness.interfaces import Completion, Request
from harness.registry import find_tasks
from harness.stats.allocation import counts_at, neyman
from harness.stats.metrics import tallies
from harness.stats.scores import TaskScores
from harness.storage.files import write_json
from harness.storage.follow import RunProgress
from harness.storage.nights import CheckpointResult
from harness.storage.run_folder import RunFolder
from harness.types import Tally
from harness.workflows import engine_loading as workflow
from harness.workflows.accept import accept
from harness.workflows.evaluate import evaluate
from harness.workflows.night_settings import NightSettings
from harness.workflows.nightly import hold, plan
from harness.workflows.regrade import rescore
from harness.workflows.run_settings import RunSettings
from tests.support.checkpoints import Trained, save
from tests.support.fakes import FakeEngine, answer

TASK, K = "practice_integer", 8


class Bench:
    """Runs of practice_integer, on which an engine always solves half of the problems."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.engine = folder, FakeEngine(self.reply)
        self.dies_at: int | None = None
        from harness.data.datasets import select_problems
        from harness.data.selection import Selection

        problems = select_problems(find_tasks(TASK)[0], None, Selection(), None)[0]
        self.answers = {p.id: p.answer for p in problems}
        self.easy = set(list(self.answers)[::2])
        monkeypatch.setattr(workflow, "make_engine", lambda *_: self.engine)

    def reply(self, request: Request) -> Completion:
        if self.dies_at is not None and len(self.engine.requests) > self.dies_at:
            raise EngineDown("the engine died")
        luck = random.Random(f"{request.problem_id} {request.index}").random()
        solved = request.problem_id in self.easy or luck < 0.5
        return answer(str(self.answers[request.problem_id]) if solved else "1000")

    def run(self, name: str, **settings: Any) -> TaskScores:
        given = {"model": "fake", "tasks": TASK, "k": K, **settings}
        self.engine = FakeEngine(self.reply)
        with task_progress(sampling=True) as observe:
            (found,) = asyncio.run(
                evaluate(
                    find_tasks(TASK),
                    RunSettings(output=self.folder / name, **given),
                    observe=observe,
                )
            )
        return found

    def counts(self, name: str) -> Mapping[str, int]:
        return Counter(s.problem_id for s in RunFolder(self.folder / name).task(TASK).samples())


@pytest.fixture
def bench(inline_grading: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    found = Bench(tmp_path, monkeypatch)
    found.run("base", k=16)
    return found


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


def test_samples_go_where_they_tell_something_and_their_sum_stays(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    result = bench.run("new", allocate="history", history=bench.folder / "base")
    counts = bench.counts("new")
    history = tallies(RunFolder(bench.folder / "base").task(TASK).grades())
    assert counts == neyman(history, K * len(bench.answers))
    assert max(counts[id] for id in bench.easy) < K < min(
        n for id, n in counts.items() if id not in bench.easy
    )  # fmt: skip
    assert (result.complete, result.k, result.pending) == (True, K, 0)
    score = result.main["pass@1"]
    assert score.n_range == (min(counts.values()), max(counts.values()))
    assert not score.ragged
    assert RunFolder(bench.folder / "new").manifest().k[TASK] == K
    notices = " ".join(RunFolder(bench.folder / "new").manifest().starts[-1].notices)
    settled = [id for id, tally in history.items() if tally.correct in (0, tally.n)]
    drawn = sum(counts[id] for id in settled)
    cost = f"the {len(settled)} problems that those always or never solved is seen less: they get "
    assert f"{cost}{drawn} samples of {K * len(settled)}" in notices
    assert cost in said(capsys)


def test_the_mean_counts_every_problem_alike(bench: Bench) -> None:
    score = bench.run("new", allocate="history", base=bench.folder / "base").main["pass@1"]
    found = tallies(RunFolder(bench.folder / "new").task(TASK).grades()).values()
    assert score.value == pytest.approx(sum(t.correct / t.n for t in found) / len(found))


def test_a_run_that_died_goes_on_with_the_allocation_that_it_began_with(bench: Bench) -> None:
    options = {"allocate": "history", "history": (bench.folder / "base",)}
    bench.dies_at = 100
    with pytest.raises(EngineDown):
        bench.run("new", **options)
    before = RunFolder(bench.folder / "new").task(TASK).protocol().allocation
    bench.dies_at = None
    bench.run("other", seed=5)  # another history now
    result = bench.run("new", allocate="history", history=bench.folder / "other")
    assert result.complete
    assert bench.counts("new") == before


def test_another_allocation_in_the_same_folder_is_refused(bench: Bench) -> None:
    options = {"allocate": "history", "history": (bench.folder / "base",)}
    bench.run("new", **options)
    with pytest.raises(UsageError, match="begun with --allocate history, not uniform"):
        bench.run("new")
    with pytest.raises(UsageError, match="k = 8, not 9: an allocation is fixed"):
        bench.run("new", **{**options, "k": 9})
    with pytest.raises(UsageError, match="begun with --allocate uniform, not history"):
        bench.run("base", **options, k=16)
    with pytest.raises(UsageError, match=r"needs --base RUN or --history RUN"):
        bench.run("fresh", allocate="history")
    with pytest.raises(UsageError, match="--history goes with --allocate history"):
        bench.run("fresh", history=bench.folder / "base")
    with pytest.raises(UsageError, match="is 1; 2 or more are needed"):
        bench.run("fresh", **{**options, "k": 1})
    assert not (bench.folder / "fresh").exists()


def test_runs_of_different_allocations_compare(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.run("new", allocate="history", base=bench.folder / "base")
    pair = [str(bench.folder / name) for name in ("base", "new")]
    assert run_command(["compare", *pair]) in (0, 5)
    few, many = min(bench.counts("new").values()), max(bench.counts("new").values())
    allocated = f"samples of the new run were allocated by earlier runs, {few} to {many} of a"
    assert allocated in said(capsys)


def test_what_history_does_not_know_gets_k_and_is_said(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(bench.folder / "base").task(TASK).path
    gone, changed = list(bench.answers)[:2]
    lines = (folder / "grades.jsonl").read_text().splitlines(keepends=True)
    (folder / "grades.jsonl").write_text("".join(x for x in lines if f'"{gone}"' not in x))
    protocol = json.loads((folder / "protocol.json").read_bytes())
    protocol["problems"][changed] = "0" * 16
    write_json(folder / "protocol.json", protocol)
    bench.run("hot", temperature=0.9)
    named = (bench.folder / "base", bench.folder / "hot", bench.folder / "nowhere")
    capsys.readouterr()
    bench.run("new", allocate="history", history=named)
    counts, text = bench.counts("new"), said(capsys)
    assert (counts[gone], counts[changed]) == (K, K)
    assert sum(counts.values()) == K * len(counts)
    assert f"2 problems without a sample in an earlier run ({gone}, {changed}) get 8" in text
    assert f"not allocated by {named[1]}: another protocol (temperature: 0.9 against 0.6)" in text
    assert f"not allocated by {named[2]}: no such run" in text


def test_without_any_history_every_problem_gets_k(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.run("new", allocate="history", history=bench.folder / "nowhere")
    assert set(bench.counts("new").values()) == {K}
    assert "no earlier run tells about its problems: 8 samples of each" in said(capsys)


def test_metrics_that_need_more_than_a_problem_has_are_skipped(bench: Bench) -> None:
    result = bench.run("new", allocate="history", history=bench.folder / "base", k=13)
    few, many = min(bench.counts("new").values()), max(bench.counts("new").values())
    assert few < 16 <= many
    (skipped,) = [found for found in result.skipped if found.metric == "cons@16"]
    assert skipped.why == f"needs 16 samples per problem, there are {few} of some"
    assert "cons@16" not in result.main


def test_everything_that_counts_samples_goes_by_the_allocation(bench: Bench) -> None:
    bench.dies_at = 100
    options = {"allocate": "history", "history": (bench.folder / "base",)}
    with pytest.raises(EngineDown):
        bench.run("new", **options)
    progress = RunProgress(bench.folder / "new")
    progress.update()
    total = K * len(bench.answers)
    assert (progress.asked, progress.complete) == (total, False)
    drawn = sum(bench.counts("new").values())
    (scores,) = rescore(bench.folder / "new", lambda name: find_tasks(name)[0])
    assert (scores.pending, scores.complete) == (total - drawn, False)
    bench.dies_at = None
    bench.run("new", **options)
    plan = RunFolder(bench.folder / "new").manifest().starts[-1].plan
    assert plan is not None and plan.tasks[TASK].samples == total - drawn
    (scores,) = rescore(bench.folder / "new", lambda name: find_tasks(name)[0])
    assert (scores.pending, scores.complete) == (0, True)
    progress.update()
    assert progress.complete
    page = bench.folder / "page.md"
    assert run_command(["report", str(bench.folder / "new"), "-o", str(page)]) == 0
    text, counts = page.read_text(), bench.counts("new")
    few, many = min(counts.values()), max(counts.values())
    assert f"pass@1 (n={few}–{many})" in text
    assert f"n from {few} to {many} samples per problem, in proportion to" in text


def test_stages_end_at_the_same_share_of_every_problem(bench: Bench) -> None:
    """And whoever reads the run afterwards counts what was asked up to there."""
    bench.run("large", k=32)
    base = bench.folder / "large"
    result = bench.run("new", allocate="history", until="decided", base=base, margin=20)
    folder = RunFolder(bench.folder / "new").task(TASK)
    stopped, allocation = folder.stopping(), folder.protocol().allocation
    assert stopped is not None and allocation is not None
    assert stopped.share < 1
    counts = counts_at(allocation, stopped.share)
    assert bench.counts("new") == counts
    assert (result.complete, result.pending) == (True, 0)
    (again,) = rescore(bench.folder / "new", lambda name: find_tasks(name)[0])
    assert again.complete
    progress = RunProgress(bench.folder / "new")
    progress.update()
    assert (progress.asked, progress.complete) == (sum(counts.values()), True)
    compare = ["compare", str(base), str(bench.folder / "new"), "--margin", "20"]
    assert run_command(compare) == 0


def test_the_options_reach_the_run(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", "--model", "fake", "--tasks", TASK, "--k", str(K), "--allocate", "history",
               "--history", str(bench.folder / "base"), "-o", str(bench.folder / "cli")]  # fmt: skip
    assert run_command(command) == 0
    low, high = min(bench.counts("cli").values()), max(bench.counts("cli").values())
    assert f"pass@1 (n={low}-{high})" in said(capsys)


def test_runs_are_read_from_a_file_as_one_or_several() -> None:
    given: Sequence[Any] = ("a", ["a", "b"])
    found = [RunSettings(model="m", tasks="t", output=Path("o"), history=runs).history
             for runs in given]  # fmt: skip
    assert found == [(Path("a"),), (Path("a"), Path("b"))]


# Nights


def night(*chosen: str, **changes: Any) -> list[CheckpointResult]:
    given = NightSettings(
        checkpoints=("out/*",), run={"tasks": TASK, "k": K, "limit": 12}, **changes
    )
    found = plan(given, find_tasks(TASK), chosen)
    return [
        asyncio.run(
            hold(found, item, lambda name: find_tasks(name)[0], observe=lambda _: lambda *_: None)
        )
        for item in found.due
    ]


def allocation(run: str) -> Mapping[str, int] | None:
    return RunFolder(Path("runs") / run).task(TASK).protocol().allocation


def graded(*runs: str) -> dict[str, Tally]:
    found = [tallies(RunFolder(Path("runs") / run).task(TASK).grades()) for run in runs]
    return {
        id: Tally(sum(t[id].n for t in found), sum(t[id].correct for t in found)) for id in found[0]
    }


@pytest.fixture
def nights(inline_grading: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workflow, "make_engine", lambda settings: Trained(settings.model))
    monkeypatch.chdir(tmp_path)


def test_a_night_is_allocated_by_the_baseline_and_the_nights_since(nights: None) -> None:
    for number in (1, 2):
        save(f"step-{number}")
        night()
    accept(Path("runs/step-2"))
    for number in (3, 4):
        save(f"step-{number}")
        night(allocate="history")
    assert allocation("step-3") == neyman(graded("step-2"), K * 12)
    assert allocation("step-4") == neyman(graded("step-2", "step-3"), K * 12)
    save("step-5")
    night(allocate="history", until="decided")
    assert allocation("step-5") == neyman(graded("step-2", "step-3", "step-4"), K * 12)


def test_a_night_that_is_gone_is_said_and_one_begun_otherwise_goes_on(
    nights: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        save(f"step-{number}")
        night()
    accept(Path("runs/step-1"))
    shutil.rmtree("runs/step-2")
    save("step-3")
    night(allocate="history")
    assert f"{TASK}: not allocated by runs/step-2: no such run" in said(capsys)
    (result,) = night("out/step-1", allocate="history")
    assert (result.failure, result.verdict) == (None, "is the baseline")
    assert allocation("step-1") is None


def test_the_first_night_has_no_history(nights: None, capsys: pytest.CaptureFixture[str]) -> None:
    save("step-1")
    night(allocate="history")
    assert set((allocation("step-1") or {}).values()) == {K}
    assert "no earlier run tells about its problems: 8 samples of each" in said(capsys)
