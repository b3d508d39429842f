"""Published responses in the shapes in which people publish them."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.cli.score_table import finish
from harness.data.columns import parse_columns
from harness.errors import DataError, ProtocolMismatch, UsageError
from harness.pipeline import runner
from harness.registry import tasks
from harness.stats.scores import TaskScores
from harness.storage.follow import RunProgress
from harness.storage.run_folder import RunFolder
from harness.task import Task
from harness.tasks.kinds import KINDS
from harness.workflows.import_responses import import_responses
from harness.workflows.regrade import stored_runs


def run_import(
    path: Path, out: Path, task: Task | None = None, columns: Mapping[str, str] | None = None,
    *, dataset_order: bool = False,
) -> list[TaskScores]:  # fmt: skip
    work = import_responses(
        path, task or KINDS["integer"], columns or {}, out, model="m",
        observe=lambda _: lambda *_: None, dataset_order=dataset_order,
    )  # fmt: skip
    return asyncio.run(work)


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def verdicts(out: Path, task: str = "integer") -> dict[str, str]:
    grades = RunFolder(out).task(task).grades()
    return {
        f"{g.problem_id}.{g.index}": str(g.verdict) for g in sorted(grades, key=lambda g: g.key)
    }


ROW = {"id": "a", "statement": "1+1?", "answer": 2}


def test_columns_are_found_by_name_or_mapped(tmp_path: Path) -> None:
    by_name = write(tmp_path / "n.jsonl", [{"unique_id": "a", "question": "1+1?", "gold": "2",
                                            "completions": [r"\boxed{2}"]}])  # fmt: skip
    assert run_import(by_name, tmp_path / "n")[0].scores[0].value == 1.0
    mapped = write(tmp_path / "m.jsonl", [{"q": "1+1?", "a": "2", "texts": [r"\boxed{2}"]}])
    columns = parse_columns(["statement=q,answer=a", "responses=texts"])
    assert run_import(mapped, tmp_path / "m", columns=columns)[0].scores[0].value == 1.0


def test_one_row_a_response_is_grouped_by_problem(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "problem", "answer", "response"])
        writer.writeheader()
        for text in (r"\boxed{2}", r"\boxed{3}", "multi\nline \\boxed{2}"):
            writer.writerow({"id": "a", "problem": "1+1?", "answer": "2", "response": text})
    run_import(path, tmp_path / "out")
    assert verdicts(tmp_path / "out") == {
        "a.0": "correct",
        "a.1": "wrong_answer",
        "a.2": "correct",
    }


def test_a_reasoning_is_never_graded(tmp_path: Path) -> None:
    responses = [
        r"<think>\boxed{2}</think> \boxed{3}",
        r"<think>\boxed{2}",
        r"so \boxed{3}?</think>\boxed{2}",
    ]
    row = {**ROW, "responses": responses, "finish_reason": ["stop", "length", "eos"]}
    run_import(write(tmp_path / "r.jsonl", [row]), tmp_path / "out")
    assert verdicts(tmp_path / "out") == {
        "a.0": "wrong_answer",
        "a.1": "truncated",
        "a.2": "correct",
    }


def test_a_ragged_file_is_complete_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {**ROW, "responses": [r"\boxed{2}", r"\boxed{2}", r"\boxed{2}"]},
        {**ROW, "id": "b", "responses": [r"\boxed{3}"]},
    ]
    result = run_import(write(tmp_path / "r.jsonl", rows), tmp_path / "out")[0]
    score = result.scores[0]
    assert (score.value, score.n, score.k) == (0.5, 4, 3)
    assert (result.complete, result.pending, result.errors) == (True, 0, 0)
    (run,) = stored_runs(tmp_path / "out", KINDS.__getitem__)
    again = runner.score(run)
    assert (again.complete, again.pending, again.errors) == (True, 0, 0)
    finish(tmp_path / "out", ["integer"], [result])
    assert "n≤3" in (said := capsys.readouterr().out)
    assert "resume" not in said
    watched = RunProgress(tmp_path / "out")
    watched.update()
    assert (watched.asked, watched.complete) == (4, True)


def test_a_task_reads_its_own_schema(tmp_path: Path) -> None:
    row = {"id": 60, "problem": "1+1?", "answer": "002", "responses": [r"\boxed{2}", "2"]}
    out = tmp_path / "out"
    run_import(write(tmp_path / "r.jsonl", [row]), out, tasks()["aime24"])
    assert verdicts(out, "aime24") == {"60.0": "correct", "60.1": "no_answer"}
    assert RunFolder(out).task("aime24").problems()["60"].answer == "2"


@pytest.mark.parametrize("answer", ["70", 70, 70.0, ["70"], [70], [70.0], '["70"]', "['70']"])
def test_a_reference_is_read_for_what_it_is(answer: object, tmp_path: Path) -> None:
    row = {"id": 60.0, "problem": "1+1?", "answer": answer, "responses": [r"\boxed{70}"]}
    path = write(tmp_path / "r.jsonl", [row])
    for name, task in (*KINDS.items(), ("aime24", tasks()["aime24"])):
        if name == "choice":
            continue
        result = run_import(path, tmp_path / name, task)[0]
        problems = RunFolder(tmp_path / name).task(name).problems()
        assert (result.scores[0].value, problems["60"].answer) == (1.0, "70")


@pytest.mark.parametrize("answer", ["C", "(C)", "c", "C. benzene", "C) benzene", "**C**", ["C"]])
def test_a_reference_of_a_choice_is_its_letter(answer: object, tmp_path: Path) -> None:
    row = {"id": "a", "problem": "A) 1 ..", "answer": answer, "responses": ["Answer: C"]}
    out = tmp_path / "out"
    result = run_import(write(tmp_path / "r.jsonl", [row]), out, KINDS["choice"])[0]
    assert result.scores[0].value == 1.0
    assert RunFolder(out).task("choice").problems()["a"].answer == "C"


@pytest.mark.parametrize("answer", [2, "2", 2.0, "benzene", "B or C", "A decrease", ["B", "C"]])
def test_a_reference_that_is_no_letter_is_an_error(answer: object, tmp_path: Path) -> None:
    row = {"id": "a", "problem": "A) 1 ..", "answer": answer, "responses": ["Answer: C"]}
    with pytest.raises(DataError, match="--map answer=COLUMN"):
        run_import(write(tmp_path / "r.jsonl", [row]), tmp_path / "out", KINDS["choice"])


def test_choices_listed_in_the_statement_are_letters(tmp_path: Path) -> None:
    row = {"statement": "A) 1 B) 2", "answer": "B", "responses": ["Answer: B", "Answer: A"]}
    out = tmp_path / "out"
    result = run_import(write(tmp_path / "r.jsonl", [row]), out, KINDS["choice"])
    assert result[0].scores[0].value == 0.5


def test_the_same_file_again_adds_nothing_and_another_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = write(tmp_path / "r.jsonl", [{**ROW, "responses": [r"\boxed{2}"]}])
    run_import(path, out)
    before = (out / "integer" / "samples.jsonl").read_bytes()
    run_import(path, out)
    assert (out / "integer" / "samples.jsonl").read_bytes() == before
    write(path, [{**ROW, "answer": 3, "responses": [r"\boxed{2}"]}])
    with pytest.raises(ProtocolMismatch, match="1 changed"):
        run_import(path, out)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**ROW}, "no column holds the responses"),
        ({**ROW, "responses": "text"}, "must hold a list"),
        ({**ROW, "responses": [1]}, "a response is not a string: 1"),
        ({**ROW, "responses": ["x", "y"], "finish_reason": ["stop"]}, "2 responses and 1 finish"),
        ({"id": "a", "answer": "2", "responses": ["x"]}, "no column holds the statement"),
        ({**ROW, "answer": "", "responses": ["x"]}, "'answer' .answer. is empty"),
        ({**ROW, "answer": 10**25, "responses": ["x"]}, "write it as a string"),
        ({**ROW, "answer": ["2", "3"], "responses": ["x"]}, "2 values.*--map answer=COLUMN"),
        ({**ROW, "answer": '["2", "3"]', "responses": ["x"]}, "2 values.*--map answer=COLUMN"),
        ({**ROW, "answer": [], "responses": ["x"]}, "0 values.*--map answer=COLUMN"),
        ({**ROW, "answer": 2.5, "responses": ["x"]}, "2.5.*--map answer=COLUMN"),
        ({**ROW, "answer": "none", "responses": ["x"]}, "none.*--map answer=COLUMN"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [{**ROW, "id": "z", "responses": ["x"]}, row])
    with pytest.raises(DataError, match=said) as caught:
        run_import(path, tmp_path / "out")
    assert "r.jsonl, line 2" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_map_with_a_mistake_is_named() -> None:
    with pytest.raises(UsageError, match="field=column"):
        parse_columns(["statement"])
    with pytest.raises(UsageError, match="the fields are id, statement"):
        parse_columns(["reply=x"])


def test_published_responses_score_what_their_publisher_says(
    test_data: Path, tmp_path: Path
) -> None:
    columns = parse_columns(["statement=problem,answer=answer,responses=responses"])
    path = test_data / "math_responses_100x8.jsonl"
    result = run_import(path, tmp_path / "out", KINDS["math"], columns)[0]
    score = result.scores[0]
    assert (score.metric, score.n, score.k) == ("pass@1", 800, 8)
    assert abs(score.value - 0.910) <= 0.01


def test_a_map_holds_for_a_task_with_a_schema(tmp_path: Path) -> None:
    row = {"id": 1, "problem": "1+1?", "answer": "70", "gold": "71", "outputs": ["no"],
           "reply": r"\boxed{71}"}  # fmt: skip
    columns = {"answer": "gold", "response": "reply"}
    out = tmp_path / "out"
    result = run_import(write(tmp_path / "r.jsonl", [row]), out, tasks()["aime24"], columns)[0]
    assert (result.scores[0].value, result.scores[0].n) == (1.0, 1)
    assert RunFolder(out).task("aime24").problems()["1"].answer == "71"


@pytest.mark.parametrize("field", ["choice_order", "prompt"])
def test_a_map_that_nothing_reads_is_refused(field: str, tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [{**ROW, "problem": "q", "x": "1", "responses": ["x"]}])
    for task in (KINDS["integer"], tasks()["aime24"]):
        with pytest.raises(UsageError, match=f"--map {field}: .*no choices"):
            run_import(path, tmp_path / "out", task, {field: "x"})


def test_csv_holds_lists_as_json(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "problem", "answer", "responses", "finish_reasons"])
        texts = json.dumps([r"\boxed{2}", "<think>a, b"])
        writer.writerow(["a", "1+1?", "2", texts, '["stop", "length"]'])
    run_import(path, tmp_path / "out")
    assert verdicts(tmp_path / "out") == {"a.0": "correct", "a.1": "truncated"}
    path.write_text("id,problem,answer,responses\na,1+1?,2,['x']\n")
    with pytest.raises(DataError, match=r"must hold a list of texts .in CSV, as JSON"):
        run_import(path, tmp_path / "again")


@pytest.mark.parametrize("answer", [True, False, [True], {"value": 2}, [None], [""]])
def test_what_is_no_reference_is_refused_by_every_kind(answer: object, tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [{**ROW, "answer": answer, "responses": ["x"]}])
    for task in KINDS.values():
        with pytest.raises(DataError, match=r"line 1: the column 'answer' .answer. "):
            run_import(path, tmp_path / "out", task)


def test_a_reference_without_a_problems_id_is_named_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [{**ROW, "answer": 70.5, "responses": ["x"]}])
    with pytest.raises(DataError, match=r"line 1: reference answer '70.5' is no integer"):
        run_import(path, tmp_path / "out")
    with pytest.raises(DataError, match=r"^reference answer '70.5'"):
        KINDS["integer"].grader.settle("70.5", "70")  # type: ignore[attr-defined]
