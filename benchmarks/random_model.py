"""A model with random weights, for benchmarks of speed on a GPU: speed needs no trained weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch

PRACTICE = Path(__file__).parent.parent / "examples" / "practice-model" / "late"
VOCABULARY = 151_936
SHAPE = {
    "vocab_size": VOCABULARY, "hidden_size": 1536, "intermediate_size": 8960,
    "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2,
    "max_position_embeddings": 32_768, "tie_word_embeddings": True, "eos_token_id": 1,
    "pad_token_id": 0, "bos_token_id": None,
}  # fmt: skip
TINY = {"hidden_size": 96, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 2048}


def write_random_model(folder: Path, device: str) -> None:
    """Weights at random in the shape of a 1.5B model, with the practice tokenizer filled up.

    Tiny ones on a CPU.
    """
    from transformers import Qwen2Config, Qwen2ForCausalLM

    shape = SHAPE | (TINY if device == "cpu" else {})

    folder.mkdir()
    for name in ("tokenizer_config.json", "chat_template.jinja"):
        (folder / name).write_bytes((PRACTICE / name).read_bytes())
    tokenizer = json.loads((PRACTICE / "tokenizer.json").read_text())
    words = tokenizer["model"]["vocab"]
    taken = {*words.values(), *(token["id"] for token in tokenizer["added_tokens"])}
    words |= {f"filler{i}": i for i in range(int(str(shape["vocab_size"]))) if i not in taken}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    torch.manual_seed(0)
    with torch.device(device):
        model = Qwen2ForCausalLM(Qwen2Config(**shape)).to(torch.bfloat16)
    model.save_pretrained(folder)
