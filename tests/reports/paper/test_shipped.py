"""The tables that are shipped: their layout, and what their sources print."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli.paper_tables import layout_named
from harness.reports.baselines.loader import load
from harness.reports.paper.cells import Figure, model_lines
from harness.reports.paper.grid import Entry, PaperTable, lay_out
from harness.reports.paper.notes import alerts, notes
from harness.reports.paper.output import print_paper_table
from harness.reports.paper.table_file import shipped
from harness.reports.paper.text import grid, records, verdict_table
from harness.reports.results import read_results
from harness.types import Problem, Verdict

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER
WriteRun = Callable[..., Path]
ZERO = "deepseek-ai/DeepSeek-R1-Zero"
UNSHOWN = {
    ("qwen3-report", "Table 12"): "non-thinking mode",
    ("qwen3-report", "Table 14"): "non-thinking mode",
    ("r1-paper-v2", "E.4"): "a sentence, no table",
}
"""Where the sources of tables print figures that no table shows, and why."""


def aime(right: int, k: int = 64) -> list[list[Verdict]]:
    return [[C] * right + [W] * (k - right)] * 30


def table_of(*runs: Path, name: str) -> PaperTable:
    return lay_out(layout_named(name), read_results(runs), load().scores, margin=0.03)


def entry_of(table: PaperTable, run: str, heading: str) -> Entry:
    (line,) = [line for line in table.lines if line.run == run]
    (entry,) = [entry for entry in line.entries if entry.heading.text == heading]
    return entry


def figures(name: str) -> list[Figure]:
    lines = model_lines(layout_named(name), load().scores)
    return [figure for line in lines for figure in line.figures if figure]


def test_the_stages_of_r1_stand_as_nature_prints_them(write_run: WriteRun) -> None:
    run = write_run(aime(50), task="aime24", model=ZERO)
    shown = grid(table_of(run, name="r1-nature-table2"), transposed=True)
    (heads,) = shown.heads
    assert [head.text for head in heads] == [
        *("", "Benchmark (metric)", "R1-Zero", "↳ late", "R1-Dev1", "R1-Dev2", "R1-Dev3", "R1"),
    ]
    rows = {
        row.labels: [slot.lines[0].removesuffix(" †") for slot in row.slots] for row in shown.rows
    }
    del rows["Math", "AIME 2024 (Pass@1)"][1]
    assert rows["Math", "AIME 2024 (Pass@1)"] == ["77.9", "59.0", "74.0", "78.1", "79.8"]
    assert rows["English", "GPQA Diamond (Pass@1)"] == ["75.8", "", "66.1", "70.7", "71.2", "71.5"]
    assert rows["", "Codeforces (Rating)"] == ["1444", "", "1534", "1687", "1746", "2029"]


def test_r1_zero_is_held_to_each_versions_own_figure(write_run: WriteRun) -> None:
    run = write_run([[C] * 64] * 21 + [[C] * 40 + [W] * 24] * 4 + [[W] * 64] * 5, task="aime24", model=ZERO)  # fmt: skip
    first = entry_of(table_of(run, name="r1-table2"), "late", "AIME 2024 pass@1")
    later = entry_of(table_of(run, name="r1-nature-table2"), "late", "AIME 2024 pass@1")
    assert first.cell is not None
    assert later.cell is not None
    assert first.verdict is not None
    assert later.verdict is not None
    assert (first.cell.value, later.cell.value) == (0.71, 0.779)
    assert (first.verdict.word, later.verdict.word) == ("differs", "reproduced")
    assert (first.verdict.imputed_k, later.verdict.imputed_k) == ((4, 64), (64, 64))
    for name in ("r1-table2", "r1-nature-table2"):
        said = "\n".join(alerts(table_of(run, name=name)))
        for values in (("aime24", "71.0", "77.9"), ("gpqa_diamond", "73.3", "75.8")):
            (line,) = [line for line in said.splitlines() if f"R1-Zero, {values[0]}" in line]
            assert all(value in line for value in values)


@pytest.mark.parametrize(("later", "first"), [(8, 4), (15, 5), (16, 6)])
def test_version_2_prints_the_values_of_version_1_and_states_k(later: int, first: int) -> None:
    def by_subject(name: str) -> dict[tuple[str, str, str], Figure]:
        return {figure.score.subject: figure for figure in figures(name)}

    new, old = by_subject(f"r1-v2-table{later}"), by_subject(f"r1-table{first}")
    assert new.keys() == old.keys()
    assert {s: f.text for s, f in new.items()} == {s: f.text for s, f in old.items()}
    stated = {"aime24": 64, "gpqa_diamond": 64, "math500": 16, "livecodebench": 8}
    for (model, task, _), figure in new.items():
        if task in stated and model != "o1-1217":
            assert figure.score.ks == (stated[task],) * 2
    if later == 8:
        assert new["o1-1217", "aime24", "pass@1"].score.ks == (1, 64)


def test_problems_solved_of_15_are_shown_and_not_compared(write_run: WriteRun) -> None:
    run = write_run(aime(45), task="aime25", model="DeepSeek-R1")
    table = table_of(run, name="r1-v2-table13")
    assert [figure.text for figure in figures("r1-v2-table13")] == ["2.0", "3.3", "12.0", "11.3"]
    (row,) = verdict_table(table).rows
    assert row.cells[2].startswith("pass@1 70.3 ±")
    assert row.cells[3:5] == ("11.3", "–")
    assert row.cells[5].startswith("not comparable: ")
    assert "one of two readings is AIME 2025 II alone" in row.cells[5]


def test_livecodebench_by_difficulty_has_a_verdict_each(write_run: WriteRun) -> None:
    levels = ["easy"] * 20 + ["medium"] * 30 + ["hard"] * 30
    problems = [Problem(f"p{i}", f"p{i}", answer="1", meta={"difficulty": level})
                for i, level in enumerate(levels)]  # fmt: skip
    verdicts = [[C] * 8] * 20 + [[C] * 8] * 24 + [[C, W] * 4] * 2 + [[W] * 8] * 34
    run = write_run(verdicts, task="livecodebench", model="DeepSeek-R1", problems=problems)
    table = table_of(run, name="r1-v2-table14")
    found = {
        level: entry_of(table, "late", f"LiveCodeBench pass@1 ({level})") for level in set(levels)
    }
    assert {level: entry.score.value for level, entry in found.items() if entry.score} == {
        "easy": 1.0, "medium": 25 / 30, "hard": 0.0
    }  # fmt: skip
    words = {level: entry.verdict.word for level, entry in found.items() if entry.verdict}
    assert words == {"easy": "reproduced", "medium": "reproduced", "hard": "differs"}
    published = {
        row["subset"]["difficulty"]: row["published"] for row in records(table) if row["run"]
    }
    assert published == {"easy": 1.0, "medium": 0.8345, "hard": 0.3444}


def test_gpt_oss_has_its_efforts_by_tools(write_run: WriteRun) -> None:
    run = write_run(
        aime(60), task="aime25", model="openai/gpt-oss-20b", sampling={"effort": "high"}
    )
    table = table_of(run, name="gpt-oss-table3")
    above, names = grid(table, transposed=True).heads
    assert [(head.text, head.span) for head in above] == [
        ("", 1), ("gpt-oss-120b", 3), ("gpt-oss-20b", 4)
    ]  # fmt: skip
    assert [head.text for head in names[1:]] == ["low", "medium", "high"] * 2 + ["↳ late"]
    alone, aided = (
        entry_of(table, "late", f"AIME 2025 pass@1 ({label})")
        for label in ("no tools", "with tools")
    )
    assert alone.cell is not None
    assert aided.verdict is not None
    assert alone.cell.value == 0.917
    assert aided.verdict.word == "not comparable"
    assert "tools none against" in aided.verdict.why
    for width in (80, 160):
        out = io.StringIO()
        print_paper_table(table, Console(file=out, width=width, no_color=True))
        assert out.getvalue().count("≠") == 2  # the place of the score with tools, and the legend
    low = [
        row["published"]
        for row in records(table)
        if row["protocol"] == {"effort": "low", "tools": "none"}
    ]
    assert low == [0.563, 0.504, 0.671, 1595.0, 0.421, 0.371, 0.568, 1366.0]


def test_an_independent_measurement_is_named_as_one(write_run: WriteRun) -> None:
    run = write_run(aime(50), task="aime24", model="Qwen/Qwen3-235B-A22B",
                    sampling={"max_tokens": 40960})  # fmt: skip
    table = table_of(run, name="hermes4-table3")
    entry = entry_of(table, "late", "AIME'24 pass@1")
    assert entry.cell is not None
    assert (entry.cell.value, entry.cell.kind) == (0.782, "reproduction")
    assert any("all were run by" in note.lower() or "run by Nous" in note for note in notes(table))


def test_every_row_that_a_tables_source_prints_stands_in_one(test_data: Path) -> None:
    sources = {layout_named(name).source for name in shipped()} - {"r1-paper"}
    with (test_data / "published_scores.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] in sources]
    shown = {
        (f.score.source, f.score.label.lower(), f.score.task, f.score.printed_metric, float(f.score.printed_value))
        for name in shipped()
        for f in figures(name)
    }  # fmt: skip
    for row in rows:
        if (row["source"], row["where"]) in UNSHOWN:
            continue
        about = (
            row["source"],
            row["model"].lower(),
            row["benchmark"],
            row["metric"],
            float(row["value"]),
        )
        assert about in shown, row
    assert {(row["source"], row["where"]) for row in rows} >= UNSHOWN.keys()
