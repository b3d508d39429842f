"""Checkpoints that transformers 5 wrote, loaded by transformers 4."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.engines import checkpoint
from harness.engines.checkpoint import load_tokenizer
from harness.errors import DataError

DEFAULT = {"rope_type": "default", "rope_theta": 10000.0}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0}
BY_LAYER = {"full_attention": DEFAULT, "sliding_attention": DEFAULT}


@pytest.mark.parametrize(
    "parameters", [{**DEFAULT, "rope_theta": 1e6}, YARN, BY_LAYER], ids=["base", "type", "layers"]
)
def test_rotary_settings_that_transformers_4_would_not_use_are_refused(
    parameters: dict[str, Any],
) -> None:
    config = SimpleNamespace(rope_parameters=parameters, rope_theta=10000.0, rope_scaling=None)
    with pytest.raises(DataError, match=r"m: transformers 4\.57\.1 does not read .* wrote"):
        checkpoint._check_rotary("m", config, "4.57.1")


@pytest.mark.parametrize(
    "config",
    [
        {"rope_theta": 1e6, "rope_scaling": {"rope_type": "yarn"}},  # written by transformers 4
        {"rope_theta": 10000.0, "rope_scaling": None, "rope_parameters": DEFAULT},
        {},  # without a rotary embedding
    ],
    ids=["of 4", "as its own", "none"],
)
def test_rotary_settings_that_transformers_4_reads_are_taken(config: dict[str, Any]) -> None:
    checkpoint._check_rotary("m", SimpleNamespace(**config), "4.57.1")


def test_a_tokenizer_class_of_transformers_5_is_read_under_its_old_name(
    practice_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    late = str(practice_model / "late")
    text = "12+3*4 <think>\\boxed{24}</think><|end|>"
    expected = load_tokenizer(late, None)

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("Tokenizer class TokenizersBackend does not exist")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", refuse)
    found = load_tokenizer(late, None)
    assert found(text)["input_ids"] == expected(text)["input_ids"]
    assert found.chat_template == expected.chat_template
    assert (found.eos_token_id, found.pad_token_id) == (1, 0)
