"""A paper's table in every format; names of runs are hostile text."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from harness.cli.import_responses import import_
from harness.cli.paper_tables import layout_named
from harness.cli.report import report
from harness.data.readers import read_rows
from harness.errors import UsageError
from harness.reports.baselines.loader import load
from harness.reports.paper.grid import PaperTable, lay_out
from harness.reports.paper.latex import escape
from harness.reports.paper.output import (
    print_paper_table,
    render_html,
    render_latex,
    render_markdown,
)
from harness.reports.paper.table_file import shipped
from harness.reports.results import read_results
from harness.storage.files import write_lines
from harness.types import Problem, Verdict
from tests.support.html import Page

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER
WriteRun = Callable[..., Path]
LLAMA = "DeepSeek-R1-Distill-Llama-8B"
HOSTILE = "*[x] <script>a_b%&#$^~\\{}|`'' --\"文\u202e"


def aime(right: int, k: int = 64) -> list[list[Verdict]]:
    return [[C] * right + [W] * (k - right)] * 30


def table_of(*runs: Path, name: str = "r1-table5") -> PaperTable:
    return lay_out(layout_named(name), read_results(runs), load().scores, margin=0.04)


@pytest.fixture
def runs(write_run: WriteRun) -> list[Path]:
    """A run of each verdict, and one of no model that the tables have."""
    return [
        write_run([[C] * 64] * 14 + [[C, W] * 32] * 2 + [[W] * 64] * 14, name="same", task="aime24",
                  model=LLAMA, votes=64),
        write_run(aime(20), name="lower", task="aime24", model="o1-mini"),
        write_run(aime(2, 4), name="short", task="aime24", model="QwQ-32B-Preview"),
        write_run(aime(50), name="own", task="aime24", model="DeepSeek-R1",
                  sampling={"max_tokens": 512}),
        write_run(aime(64), name=HOSTILE, task="aime24", model=f"x/{HOSTILE}"),
    ]  # fmt: skip


@pytest.fixture
def every(runs: list[Path], write_run: WriteRun) -> list[Path]:
    """Those, and runs of what other tables are about."""
    levels = ["easy"] * 10 + ["medium"] * 10 + ["hard"] * 10
    problems = [Problem(f"p{i}", f"p{i}", answer="1", meta={"difficulty": level})
                for i, level in enumerate(levels)]  # fmt: skip
    return [
        *runs,
        write_run(aime(50), name="effort", task="aime25", model="openai/gpt-oss-120b",
                  sampling={"effort": "high"}),
        write_run(aime(6, 8), name="lcb", task="livecodebench", model="DeepSeek-R1",
                  problems=problems),
        write_run(aime(40), name="solved", task="aime25", model="DeepSeek-R1"),
    ]  # fmt: skip


def call(*args: object) -> Result:
    return CliRunner().invoke(report, [str(arg) for arg in args], env={"COLUMNS": "80"})


@pytest.mark.parametrize("name", shipped())
def test_the_page_is_well_formed_and_lets_nothing_in(every: list[Path], name: str) -> None:
    html = render_html(table_of(*every, name=name))
    page = Page(html)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "form"}
    assert not [a for _, a in page.tags if {"style", "src", "href"} & a.keys()]
    (policy,) = [a["content"] for _, a in page.tags if "http-equiv" in a]
    assert (policy or "").startswith("default-src 'none'; style-src 'sha256-")
    assert HOSTILE.replace("\u202e", "RLO") in "".join(page.text)
    widths = {
        sum(int(found.group(1)) if found else 1 for found in
            (re.search(r'colspan="(\d+)"', cell) for cell in re.findall("<t[hd][^>]*>", row)))
        for row in re.findall("<tr.*?</tr>", html.partition("</table>")[0], re.DOTALL)
    }  # fmt: skip
    assert len(widths) == 1


def test_value_error_n_verdict_and_interval_stand_in_a_cell(runs: list[Path]) -> None:
    text = render_markdown(table_of(*runs))
    rows = {line.split(" | ")[0]: line.split(" | ") for line in text.splitlines()}
    same = rows["| ↳ same"][1].split("<br>")
    assert same[:2] == ["50.0 ±0.3", "reproduced, n=64"]
    assert re.fullmatch(r"−0\.4 \\\[−[23]\.\d, \+[123]\.\d\\\]", same[2])
    assert rows["| ↳ lower"][1].split("<br>")[1] == "differs, n=64"
    assert rows["| ↳ lower"][1].split("<br>")[2].startswith("−32.4 ")
    short = rows["| ↳ short"][1].split("<br>")
    assert short[1] == "underpowered, n=4"
    assert len(short) == 3  # the figure of k from 4 to 64 is too wide at 4 for any k of ours
    own = next(cells for head, cells in rows.items() if head.startswith("| own (DeepSeek-R1)"))
    assert own[1].split("<br>") == ["78.1 ±1.0", "another protocol, n=64"]
    assert "| own | AIME" not in text  # no verdict: table 5 has no DeepSeek-R1


def test_hostile_names_break_no_markdown_table(runs: list[Path]) -> None:
    text = render_markdown(table_of(*runs))
    (row,) = [line for line in text.splitlines() if r"\<script\>" in line and line[0] == "|"]
    assert len(re.findall(r"(?<!\\)\|", row)) == 8
    assert row.count("**100.0 ±0.0**") == 1
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("50 % & $x_1 #2 {a}", r"50 \% \& \$x\_1 \#2 \{a\}"),
        ("a\\b ~ ^", r"a\textbackslash{}b \textasciitilde{} \textasciicircum{}"),
        ("[−6.5, ±1]", r"{[}$-$6.5, $\pm$1]"),
        ("*--as ''", "{*}-{}-as '{}'"),
        ("é 文\n<b>", r"é {[}U+6587] \textless{}b\textgreater{}"),
    ],
)
def test_text_is_set_by_latex_as_it_is(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_latex_has_the_papers_columns_and_no_bare_special_character(runs: list[Path]) -> None:
    text = render_latex(table_of(*runs))
    inner = text.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    rows = [row for row in re.split(r"\\\\(?:\[[-.\dex]+\])?\n", inner) if "&" in row]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows[1:]} == {6}
    assert r"\multicolumn{2}{c}{AIME 2024} & MATH-500 & GPQA Diamond" in rows[0]
    assert r"\textbf{100.0 $\pm$0.0}" in inner
    assert r"$\hookrightarrow$ same & 50.0 $\pm$0.3" in inner
    assert r"\scriptsize reproduced, n=64" in inner
    table = text.partition("% ---- the table begins")[2].partition("% ---- the table ends")[0]
    assert table.strip().startswith(r"\begin{table}")
    assert table.strip().endswith(r"\end{table}")


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped())
def test_latex_compiles(every: list[Path], tmp_path: Path, name: str) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is missing: apt install texlive-latex-recommended lmodern")
    (tmp_path / "t.tex").write_text(render_latex(table_of(*every, name=name)))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 10_000
    log = (tmp_path / "t.log").read_text(errors="replace")
    assert "Output written on t.pdf (1 page" in log.replace("\n", "")
    for fault in ("Overfull", "too large", "undefined", "Missing character"):
        assert fault not in log


@pytest.mark.parametrize("name", shipped())
def test_the_terminal_prints_whole_values_at_80_columns(every: list[Path], name: str) -> None:
    out = io.StringIO()
    table = table_of(*every, name=name)
    print_paper_table(table, Console(file=out, width=80, no_color=True))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for line in table.lines:
        values = [entry.figure.text for entry in line.entries if entry.figure and not line.run]
        assert all(value in text for value in values)
    assert name != "r1-table6" or re.search(r"↳ short +50\.0 ±5\.3", text)


def test_a_wide_terminal_draws_table_4_as_the_paper_does(runs: list[Path]) -> None:
    out = io.StringIO()
    print_paper_table(table_of(runs[1], name="r1-table4"), Console(file=out, width=200))
    assert re.search(r"AIME 2024 \(Pass@1\) +16\.0 +9\.3 +39\.2 +63\.6 +31\.2", out.getvalue())


def test_report_writes_the_table_in_the_format_of_the_ending(
    runs: list[Path], tmp_path: Path
) -> None:
    for ending, start in (
        (".html", "<!DOCTYPE html>"),
        (".md", "# DeepSeek-R1, table 5\n"),
        (".tex", "% Compiles as it is."),
        (".json", "{"),
    ):
        path = tmp_path / f"out/t{ending}"
        done = call(*runs, "--table", "r1-table5", "--margin", "4", "-o", path)
        assert (done.exit_code, done.stdout) == (0, "")
        assert path.read_text().startswith(start)
    document = json.loads((tmp_path / "out/t.json").read_text())
    assert (document["table"], document["margin_points"]) == ("r1-table5", 4.0)
    verdicts = {cell["run"]: cell["verdict"] for cell in document["cells"]
                if cell["metric"] == "pass@1" and cell["run"]}  # fmt: skip
    assert verdicts == {
        "same": "reproduced",
        "lower": "differs",
        "short": "underpowered",
        "own": None,
        HOSTILE: None,
    }


def test_without_a_file_the_table_goes_to_the_terminal(
    runs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    done = CliRunner().invoke(report, [str(runs[3]), "--table", "r1-table4"])
    assert re.search(
        r"own +AIME 2024 pass@1 .* not comparable: cap 512 against 32,768", done.output
    )


def test_latex_goes_with_a_table_only(runs: list[Path], tmp_path: Path) -> None:
    error = call(runs[0], "-o", tmp_path / "r.tex").exception
    assert isinstance(error, UsageError)
    assert str(error).endswith("supported: .html, .md, .json (.tex with --table)")
    error = call(runs[0], "--table", "r1-table5", "-o", tmp_path / "r.pdf").exception
    assert isinstance(error, UsageError)
    assert str(error).endswith("supported: .html, .md, .tex, .json")


def test_as_holds_in_every_report(runs: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    assert call(runs[4], "--as", "o1-mini", "-o", path).exit_code == 0
    assert "| ● o1-mini | 63.6 |" in path.read_text()


def test_published_responses_are_held_against_the_figures(test_data: Path, tmp_path: Path) -> None:
    rows = [
        {"unique_id": f"t{row['id']}", "problem": row["problem"], "answer": row["answer"],
         "subject": "unknown", "level": row["level"].split()[-1], "responses": row["responses"]}
        for _, row in read_rows(test_data / "math_responses_100x8.jsonl")
    ]  # fmt: skip
    write_lines(tmp_path / "responses.jsonl", rows)
    arguments = [
        str(tmp_path / "responses.jsonl"),
        "--task",
        "math500",
        "-o",
        str(tmp_path / "real"),
    ]
    assert CliRunner().invoke(import_, arguments).exit_code == 0
    path = tmp_path / "t.json"
    done = call(tmp_path / "real", "--as", f"real={LLAMA}", "--table", "r1-table5", "-o", path)
    assert done.exit_code == 0
    (cell,) = [cell for cell in json.loads(path.read_text())["cells"] if cell["run"]]
    assert (cell["task"], cell["k"], cell["n_problems"]) == ("math500", 8, 100)
    assert cell["ours"] == pytest.approx(0.910, abs=0.01)  # the publisher's own count
    assert 0 < cell["se"] < 0.02
    assert (cell["verdict"], cell["why"]) == ("not comparable", "problems 100 against 500")
    assert cell["unstated"] == {
        "source": ["k", "extraction"],
        "run": ["temperature", "top-p", "cap"],
    }
