"""Contest tables: what their rows become, which are refused and how, and what a copy may hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run_command
from harness.data.datasets import OnHub, load_problems, select_problems
from harness.data.prompts import render
from harness.data.selection import Selection, Window
from harness.errors import DataError
from harness.registry import tasks
from harness.stats.clusters import clustering
from harness.storage.run_folder import RunFolder
from harness.types import Problem, Sample
from tests.support.contest_rows import APEX, CONTESTS, ROWS, write_rows

NEW = (*ROWS, "gpqa_main", "gpqa_extended")
GPQA_ROW = {
    "Record ID": "rec1", "Question": "Which is 2?", "Correct Answer": "2", "Incorrect Answer 1": "3",
    "Incorrect Answer 2": "4", "Incorrect Answer 3": "5", "Subdomain": "Counting",
    "High-level domain": "Mathematics",
}  # fmt: skip
MATH_MISTAKES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"answer": None}, "field 'answer'"),
    ({"problem_idx": "three"}, "field 'problem_idx': 'three'"),
    ({"answer": ["1", "2"]}, r"field 'answer': \['1', '2'\]"),
    ({"problem": 5}, "field 'problem': 5"),
    ({"answer": " "}, "field 'answer': ' '"),
    ({"problem_idx": -1}, "field 'problem_idx': -1"),
)


def row_of(task: str) -> dict[str, Any]:
    return dict(ROWS[task][0]) if task in ROWS else dict(GPQA_ROW)


def key_fields(task: str) -> tuple[str, str, str]:
    """The columns of id, statement and answer."""
    return {
        "imo_answerbench": ("Problem ID", "Problem", "Short Answer"),
        "amo_bench": ("question_id", "prompt", "answer"),
        "beyond_aime": ("answer", "problem", "answer"),
        "gpqa_main": ("Record ID", "Question", "Correct Answer"),
        "gpqa_extended": ("Record ID", "Question", "Correct Answer"),
    }.get(task, ("problem_idx", "problem", "answer"))


def problems(tmp_path: Path, task: str) -> list[Problem]:
    write_rows(tmp_path, task)
    return load_problems(tasks()[task], tmp_path)


@pytest.mark.parametrize("task", NEW)
def test_rows_of_another_shape_are_refused_by_file_row_and_field(tmp_path: Path, task: str) -> None:
    id, statement, answer = key_fields(task)
    path = tmp_path / f"{task}.jsonl"
    good = row_of(task)
    for changed, field in (
        ({name: value for name, value in good.items() if name != answer}, answer),
        ({**good, statement: ["a", "list"]}, statement),
        ({**good, answer: ""}, answer),
        ({name: value for name, value in good.items() if name != id}, id),
    ):
        path.write_text(f"{json.dumps(good)}\n{json.dumps(changed)}\n")
        with pytest.raises(DataError, match=rf"{task}\.jsonl, line 2: .*field '{field}'"):
            load_problems(tasks()[task], tmp_path)


@pytest.mark.parametrize(
    ("task", "change", "words"),
    [
        ("aime26", {"answer": 1000}, "field 'answer': 1000 is no answer of an AIME problem"),
        ("aime26", {"answer": "1/2"}, "field 'answer': '1/2' is no answer"),
        ("aime26", {"problem_idx": 31}, "field 'problem_idx': 31"),
        *(("hmmt_feb26", change, words) for change, words in MATH_MISTAKES),
        ("cmimc25", {"problem_type": [1]}, r"field 'problem_type': \[1\]"),
        ("apex", {"source": None}, "field 'source': None"),
        ("beyond_aime", {"answer": -4}, "field 'answer': -4"),
        ("beyond_aime", {"answer": 1.5}, "field 'answer': 1.5"),
        ("beyond_aime", {"answer": True}, "field 'answer': True"),
        ("amo_bench", {"answer_type": "proof"}, "field 'answer_type': 'proof'"),
        ("imo_answerbench", {"Category": "Iran"}, "field 'Category': 'Iran' is none of"),
        ("gpqa_main", {"Incorrect Answer 2": None}, "field 'Incorrect Answer 2': None"),
    ],
)
def test_a_value_that_cannot_be_is_named(
    tmp_path: Path, task: str, change: Mapping[str, Any], words: str
) -> None:
    (tmp_path / f"{task}.jsonl").write_text(json.dumps({**row_of(task), **change}))
    with pytest.raises(DataError, match=rf"{task}\.jsonl, line 1: {words}"):
        load_problems(tasks()[task], tmp_path)


def test_a_contest_is_known_with_number_day_and_subject(tmp_path: Path) -> None:
    problem = problems(tmp_path, "hmmt_feb26")[1]
    origin = problem.provenance
    assert (origin.contest, origin.index, origin.date) == (
        "HMMT February 2026", "2", date(2026, 2, 14),
    )  # fmt: skip
    assert problem.meta["subject"] == "Algebra"
    assert problems(tmp_path, "hmmt_feb26")[0].meta["subject"] == "Algebra and Geometry"


def test_aime_2026_is_two_exams_of_fifteen(tmp_path: Path) -> None:
    found = problems(tmp_path, "aime26")
    exams = [(p.provenance.contest, p.provenance.index) for p in found]
    assert exams[14:16] == [("2026 AIME I", "15"), ("2026 AIME II", "1")]
    assert {p.provenance.month for p in found} == {"2026-02"}
    assert Window.parse("2026-01..2026-03").holds(found[0])


@pytest.mark.parametrize("task", APEX)
def test_problems_of_apex_are_clustered_by_the_contest_of_each(tmp_path: Path, task: str) -> None:
    found = clustering(problems(tmp_path, task))
    assert found is not None
    assert (found.by, found.n, found.used) == ("contest", 4, True)


@pytest.mark.parametrize("task", [*CONTESTS, *APEX])
def test_the_prompt_is_matharenas(tmp_path: Path, task: str) -> None:
    problem = problems(tmp_path, task)[0]
    asked = render(tasks()[task].prompt, problem).user
    assert asked == f"Put your final answer within \\boxed{{}}.\n\n{problem.statement}"


def test_the_prompt_of_aime_says_what_an_answer_is(tmp_path: Path) -> None:
    asked = render(tasks()["aime26"].prompt, problems(tmp_path, "aime26")[0]).user
    assert asked == (
        "Put your final answer within \\boxed{}.\nThe answer is an integer between 0 and 999 "
        "inclusive.\n\nWhat is $1 \\cdot 9$?"
    )


@pytest.mark.parametrize(
    ("answer", "response", "verdict"),
    [
        (r"\frac{1+\sqrt{13}}{2}, \frac{1-\sqrt{13}}{2}", r"\frac{1 \pm \sqrt{13}}{2}", "correct"),
        (r"\frac{1+\sqrt{13}}{2}, \frac{1-\sqrt{13}}{2}", r"\frac{1-\sqrt{13}}{2}", "wrong_answer"),
        (r"2^{10}\cdot 7!", "5160960", "correct"),
        (r"2^{10}\cdot 7!", r"2^{11}\cdot 7!", "wrong_answer"),
        ("(3, -4)", "(x,y)=(3,-4)", "correct"),
        (r"\left\{2, 5, 11\right\}", "11, 2, 5", "correct"),
        (r"n^2+3n", "f(n)=n(n+3)", "correct"),
        ("x=4", "4", "correct"),
        ("317/3528", r"\dfrac{317}{3528}", "correct"),
        (r"1-\frac{2}{\pi}", r"\frac{\pi-2}{\pi}", "correct"),
    ],
)
def test_usual_ways_to_state_an_answer_are_decided(
    answer: str, response: str, verdict: str
) -> None:
    problem = Problem("1", "Find it.", answer)
    sample = Sample("1", 0, "hm", f"So the answer is $\\boxed{{{response}}}$.", "stop")
    assert tasks()["hmmt_feb26"].grader.grade(problem, sample).verdict == verdict


# Copies with another number of problems


def test_a_copy_of_another_size_is_pointed_out_by_data_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"problem_idx": n, "problem": f"Find {n}.", "answer": str(n)} for n in range(1, 34)]
    write_rows(tmp_path, "hmmt_feb26", rows)
    check = ["data", "check", "hmmt_feb26", "--data", str(tmp_path)]
    assert run_command(check) == 0
    assert capsys.readouterr().out.startswith("hmmt_feb26: 33 problems, hmmt_feb26.jsonl sha256:")
    write_rows(tmp_path, "hmmt_feb26", rows[:30])
    assert run_command(check) == 1
    assert "  30 problems, and the benchmark has 33\n" in capsys.readouterr().out


def test_problems_that_are_left_out_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{**ROWS["amo_bench"][n % 5], "question_id": n + 1} for n in range(50)]
    write_rows(tmp_path, "amo_bench", rows)
    assert run_command(["data", "check", "amo_bench", "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "40 problems (and 10 not judged (a model decides descriptions))" in said


def test_aime_2026_runs_from_a_copy_and_says_what_it_lacks(
    tmp_path: Path,
    practice_model: Path,
    inline_grading: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [
        {"problem_idx": n, "problem": f"What is {n}*{n + 1}+2?", "answer": n * (n + 1) + 2}
        for n in range(1, 9)
    ]
    write_rows(tmp_path, "aime26", rows)
    run = tmp_path / "run"
    options = ["--tasks", "aime26", "--data", tmp_path, "--k", "2", "--max-tokens", "64", "-o", run]
    arguments = ["run", "--model", practice_model / "late", *options]
    assert run_command([str(argument) for argument in arguments]) == 0
    folder = RunFolder(run).task("aime26")
    assert len(list(folder.samples())) == 16
    scores = json.loads((run / "aime26" / "scores.json").read_text())
    assert scores["scores"][0]["n_problems"] == 8
    assert "8 problems, and the benchmark has 30" in folder.protocol().source
    assert "no published score is over these problems" in capsys.readouterr().err
    by = {problem.provenance.contest for problem in folder.problems().values()}
    assert by == {"2026 AIME I"}


# IMO-AnswerBench's file


def test_the_quote_that_the_publishers_file_lacks_is_added(tmp_path: Path) -> None:
    path = write_rows(tmp_path, "imo_answerbench")
    whole = load_problems(tasks()["imo_answerbench"], tmp_path)
    text = path.read_text()
    broken = text.replace('\\[x_3\\]\n",', "\\[x_3\\]\n,", 1)
    assert broken.count('"') == text.count('"') - 1
    path.write_text(broken)
    assert load_problems(tasks()["imo_answerbench"], tmp_path) == whole
    path.write_text(text.replace("a<b$,\n", 'a<b$,\n,""so"" it says\n', 1))
    first = load_problems(tasks()["imo_answerbench"], tmp_path)[0]
    assert ',"so" it says' in first.statement, "a quoted line may begin so"


def test_a_row_whose_columns_are_shifted_is_refused(tmp_path: Path) -> None:
    good = row_of("imo_answerbench")
    shifted = {**good, "Short Answer": "Algebra", "Category": "Equation", "Source": None}
    (tmp_path / "imo_answerbench.jsonl").write_text(json.dumps(shifted))
    with pytest.raises(DataError, match=r"line 1: field 'Category': 'Equation' .* shifted"):
        load_problems(tasks()["imo_answerbench"], tmp_path)


def test_the_publishers_file_can_be_fetched() -> None:
    dataset = tasks()["imo_answerbench"].dataset
    assert isinstance(dataset, OnHub)
    (file,) = dataset.hub_files()
    assert file.names[0] == "imo_answerbench"
    assert re.fullmatch("google-deepmind/superhuman@[0-9a-f]{40}", file.source(None))


def test_a_spreadsheets_date_is_an_erratum(tmp_path: Path) -> None:
    good = row_of("imo_answerbench")
    rows = [good, {**good, "Problem ID": "imo-bench-geometry-004", "Short Answer": "45752"}]
    write_rows(tmp_path, "imo_answerbench", rows)
    task = tasks()["imo_answerbench"]
    assert len(load_problems(task, tmp_path)) == 2
    kept, left_out = select_problems(task, tmp_path, Selection(skip_errata=True))
    assert [problem.id for problem in kept] == [good["Problem ID"]]
    assert left_out == {"in the published errata": 1}
    rows[1]["Short Answer"] = "4, 5"
    write_rows(tmp_path, "imo_answerbench", rows)
    assert len(select_problems(task, tmp_path, Selection(skip_errata=True))[0]) == 2


# AMO-Bench and GPQA


def test_descriptions_are_left_out_and_boxes_taken_off(tmp_path: Path) -> None:
    write_rows(tmp_path, "amo_bench")
    found, left_out = select_problems(tasks()["amo_bench"], tmp_path, Selection())
    assert [problem.answer for problem in found] == [
        "8", r"\frac{9}{4}\sqrt{2}", r"\{3, 6\}", "n^2-n+1",
    ]  # fmt: skip
    assert left_out == {"not judged (a model decides descriptions)": 1}
    assert render(tasks()["amo_bench"].prompt, found[0]).user == found[0].statement


def test_the_sets_of_gpqa_differ_in_their_files_alone() -> None:
    diamond, *others = (tasks()[f"gpqa_{name}"] for name in ("diamond", "main", "extended"))
    for task in others:
        assert (task.prompt, task.masked, task.choice_order, task.parse) == (
            diamond.prompt, True, diamond.choice_order, diamond.parse,
        )  # fmt: skip
        assert task.dataset.source(None) == diamond.dataset.source(None)


def test_every_task_fits_its_line_in_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run_command(["tasks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(tasks())
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert {line.split()[1] for line in lines if line.startswith("hmmt_feb26")} == {"33"}
