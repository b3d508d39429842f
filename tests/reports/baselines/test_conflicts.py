"""Which figures count as stated differently, and which of many stand beside a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.reports.baselines.conflicts import conflicts
from harness.reports.baselines.loader import load
from harness.reports.baselines.schema import StatedProtocol
from harness.reports.baselines.scores import PublishedScore
from harness.reports.baselines.selection import MOST, line_of, nearest_in_value
from harness.reports.results import read_results
from harness.types import Verdict

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER
WriteRun = Callable[..., Path]


def figure(source: str, value: float, kind: str = "published", **protocol: Any) -> PublishedScore:
    (base,) = [s for s in load().scores if s.source == "r1-readme" and s.value == 0.44]
    return replace(base, source=source, value=value, kind=kind, protocol=StatedProtocol(**protocol))


def stated(*figures: PublishedScore) -> list[list[tuple[str, float]]]:
    return [[(s.source, s.value) for s in group] for group in conflicts(figures)]


def test_two_sources_with_two_values_disagree_and_quotations_come_last() -> None:
    quoted = figure("b", 0.6, "quoted")
    assert stated(quoted, figure("a", 0.5)) == [[("a", 0.5), ("b", 0.6)]]
    assert stated(figure("a", 0.5), figure("b", 0.5)) == []


def test_one_source_does_not_contradict_itself() -> None:
    assert stated(figure("a", 0.5), figure("a", 0.6)) == []


def test_a_measurement_of_others_contradicts_nobody() -> None:
    assert stated(figure("a", 0.5), figure("b", 0.6, "reproduction")) == []


@pytest.mark.parametrize(
    ("first", "second", "disagree"),
    [
        ({"effort": "low"}, {"effort": "high"}, False),
        ({"effort": "low"}, {}, True),
        ({"tools": "python"}, {}, False),  # who says nothing of tools used none
        ({"tools": "none"}, {}, True),
        ({"mode": "thinking"}, {"mode": "non-thinking"}, False),
        ({"window": "2024-08..2025-01"}, {"window": "2024-08..2025-05"}, False),
        ({"max_tokens": 32768}, {"max_tokens": 40960}, False),
        ({"max_tokens": 32768}, {"temperature": 0.6}, True),
    ],
)
def test_protocols_that_both_state_tell_figures_apart(
    first: dict[str, Any], second: dict[str, Any], disagree: bool
) -> None:
    found = stated(figure("a", 0.5, **first), figure("b", 0.6, **second))
    assert bool(found) == disagree


def test_who_repeats_one_of_several_values_agrees() -> None:
    own = figure("a", 0.5, effort="low"), figure("a", 0.7, effort="high")
    assert stated(*own, figure("b", 0.7, "quoted")) == []
    assert stated(*own, figure("b", 0.6, "quoted")) == [[("a", 0.5), ("a", 0.7), ("b", 0.6)]]


def test_parts_of_a_benchmark_are_figures_of_their_own() -> None:
    easy = replace(figure("a", 0.9), subset={"difficulty": "easy"})
    assert stated(easy, figure("b", 0.5)) == []


def test_the_models_own_and_the_nearest_of_many_are_chosen(write_run: WriteRun) -> None:
    run = write_run([[C, C, C, W]] * 30, task="aime25", model="openai/gpt-oss-20b")
    published = [s for s in load().scores if s.task == "aime25"]
    chosen = nearest_in_value(published, read_results([run]), "pass@1")
    own = {s for s in published if s.model == "gpt-oss-20b" and s.kind != "quoted"}
    assert own <= set(chosen.shown)
    others = {line_of(s) for s in chosen.shown if s.model != "gpt-oss-20b"}
    disputed = {line_of(s) for group in conflicts(published) for s in group}
    assert len(others - disputed) <= MOST <= len(others)
    far = max(abs(s.value - 0.75) for s in chosen.shown
              if s.metric == "pass@1" and line_of(s) in others - disputed)  # fmt: skip
    left = [s for s in published if s not in chosen.shown and s.metric == "pass@1"
            and s.kind != "quoted"]  # fmt: skip
    assert min(abs(s.value - 0.75) for s in left) >= far
    assert chosen.left_out == len({line_of(s) for s in published
                                   if s.kind != "quoted" or line_of(s) in disputed}
                                  - {line_of(s) for s in chosen.shown})  # fmt: skip
    assert f"{chosen.left_out} more: harness baselines --task aime25" in chosen.rest_text("aime25")


def test_who_disagrees_with_a_chosen_figure_is_chosen_too(write_run: WriteRun) -> None:
    run = write_run([[C, C, C, W]] * 30, task="aime24")
    published = [s for s in load().scores if s.task == "aime24"]
    shown = set(nearest_in_value(published, read_results([run]), "pass@1", most=40).shown)
    groups = [set(group) for group in conflicts(published) if shown & set(group)]
    assert groups and all(group <= shown for group in groups)


def test_few_figures_are_all_shown(write_run: WriteRun) -> None:
    run = write_run([[C, W]], task="aime24", scored=False)
    published = [s for s in load().scores if s.source == "r1-nature" and s.task == "aime24"]
    chosen = nearest_in_value(published, read_results([run]), "pass@1")
    assert (set(chosen.shown), chosen.left_out) == (set(published), 0)
    assert chosen.rest_text("aime24") == ""
