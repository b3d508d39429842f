"""Rows from files: every format reads the same, and what is broken is named by place and field."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.data.datasets import (
    HubDataset,
    HubParts,
    PackagedDataset,
    find_copy,
    load_problems,
    select_problems,
)
from harness.data.readers import read_rows
from harness.data.selection import Selection, Window, in_words
from harness.errors import DataError, UsageError
from harness.task import Task
from harness.tasks.aime import AIME24, AIME25
from harness.tasks.gpqa import GPQA_DIAMOND
from harness.tasks.math500 import MATH500
from harness.types import Judging, Problem, Provenance, Row

Rows = Sequence[Mapping[str, Any]]
AIME: Rows = [
    {"id": "60", "problem": "What is 5·5?", "answer": "025"},
    {"id": "61", "problem": 'Say "zero",\nin digits.', "answer": "0"},
    {"id": "62", "problem": "Largest, für α < β?", "answer": "999"},
]
GPQA: Rows = [
    {
        "Record ID": f"rec{n}",
        "Question": f"Which of these is {n}?\n",
        "Correct Answer": f" {n}\n",
        **{f"Incorrect Answer {i}": str(n + i) for i in (1, 2, 3)},
        "Subdomain": "Counting",
        "High-level domain": "Mathematics",
    }
    for n in range(3)
]
MATH: Rows = [
    {"unique_id": "test/1.json", "problem": "Half?", "answer": r"\frac{1}{2}", "subject": "Algebra",
     "level": 5, "solution": r"It is $\boxed{\frac{1}{2}}$."},
]  # fmt: skip


def write_jsonl(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_csv(path: Path, rows: Rows) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: Rows) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)


WRITERS = {".jsonl": write_jsonl, ".csv": write_csv, ".parquet": write_parquet}


@pytest.mark.parametrize(("ending", "write"), WRITERS.items())
@pytest.mark.parametrize(
    ("task", "rows"), [(AIME24, AIME), (GPQA_DIAMOND, GPQA), (MATH500, MATH)], ids=lambda v: ""
)
def test_every_format_reads_the_same(
    tmp_path: Path, task: Task, rows: Rows, ending: str, write: Callable[[Path, Rows], None]
) -> None:
    write_jsonl(tmp_path / f"{task.name}.jsonl", rows)
    expected = load_problems(task, tmp_path)
    (tmp_path / f"{task.name}.jsonl").unlink()
    write(tmp_path / f"{task.name}{ending}", rows)
    assert load_problems(task, tmp_path) == expected
    assert len(expected) == len(rows)


def test_a_csv_with_a_byte_order_mark_reads_the_same(tmp_path: Path) -> None:
    write_csv(tmp_path / "aime24.csv", AIME)
    marked = tmp_path / "aime24.csv"
    marked.write_bytes(b"\xef\xbb\xbf" + marked.read_bytes())
    assert [problem.id for problem in load_problems(AIME24, tmp_path)] == ["60", "61", "62"]


def test_leading_zeros_of_an_aime_answer_are_dropped_and_zero_stays(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "aime24.jsonl", AIME)
    assert [problem.answer for problem in load_problems(AIME24, tmp_path)] == ["25", "0", "999"]


def test_a_limit_takes_the_first_problems_and_reads_no_further(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "aime24.jsonl", [*AIME, {"id": "broken"}])
    assert [problem.id for problem in load_problems(AIME24, tmp_path, 2)] == ["60", "61"]
    assert len(load_problems(AIME24, tmp_path, 3)) == 3


def test_gpqa_keeps_the_right_choice_as_its_answer(tmp_path: Path) -> None:
    write_csv(tmp_path / "gpqa_diamond.csv", GPQA)
    first = load_problems(GPQA_DIAMOND, tmp_path)[0]
    assert (first.id, first.statement) == ("rec0", "Which of these is 0?")
    assert first.choices == ("0", "1", "2", "3")
    assert first.answer == "0"


# What is broken is named


def fails(task: Task, folder: Path, words: str) -> None:
    with pytest.raises(DataError) as caught:
        load_problems(task, folder)
    assert re.search(words, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_broken_json_is_named_by_file_and_line(tmp_path: Path) -> None:
    rows = [{**AIME[0], "id": str(n)} for n in range(20)]
    path = tmp_path / "aime_2024.jsonl"
    write_jsonl(path, rows)
    lines = path.read_text().splitlines(keepends=True)
    lines[16] = lines[16][:20] + "\n"
    path.write_text("".join(lines))
    fails(AIME24, tmp_path, r"aime_2024\.jsonl, line 17: not valid JSON")


@pytest.mark.parametrize("line", ["[1, 2]", '"text"', "null", "3"])
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "aime24.jsonl").write_text(f"\n{line}\n")
    fails(AIME24, tmp_path, r"aime24\.jsonl, line 2: a JSON object is needed, not \w+")


@pytest.mark.parametrize(("ending", "place"), [(".jsonl", "line 2"), (".parquet", "row 2")])
def test_a_missing_column_is_named_with_those_that_there_are(
    tmp_path: Path, ending: str, place: str
) -> None:
    rows = [dict(AIME[0]), {"id": "2", "problem": "x"}]
    if ending == ".parquet":
        rows = [{"id": "1", "problem": "x"}] * 2
        place = "row 1"
    WRITERS[ending](tmp_path / f"aime24{ending}", rows)
    fails(AIME24, tmp_path, rf"aime24{ending}, {place}: the field 'answer' is missing, which "
          "aime24 needs; the row has id, problem")  # fmt: skip


@pytest.mark.parametrize("answer", ["12.5", 12.5, "x", "", None, "1000", -1, "1e3"])
def test_an_aime_answer_that_is_no_integer_in_range_is_named(tmp_path: Path, answer: Any) -> None:
    write_jsonl(tmp_path / "aime24.jsonl", [AIME[0], {**AIME[1], "answer": answer}])
    fails(AIME24, tmp_path, r"aime24\.jsonl, line 2: field 'answer': .*" + re.escape(str(answer)))


def test_a_level_that_is_no_number_is_named(tmp_path: Path) -> None:
    write_csv(tmp_path / "math500.csv", [{**MATH[0], "level": "hard"}])
    fails(MATH500, tmp_path, r"math500\.csv, line 2: field 'level': .*'hard'")


@pytest.mark.parametrize(
    ("task", "rows", "field", "words"),
    [
        (AIME24, AIME, "problem", "field 'problem': "),
        (MATH500, MATH, "answer", r"the answer of problem 'test/1\.json' is"),
        (MATH500, MATH, "unique_id", "the id of problem .* is"),
        (GPQA_DIAMOND, GPQA, "Incorrect Answer 2", "choice 3 of problem 'rec0' is|Answer 2'"),
        (GPQA_DIAMOND, GPQA, "Correct Answer", "the answer of problem 'rec0' is|Correct Answer'"),
    ],
)
@pytest.mark.parametrize("value", ["", "  \n", None, 7])
def test_an_empty_field_is_named(
    tmp_path: Path, task: Task, rows: Rows, field: str, words: str, value: Any
) -> None:
    write_jsonl(tmp_path / f"{task.name}.jsonl", [{**rows[0], field: value}])
    fails(task, tmp_path, rf"{task.name}\.jsonl, line 1: .*({words})")


def test_a_row_with_too_few_or_too_many_fields_is_named(tmp_path: Path) -> None:
    path = tmp_path / "aime24.csv"
    for row in ("2,What?", "2,What?,25,more"):
        path.write_text(f"id,problem,answer\n1,Why?,24\n{row}\n")
        fails(AIME24, tmp_path, r"aime24\.csv, line 3: .*as many fields as the header")


@pytest.mark.parametrize("text", [b'id,problem,answer\n1,"never closed,25\n', b"id\n\xff\xfe\n"])
def test_a_broken_csv_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "aime24.csv").write_bytes(text)
    fails(AIME24, tmp_path, r"aime24\.csv, line \d+: not valid CSV")


def test_a_broken_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "aime24.parquet").write_bytes(b"PAR1 this is none PAR1")
    fails(AIME24, tmp_path, r"aime24\.parquet: not a valid parquet file")
    offsets, data = pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")
    text = pa.Array.from_buffers(pa.string(), 1, [None, offsets, data])
    pq.write_table(pa.table({"id": text}), tmp_path / "aime24.parquet")
    fails(AIME24, tmp_path, r"aime24\.parquet: not a valid parquet file \(.*0xff")


def test_two_rows_with_one_id_are_named(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "aime24.jsonl", [AIME[0], AIME[1], AIME[0]])
    fails(AIME24, tmp_path, r"aime24\.jsonl, line 3: the id '60' occurs twice")


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "aime24.jsonl").write_text(text)
    fails(AIME24, tmp_path, r"aime24: aime24\.jsonl sha256:\w{16} holds no problems")


def test_a_wrong_folder_is_named_with_every_name_that_would_do(tmp_path: Path) -> None:
    fails(AIME24, tmp_path / "no", "no: there is no such folder")
    fails(AIME24, tmp_path, r"holds none of aime24\.jsonl, aime_2024\.jsonl \(\.csv and \.parquet")


def test_a_file_of_another_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.txt: the file name must end in one of"):
        list(read_rows(tmp_path / "rows.txt"))
    with pytest.raises(DataError, match=r"rows\.jsonl: cannot be read \(No such file"):
        list(read_rows(tmp_path / "rows.jsonl"))


def parsing(build: Callable[[Row], Problem]) -> Task:
    return replace(AIME24, parse=build)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda row: Problem(row["id"], "s", {"1": "one"}[row["answer"]]), "field 'answer': '025'"),
        (lambda row: Problem(row["id"], "s", row["answer"].split()[3]), "field 'answer': list ind"),
        (lambda row: Problem(row["id"], "s", row["answer"].real), "field 'answer': .*'real'"),
        (lambda row: Problem(row["id"], "s", None), "the answer of problem '60' is None"),
        (
            lambda row: Problem(row["id"], "s", "x", choices=("y", "z")),
            "'x' .* none of its choices",
        ),
        (
            lambda row: Problem(row["id"], "s", "0", choices=tuple("0123456789X")),
            "11 choices, .*10",
        ),
    ],
)
def test_what_a_task_cannot_parse_is_named_by_row_and_field(
    tmp_path: Path, build: Callable[[Row], Problem], words: str
) -> None:
    write_jsonl(tmp_path / "aime24.jsonl", AIME)
    fails(parsing(build), tmp_path, rf"aime24\.jsonl, line 1: .*{words}")


# Where data comes from


def test_a_copy_is_found_under_any_accepted_name(tmp_path: Path) -> None:
    (tmp_path / "aime_2024.csv").write_text("id,problem,answer\n")
    assert find_copy(tmp_path, ("aime24", "aime_2024")).name == "aime_2024.csv"


def test_the_source_is_the_revision_or_the_hash_of_the_copy(tmp_path: Path) -> None:
    dataset = AIME24.dataset
    assert isinstance(dataset, HubDataset)
    assert dataset.source(None) == f"{dataset.repo}@{dataset.revision}"
    write_jsonl(tmp_path / "aime24.jsonl", AIME)
    before = dataset.source(tmp_path)
    assert re.fullmatch(r"aime24\.jsonl sha256:[0-9a-f]{16}", before)
    write_jsonl(tmp_path / "aime24.jsonl", AIME[:2])
    assert dataset.source(tmp_path) != before


@pytest.mark.parametrize("task", [AIME24, AIME25, GPQA_DIAMOND, MATH500], ids=lambda t: t.name)
def test_a_hub_revision_is_a_commit_and_not_a_branch(task: Task) -> None:
    assert isinstance(task.dataset, HubDataset)
    assert re.fullmatch("[0-9a-f]{40}", task.dataset.revision)


def test_a_packaged_file_is_read_from_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "my_bench"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    write_jsonl(package / "data" / "sums.jsonl", AIME)
    monkeypatch.syspath_prepend(tmp_path)
    dataset = PackagedDataset("sums.jsonl", package="my_bench")
    assert [row["id"] for _, row in dataset.rows(None)] == ["60", "61", "62"]
    assert dataset.source(None).startswith("sums.jsonl sha256:")


# The real files, where they are


@pytest.mark.parametrize(
    ("task", "count", "first_answer"),
    [(AIME24, 30, "204"), (AIME25, 30, "70"), (MATH500, 500, r"\left( 3, \frac{\pi}{2} \right)")],
    ids=["aime24", "aime25", "math500"],
)
def test_the_real_problems_load(test_data: Path, task: Task, count: int, first_answer: str) -> None:
    problems = load_problems(task, test_data)
    assert len({problem.id for problem in problems}) == len(problems) == count
    assert problems[0].answer == first_answer


def test_the_real_aime_answers_lose_their_leading_zeros(test_data: Path) -> None:
    rows = {row["id"]: row["answer"] for _, row in read_rows(test_data / "aime_2024.jsonl")}
    padded = {str(id): answer for id, answer in rows.items() if answer.startswith("0")}
    loaded = {problem.id: problem.answer for problem in load_problems(AIME24, test_data)}
    assert "025" in padded.values()
    assert {id: loaded[id] for id in padded} == {id: a.lstrip("0") for id, a in padded.items()}


def test_math_problems_carry_level_and_subject(test_data: Path) -> None:
    problems = load_problems(MATH500, test_data)
    assert {problem.meta["level"] for problem in problems} == {1, 2, 3, 4, 5}
    assert "Number Theory" in {problem.meta["subject"] for problem in problems}


# Several files, releases and selections


def dated(row: Row) -> Problem:
    day = row.get("contest_date")
    return Problem(
        str(row["id"]),
        "?",
        "1",
        judging=Judging(not_judged=row.get("not_judged")),
        provenance=Provenance(
            date=None if day is None else datetime.fromisoformat(day).date(),
            erratum=row.get("erratum"),
        ),
    )


def in_parts(count: int = 3) -> Task:
    parts = tuple(
        HubDataset("o/r", f"p{n}.jsonl", "f" * 40, (f"p{n}",)) for n in range(1, count + 1)
    )
    return replace(AIME24, name="parts", dataset=HubParts(parts, names=("whole",)), parse=dated)


def test_parts_are_read_in_order_and_a_whole_copy_stands_for_all(tmp_path: Path) -> None:
    task = in_parts()
    for n in (1, 2, 3):
        write_jsonl(tmp_path / f"p{n}.jsonl", [{"id": f"{n}a"}, {"id": f"{n}b"}])
    assert [p.id for p in load_problems(task, tmp_path)] == ["1a", "1b", "2a", "2b", "3a", "3b"]
    assert task.dataset.source(tmp_path).count("sha256:") == 3
    assert task.dataset.source(None) == f"o/r@{'f' * 40}"
    write_jsonl(tmp_path / "whole.jsonl", [{"id": "all"}])
    assert [p.id for p in load_problems(task, tmp_path)] == ["all"]
    (tmp_path / "whole.jsonl").unlink()
    (tmp_path / "p2.jsonl").unlink()
    fails(task, tmp_path, r"holds none of p2\.jsonl")
    for n in (1, 3):
        (tmp_path / f"p{n}.jsonl").unlink()
    fails(task, tmp_path, r"holds none of whole\.jsonl, p1\.jsonl")


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("release_v1", [1]), ("release_v5", [1, 2, 3, 4, 5]), ("v5", [5]), ("v4_v5", [4, 5]),
     ("release_latest", [1, 2, 3, 4, 5, 6]), ("v1_v6", [1, 2, 3, 4, 5, 6])],
)  # fmt: skip
def test_a_release_is_some_of_the_parts(name: str, numbers: list[int]) -> None:
    dataset = in_parts(6).dataset
    assert isinstance(dataset, HubParts)
    assert [part.file for part in dataset.release(name).parts] == [f"p{n}.jsonl" for n in numbers]


@pytest.mark.parametrize("name", ["release_v7", "v0", "v5_v4", "v5_v9", "5", "release_v4_v5", ""])
def test_an_unknown_release_is_refused_with_those_that_there_are(name: str) -> None:
    dataset = in_parts(6).dataset
    assert isinstance(dataset, HubParts)
    with pytest.raises(UsageError, match="release_v1 to release_v6"):
        dataset.release(name)


ROWS: Rows = [
    {"id": "july", "contest_date": "2024-07-31"},
    {"id": "first", "contest_date": "2024-08-01"},
    {"id": "faulty", "contest_date": "2024-09-09", "erratum": "wrong tests"},
    {"id": "asked", "contest_date": "2024-09-10", "not_judged": "interactive"},
    {"id": "last", "contest_date": "2025-01-31T23:00:00"},
    {"id": "february", "contest_date": "2025-02-01"},
]


def test_a_window_takes_both_of_its_months_whole(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "whole.jsonl", ROWS)
    window = Window.parse("2024-08..2025-01")
    kept, left_out = select_problems(in_parts(), tmp_path, Selection(window))
    assert [problem.id for problem in kept] == ["first", "faulty", "last"]
    assert in_words(left_out) == "2 outside 2024-08..2025-01, 1 not judged (interactive)"
    kept, left_out = select_problems(in_parts(), tmp_path, Selection(window, skip_errata=True), 1)
    assert [problem.id for problem in kept] == ["first"]
    kept, left_out = select_problems(in_parts(), tmp_path, Selection(skip_errata=True))
    assert [problem.id for problem in kept] == ["july", "first", "last", "february"]
    assert left_out == {"in the published errata": 1, "not judged (interactive)": 1}


def test_a_window_without_problems_or_dates_says_so(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "whole.jsonl", ROWS)
    with pytest.raises(DataError, match=r"holds no problems but 6 outside 2020-01\.\.2020-02"):
        select_problems(in_parts(), tmp_path, Selection(Window.parse("2020-01..2020-02")))
    write_jsonl(tmp_path / "whole.jsonl", [{"id": "undated"}])
    with pytest.raises(UsageError, match="'undated' has no contest date"):
        select_problems(in_parts(), tmp_path, Selection(Window.parse("2020-01..2020-02")))


@pytest.mark.parametrize(
    "text", ["2024-08", "2024-8..2025-1", "2024-13..2025-01", "2025-01..2024-08"]
)
def test_a_bad_window_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--window"):
        Window.parse(text)
