"""Write a practice checkpoint as GGUF, the file format of llama.cpp.

    python examples/practice-model/write_gguf.py examples/practice-model/late late.gguf

Needs the package gguf. Tokenizer and weights stay what they are: prompts have equal token ids in
both formats, and greedy texts are equal.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter, LlamaFileType, TokenType
from gguf.constants import MODEL_ARCH, MODEL_TENSOR
from gguf.tensor_mapping import get_tensor_name_map
from gguf.utility import LocalTensor, SafetensorsLocal

# Splits where digits begin and end and nowhere else. That it leaves a row of digits whole makes no
# difference: no merge holds a digit.
PRE_TOKENIZER = "superbpe"


def write_gguf(checkpoint: Path, path: Path) -> None:
    """Convert a checkpoint.

    Args:
        checkpoint: a folder as examples/practice-model/train.py writes it.
        path: the file to write; one that is there is replaced.

    Raises:
        ValueError: a merge holds a digit, a tensor is of a type other than bfloat16 and float32, or
            the layers of the model have a part that Llama's have not.
    """
    config = json.loads((checkpoint / "config.json").read_text())
    writer = GGUFWriter(path, "llama")
    writer.add_name(f"practice-model-{checkpoint.name}")
    _write_model(writer, config)
    _write_tokenizer(writer, checkpoint, config)
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    heads = {
        MODEL_TENSOR.ATTN_Q: config["num_attention_heads"],
        MODEL_TENSOR.ATTN_K: config["num_key_value_heads"],
    }
    for name, tensor in SafetensorsLocal(checkpoint / "model.safetensors").tensors.items():
        found = names.get_type_and_name(name, try_suffixes=(".weight",))
        if found is None:
            raise ValueError(f"{checkpoint}: GGUF has no tensor for {name} in a Llama")
        kind, gguf_name = found
        values = _floats(name, tensor)
        if kind in heads:
            values = _interleave(values, heads[kind])
        writer.add_tensor(gguf_name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_model(writer: GGUFWriter, config: dict[str, Any]) -> None:
    """Write what llama.cpp calls hyperparameters."""
    writer.add_file_type(LlamaFileType.ALL_F32)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])


def _write_tokenizer(writer: GGUFWriter, checkpoint: Path, config: dict[str, Any]) -> None:
    """Write tokens with their kinds, merges, and the chat template.

    A tag of the reasoning is USER_DEFINED, so that it is one token and stays in the text; a CONTROL
    token is left out of it.
    """
    tokenizer = json.loads((checkpoint / "tokenizer.json").read_text())
    model = tokenizer["model"]
    merges = [" ".join(pair) for pair in model["merges"]]
    if any(character.isdigit() for merge in merges for character in merge):
        raise ValueError(f"{checkpoint}: a merge holds a digit: {PRE_TOKENIZER} would not split it")
    tokens = {number: token for token, number in model["vocab"].items()}
    kinds = dict.fromkeys(tokens, TokenType.NORMAL)
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]] = added["content"]
        kinds[added["id"]] = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list([tokens[number] for number in range(config["vocab_size"])])
    writer.add_token_types([kinds[number] for number in range(config["vocab_size"])])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template((checkpoint / "chat_template.jinja").read_text())


def _floats(name: str, tensor: LocalTensor) -> np.ndarray:
    """Values in float32, which holds every bfloat16."""
    raw = tensor.mmap_bytes()
    if tensor.dtype == "BF16":
        values = (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    elif tensor.dtype == "F32":
        values = raw.view(np.float32)
    else:
        raise ValueError(f"{name} is {tensor.dtype}; bfloat16 and float32 can be converted")
    return values.reshape(tensor.shape)


def _interleave(weights: np.ndarray, heads: int) -> np.ndarray:
    """Order the rows of each head as llama.cpp rotates them: pairs of neighbours.

    transformers rotates row i of a head with row i + size / 2.
    """
    rows, columns = weights.shape
    halves = weights.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("path", type=Path)
    given = parser.parse_args()
    write_gguf(given.checkpoint, given.path)


if __name__ == "__main__":
    main()
