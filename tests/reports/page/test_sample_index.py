"""What the sample browser is told: the index, the texts in pieces, and where those go."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli.report import answer_classes
from harness.errors import DataError
from harness.reports.figures.scores import figures
from harness.reports.page import chunks as pieces
from harness.reports.page.build import build
from harness.reports.page.chunks import Chunks
from harness.reports.page.html import render_html
from harness.reports.page.output import write_report
from harness.reports.page.sample_index import Browser, gather
from harness.reports.results import read_results
from harness.types import Problem, TestCase, Verdict

C, W, T, E = Verdict.CORRECT, Verdict.WRONG_ANSWER, Verdict.TRUNCATED, Verdict.ERROR
WriteRun = Callable[..., Path]
HOSTILE = "</script><!--<script>alert(1)</script></textarea> \u202e \u2028 &lt;"


def columns_of(index: dict[str, Any]) -> dict[str, list[Any]]:
    """A value per sample in each column, as the script of the page unpacks them."""
    packed = index["samples"]
    groups = list(zip(*[iter(packed["groups"])] * 3, strict=True))
    counted = [n for *_, count in groups for n in range(count)]
    return {
        "run": [run for run, _, count in groups for _ in range(count)],
        "problem": [problem for _, problem, count in groups for _ in range(count)],
        "index": packed["index"] or counted,
        "verdict": packed["verdict"],
        "answer": packed["answer"],
        "tokens": packed["tokens"] or [None] * len(counted),
    }


def unpacked(payload: bytes | str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(zlib.decompress(base64.b64decode(payload)))
    return rows


def gathered(
    *runs: Path, show_masked: bool = False
) -> tuple[dict[str, Any], list[dict[str, Any]], Browser]:
    chunks = Chunks()
    browser = gather(read_results(runs), chunks, show_masked=show_masked)
    rows = [row for payload in chunks.embedded for row in unpacked(payload)]
    return json.loads(browser.index), rows, browser


def test_every_sample_has_a_row_in_each_column_and_its_texts(write_run: WriteRun) -> None:
    runs = [write_run([[C, W], [T, None], [C, E]], name=name) for name in ("early", "late")]
    index, rows, browser = gathered(*runs)
    columns = columns_of(index)
    assert {len(column) for column in columns.values()} == {len(rows)} == {browser.n_samples} == {8}
    assert [run["name"] for run in index["runs"]] == ["early", "late"]
    assert [problem["id"] for problem in index["problems"]] == ["p00", "p01", "p02"]
    names = [index["verdicts"][verdict] for verdict in columns["verdict"]]
    assert names == ["correct", "wrong_answer", "truncated", "correct"] * 2
    for n, row in enumerate(rows):
        id = index["problems"][columns["problem"][n]]["id"]
        assert row["reasoning"] == f"thinking aloud {id} {columns['index'][n]}"
        assert (row["response"] is None) == (names[n] == "truncated")


def test_samples_come_by_problem_whatever_order_they_ended_in(write_run: WriteRun) -> None:
    run = write_run([[C, W]] * 4)
    path = run / "practice_integer" / "samples.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    columns = columns_of(gathered(run)[0])
    assert columns["problem"] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert columns["index"] == [0, 1] * 4


def test_a_sample_without_a_grade_is_ungraded(write_run: WriteRun) -> None:
    run = write_run([[C, W]])
    path = run / "practice_integer" / "grades.jsonl"
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    index, rows, _ = gathered(run)
    assert [index["verdicts"][v] for v in columns_of(index)["verdict"]] == ["correct", "ungraded"]
    assert columns_of(index)["answer"][1] == -1
    assert "detail" not in rows[1]


def test_pieces_are_closed_at_their_size(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.reports.page.sample_index.RAW_BYTES", 1000)
    chunks = Chunks()
    index = json.loads(gather(read_results([write_run([[C] * 8] * 3)]), chunks).index)
    sizes = [len(unpacked(payload)) for payload in chunks.embedded]
    assert len(sizes) > 3
    assert sum(sizes) == 24
    assert index["starts"] == [sum(sizes[:n]) for n in range(len(sizes))]


def test_runs_share_a_problem_only_where_they_asked_the_same(write_run: WriteRun) -> None:
    one = write_run([[C, W]], name="one", problems=[Problem("p", "1 + 1?", answer="2")])
    same = write_run([[C, W]], name="same", problems=[Problem("p", "1 + 1?", answer="2")])
    other = write_run([[C, W]], name="other", problems=[Problem("p", "1 + 2?", answer="3")])
    index, _, _ = gathered(one, same, other)
    assert columns_of(index)["problem"] == [0, 0, 0, 0, 1, 1]
    assert [problem["statement"] for problem in index["problems"]] == ["1 + 1?", "1 + 2?"]


def test_masked_tasks_tell_how_samples_ended_and_nothing_else(write_run: WriteRun) -> None:
    problem = Problem("q", "SECRET", answer="SECRET", choices=("SECRET", "x"))
    run = write_run([[C, W]], problems=[problem], masked=True, reasoning="SECRET")
    index, rows, browser = gathered(run)
    assert "SECRET" not in json.dumps([index, rows])
    assert browser.statements == (None,)
    assert index["tasks"] == [{"name": "practice_integer", "hidden": True}]
    assert all(row.keys().isdisjoint({"reasoning", "response", "detail"}) for row in rows)
    assert rows[0]["n_tokens"] == 130
    shown, texts, _ = gathered(run, show_masked=True)
    assert shown["problems"][0]["statement"] == "SECRET"
    assert texts[0]["reasoning"].startswith("SECRET")


def test_hostile_text_cannot_leave_the_index(write_run: WriteRun) -> None:
    run = write_run([[C, W]], problems=[Problem(HOSTILE, HOSTILE, answer=HOSTILE)])
    index, _, browser = gathered(run)
    assert "<" not in browser.index
    assert index["problems"][0]["statement"] == HOSTILE
    html = render_html(build(read_results([run]), ()))
    assert "<script>alert" not in html
    assert "<!--<script" not in html


def test_broken_unicode_is_replaced_not_an_error(write_run: WriteRun) -> None:
    run = write_run([[C, W]], reasoning="broken \ud83d")
    path = run / "practice_integer" / "samples.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[0] = lines[0].replace(b"broken ?", b"byte \xff here \\ud83d")
    path.write_bytes(b"".join(lines))
    _, rows, _ = gathered(run)
    assert rows[0]["reasoning"].startswith("byte \ufffd here ")
    assert rows[1]["reasoning"] == "broken ? p00 1"
    render_html(build(read_results([run]), ())).encode()


def test_a_damaged_line_is_named(write_run: WriteRun) -> None:
    run = write_run([[C, W]])
    path = run / "practice_integer" / "samples.jsonl"
    path.write_bytes(path.read_bytes() + b"{nonsense\n")
    with pytest.raises(DataError, match=r"samples\.jsonl, line 3: not valid JSON"):
        gathered(run)
    path.write_bytes(path.read_bytes().replace(b"{nonsense\n", b'{"problem_id": "p00", "ind'))
    assert len(gathered(run)[1]) == 2  # a torn last line is no sample


def test_a_failed_test_is_shown_with_its_input_cut(write_run: WriteRun) -> None:
    tests = (TestCase("1\n", "1\n"), TestCase("9" * 5000, "3\n"))
    run = write_run([[C, W, W]], problems=[Problem("p", "count", answer="1", tests=tests)])
    path = run / "practice_integer" / "grades.jsonl"
    grades = [json.loads(line) for line in path.read_text().splitlines()]
    for grade, detail in zip(grades, ("all tests", "test 2: line 1 is ...", "test 7"), strict=True):
        grade["detail"] = detail
    path.write_text("".join(json.dumps(grade) + "\n" for grade in grades))
    rows = gathered(run)[1]
    assert "test" not in rows[0]
    assert rows[1]["test"] == {
        "number": 2,
        "of": 2,
        "function": None,
        "input": {"text": "9" * 2000, "length": 5000},
        "output": {"text": "3\n", "length": 2},
    }
    assert "test" not in rows[2]  # a number that the problem does not have


# Where the texts go


def files_of(html: str) -> dict[str, Any] | None:
    found = re.search(r'id="files">(.*?)</script>', html)
    assert found
    value: dict[str, Any] | None = json.loads(found[1])
    return value


def test_a_small_page_holds_its_texts(write_run: WriteRun, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    write_report(build(read_results([write_run([[C, W]])]), ()), page)
    assert files_of(page.read_text()) is None
    assert not (tmp_path / "r_files").exists()


@pytest.mark.parametrize("where", ["harness.reports.page.html.PAGE_BYTES", "limit"])
def test_texts_go_beside_a_page_that_would_be_too_large(
    write_run: WriteRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "limit":  # the pieces alone are too many
        monkeypatch.setattr(Chunks.__init__, "__defaults__", (None, 500))
    else:  # the pieces would fit, the whole page does not
        monkeypatch.setattr(where, 1000)
    monkeypatch.setattr("harness.reports.page.sample_index.RAW_BYTES", 1000)
    run = write_run([[C] * 8] * 6)
    page = tmp_path / "my report.html"
    write_report(build(read_results([run]), ()), page)
    html = page.read_text()
    files = files_of(html)
    assert files is not None
    assert files["folder"] == "my%20report_files"
    assert 'id="chunk-0"' not in html
    rows = []
    for name in files["names"]:
        script = (tmp_path / "my report_files" / f"{name}.js").read_text()
        call = re.fullmatch(r'harnessChunk\("([\w-]+)","([A-Za-z0-9+/=]+)"\)\n', script)
        assert call and call[1] == name
        rows += unpacked(call[2])
    assert [row["reasoning"][-1] for row in rows] == list("01234567") * 6


def test_a_new_report_removes_what_an_earlier_one_left(
    write_run: WriteRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, folder = tmp_path / "r.html", tmp_path / "r_files"
    report = build(read_results([write_run([[C, W]])]), ())
    monkeypatch.setattr("harness.reports.page.html.PAGE_BYTES", 1000)
    folder.mkdir()
    (folder / "0099-0123456789ab.js").write_text("old")
    (folder / "notes.txt").write_text("mine")
    write_report(report, page)
    assert {path.name for path in folder.iterdir()} > {"notes.txt"}
    assert not (folder / "0099-0123456789ab.js").exists()
    monkeypatch.undo()
    write_report(report, page)
    assert {path.name for path in folder.iterdir()} == {"notes.txt"}
    (folder / "notes.txt").unlink()
    write_report(report, page)
    assert not folder.exists()


def test_the_names_of_pieces_follow_their_contents() -> None:
    one, other = Chunks(), Chunks()
    one.add(b"[1]")
    other.add(b"[2]")
    assert one.names != other.names
    assert all(pieces._OURS.fullmatch(f"{name}.js") for name in one.names + other.names)


def test_the_page_of_a_problem_with_very_many_samples_is_built(
    write_run: WriteRun, tmp_path: Path
) -> None:
    run = write_run([[C, W] * 520, [C] * 1040], task="aime24", reasoning="x")
    results = read_results([run])
    drawn = figures(results, (), classes=answer_classes)
    page = tmp_path / "r.html"
    write_report(build(results, (), figures=drawn), page)
    html = page.read_text()
    assert "All 2,080 samples" in html
    assert "pass@k over k" in html
    assert "cons@k over k" in html
    assert results[0].observed().tallies(None)[0].n == 1040
