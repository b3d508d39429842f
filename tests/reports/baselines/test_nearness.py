"""Published scores in the order of how near their stated protocol is to a run's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.errors import UsageError
from harness.reports.baselines import nearness
from harness.reports.baselines.claims import stand_for
from harness.reports.baselines.filters import newest_first
from harness.reports.baselines.loader import load
from harness.reports.baselines.nearness import Neighbour, nearest, neighbourhoods
from harness.reports.baselines.protocol_differences import parts
from harness.reports.baselines.scores import PublishedScore
from harness.reports.results import Result, read_results
from harness.types import Verdict
from tests.support.published_scores import published
from tests.support.run_folders import WriteRun

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER
FULL = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 32768}


@pytest.fixture
def run(write_run: WriteRun) -> Result:
    """Thirty problems, k 2, temperature 0.6, top-p 0.95, cap 32,768."""
    path = write_run([[C, W]] * 30, task="aime24", model="org/DeepSeek-R1", votes=2)
    return read_results([path])[0]


def cell(name: str, **stated: Any) -> PublishedScore:
    return published(name, stated=stated)


def order(run: Result, *cells: PublishedScore) -> list[str]:
    return [one.score.model for one in nearest(run, "pass@1", cells)]


def test_the_runs_own_model_comes_first_whatever_differs(run: Result) -> None:
    cells = [cell("other", **FULL), cell("deepseek-r1", temperature=1.0, tools="python")]
    assert order(run, *cells) == ["deepseek-r1", "other"]
    claimed = stand_for([run], ["other"], {"other", "deepseek-r1"})[0]
    assert order(claimed, *cells) == ["other", "deepseek-r1"]


def test_a_run_is_of_the_model_that_its_own_name_is_a_spelling_of(write_run: WriteRun) -> None:
    path = write_run([[C, W]] * 30, task="aime24", model="openai/gpt-4o-2024-05-13")
    results = stand_for(read_results([path]), (), {"GPT-4o", "GPT-4o-0513"})
    assert order(results[0], cell("GPT-4o"), cell("GPT-4o-0513")) == ["GPT-4o-0513", "GPT-4o"]
    assert nearest(results[0], "pass@1", [cell("GPT-4o-0513")])[0].same_model


def test_what_differs_counts_before_what_is_not_stated(run: Result) -> None:
    silent, differs = cell("silent"), cell("differs", **{**FULL, "top_p": 0.7})
    alike = cell("alike", **FULL)
    assert order(run, differs, silent, alike) == ["alike", "silent", "differs"]


@pytest.mark.parametrize(
    ("lighter", "heavier"),
    [
        ({"top_p": 0.7}, {"temperature": 1.0}),
        ({"temperature": 1.0}, {"max_tokens": 4096}),
        ({"temperature": 1.0, "top_p": 0.7}, {"max_tokens": 4096}),
        ({"max_tokens": 4096}, {"tools": "python"}),
        ({"top_p": 0.7}, {"top_p": 0.7, "temperature": 1.0}),
    ],
)
def test_a_part_that_moves_scores_more_counts_more(
    run: Result, lighter: dict[str, Any], heavier: dict[str, Any]
) -> None:
    cells = [cell("heavier", **{**FULL, **heavier}), cell("lighter", **{**FULL, **lighter})]
    assert order(run, *cells) == ["lighter", "heavier"]


def test_another_k_counts_like_silence_and_less_than_a_difference(run: Result) -> None:
    full = {"model": "k differs", "k": 64, "stated": FULL}
    other = published("temperature", k=2, stated={**FULL, "temperature": 1.0})
    (one, two) = nearest(run, "pass@1", [other, published(**full)])  # type: ignore[arg-type]
    assert (one.score.model, one.distance[0]) == ("k differs", 0)
    assert [part.difference for part in one.differs] == ["k 2 against 64"]
    assert two.distance[0] > 0


def test_equals_keep_their_order_with_quoted_ones_behind(run: Result) -> None:
    cells = [published("a", kind="quoted"), published("b"), published("c")]
    assert order(run, *cells) == ["b", "c", "a"]


def test_only_the_same_task_and_metric_are_neighbours(run: Result) -> None:
    cells = [published("a", task="aime25"), published("b", metric="cons@64"), published("c")]
    assert order(run, *cells) == ["c"]


def test_each_neighbour_says_what_differs_what_is_silent_and_what_is_in_words(run: Result) -> None:
    stated = {"temperature": 1.0, "effort": "high", "extraction": "the last box"}
    (one,) = nearest(run, "pass@1", [published("m", stated=stated, n=30, k=2)])
    assert [part.difference for part in one.differs] == ["temperature 0.6 against 1.0"]
    assert names(one) == (["top-p", "cap", "prompt"], ["effort"], ["extraction"])


def names(one: Neighbour) -> tuple[list[str], list[str], list[str]]:
    found = [[part.name for part in group] for group in (one.silent, one.open, one.described)]
    return found[0], found[1], found[2]


def test_every_part_has_a_weight(run: Result) -> None:
    cells = (published(), published(stated={"prompt": "words"}))
    assert {part.name for each in cells for part in parts(run, each)} == nearness.WEIGHTS.keys()


def test_every_score_of_a_run_has_its_neighbours_or_none(run: Result) -> None:
    found = {one.score.metric: one for one in neighbourhoods([run], [published(), published()])}
    assert {metric: len(one.neighbours) for metric, one in found.items()} == {
        "pass@1": 2,
        "cons@2": 0,
    }
    assert found["cons@2"].metrics == ("pass@1",)


def test_a_run_without_any_score_is_refused(write_run: WriteRun) -> None:
    results = read_results([write_run([[C, W]], task="aime24", scored=False)])
    with pytest.raises(UsageError, match=r"--nearest late: it has no scores \(aime24: not scored"):
        neighbourhoods(results, [published()])


def test_among_the_shipped_scores_the_papers_own_protocol_is_nearest(run: Result) -> None:
    result = replace(run, stands_for="DeepSeek-R1-Distill-Qwen-7B")
    found = nearest(result, "pass@1", newest_first(load()))
    same = [one for one in found if one.same_model]
    assert found[: len(same)] == same
    assert {one.score.source for one in same} >= {"r1-paper", "open-r1"}
    distances = [one.distance for one in same]
    assert distances == sorted(distances)
    paper = next(one for one in same if one.score.source == "r1-paper")
    assert paper.distance[0] == 0
