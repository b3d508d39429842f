"""Training from scratch: what is learned from, how, and the command as a whole."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

Script = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def tokenizer(practice_model: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(practice_model / "late")


@pytest.fixture
def encoded(script: Script, tokenizer) -> list[tuple[list[int], list[int]]]:
    mixture = {"integer": 2, "math": 1, "choice": 2, "code": 1}
    stream = script("problems").lessons(mixture, random.Random(5), set())
    return script("training").encode(tokenizer, next(stream))


def test_prompts_end_inside_the_open_reasoning_and_completions_close_it(tokenizer, encoded) -> None:
    for prompt, completion in encoded:
        assert tokenizer.decode(prompt).endswith("<|assistant|><think>\n")
        text = tokenizer.decode(completion)
        assert text.count("</think>") == 1
        assert text.endswith(tokenizer.eos_token)


def test_only_completions_are_learned_and_padding_changes_nothing(
    script: Script, tokenizer, encoded
) -> None:
    training = script("training")
    model = training.new_model(tokenizer, seed=0)
    loss = training.add_gradients(model, encoded)
    together = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    n_tokens = sum(len(completion) for _, completion in encoded)
    total = torch.zeros(())
    for prompt, completion in encoded:
        logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
        total = total + torch.nn.functional.cross_entropy(
            logits, torch.tensor(completion), reduction="sum"
        )
    (total / n_tokens).backward()
    assert loss == pytest.approx(total.item() / n_tokens, rel=1e-5)
    for batched, weight in zip(together, model.parameters(), strict=True):
        torch.testing.assert_close(batched, weight.grad, rtol=1e-3, atol=1e-5)


def test_learning_rate_warms_up_stays_and_falls_to_three_percent(script: Script) -> None:
    training = script("training")
    factors = [training.schedule(step, 1000) for step in range(1, 1001)]
    assert factors[0] == 1 / training.WARM_UP
    assert factors[training.WARM_UP : 499] == [1.0] * (499 - training.WARM_UP)
    assert factors[-1] == pytest.approx(0.03)
    assert factors[499:] == sorted(factors[499:], reverse=True)


def test_training_is_a_function_of_the_seed(script: Script) -> None:
    training = script("training").Training
    first, again, other = training(10, seed=1), training(10, seed=1), training(10, seed=2)
    losses = [first.step(), first.step()]
    assert losses == [again.step(), again.step()]
    assert losses[0] != other.step()
    assert losses[1] < losses[0]


@pytest.mark.slow
def test_the_command_writes_checkpoints_and_a_log(practice_model: Path, tmp_path: Path) -> None:
    command = [sys.executable, practice_model / "train.py", "--steps", "5", "-k", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [*command, "--limit", "1", "-o", tmp_path], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "5 steps in" in done.stdout
    log = (tmp_path / "training_log.jsonl").read_text()
    rows = [json.loads(line) for line in log.splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["checkpoint"] for row in rows] == [None, "early", "middle", "late", None]
    committed = {path.name for path in (practice_model / "late").iterdir()}
    for name in ("early", "middle", "late"):
        assert {path.name for path in (tmp_path / name).iterdir()} == committed


def test_the_command_refuses_no_steps(practice_model: Path) -> None:
    command = [sys.executable, practice_model / "train.py", "--steps", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "a whole number from 1 on is needed" in done.stderr
