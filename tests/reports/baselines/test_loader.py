"""The shipped figures against a table of their own, conflicts, and what the loader refuses."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.errors import DataError
from harness.reports.baselines.conflicts import conflicts
from harness.reports.baselines.loader import load
from harness.reports.baselines.scores import PublishedScore
from tests.support.published_scores import few_scores

AIME, CONS = ("aime24", "pass@1"), ("aime24", "cons@64")
MATH, GPQA = ("math500", "pass@1"), ("gpqa_diamond", "pass@1")
LCB, CNMO = ("livecodebench", "pass@1"), ("cnmo24", "pass@1")
RATING, PERCENTILE = ("codeforces", "rating"), ("codeforces", "percentile")
DISTILL = "DeepSeek-R1-Distill-"

# As printed in arXiv 2501.12948v1: percent for pass@1 and cons@64.
PAPER: dict[str, tuple[tuple[tuple[str, str], ...], dict[str, tuple[float, ...]]]] = {
    "table 2": (
        (AIME, CONS, MATH, GPQA, LCB, RATING),
        {
            "o1-mini": (63.6, 80.0, 90.0, 60.0, 53.8, 1820),
            "o1-0912": (74.4, 83.3, 94.8, 77.3, 63.4, 1843),
            "DeepSeek-R1-Zero": (71.0, 86.7, 95.9, 73.3, 50.0, 1444),
        },
    ),
    "table 4": (
        (AIME, MATH, GPQA, LCB, RATING, PERCENTILE),
        {
            "Claude-3.5-Sonnet-1022": (16.0, 78.3, 65.0, 38.9, 717, 20.3),
            "GPT-4o-0513": (9.3, 74.6, 49.9, 32.9, 759, 23.6),
            "DeepSeek-V3": (39.2, 90.2, 59.1, 36.2, 1134, 58.7),
            "o1-mini": (63.6, 90.0, 60.0, 53.8, 1820, 93.4),
            "o1-1217": (79.2, 96.4, 75.7, 63.4, 2061, 96.6),
            "DeepSeek-R1": (79.8, 97.3, 71.5, 65.9, 2029, 96.3),
        },
    ),
    "table 5": (
        (AIME, CONS, MATH, GPQA, LCB, RATING),
        {
            "GPT-4o-0513": (9.3, 13.4, 74.6, 49.9, 32.9, 759),
            "Claude-3.5-Sonnet-1022": (16.0, 26.7, 78.3, 65.0, 38.9, 717),
            "o1-mini": (63.6, 80.0, 90.0, 60.0, 53.8, 1820),
            "QwQ-32B-Preview": (50.0, 60.0, 90.6, 54.5, 41.9, 1316),
            DISTILL + "Qwen-1.5B": (28.9, 52.7, 83.9, 33.8, 16.9, 954),
            DISTILL + "Qwen-7B": (55.5, 83.3, 92.8, 49.1, 37.6, 1189),
            DISTILL + "Qwen-14B": (69.7, 80.0, 93.9, 59.1, 53.1, 1481),
            DISTILL + "Qwen-32B": (72.6, 83.3, 94.3, 62.1, 57.2, 1691),
            DISTILL + "Llama-8B": (50.4, 80.0, 89.1, 49.0, 39.6, 1205),
            DISTILL + "Llama-70B": (70.0, 86.7, 94.5, 65.2, 57.5, 1633),
        },
    ),
    "table 6": (
        (AIME, CONS, MATH, GPQA, LCB),
        {
            "QwQ-32B-Preview": (50.0, 60.0, 90.6, 54.5, 41.9),
            "DeepSeek-R1-Zero-Qwen-32B": (47.0, 60.0, 91.6, 55.0, 40.2),
            DISTILL + "Qwen-32B": (72.6, 83.3, 94.3, 62.1, 57.2),
        },
    ),
}
# open-r1: measured / reported for AIME 2024, MATH-500, GPQA-Diamond, LiveCodeBench.
OPEN_R1 = {
    "Qwen-1.5B": ((30.7, 28.9), (83.1, 83.9), (35.8, 33.8), (16.1, 16.9)),
    "Qwen-7B": ((50.8, 55.5), (94.5, 92.8), (50.5, 49.1), (37.4, 37.6)),
    "Qwen-14B": ((65.9, 69.7), (94.1, 93.9), (61.5, 59.1), (51.3, 53.1)),
    "Qwen-32B": ((69.7, 72.6), (95.6, 94.3), (63.1, 62.1), (56.0, 57.2)),
    "Llama-8B": ((43.9, 41.7), (88.6, 89.1), (46.7, 49.0), (37.4, 39.6)),
    "Llama-70B": ((63.0, 70.0), (95.1, 94.5), (67.4, 65.2), (55.9, 57.5)),
}
OPENAI_COLUMNS = (AIME, CONS, RATING, PERCENTILE, GPQA, ("gpqa_diamond", "cons@64"), MATH)
OPENAI = {
    "GPT-4o": (9.3, 13.4, 808, 11.0, 50.6, 56.1, 60.3),
    "o1-preview": (44.6, 56.7, 1258, 62.0, 73.3, 78.3, 85.5),
    "o1-0912": (74.4, 83.3, 1673, 89.0, 77.3, 78.0, 94.8),
}


def printed(cell: PublishedScore) -> float:
    return round(cell.value * 100, 4) if "@" in cell.metric else cell.value


def of_source(source: str) -> list[PublishedScore]:
    return [cell for cell in load().scores if cell.source == source]


@pytest.mark.parametrize("table", PAPER)
def test_paper_tables_equal_the_printed_figures(table: str) -> None:
    columns, rows = PAPER[table]
    expected = {
        (model, *column): value
        for model, values in rows.items()
        for column, value in zip(columns, values, strict=True)
    }
    found = [c for c in of_source("r1-paper") if c.stands_in(table) and c.task != "cnmo24"]
    assert {cell.subject: printed(cell) for cell in found} == expected
    assert len(found) == len(expected)


def test_paper_has_no_other_tables_and_one_cell_of_a_set_that_is_not_public() -> None:
    assert {place for cell in of_source("r1-paper") for place in cell.places} == set(PAPER)
    (cell,) = [c for c in of_source("r1-paper") if c.task == "cnmo24"]
    assert (cell.subject, printed(cell)) == (("DeepSeek-R1", *CNMO), 78.8)
    assert cell.availability == "protocol not public"


def test_readme_equals_the_printed_figures_where_it_differs_or_adds() -> None:
    found = of_source("r1-readme")
    assert {cell.subject: printed(cell) for cell in found} == {
        ("Claude-3.5-Sonnet-1022", *LCB): 33.8,
        ("GPT-4o-0513", *LCB): 34.2,
        ("QwQ-32B-Preview", *AIME): 44.0,
        (DISTILL + "Llama-8B", *AIME): 50.4,
        ("Claude-3.5-Sonnet-1022", *CNMO): 13.1,
        ("GPT-4o-0513", *CNMO): 10.8,
        ("DeepSeek-V3", *CNMO): 43.2,
        ("o1-mini", *CNMO): 67.6,
        ("DeepSeek-R1", *CNMO): 78.8,
    }
    assert {cell.k for cell in found} == {64}  # "64 responses per query"
    hidden = {cell.availability for cell in found if cell.task == "cnmo24"}
    assert hidden == {"protocol not public"}


def test_openai_post_equals_the_printed_figures() -> None:
    found = of_source("openai-post")
    assert {cell.subject: printed(cell) for cell in found} == {
        (model, *column): value
        for model, values in OPENAI.items()
        for column, value in zip(OPENAI_COLUMNS, values, strict=True)
    }
    assert {cell.availability for cell in found} == {"protocol not public"}


@pytest.mark.parametrize(("kind", "side"), [("reproduction", 0), ("quoted", 1)])
def test_open_r1_equals_the_printed_figures(kind: str, side: int) -> None:
    found = [cell for cell in of_source("open-r1") if cell.kind == kind]
    assert {cell.subject: printed(cell) for cell in found} == {
        (DISTILL + model, *column): pair[side]
        for model, pairs in OPEN_R1.items()
        for column, pair in zip((AIME, MATH, GPQA, LCB), pairs, strict=True)
    }
    assert [cell.k for cell in found][:4] == ([64, 4, 8, 16] if side == 0 else [None] * 4)


def disagreements(scores: list[PublishedScore]) -> dict[object, set[tuple[float, str]]]:
    return {
        group[0].subject: {(printed(cell), cell.source) for cell in group}
        for group in conflicts(scores)
    }


def test_every_disagreement_between_sources_shows() -> None:
    paper, readme = "r1-paper", "r1-readme"
    assert disagreements(few_scores()) == {
        ("QwQ-32B-Preview", *AIME): {(50.0, paper), (44.0, readme)},
        ("Claude-3.5-Sonnet-1022", *LCB): {(38.9, paper), (33.8, readme)},
        ("GPT-4o-0513", *LCB): {(32.9, paper), (34.2, readme)},
        (DISTILL + "Llama-8B", *AIME): {(50.4, paper), (50.4, readme), (41.7, "open-r1")},
        ("o1-0912", *RATING): {(1843, paper), (1673, "openai-post")},
    }


def test_what_a_later_version_prints_stands_beside_the_first() -> None:
    versions = ("r1-paper", "r1-paper-v2", "r1-nature")
    found = disagreements([cell for cell in load().scores if cell.source in versions])
    assert found == {
        ("DeepSeek-R1-Zero", *AIME): {
            (71.0, "r1-paper"),
            (77.9, "r1-nature"),
            (77.9, "r1-paper-v2"),
        },
        ("DeepSeek-R1-Zero", *GPQA): {(73.3, "r1-paper"), (75.8, "r1-nature")},
    }


@pytest.mark.parametrize(("later", "first"), [("table 8", "table 4"), ("table 15", "table 5"),
                                              ("table 16", "table 6")])  # fmt: skip
def test_version_2_prints_version_1s_tables_with_its_own_k(later: str, first: str) -> None:
    old = [cell for cell in of_source("r1-paper") if cell.stands_in(first)]
    new = [cell for cell in of_source("r1-paper-v2") if cell.stands_in(later)]
    assert {cell.subject: printed(cell) for cell in new} == {
        cell.subject: printed(cell) for cell in old
    }
    order = sorted(new, key=lambda cell: cell.position(later))
    assert [cell.label for cell in order if cell.task == "aime24" and cell.metric == "pass@1"] == [
        {"DeepSeek-R1-Zero-Qwen-32B": "Qwen2.5-32B-Zero"}.get(cell.label, cell.label)
        for cell in sorted(old, key=lambda cell: cell.position(first))
        if cell.task == "aime24" and cell.metric == "pass@1"
    ]
    own = {(cell.task, cell.k) for cell in new if cell.model != "o1-1217"}
    assert own <= {("aime24", 64), ("math500", 16), ("gpqa_diamond", 64), ("livecodebench", 8),
                   ("codeforces", 16), ("cnmo24", None)}  # fmt: skip
    assert {cell.k for cell in new if cell.model == "o1-1217"} <= {None}


def test_a_dash_in_a_source_is_no_figure() -> None:
    found = {(cell.model, cell.task) for cell in of_source("r1-readme")}
    assert not {("DeepSeek-V3", "livecodebench"), ("o1-1217", "cnmo24")} & found


@pytest.mark.parametrize(
    ("model", "task", "metric", "availability", "stated"),
    [
        ("DeepSeek-R1", "aime24", "pass@1", "reproducible", (0.6, 0.95, 32768, None)),
        ("DeepSeek-R1", "gpqa_diamond", "pass@1", "data gated", (0.6, 0.95, 32768, None)),
        (
            "DeepSeek-R1",
            "livecodebench",
            "pass@1",
            "reproducible",
            (0.6, 0.95, 32768, "2024-08..2025-01"),
        ),
        ("DeepSeek-R1", "codeforces", "rating", "protocol not public", (0.6, 0.95, 32768, None)),
        ("o1-1217", "aime24", "pass@1", "protocol not public", (None, None, None, None)),
    ],
)
def test_protocol_is_what_the_source_states(
    model: str, task: str, metric: str, availability: str, stated: tuple[object, ...]
) -> None:
    (cell,) = [c for c in of_source("r1-paper") if c.subject == (model, task, metric)]
    protocol = cell.protocol
    assert cell.availability == availability
    assert stated == (
        protocol.temperature,
        protocol.top_p,
        protocol.max_tokens,
        protocol.window,
    )
    assert cell.k is None  # the paper gives none for pass@1


def test_every_cell_says_something_of_its_protocol() -> None:
    assert all(cell.protocol.words() for cell in load().scores)


OWN: dict[str, Any] = {
    "source": "ours",
    "title": "An internal report",
    "scale": "fraction",
    "protocols": {"p": {"temperature": 0.7}},
    "columns": {
        "aime": {
            "task": "aime24",
            "metric": "pass@1",
            "protocol": "p",
            "availability": "data gated",
        }
    },
    "tables": [
        {"printed": "page 3", "columns": ["aime"], "rows": [{"model": "m", "values": [0.5]}]}
    ],
}


def write(path: Path, **changes: Any) -> Path:
    path.write_text(yaml.safe_dump({**OWN, **changes}))
    return path


def test_a_file_of_the_user_is_added(tmp_path: Path) -> None:
    own = write(tmp_path / "own.yaml")
    (cell,) = [c for c in load([own]).scores if c.source == "ours"]
    assert (cell.value, cell.k, cell.protocol.temperature) == (0.5, None, 0.7)
    assert load([own]).sources["ours"].title == "An internal report"


def test_how_many_samples_a_figure_may_have(tmp_path: Path) -> None:
    own = OWN["columns"]["aime"]

    def ks(column: dict[str, Any], **protocol: Any) -> tuple[int, int]:
        path = write(tmp_path / "own.yaml", columns={"aime": {**own, **column}},
                     protocols={"p": protocol})  # fmt: skip
        (cell,) = [c for c in load([path]).scores if c.source == "ours"]
        return cell.ks

    assert ks({}) == (1, 64)
    assert ks({}, k=[4, 64]) == (4, 64)
    assert ks({"k": 16}, k=[4, 64]) == (16, 16)
    assert ks({"metric": "cons@32"}, k=[4, 64]) == (32, 32)
    assert ks({"metric": "cons@32", "k": 64}) == (64, 64)
    assert ks({"metric": "pass@8"}, k=[4, 64]) == (8, 64)
    assert ks({"metric": "pass@100"}) == (100, 100)
    found = {(c.model, c.task, c.metric): c.ks for c in of_source("r1-paper")}
    assert found["DeepSeek-R1", "math500", "pass@1"] == (4, 64)
    assert found["DeepSeek-R1-Zero", "aime24", "cons@64"] == (64, 64)
    assert found["o1-1217", "math500", "pass@1"] == (1, 64)  # not the paper's own measurement


def rows(*found: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"printed": "page 3", "columns": ["aime"], "rows": list(found)}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tables": rows({"model": "m", "values": [0.5, 0.6]})}, "page 3, m: 2 values for 1 col"),
        ({"tables": rows({"model": "m", "values": [50.0]})}, r"page 3, m, aime: 50.0 is not betw"),
        ({"tables": rows({"model": "m", "values": ["x"]})}, r"tables.0.rows.0.values.0: .*'x'"),
        ({"tables": rows({"values": [0.5]})}, r"tables.0.rows.0.model: Field required"),
        ({"tables": rows(*[{"model": "m", "values": [0.5]}] * 2)}, "pass@1 of m on aime24 twice"),
        ({"protocols": {}}, r"line 5: columns.aime.protocol: no protocol is called 'p'"),
        ({"protocols": {"p": {"k": [64, 4]}}}, "protocols.p.k: a range has its least number first"),
        ({"protocols": {"p": {"k": [0, 4]}}}, r"protocols.p.k.0: .*not '0'"),
        ({"protocols": {"p": {"k": 4}}}, r"protocols.p.k: .*not '4'"),
        ({"columns": {}}, r"line 9: tables.0.columns.0: no column is called 'aime'"),
        ({"scale": "percents"}, r"scale: .*'percents'"),
        ({"colour": "red"}, r"colour: no field is called 'colour'"),
        ({"source": "r1-paper"}, r"'r1-paper' is already defined by .*r1-paper.yaml"),
        (
            {"columns": {"aime": {**OWN["columns"]["aime"], "metric": "pass@0"}}},
            "columns.aime.metric: a metric is pass@K",
        ),
    ],
)
def test_a_faulty_file_is_refused_by_place(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / "own.yaml", **changes)
    with pytest.raises(DataError, match=message) as caught:
        load([path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"source: [", "line 1: not valid YAML"),
        (b"", "own.yaml: fields and their values are needed, not None"),
        (b"\xff\xfe\xff", "not UTF-8 text"),
    ],
)
def test_what_is_no_yaml_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load([path])


def test_the_value_in_a_message_is_cut_short(tmp_path: Path) -> None:
    letters = "abcdefghijkl"
    lists = "".join(f"  {b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise(letters))
    path = tmp_path / "own.yaml"
    path.write_text(f"title:\n  a: &a [x]\n{lists}source: *l\n")  # 9 to the 11th values
    with pytest.raises(DataError, match=r"own\.yaml, line ") as caught:
        load([path])
    assert len(str(caught.value)) < 500


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.yaml: cannot be read"):
        load([tmp_path / "none.yaml"])


BY_HAND = """\
source: ours
title: A report
date: 2025-06
scale: percent
protocols:
  base: &base
    temperature: 0.6
  high:
    <<: *base
    effort: high
columns:
  aime: {task: aime24, metric: avg@32, protocol: base, availability: reproducible}
  easy: {task: livecodebench, metric: pass@1 (easy), subset: {difficulty: easy}, protocol: high,
         availability: reproducible}
tables:
  - printed: table 1
    columns: [aime, easy]
    rows:
      - {model: m, values: [80.0, 100.00]}
      - {model: m-2, values: [7, null], settings: {tools: none, note: at night}}
  - printed: table 2
    kind: quoted
    settings: {mode: thinking}
    columns: [aime]
    rows:
      - {model: n, values: [1.50]}
"""


def by_hand(folder: Path, *change: str) -> Path:
    path = folder / "own.yaml"
    text = BY_HAND.replace(*change) if change else BY_HAND
    assert not change or text != BY_HAND
    path.write_text(text)
    return path


def test_a_file_by_hand_reads_as_it_is_printed(tmp_path: Path) -> None:
    known = load([by_hand(tmp_path)])
    found = {(s.label, s.printed_metric): s for s in known.scores if s.source == "ours"}
    mean, easy = found["m", "avg@32"], found["m", "pass@1 (easy)"]
    assert (mean.metric, mean.k, mean.value, mean.printed_value) == ("pass@1", 32, 0.8, "80.0")
    assert (easy.metric, easy.k, easy.value, easy.printed_value) == ("pass@1", None, 1.0, "100.00")
    assert (easy.subset, easy.protocol.effort, easy.protocol.temperature) == (
        {"difficulty": "easy"},
        "high",
        0.6,
    )
    row, quoted = found["m-2", "avg@32"], found["n", "avg@32"]
    assert (row.printed_value, row.protocol.tools, row.protocol.note) == ("7", "none", "at night")
    assert row.protocol.effort is None
    assert (quoted.kind, quoted.protocol.mode, quoted.text) == ("quoted", "thinking", "1.5")
    assert known.sources["ours"].date == "2025-06"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("temperature: 0.6", "temperature: warm"),
         r"line 7: protocols.base.temperature: .*number.*'warm'"),
        (("effort: high", "efort: high"), r"line 10: protocols.high.efort: no field is called"),
        (("temperature: 0.6", "temperature: nan"), r"line 7: protocols.base.temperature: .*'nan'"),
        (("{mode: thinking}", "{mode: fast}"), r"line 23: tables.1.settings.mode: .*'fast'"),
        (("date: 2025-06", "date: 2025-13"), r"line 3: date: there is no such date, not '2025-13'"),
        (("date: 2025-06", "date: June"), r"line 3: date: a date is YYYY, YYYY-MM or YYYY-MM-DD"),
        (("avg@32", "luck@32"), r"line 12: columns.aime.metric: .*needs its unit.*not 'luck@32'"),
        (("metric: avg@32", "metric: avg@32, k: 16"),
         r"line 12: columns.aime.metric: 32 samples per problem by its name, and k is 16"),
        (("metric: avg@32", "metric: avg@32, unit: rating"),
         r"line 12: columns.aime.metric: avg@32 is a share, not a rating"),
        (("subset: {difficulty: easy}, ", ""), r"line 13: columns.easy.metric: .*'pass@1 \(easy\)'"),
        (("protocol: high", "protocol: highest"),
         r"line 13: columns.easy.protocol: no protocol is called 'highest' \(base, high\)"),
        (("columns: [aime, easy]", "columns: [aime, hard]"),
         r"line 17: tables.0.columns.1: no column is called 'hard' \(aime, easy\)"),
        (("[80.0, 100.00]", "[80.0, 100.01]"),
         r"line 19: tables.0.rows.0.values.1: table 1, m, easy: 100.01 is not between 0 and 100"),
        (("[80.0, 100.00]", "[80.0]"), r"line 19: tables.0.rows.0.values: .*1 values for 2 columns"),
        (("[80.0, 100.00]", "[80.0, [1]]"), r"line 19: tables.0.rows.0.values.1: a value is a numb"),
        (("[7, null]", "[7, yes]"), r"line 20: tables.0.rows.1.values.1: a value is a number as pr"),
        (("kind: quoted", "kind: heard"), r"line 22: tables.1.kind: .*'heard'"),
        (("kind: quoted", "printed: table 3"), r"line 22: printed: stands twice in one mapping"),
        (("<<: *base", "<<: base"), r"line 9: <<: takes a mapping"),
        (("model: m-2, values: [7, null], settings: {tools: none, note: at night}",
          "model: m, values: [7, null]"), r"line 20: tables.0.rows.1.values.0: .*twice; keep one"),
        (("rows:\n      - {model: n", "rows:\n      - {modle: n"),
         r"line 26: tables.1.rows.0.modle: no field is called 'modle' \(and 1 more\)"),
        (("model: n,", "model: '',"), r"line 26: tables.1.rows.0.model: .*at least 1 character"),
        (("model: n,", 'model: "n\\ex",'), r"line 26: tables.1.rows.0.model: a text is one line"),
        (("[1.50]", "[1_50]"), r"line 26: tables.1.rows.0.values.0: a value is a numb.*'1_50'"),
        (("[1.50]", f"[{'9' * 500}]"), r"values.0: a value is a number .*, not '9{1,50}\.\.\.9+'$"),
        (("[1.50]", "&v [*v]"), r"line 26: this value: holds itself by its anchor"),
        (("<<: *base", "<<: &own {<<: *own}"), r"line 9: this value: holds itself by its anchor"),
        (("metric: avg@32", "metric: pass@32, k: 16"),
         r"line 12: columns.aime.metric: 32 samples per problem by its name, and k is 16"),
        (("source: ours", "source: r1-readme"), r"line 1: source: .*already defined by"),
        (("  easy: {task", "  easy: (task"), r"line 14: not valid YAML|line 13: not valid YAML"),
    ],
)  # fmt: skip
def test_a_fault_by_hand_names_file_line_and_field(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = by_hand(tmp_path, *change)
    with pytest.raises(DataError, match=message) as caught:
        load([path])
    assert str(caught.value).startswith(f"{path}, line ")
    assert "\n" not in str(caught.value)


def test_one_score_in_two_tables_is_one_with_both_places(tmp_path: Path) -> None:
    again = "kind: quoted\n    settings: {mode: thinking}\n    columns: [aime]"
    path = by_hand(tmp_path, again, "columns: [aime]")
    path.write_text(
        path.read_text().replace("{model: n, values: [1.50]}", "{model: m, values: [80.0]}")
    )
    found = [
        s for s in load([path]).scores if (s.source, s.label, s.task) == ("ours", "m", "aime24")
    ]
    (score,) = found
    assert (score.places, score.printed) == (("table 1", "table 2"), "tables 1, 2")
    assert score.stands_in("table 2") and not score.stands_in("table 3")
    assert score.position("table 1") < score.position("table 2")
