"""Filters over published scores, their order, and what is said where nothing passes."""

from __future__ import annotations

import re

import pytest

from harness.errors import UsageError
from harness.reports.baselines.filters import Filters, newest_first, select, undated
from harness.reports.baselines.loader import load
from harness.reports.baselines.near import near_names
from harness.reports.baselines.scores import Baselines
from tests.support.published_scores import baselines_of, published


def small() -> Baselines:
    return baselines_of(
        published("QwQ-32B", source="old"),
        published("DeepSeek-R1", source="new", task="aime25", metric="cons@64",
                  printed_metric="maj@64"),
        published("DeepSeek-R1-Distill-Qwen-7B", source="year", kind="quoted", label="R1 7B"),
        published("o1-mini", source="undated", task="math500"),
        published("o1", source="new"),
        old="2024-09-12",
        new="2025-06",
        year="2025",
    )  # fmt: skip


def models(**filters: object) -> list[str]:
    return [score.model for score in select(small(), Filters(**filters))]  # type: ignore[arg-type]


def refusal(known: Baselines, **filters: object) -> str:
    with pytest.raises(UsageError) as caught:
        select(known, Filters(**filters))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_newest_source_comes_first_and_one_without_a_date_last() -> None:
    assert [score.source for score in newest_first(small())] == [
        "new", "new", "year", "old", "undated",
    ]  # fmt: skip
    assert models() == ["DeepSeek-R1", "o1", "DeepSeek-R1-Distill-Qwen-7B", "QwQ-32B", "o1-mini"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"models": ("r1",)}, ["DeepSeek-R1", "DeepSeek-R1-Distill-Qwen-7B"]),
        ({"models": ("=deepseek_r1",)}, ["DeepSeek-R1"]),
        ({"models": ("deepseek r1 distill",)}, ["DeepSeek-R1-Distill-Qwen-7B"]),
        ({"models": ("r1 7b",)}, ["DeepSeek-R1-Distill-Qwen-7B"]),
        ({"models": ("qwq", "o1")}, ["o1", "QwQ-32B", "o1-mini"]),
        ({"tasks": ("aime25", "math500")}, ["DeepSeek-R1", "o1-mini"]),
        ({"metrics": ("cons@64",)}, ["DeepSeek-R1"]),
        ({"metrics": ("maj@64",)}, ["DeepSeek-R1"]),
        ({"sources": ("new",), "metrics": ("pass@1",)}, ["o1"]),
        ({"measured_only": True, "sources": ("year", "old")}, ["QwQ-32B"]),
        ({"since": "2024-09-12"}, ["DeepSeek-R1", "o1", "DeepSeek-R1-Distill-Qwen-7B", "QwQ-32B"]),
        ({"since": "2024-09-13"}, ["DeepSeek-R1", "o1", "DeepSeek-R1-Distill-Qwen-7B"]),
        ({"since": "2025-06"}, ["DeepSeek-R1", "o1", "DeepSeek-R1-Distill-Qwen-7B"]),
        ({"since": "2025-06-30"}, ["DeepSeek-R1", "o1", "DeepSeek-R1-Distill-Qwen-7B"]),
        ({"since": "2025-07"}, ["DeepSeek-R1-Distill-Qwen-7B"]),
    ],
)
def test_a_score_passes_with_any_value_of_every_filter(
    filters: dict[str, object], expected: list[str]
) -> None:
    assert models(**filters) == expected


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        (
            {"tasks": ("aime2",)},
            "--task aime2: no published score of that task; did you mean aime2",
        ),
        (
            {"tasks": ("hle",)},
            "--task hle: no published score of that task; there are aime24, aime",
        ),
        ({"models": ("qwk-32b",)}, "--model qwk-32b: .*did you mean QwQ-32B"),
        ({"models": ("=DeepSeek-R1-Distil-Qwen-7B",)}, "did you mean DeepSeek-R1-Distill-Qwen-7B"),
        ({"metrics": ("cons@46",)}, "--metric cons@46: .*did you mean cons@64"),
        ({"sources": ("undate",)}, r"--source undate: .*did you mean undated\?"),
        ({"tasks": ("aime24", "aime99")}, "--task aime99: "),
        (
            {"tasks": ("math500",), "models": ("qwq",)},
            "--model qwq: no score that passes the other filters; there: o1-mini$",
        ),
        ({"sources": ("year",), "measured_only": True}, "--measured-only: every score that passes"),
        ({"since": "2026"}, "--since 2026: no score .* the newest is of 2025-06"),
        ({"since": "2025", "sources": ("undated",)}, "none has a date"),
        ({"since": "2025-13"}, "--since '2025-13': there is no such date"),
        ({"since": "june 2025"}, "--since 'june 2025': a date is YYYY, YYYY-MM or YYYY-MM-DD"),
        ({"since": "2025-02-30"}, "--since '2025-02-30': there is no such date"),
    ],
)
def test_a_filter_that_nothing_passes_says_what_is_near(
    filters: dict[str, object], said: str
) -> None:
    message = refusal(small(), **filters)
    assert re.search(said, message), message


def test_of_many_names_a_few_are_listed() -> None:
    many = baselines_of(*(published(f"model-{i:03}", task=f"task{i}") for i in range(50)))
    message = refusal(many, tasks=("xyz",))
    assert message.endswith(" and 38 more")
    assert len(message) < 300


def test_a_hub_id_or_a_snapshot_finds_the_model_that_is_served_so() -> None:
    assert models(models=("Qwen/QwQ-32B",)) == ["QwQ-32B"]
    assert models(models=("=deepseek-ai/DeepSeek-R1",)) == ["DeepSeek-R1"]
    known = baselines_of(published("GPT-4o-0513"), published("GPT-4o"))
    found = select(known, Filters(models=("openai/gpt-4o-2024-05-13",)))
    assert [score.model for score in found] == ["GPT-4o-0513"]


def test_sources_without_a_date_are_named_where_a_time_leaves_them_out() -> None:
    assert undated(small(), Filters()) == []
    assert undated(small(), Filters(since="2025")) == ["undated"]
    assert undated(small(), Filters(since="2025", tasks=("aime24",))) == []


def test_near_names_prefer_the_closest_and_then_those_that_hold_it() -> None:
    names = ["Qwen3-8B", "Qwen3-32B", "QwQ-32B", "o3", "o3 (high)"]
    assert near_names("qwen3 8b", names)[0] == "Qwen3-8B"
    assert near_names("o3-high", names)[0] == "o3 (high)"
    assert near_names("claude", names) == []


def test_every_shipped_score_is_found_by_its_own_names() -> None:
    known = load()
    for score in known.scores[::7]:
        filters = Filters(models=(f"={score.model}",), tasks=(score.task,),
                          metrics=(score.printed_metric,), sources=(score.source,))  # fmt: skip
        assert score in select(known, filters)


@pytest.mark.parametrize("part", ["models", "tasks", "metrics", "sources"])
def test_an_empty_value_is_refused(part: str) -> None:
    message = refusal(small(), **{part: ("o1", " ")})
    assert message == f"--{part[:-1]}: the value is empty; leave the option out for all"


def test_an_empty_date_is_refused() -> None:
    assert "a date is YYYY, YYYY-MM or YYYY-MM-DD" in refusal(small(), since="")
