"""The shipped sources against the collection that they were made from, and models by one name."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from harness.reports.baselines.aliases import canonical, read_models
from harness.reports.baselines.loader import SHIPPED, load
from harness.reports.baselines.metrics import read_metric
from harness.reports.baselines.records import document
from harness.reports.baselines.schema import read_source
from harness.reports.baselines.scores import PublishedScore
from tests.support.published_scores import FEW

Row = dict[str, str]
COLLECTED = "published_scores.csv"
COUNTS = {
    "r1-nature": 30,
    "r1-paper-v2": 108,
    "qwen3-report": 163,
    "gpt-oss-card": 48,
    "hermes4-report": 40,
    "olmo3-report": 68,
    "vibethinker-3b": 59,
    "open-r1-readme": 8,
}


def rows_of(folder: Path, name: str) -> list[Row]:
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(value: object) -> float | None:
    return None if value in ("", None) else float(str(value))


def facts_of_row(row: Row) -> tuple[object, ...]:
    """A collected row; k where the collection leaves it blank and the metric's name says it."""
    subset = [re.sub(r".*\(|\)", "", row["metric"])] if "(" in row["metric"] else []
    metric = None
    if not row["metric"].startswith(("genselect", "problems")):
        metric = read_metric(row["metric"], None, subset)
    k = number(row["k"]) or (metric.k if metric and metric.name == "pass@1" else None)
    return (
        *(row[name] for name in ("source", "model", "benchmark", "metric", "value")),
        k,
        *(number(row[name]) for name in ("temperature", "top_p", "max_tokens")),
        row["quoted"] == "yes",
    )


def facts_of_record(found: dict[str, object]) -> tuple[object, ...]:
    protocol = found["protocol"]
    assert isinstance(protocol, dict)
    return (
        *(found[name] for name in ("source", "label", "task", "printed_metric", "printed_value")),
        number(found["k"]),
        *(number(protocol[name]) for name in ("temperature", "top_p", "max_tokens")),
        found["kind"] == "quoted",
    )


def records() -> list[dict[str, object]]:
    known = load()
    return list(document(known, known.scores)["baselines"])


def test_every_collected_row_is_there_once_and_nothing_else(test_data: Path) -> None:
    rows = rows_of(test_data, COLLECTED)
    collected = Counter(map(facts_of_row, rows))
    sources = {row["source"] for row in rows}
    ours = Counter(facts_of_record(found) for found in records() if found["source"] in sources)
    assert not collected - ours
    extra = ours - collected
    # version 2 of the R1 paper prints version 1's tables again, and more in figure 1 and section E.4
    assert {facts[0] for facts in extra} == {"r1-paper-v2"}
    version_1 = {(s.label, s.task, s.metric, s.printed_value) for s in of("r1-paper")}
    renamed = {"Qwen2.5-32B-Zero": "DeepSeek-R1-Zero-Qwen-32B"}
    more = {
        (label, task, metric, value)
        for _, label, task, metric, value, *_ in extra
        if (renamed.get(str(label), label), task, metric, value) not in version_1
    }
    assert more == {
        ("DeepSeek-R1-Zero", "aime24", "pass@1", "77.9"),
        ("DeepSeek-R1-Zero", "aime24", "self-consistency", "86.7"),
        ("DeepSeek-R1", "math_contests_2024", "pass@1", "61.8"),
        ("GPT-4o-0513", "math_contests_2024", "pass@1", "24.7"),
    }


def test_every_source_says_where_it_is_from_and_what_was_read(test_data: Path) -> None:
    known = load().sources
    rows = rows_of(test_data, "published_sources.csv")
    assert {row["source"] for row in rows} == known.keys() - set(FEW)
    for row in rows:
        source = known[row["source"]]
        assert source.date and source.date.startswith(row["date"])
        assert source.read_from and source.read_from.startswith(row["read_from"])
        for part in re.findall(r"[0-9a-f]{7}(?=\))|\d{4}\.\d{5}", row["where"].partition(";")[0]):
            assert part in str(source.url) or source.name in ("r1-nature",)


def of(source: str) -> list[PublishedScore]:
    return [score for score in load().scores if score.source == source]


@pytest.mark.parametrize(("source", "count"), COUNTS.items())
def test_the_number_of_scores_by_source(source: str, count: int) -> None:
    assert len(of(source)) == count


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_shipped_file_reads_back(path: Path) -> None:
    file, _ = read_source(path)
    assert file.source == path.stem
    stated = Counter(
        (row.model, file.columns[name].task, file.columns[name].metric, value)
        for table in file.tables
        for row in table.rows
        for name, value in zip(table.columns, row.values, strict=True)
        if value is not None
    )
    scores = of(file.source)
    assert stated == Counter(
        {
            key: sum(len(s.places) for s in scores
                     if (s.label, s.task, s.printed_metric, s.printed_value) == key)
            for key in stated
        }
    )  # fmt: skip
    assert len(scores) == len(set(scores)) > 0
    used = {name for table in file.tables for name in table.columns}
    assert used == file.columns.keys()
    rows = [row for table in file.tables for row in table.rows]
    stated_by = {file.columns[name].protocol for name in used} | {row.protocol for row in rows}
    assert file.protocols.keys() == stated_by - {None}


def test_units_are_told_apart() -> None:
    scores = load().scores
    shares = [score for score in scores if score.unit == "share"]
    assert all(0 <= score.value <= 1 for score in shares)
    assert {s.metric for s in scores if s.unit == "rating"} == {"rating"}
    assert {s.metric for s in scores if s.unit == "percentile"} == {"percentile"}
    assert all(s.value > 100 for s in scores if s.unit == "rating")
    assert {s.printed_metric for s in scores if s.unit == "count"} == {"problems solved of 15"}
    single = [s for s in scores if s.printed_metric == "pass@1 (single run)"]
    assert {(s.metric, s.k) for s in single} == {("pass@1", 1)}
    means = {(s.printed_metric, s.metric, s.k) for s in scores if s.printed_metric[:3] == "avg"}
    assert means == {(f"avg@{k}", "pass@1", k) for k in (8, 16, 32)}
    votes = {(s.printed_metric, s.metric) for s in scores if s.printed_metric[:3] == "maj"}
    assert votes == {(f"maj@{k}", f"cons@{k}") for k in (8, 16, 64)}
    own = {s.metric for s in scores if s.printed_metric in ("genselect", "genselect@64")}
    assert own == {"genselect", "genselect@64"}


def test_who_measured_what() -> None:
    kinds = {(s.source, s.label): s.kind for s in load().scores}
    assert kinds["hermes4-report", "Hermes-4-405B"] == "published"
    assert kinds["hermes4-report", "Qwen3-235B-A22B"] == "reproduction"
    assert kinds["olmo3-report", "Olmo-3-7B-Think"] == "published"
    assert kinds["olmo3-report", "Qwen3-32B"] == "reproduction"
    assert kinds["gpt-oss-pytorch-ci", "gpt-oss-20b"] == "reproduction"
    assert kinds["open-r1-readme", "OpenR1-Distill-7B"] == "published"
    assert kinds["open-r1-readme", "DeepSeek-R1-Distill-Qwen-7B"] == "reproduction"
    assert kinds["qwen3-report", "DeepSeek-R1"] == "quoted"


def test_settings_are_typed() -> None:
    card = {
        (s.protocol.effort, s.protocol.tools): s.printed_value
        for s in of("gpt-oss-card")
        if (s.label, s.task) == ("gpt-oss-20b", "aime25")
    }
    assert card == {
        ("low", "none"): "37.1",
        ("low", "yes"): "57.5",
        ("medium", "none"): "72.1",
        ("medium", "yes"): "90.4",
        ("high", "none"): "91.7",
        ("high", "yes"): "98.7",
    }
    qwen = {
        (s.protocol.mode, s.protocol.top_k, s.protocol.window): s.printed_value
        for s in of("qwen3-report")
        if (s.label, s.task) == ("Qwen3-32B", "livecodebench")
    }
    assert qwen == {
        ("thinking", 20, "2024-10..2025-02"): "65.7",
        ("non-thinking", 20, None): "31.3",
    }
    budgets = {s.label: s.protocol.reasoning_budget for s in of("minimax-m1") if s.kind != "quoted"}
    assert budgets == {"MiniMax-M1-40K": 40960, "MiniMax-M1-80K": 81920}
    subsets = {s.subset["difficulty"]: s.printed_value for s in of("r1-paper-v2") if s.subset
               and s.label == "DeepSeek-R1"}  # fmt: skip
    assert subsets == {"easy": "100.00", "medium": "83.45", "hard": "34.44"}


VENDORS = r"(openai|google|anthropic|deepseek|qwen|nvidia|meta|mistral|xai|moonshot)(ai)?[ /-]+"


def bare(label: str) -> str:
    """A label without case, spaces, hyphens, brackets and the vendor before it."""
    found = re.sub(r"[^a-z0-9.+]", "", re.sub(f"^{VENDORS}", "", label.lower()))
    return re.sub(r"\.0(?!\d)", "", found)


def test_labels_that_differ_in_spelling_alone_are_one_model() -> None:
    models: dict[str, set[str]] = {}
    for score in load().scores:
        models.setdefault(bare(score.label), set()).add(score.model)
    assert [names for names in models.values() if len(names) > 1] == []


def test_no_label_belongs_to_two_models_and_each_is_used() -> None:
    scores = load().scores
    labels, models = {s.label for s in scores}, {s.model for s in scores}
    for name, spellings in read_models().items():
        assert name in models, name
        assert set(spellings.labels) <= labels, name
        assert name not in spellings.labels
        assert not set(spellings.served_as) & labels
        assert {canonical(each) for each in (*spellings.labels, *spellings.served_as)} == {name}


@pytest.mark.parametrize(
    ("label", "model"),
    [
        ("GPT-4o-0513", "GPT-4o-0513"),
        ("gpt-4o-2024-05-13", "GPT-4o-0513"),
        ("o1-1217", "o1-1217"),
        ("OpenAI-o1", "o1"),
        ("o3-high", "o3 (high)"),
        ("o3", "o3"),
        ("Qwen3-32B (thinking)", "Qwen3-32B (thinking)"),
        ("Qwen3-32B", "Qwen3-32B"),
        ("Qwen3-235B-A22B-Thinking-2507", "Qwen3-235B-A22B-Thinking-2507"),
        ("somebody's own", "somebody's own"),
    ],
)
def test_one_name_for_all_spellings(label: str, model: str) -> None:
    assert canonical(label) == model
