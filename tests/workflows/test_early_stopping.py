"""`--until decided`: stages, the record of the interim analyses, resuming, and what a comparison makes of it."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run_command
from harness.errors import EngineDown, EngineError, ProtocolMismatch, UsageError
from harness.interfaces import Completion, Request
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import silent
from harness.registry import find_tasks
from harness.stats.scores import TaskScores
from harness.storage.files import write_json
from harness.storage.run_folder import RunFolder
from harness.workflows import engine_loading as workflow
from harness.workflows.early_stopping import make_gate
from harness.workflows.evaluate import evaluate
from harness.workflows.prepare import prepare
from harness.workflows.run_settings import RunSettings
from tests.support.fakes import FakeEngine, answer

TASK = "practice_integer"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[TaskScores]]:
    """Evaluate practice_integer with an engine that is right with a given chance."""
    answers = {p.id: p.answer for p in _problems()}

    def evaluate_with(
        rate: float,
        name: str,
        *,
        seed: int = 0,
        dies_at: int | None = None,
        fails: bool = False,
        by_sample: bool = False,
        bases: Mapping[str, Path] | None = None,
        allow: Sequence[str] = (),
        **settings: Any,
    ) -> list[TaskScores]:
        draws = random.Random(seed)
        engines: list[FakeEngine] = []

        def reply(request: Request) -> Completion:
            if dies_at is not None and len(engines[0].requests) > dies_at:
                raise EngineDown("the engine died")
            if fails:
                raise EngineError("refused")
            own = random.Random(f"{request.problem_id} {request.index}")
            right = (own if by_sample else draws).random() < rate
            return answer(str(answers[request.problem_id]) if right else "1000")

        def make(*_: Any, **__: Any) -> FakeEngine:
            engines.append(FakeEngine(reply))
            return engines[-1]

        monkeypatch.setattr(workflow, "make_engine", make)
        given = RunSettings(model="fake", tasks=TASK, output=tmp_path / name, **settings)
        work = evaluate(find_tasks(TASK), given, observe=_observe, bases=bases, allow=allow)
        return asyncio.run(work)

    return evaluate_with


def _problems() -> Sequence[Any]:
    from harness.data.datasets import select_problems
    from harness.data.selection import Selection

    return select_problems(find_tasks(TASK)[0], None, Selection(), None)[0]


def _observe(_: Sequence[TaskRun]) -> Callable[..., None]:
    return silent


def counts_of(path: Path) -> Mapping[str, int]:
    return Counter(sample.problem_id for sample in RunFolder(path).task(TASK).samples())


def test_a_drop_stops_early_with_every_problem_asked_equally_often(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    run(0.9, "base", k=16)
    (result,) = run(0.5, "new", seed=1, k=16, until="decided", base=tmp_path / "base")
    stopped = result.stopped
    assert stopped.decision == "regression"
    assert result.k == stopped.share * 16 < 12
    assert result.complete
    assert set(counts_of(tmp_path / "new").values()) == {result.k}
    assert [found.stage for found in stopped.analyses] == list(range(1, stopped.stage + 1))
    assert stopped.interval[0] < stopped.score < stopped.interval[1]
    assert RunFolder(tmp_path / "new").manifest().k[TASK] == result.k


def test_what_was_drawn_beyond_the_stop_is_recorded_for_its_cost(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    generate = FakeEngine.generate

    async def counted(engine: FakeEngine, request: Request) -> Completion:
        drawn.append(request)
        return await generate(engine, request)

    run(0.9, "base", k=16)
    monkeypatch.setattr(FakeEngine, "generate", counted)
    run(0.5, "new", seed=1, k=16, until="decided", base=tmp_path / "base")
    (start,) = RunFolder(tmp_path / "new").manifest().starts
    lost = len(drawn) - sum(counts_of(tmp_path / "new").values())
    assert lost > 0
    assert start.discarded[TASK].samples == lost
    assert start.discarded[TASK].completion_tokens == 9 * lost


def test_compare_goes_by_the_boundary_that_holds_at_any_analysis(
    run: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(0.9, "base", k=16)
    run(0.5, "worse", seed=1, k=16, until="decided", base=tmp_path / "base")
    run(0.9, "same", seed=2, k=16, until="decided", base=tmp_path / "base")
    record = json.loads((tmp_path / "worse" / TASK / "stopping.json").read_bytes())
    json_file = tmp_path / "f.json"
    compare = ["compare", str(tmp_path / "base"), str(tmp_path / "worse"), "--json", str(json_file)]
    assert run_command(compare) == 1
    assert "stopped early" in " ".join(capsys.readouterr().out.split())
    task = json.loads(json_file.read_bytes())["tasks"][0]
    assert task["p_drop"] == pytest.approx(record["analyses"][-1]["p_drop"])
    assert task["lower"] == pytest.approx(record["analyses"][-1]["low"])
    assert run_command(["compare", str(tmp_path / "base"), str(tmp_path / "same")]) == 0


def test_the_same_command_again_draws_nothing_more(run: Callable[..., Any], tmp_path: Path) -> None:
    run(0.9, "base", k=16)
    options = {"k": 16, "until": "decided", "base": tmp_path / "base"}
    (first,) = run(0.5, "new", seed=1, **options)
    before = (tmp_path / "new" / TASK / "samples.jsonl").read_bytes()
    (again,) = run(0.5, "new", seed=2, **options)
    assert (tmp_path / "new" / TASK / "samples.jsonl").read_bytes() == before
    assert again.stopped == first.stopped


@pytest.mark.parametrize("dies_at", [5, 170, 333, 500])
def test_a_run_that_died_in_a_stage_decides_as_one_that_did_not(
    run: Callable[..., Any], tmp_path: Path, dies_at: int
) -> None:
    """Whether a sample is right depends on nothing but the sample here."""
    run(0.7, "base", k=16)
    options = {"k": 16, "until": "decided", "base": tmp_path / "base", "by_sample": True}
    (whole,) = run(0.7, "whole", **options)
    with suppress(EngineDown):
        run(0.7, "new", dies_at=dies_at, **options)
    assert (tmp_path / "new" / TASK / "stopping.json").exists()
    (result,) = run(0.7, "new", **options)
    assert result.stopped == whole.stopped
    assert counts_of(tmp_path / "new") == counts_of(tmp_path / "whole")


def test_another_margin_or_cap_in_mid_run_is_refused(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    run(0.9, "base", k=16)
    run(0.5, "new", seed=1, k=16, until="decided", base=tmp_path / "base")
    before = (tmp_path / "new" / "manifest.json").read_bytes()
    with pytest.raises(UsageError, match=r"under another gate \(margin 5.0 against 10.0"):
        run(0.5, "new", k=16, until="decided", base=tmp_path / "base", margin=10)
    assert (tmp_path / "new" / "manifest.json").read_bytes() == before


def test_the_same_base_by_another_path_is_the_same_gate(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(0.9, "base", k=16)
    run(0.5, "new", seed=1, k=16, until="decided", base=tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    (again,) = run(0.5, "new", seed=1, k=16, until="decided", base=Path("base"))
    assert again.stopped.decision == "regression"


def test_a_base_given_for_each_task_that_cannot_be_used_leaves_the_task_in_full(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    """What a nightly job does: the comparison says afterwards why."""
    run(0.9, "base", k=4)
    options = {"k": 4, "until": "decided", "bases": {TASK: tmp_path / "base"}}
    (other,) = run(0.5, "hot", seed=1, temperature=1.0, **options)
    assert (other.k, other.stopped) == (4, None)
    (allowed,) = run(0.5, "warm", seed=1, temperature=1.0, allow=("temperature",), **options)
    assert allowed.stopped.decision == "regression"


def test_stages_in_which_every_sample_failed_end_incomplete(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    run(0.9, "base", k=4)
    (result,) = run(0.5, "new", fails=True, k=4, until="decided", base=tmp_path / "base")
    assert result.errors == 160
    assert not result.complete


def test_a_fixed_number_of_samples_takes_the_record_away(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    run(0.9, "base", k=16)
    run(0.5, "new", seed=1, k=16, until="decided", base=tmp_path / "base")
    (result,) = run(0.5, "new", seed=2, k=16)
    assert result.stopped is None
    assert set(counts_of(tmp_path / "new").values()) == {16}


def test_the_base_must_be_the_same_protocol_and_have_as_many_samples(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    run(0.9, "base", k=4)
    with pytest.raises(UsageError, match=r"k is 16 and .* has 4 graded samples"):
        run(0.5, "new", k=16, until="decided", base=tmp_path / "base")
    with pytest.raises(ProtocolMismatch, match="temperature"):
        run(0.5, "new", k=4, until="decided", base=tmp_path / "base", temperature=1.0)
    with pytest.raises(UsageError, match="needs --base RUN"):
        run(0.5, "new", k=4, until="decided")
    with pytest.raises(UsageError, match="--base goes with --until decided"):
        run(0.5, "new", k=4, base=tmp_path / "base")
    assert not (tmp_path / "new").exists()


def test_reports_say_that_sampling_stopped_early(run: Callable[..., Any], tmp_path: Path) -> None:
    run(0.9, "base", k=16)
    run(0.5, "new", seed=1, k=16, until="decided", base=tmp_path / "base")
    page = tmp_path / "page.md"
    assert run_command(["report", str(tmp_path / "new"), "-o", str(page)]) == 0
    assert "stopped early" in page.read_text()


def test_a_base_without_any_sample_of_a_problem_is_refused(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    """The least over the problems that have samples says nothing of those that have none."""
    run(0.9, "base", k=16)
    folder = RunFolder(tmp_path / "base").task(TASK)
    first = next(iter(folder.protocol().problems))
    rows = (folder.path / "grades.jsonl").read_text().splitlines(keepends=True)
    (folder.path / "grades.jsonl").write_text("".join(row for row in rows if first not in row))
    with pytest.raises(UsageError, match="has 0 graded samples per problem"):
        run(0.5, "new", seed=1, k=16, until="decided", base=tmp_path / "base")


def test_the_level_is_shared_by_all_tasks_with_a_base_whether_they_can_stop_or_not(
    inline_grading: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two bases has too few samples: the comparison still divides the level by both."""
    engine = FakeEngine(lambda _: answer("1"))
    monkeypatch.setattr(workflow, "make_engine", lambda *_: engine)
    tasks = find_tasks(f"{TASK},practice_math")
    settings = RunSettings(model="m", tasks=f"{TASK},practice_math", output=tmp_path / "new",
                           until="decided", k=4, limit=6)  # fmt: skip
    for name, k in (("many", 4), ("few", 2)):
        given = settings.model_copy(update={"output": tmp_path / name, "until": None, "k": k})
        asyncio.run(evaluate(tasks, given, observe=_observe))
    bases = {TASK: tmp_path / "many", "practice_math": tmp_path / "few"}
    for level in (0.05, 0.02):
        gate = make_gate(settings, prepare(tasks, settings), bases, (), level=level)
        assert gate is not None
        assert (set(gate.bases), gate.alpha) == ({TASK}, level / 2)


def test_problems_that_the_base_does_not_have_are_said_and_left_out_of_the_test(
    run: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(0.9, "base", k=16, limit=39)
    new = list(RunFolder(tmp_path / "base").task(TASK).problems())
    (result,) = run(0.5, "new", seed=1, k=16, until="decided", allow=("problems",),
                    bases={TASK: tmp_path / "base"})  # fmt: skip
    assert "has no 1 of the problems (" in capsys.readouterr().err
    assert result.stopped.decision == "regression"
    counts = counts_of(tmp_path / "new")
    assert (len(counts), len(new), set(counts.values())) == (40, 39, {result.k})


def test_a_record_of_an_analysis_after_each_round_is_still_read(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    run(0.9, "base", k=16)
    run(0.5, "new", seed=1, k=16, until="decided", base=tmp_path / "base")
    path = tmp_path / "new" / TASK / "stopping.json"
    record = json.loads(path.read_bytes())
    stage = record.pop("stage")
    del record["shares"]
    k = RunFolder(tmp_path / "new").manifest().k[TASK]
    record |= {"round": k, "analyses": [
        {("round" if name == "stage" else name): (k if name == "stage" else value)
         for name, value in record["analyses"][stage - 1].items()}
    ]}  # fmt: skip
    write_json(path, record)
    folder = RunFolder(tmp_path / "new").task(TASK)
    stopping = folder.stopping()
    assert stopping is not None
    assert (stopping.shares, stopping.stage) == (tuple((r + 1) / 16 for r in range(16)), k)
    assert set(folder.asked(16).values()) == {k}
    assert run_command(["compare", str(tmp_path / "base"), str(tmp_path / "new")]) == 1
    page = tmp_path / "page.md"
    assert run_command(["report", str(tmp_path / "new"), "-o", str(page)]) == 0
