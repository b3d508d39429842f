"""The committed checkpoints and the training log."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.datasets import load_problems
from harness.data.prompts import render
from harness.tasks.practice import TASKS

pytest.importorskip("torch")
pytest.importorskip("transformers")

Script = Callable[[str], ModuleType]
NAMES = ("early", "middle", "late")
FAMILIES = ("integer", "math", "choice", "code")


@pytest.fixture(scope="module")
def late(practice_model: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = practice_model / "late"
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def log(practice_model: Path) -> list[dict[str, Any]]:
    lines = (practice_model / "training_log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_checkpoints_are_small_and_in_bfloat16(practice_model: Path) -> None:
    import torch
    from safetensors.torch import load_file

    files = [file for name in NAMES for file in (practice_model / name).iterdir()]
    assert sum(file.stat().st_size for file in files) < 6_000_000
    for name in NAMES:
        weights = load_file(practice_model / name / "model.safetensors")
        assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}


@pytest.mark.parametrize("name", NAMES)
def test_checkpoints_generate_a_reasoning_a_response_and_an_end(
    practice_model: Path, name: str
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = practice_model / name
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    problems = load_problems(TASKS[0], None, 16)
    turns = [[{"role": "user", "content": render(TASKS[0].prompt, p).user}] for p in problems]
    encoded = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, return_tensors="pt", padding=True, return_dict=True
    )
    generated = model.generate(**encoded, do_sample=False, max_new_tokens=128)
    texts = tokenizer.batch_decode(generated, skip_special_tokens=True)
    assert sum(text.count("</think>") == 1 and "\\boxed{" in text for text in texts) >= 14
    ended = (generated == tokenizer.eos_token_id).any(dim=1)
    assert int(ended.sum()) >= 14


def test_template_opens_a_reasoning_with_tags_that_are_not_special(late: tuple[Any, Any]) -> None:
    _, tokenizer = late
    turn = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1"}]
    text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    assert text == "<|system|>Be brief.<|user|>1+1<|assistant|><think>\n"
    tags = tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    assert not set(tags) & set(tokenizer.all_special_ids)
    assert tokenizer.decode(tags, skip_special_tokens=True) == "<think></think>"


def test_digits_are_single_tokens(late: tuple[Any, Any]) -> None:
    _, tokenizer = late
    assert tokenizer.tokenize("1234567890") == list("1234567890")


@settings(max_examples=300, deadline=None)
@given(text=st.text() | st.text("0123456789 \\frac{}$+=\nprint(a)<think>/"))
def test_tokenizer_round_trips(text: str) -> None:
    tokenizer = _tokenizer()
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def _tokenizer(cache: list[Any] = []) -> Any:  # noqa: B006 - loaded once for all examples
    from transformers import AutoTokenizer

    if not cache:
        root = Path(__file__).parents[2]
        cache.append(AutoTokenizer.from_pretrained(root / "examples" / "practice-model" / "late"))
    return cache[0]


def test_log_holds_at_least_ten_measurements_and_names_the_checkpoints(
    log: list[dict[str, Any]],
) -> None:
    steps = [row["step"] for row in log]
    assert len(steps) >= 10
    assert steps == sorted(set(steps))
    assert [row["checkpoint"] for row in log if row["checkpoint"]] == list(NAMES)
    assert log[-1]["cpu_minutes"] < 15
    assert log[-1]["loss"] < log[0]["loss"] / 10
    for row in log:
        assert set(row) == {"step", "checkpoint", "loss", "cpu_minutes", "tasks"}
        assert set(row["tasks"]) == {f"practice_{family}" for family in FAMILIES}
        for scores in row["tasks"].values():
            assert set(scores) == {"pass@1", "cons@16", "reasoning_tokens", "response_tokens"}
            assert 0 <= scores["pass@1"] <= 1
            assert 0 <= scores["cons@16"] <= 1
            assert scores["reasoning_tokens"] > 0
            assert scores["response_tokens"] >= 0


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_leave_room_on_both_sides_and_rise(log: list[dict[str, Any]], family: str) -> None:
    early, middle, late = (
        row["tasks"][f"practice_{family}"]["pass@1"] for row in log if row["checkpoint"]
    )
    assert 0 < early < late - 0.15
    assert 0.1 < middle < 0.95
    assert 0.1 < late < 0.95


@pytest.mark.parametrize("family", FAMILIES)
def test_logged_scores_are_those_of_the_committed_weights(
    script: Script, late: tuple[Any, Any], log: list[dict[str, Any]], family: str
) -> None:
    import torch

    measure = script("measure")
    model, tokenizer = late
    task = {task.name: task for task in TASKS}[f"practice_{family}"]
    task = replace(task, metrics=task.metrics[:1])
    drawn = measure.measure(model.to(torch.float32), tokenizer, [task], k=2, limit=None, seed=99)
    (row,) = (row for row in log if row["checkpoint"] == "late")
    expected = row["tasks"][task.name]["pass@1"]
    spread = sqrt(expected * (1 - expected) / 80)
    assert drawn[task.name]["pass@1"] == pytest.approx(expected, abs=4 * spread)
