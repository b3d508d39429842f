"""What makes a run and a published score incomparable, and what cannot be told."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import pytest

from harness.reports.baselines.protocol_differences import parts, stated_differences, unstated
from harness.reports.baselines.scores import PublishedScore
from harness.reports.results import Result, read_results
from harness.types import Problem, Provenance, Verdict
from tests.support.published_scores import published
from tests.support.run_folders import WriteRun

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER


@pytest.fixture
def run(write_run: WriteRun) -> Result:
    """Thirty problems, k 2, temperature 0.6, top-p 0.95, cap 32,768."""
    return read_results([write_run([[C, W]] * 30, task="aime24")])[0]


def with_protocol(result: Result, **changes: Any) -> Result:
    return replace(result, protocol=replace(result.protocol, **changes))


def imported(result: Result) -> Result:
    manifest = replace(result.manifest, fingerprint={"engine": "recorded"})
    return replace(result, manifest=manifest)


def stating(**stated: Any) -> PublishedScore:
    return published(stated=stated)


@pytest.mark.parametrize(
    ("ours", "stated", "expected"),
    [
        ({}, {"temperature": 0.6, "top_p": 0.95, "max_tokens": 32768}, []),
        ({}, {"temperature": 1.0}, ["temperature 0.6 against 1.0"]),
        ({}, {"max_tokens": 65536}, ["cap 32,768 against 65,536"]),
        ({"effort": "high"}, {"effort": "low"}, ["effort high against low"]),
        ({"effort": "High"}, {"effort": "high"}, []),
        ({}, {"effort": "high"}, []),  # left to the model, which may be that
        ({"effort": "high"}, {}, []),
        ({"reasoning_budget": 8000}, {"reasoning_budget": 32000},
         ["reasoning budget 8,000 against 32,000"]),
        ({}, {"reasoning_budget": 32000}, ["reasoning budget none against 32,000"]),
        ({"reasoning_budget": 8000}, {}, []),
        ({"thinking": "no"}, {"mode": "thinking"}, ["mode non-thinking against thinking"]),
        ({"thinking": "yes"}, {"mode": "thinking"}, []),
        ({"thinking": "auto"}, {"mode": "non-thinking"}, []),
        ({}, {"tools": "python"}, ["tools none against python"]),
        ({}, {"tools": "none"}, []),
        ({}, {"top_k": 20}, []),
        ({"repetition_guard": 8}, {}, ["a repetition guard of 8 against none"]),
        ({}, {"prompt": "simple-evals", "prompt_holds": "Answer: $LETTER"},
         ["a prompt of its own against simple-evals"]),
        ({}, {"prompt": "boxed", "prompt_holds": "\\boxed{}"}, []),
        ({}, {"prompt": "some prompt"}, []),
    ],
)  # fmt: skip
def test_only_what_both_state_makes_a_difference(
    run: Result, ours: dict[str, Any], stated: dict[str, Any], expected: list[str]
) -> None:
    assert stated_differences(with_protocol(run, **ours), stating(**stated)) == expected


def test_another_number_of_problems_or_a_part_of_them_differs(run: Result) -> None:
    assert stated_differences(run, published(n=30)) == []
    assert stated_differences(run, published(n=15)) == ["problems 30 against 15"]
    easy = published(subset={"difficulty": "easy"})
    assert stated_differences(run, easy) == ["problems of the whole set against difficulty easy"]


def test_another_k_is_told_and_does_not_decide(run: Result) -> None:
    assert stated_differences(run, published(k=64)) == []
    (part,) = [part for part in parts(run, published(k=64)) if part.name == "k"]
    assert (part.difference, part.decides) == ("k 2 against 64", False)


def test_months_are_held_against_a_window_and_not_against_words(run: Result) -> None:
    dated = {
        f"p{i}": Problem(f"p{i}", "?", provenance=Provenance(date=date, platform="leetcode"))
        for i, date in enumerate((datetime.date(2024, 8, 3), datetime.date(2025, 2, 11)))
    }
    result = replace(run, problems=dated)
    assert stated_differences(result, stating(window="2024-08..2025-01")) == [
        "problems of 2024-08..2025-02 against the window 2024-08..2025-01 (see --window)"
    ]
    assert stated_differences(result, stating(window="2024-08..2025-02")) == []
    words = stating(window="release v6")
    assert stated_differences(result, words) == []
    assert "window" not in unstated(result, words)[0]
    assert [part.name for part in parts(result, words) if part.in_words] == ["window"]
    assert "window" in unstated(result, stating())[0]
    assert "window" in unstated(run, stating(window="2024-08..2025-01"))[1]
    exam = {
        id: replace(p, provenance=replace(p.provenance, platform=None)) for id, p in dated.items()
    }
    assert "window" not in unstated(replace(run, problems=exam), stating())[0]


def test_what_one_side_does_not_state_is_listed_by_side(run: Result) -> None:
    theirs, ours = unstated(run, stating(temperature=0.6, effort="high", top_k=20))
    assert theirs == ["top-p", "cap", "prompt", "k", "number of problems", "extraction"]
    assert ours == ["top-k", "effort"]
    with_effort = with_protocol(run, effort="high", reasoning_budget=100)
    theirs, _ = unstated(with_effort, stating(temperature=0.6, prompt="words"))
    assert theirs == ["top-p", "cap", "effort", "reasoning budget", "wording of the prompt", "k",
                      "number of problems", "extraction"]  # fmt: skip


def test_how_published_responses_were_drawn_is_not_assumed(run: Result) -> None:
    cell = stating(tools="python", reasoning_budget=32000)
    assert stated_differences(imported(run), cell) == []
    assert unstated(imported(run), cell)[1] == ["reasoning budget", "tools"]


def test_a_paper_table_calls_another_effort_not_comparable(
    write_run: WriteRun,
) -> None:
    from harness.reports.baselines.measured import measured
    from harness.reports.baselines.verdict import judge_cell

    path = write_run([[C, W]] * 30, task="aime24", sampling={"effort": "high"})
    result = read_results([path])[0]
    assert result.scored is not None
    score = result.scored.main["pass@1"]
    differences = stated_differences(result, stating(effort="medium"))
    verdict = judge_cell(measured(score, result.rates), 0.5, (64, 64),
                         differences=differences, margin=0.03)  # fmt: skip
    assert (verdict.word, verdict.why) == ("not comparable", "effort high against medium")
