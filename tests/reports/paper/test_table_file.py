"""Tables as files: a user's own, efforts and parts of a benchmark, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.paper_tables import layout_named
from harness.cli.report import check_margin, report
from harness.errors import DataError, UsageError
from harness.reports.baselines.loader import load
from harness.reports.paper.cells import model_lines
from harness.reports.paper.grid import Entry, PaperTable, lay_out
from harness.reports.paper.notes import alerts
from harness.reports.paper.output import FORMATS
from harness.reports.paper.table_file import read_layout, shipped
from harness.reports.paper.text import grid, records
from harness.reports.results import read_results
from harness.types import Problem, Verdict

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER
WriteRun = Callable[..., Path]

SOURCE = """\
source: card
title: A model card
scale: percent
protocols:
  card: {temperature: 0.6}
columns:
  plain: {task: aime24, metric: accuracy, protocol: card, availability: reproducible}
  solved: {task: aime25, metric: problems solved of 15, unit: count, protocol: card, availability: reproducible}
  easy: {task: livecodebench, metric: pass@1, k: 8, subset: {difficulty: easy}, protocol: card, availability: reproducible}
  hard: {task: livecodebench, metric: pass@1, k: 8, subset: {difficulty: hard}, protocol: card, availability: reproducible}
tables:
  - {printed: table 3, settings: {effort: low, tools: none}, columns: [plain], rows: [{model: m-big, values: [40.0]}, {model: m-small, values: [20.0]}]}
  - {printed: table 3, settings: {effort: high, tools: none}, columns: [plain], rows: [{model: m-big, values: [60.0]}, {model: m-small, values: [30.0]}]}
  - {printed: table 3, settings: {effort: low, tools: python}, columns: [plain], rows: [{model: m-big, values: [70.0]}]}
  - {printed: table 4, columns: [solved, easy, hard], rows: [{model: m-big, values: [11.3, 98.07, 17.09]}]}
  - {printed: table 4, kind: quoted, columns: [solved], rows: [{model: m-quoted, values: [12.0]}]}
"""
EFFORTS = """\
title: A card, table 3
source: card
printed: table 3
transposed: true
headings:
  - {task: aime24, metric: pass@1, group: AIME 2024, label: no tools, protocol: {tools: none}}
  - {task: aime24, metric: pass@1, group: AIME 2024, label: with tools, protocol: {tools: python}}
models:
  - {model: m-big, group: m-big, label: low, protocol: {effort: low}}
  - {model: m-big, group: m-big, label: high, protocol: {effort: high}}
  - {model: m-small, group: m-small, label: high, protocol: {effort: high}}
"""
PARTS = """\
title: A card, table 4
source: card
printed: table 4
margin: 8
headings:
  - {task: livecodebench, metric: pass@1, group: LiveCodeBench, label: easy, subset: {difficulty: easy}}
  - {task: livecodebench, metric: pass@1, group: LiveCodeBench, label: hard, subset: {difficulty: hard}}
  - {task: aime25, metric: problems solved of 15, beside: pass@1, not_comparable: nobody knows which 15}
footnotes: [A sentence of the table's own.]
"""


def aime(right: int, k: int = 4, problems: int = 30) -> list[list[Verdict]]:
    return [[C] * right + [W] * (k - right)] * problems


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A source of published scores of one's own."""
    path = tmp_path / "card.yaml"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def table_of(tmp_path: Path, card: Path) -> Callable[..., PaperTable]:
    """A table of this text with these runs in it."""

    def lay(text: str, *runs: Path) -> PaperTable:
        path = tmp_path / "own.yaml"
        path.write_text(text)
        layout = read_layout(path)
        margin = check_margin(None, str(path), layout.margin)
        return lay_out(layout, read_results(runs), load([card]).scores, margin=margin)

    return lay


def entries(table: PaperTable, run: str | None, label: str | None = None) -> dict[str, Entry]:
    (line,) = [
        line
        for line in table.lines
        if line.run == run and (label is None or (line.row and line.row.label == label))
    ]
    return {entry.heading.label: entry for entry in line.entries}


def test_a_run_is_held_to_the_figure_of_its_own_effort(
    write_run: WriteRun, table_of: Callable[..., PaperTable]
) -> None:
    for effort, figure, word in (("low", 0.4, "differs"), ("high", 0.6, "differs")):
        run = write_run(
            aime(2, 2), name=effort, task="aime24", model="m-big", sampling={"effort": effort}
        )
        table = table_of(EFFORTS, run)
        found = entries(table, effort)
        assert found["no tools"].cell is not None
        assert found["no tools"].cell.value == figure
        assert found["no tools"].verdict is not None
        assert found["no tools"].verdict.word == word
    assert found["with tools"].cell is None  # the card prints none at this effort
    places = [(line.run, line.row.label if line.row else None) for line in table.lines]
    assert places == [(None, "low"), (None, "high"), ("high", "high"), (None, "high")]


def test_tools_that_no_run_has_are_another_protocol(
    write_run: WriteRun, table_of: Callable[..., PaperTable]
) -> None:
    run = write_run(aime(3), task="aime24", model="m-big", sampling={"effort": "low"})
    verdict = entries(table_of(EFFORTS, run), "late")["with tools"].verdict
    assert verdict is not None
    assert (verdict.word, verdict.why) == ("not comparable", "tools none against python")


@pytest.mark.parametrize(("effort", "said"), [(None, "no effort"), ("medium", "effort medium")])
def test_a_run_of_no_listed_effort_has_no_verdict(
    write_run: WriteRun, table_of: Callable[..., PaperTable], effort: str | None, said: str
) -> None:
    run = write_run(aime(3), task="aime24", model="m-big", sampling={"effort": effort})
    table = table_of(EFFORTS, run)
    assert all(entry.verdict is None for entry in entries(table, "late").values())
    (alert,) = [alert for alert in alerts(table) if alert.startswith("late (m-big) is without")]
    assert f"as m-big, low; m-big, high, and the run states {said}; --as late=LINE" in alert


@pytest.mark.parametrize(
    ("effort", "word"), [(None, "differs"), ("low", "not comparable"), ("high", "differs")]
)
def test_a_run_says_which_line_it_reproduces(
    write_run: WriteRun, card: Path, tmp_path: Path, effort: str | None, word: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(EFFORTS)
    run = write_run(aime(0), task="aime24", model="step-400", sampling={"effort": effort})
    out = tmp_path / "t.json"
    arguments = [run, "--baselines", card, "--table", path, "--as", "late=M-big, high", "-o", out]
    done = CliRunner().invoke(report, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    (cell,) = [
        cell for cell in json.loads(out.read_text())["cells"] if cell["run"] and cell["verdict"]
    ]
    assert (cell["model"], cell["label"], cell["published"]) == ("m-big", "high", 0.6)
    assert cell["verdict"] == word


def test_a_model_under_one_effort_takes_a_run_that_states_none(
    write_run: WriteRun, table_of: Callable[..., PaperTable]
) -> None:
    run = write_run(aime(3), task="aime24", model="m-small")
    assert entries(table_of(EFFORTS, run), "late")["no tools"].verdict is not None


def test_several_lines_of_one_model_stand_under_its_name(
    write_run: WriteRun, table_of: Callable[..., PaperTable]
) -> None:
    run = write_run(aime(3), task="aime24", model="m-big", sampling={"effort": "high"})
    table = table_of(EFFORTS, run)
    above, names = grid(table, transposed=True).heads
    assert [(head.text, head.span) for head in above] == [("", 1), ("m-big", 3), ("m-small", 1)]
    assert [head.text for head in names] == ["Benchmark (metric)", "low", "high", "↳ late", "high"]
    rows = grid(table, transposed=False).rows
    assert [row.labels for row in rows] == [
        ("m-big, low",), ("m-big, high",), ("↳ late",), ("m-small, high",)
    ]  # fmt: skip
    assert rows[0].slots[0].lines == ("40.0",)


def problems(*difficulties: str | None) -> list[Problem]:
    return [
        Problem(f"p{i}", f"p{i}", answer="1", meta={"difficulty": d} if d else {})
        for i, d in enumerate(difficulties)
    ]


def test_a_figure_over_a_part_is_held_against_the_runs_own_problems_of_it(
    write_run: WriteRun, table_of: Callable[..., PaperTable]
) -> None:
    verdicts = [[C] * 8] * 20 + [[C, W] * 4] * 10
    run = write_run(verdicts, task="livecodebench", model="m-big",
                    problems=problems(*["easy"] * 20, *["hard"] * 10))  # fmt: skip
    table = table_of(PARTS, run)
    found = entries(table, "late")
    easy, hard = found["easy"], found["hard"]
    assert easy.score is not None
    assert hard.score is not None
    assert (easy.score.value, easy.score.n_problems, easy.score.n) == (1.0, 20, 160)
    assert (hard.score.value, hard.score.n_problems, hard.score.n) == (0.5, 10, 80)
    assert sum(hard.score.verdicts.values()) == 80
    assert easy.verdict is not None
    assert hard.verdict is not None
    assert (easy.verdict.word, hard.verdict.word) == ("reproduced", "differs")
    assert hard.verdict.difference == pytest.approx(0.5 - 0.1709)
    assert entries(table, None, "m-big")["easy"].cell is not None
    assert "98.07" in FORMATS[".md"](table)
    assert "A sentence of the table's own." in FORMATS[".md"](table)
    rows = {str(row["subset"]): row for row in records(table) if row["run"]}
    assert rows["{'difficulty': 'hard'}"]["n_problems"] == 10


def test_a_run_whose_problems_do_not_say_their_part_is_not_comparable(
    write_run: WriteRun, table_of: Callable[..., PaperTable]
) -> None:
    run = write_run(aime(2, problems=2), task="livecodebench", model="m-big",
                    problems=problems("easy", None))  # fmt: skip
    verdict = entries(table_of(PARTS, run), "late")["easy"].verdict
    assert verdict is not None
    assert (verdict.word, verdict.why) == (
        "not comparable",
        "the run has no problems of difficulty easy",
    )


def test_a_figure_that_is_no_score_stands_beside_the_runs_and_is_not_compared(
    write_run: WriteRun, table_of: Callable[..., PaperTable]
) -> None:
    run = write_run(aime(3), task="aime25", model="m-quoted")
    table = table_of(PARTS, run)
    entry = entries(table, "late")["problems solved of 15"]
    assert entry.score is not None
    assert entry.verdict is not None
    assert (entry.verdict.word, entry.verdict.why) == ("not comparable", "nobody knows which 15")
    assert entry.verdict.difference is None
    text = FORMATS[".md"](table)
    assert "| m-quoted | – | – | 12.0 § |" in text
    assert "pass@1 75.0 ±" in text
    assert "§ The source took it over from others." in text


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_table_finds_its_figures(name: str) -> None:
    layout = layout_named(name)
    lines = model_lines(layout, load().scores)
    assert layout.name == name
    assert {heading.task for heading in layout.headings} <= {c.task for c in load().scores}
    columns = list(zip(*(line.figures for line in lines), strict=True))
    assert all(any(column) for column in columns)
    texts = [heading.text for heading in layout.headings]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("source: card", "source: crad"), r"line 2: source: no source is called 'crad'; did you mean card"),
        (("printed: table 3", "printed: table 33"), r"line 3: printed: card has no figures printed at 'table 33'; did you mean table 3"),
        (("task: aime24, metric: pass@1, group: AIME 2024, label: no", "task: aime42, metric: pass@1, label: no"),
         r"line 6: headings\.0\.task: no published score is of 'aime42'; did you mean aime2\d or aime2\d"),
        (("metric: pass@1, group: AIME 2024, label: no", "metric: cons@64, label: no"),
         r"line 6: headings\.0\.metric: no figure of aime24 there is a 'cons@64'; there are pass@1"),
        (("tools: python", "tools: search"), r"line 7: headings\.1\.protocol\.tools: no figure states 'search'; there are none, python"),
        (("model: m-small", "model: m-smal"), r"line 11: models\.2\.model: no model of card table 3 is called 'm-smal'; did you mean m-small"),
        (("label: high, protocol: {effort: high}", "label: high, protocol: {effort: max}"),
         r"line 10: models\.1\.protocol\.effort: no figure states 'max'; there are low, high"),
        (("label: no tools, protocol: {tools: none}", "label: any tools"),
         r"line 9: models\.0: m-big has 2 figures under AIME 2024 pass@1; tell them apart by protocol: tools \(none, python\)"),
        (("{model: m-big, group: m-big, label: high, protocol: {effort: high}}", "{model: M-big, protocol: {effort: low}}"),
         r"line 10: models\.1: the same as model 1; keep one"),
        (("label: with tools, protocol: {tools: python}", "label: with tools, protocol: {tools: none}"),
         r"line 7: headings\.1: the same as heading 1; keep one"),
        (("transposed: true", "transposed: perhaps"), r"line 4: transposed: .*, not 'perhaps'"),
        (("transposed: true", "margin: 500"), r"line 4: margin: .*, not '500'"),
        (("protocol: {tools: python}", "protocol: {tool: python}"), r"line 7: headings\.1\.protocol\.tool: no field is called 'tool'; did you mean tools"),
        (("transposed: true", "transpose: true"), r"line 4: transpose: no field is called 'transpose'; did you mean transposed"),
        (("protocol: {tools: python}", "subset: {hardness: high}"),
         r"line 7: headings\.1\.subset\.hardness: problems have no property 'hardness'"),
        (("protocol: {tools: python}", "subset: {difficulty: easy}"),
         r"line 7: headings\.1\.subset: no figure is over these problems; there are all"),
        (("protocol: {tools: python}", "kind: quoted"), r"line 7: headings\.1\.kind: no figure is quoted; there are published"),
        (("title: A card, table 3\n", ""), r"title: .*required"),
        (("group: AIME 2024, label: no tools", "group: [AIME 2024], label: no tools"), r"line 6: headings\.0\.group: "),
        (("transposed: true", "transposed: true\ntransposed: false"), r"line 5: transposed: stands twice"),
        (("transposed: true", "fallback: {source: card, printed: table 5}"),
         r"line 4: fallback\.printed: card has no figures printed at 'table 5'"),
        (("models:", "models: ["), r"line \d+: not valid YAML"),
        (("  - {model: m-big, group: m-big, label: low", "  - {mode: m-big, group: m-big, label: low"),
         r"line 9: models\.0\.mode: no field is called 'mode'; did you mean model"),
        ((EFFORTS, "[a, list]"), r"own\.yaml: a table has title, source, printed and headings"),
        ((EFFORTS, ""), r"own\.yaml: a table has title"),
    ],
)  # fmt: skip
def test_what_a_table_names_and_nobody_has_is_one_error(
    write_run: WriteRun,
    table_of: Callable[..., PaperTable],
    change: tuple[str, str],
    error: str,
) -> None:
    assert EFFORTS.count(change[0]) >= 1
    run = write_run(aime(3), task="aime24", model="m-big")
    with pytest.raises(DataError, match=error) as raised:
        table_of(EFFORTS.replace(*change, 1), run)
    assert "own.yaml" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_report_takes_a_table_of_ones_own_and_its_margin(
    write_run: WriteRun, card: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(PARTS)
    run = write_run(
        [[C] * 8] * 4, task="livecodebench", model="m-big", problems=problems(*["easy"] * 4)
    )
    out = tmp_path / "t.json"
    arguments = [str(run), "--baselines", str(card), "--table", str(path), "-o", str(out)]
    done = CliRunner().invoke(report, arguments)
    assert done.exit_code == 0, done.output
    assert '"table": "mine",\n  "margin_points": 8.0' in out.read_text()
    missing = CliRunner().invoke(report, [str(run), "--table", str(tmp_path / "none.yaml")])
    assert isinstance(missing.exception, DataError)
    assert (
        str(missing.exception)
        == f"{tmp_path / 'none.yaml'}: cannot be read (No such file or directory)"
    )


def test_the_tables_can_be_listed_without_a_run() -> None:
    done = CliRunner().invoke(report, ["--table", "list"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    for name in shipped():
        assert re.search(rf"^{re.escape(name)} ", done.output, re.MULTILINE)
    assert max(map(len, done.output.splitlines())) <= 80


def test_a_name_that_no_table_has_is_refused_with_near_ones() -> None:
    with pytest.raises(
        UsageError, match=r"--table r1-tabel5: no table .* did you mean .*r1-table5"
    ):
        layout_named("r1-tabel5")


def test_the_example_of_the_documentation_is_a_table(write_run: WriteRun, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "paper-tables.md").read_text()
    inner = page.partition("<!-- own table -->\n```yaml\n")[2].partition("```")[0]
    path = tmp_path / "mine.yaml"
    path.write_text(inner)
    run = write_run(aime(3), task="aime24", model="gpt-oss-20b", sampling={"effort": "high"})
    table = lay_out(read_layout(path), read_results([run]), load().scores, margin=0.05)
    assert [line.row.label for line in table.lines if line.row] == [
        *("20b low", "20b high", "20b high", "120b high"),
    ]
    judged = [entry for line in table.lines for entry in line.entries if entry.verdict]
    assert [(entry.heading.text, entry.cell and entry.cell.value) for entry in judged] == [
        ("AIME 2024 pass@1 (no tools)", 0.921),
    ]
    for name in shipped():
        source, _, number = name.rpartition("-table")
        assert f"`{name}`" in page or (f"`{source}-table" in page and f"`{number}`" in page)
