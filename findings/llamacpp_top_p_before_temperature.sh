#!/usr/bin/env bash
# xllamacpp 2026.10.11549, llama.cpp's own server: top_p chooses the tokens before the temperature is applied, while
# transformers 5.24.0 and vLLM apply the temperature first. At temperature 1 or top_p 1 both orders give the same
# distribution, and nowhere else: above temperature 1 llama.cpp keeps fewer tokens than the others, below it more.
# Only the list `samplers` in GET /props shows the order.
#
# What it does to evals: "temperature 0.6, top_p 0.95" is one protocol on llama.cpp and another one elsewhere, also
# when top_k, min_p and penalties are switched off. A sweep over temperatures with a top_p is flatter there: a token
# of probability 0.7 stays the only one below top_p 0.7, at any temperature.
#
# The model below has the probabilities 0.70, 0.15, 0.09 and 0.06 after every prompt. At temperature 3 they are
# 0.393, 0.235, 0.198 and 0.173; at temperature 0.5 they are 0.935, 0.043, 0.015 and 0.007.
#
# Output seen:
#   temperature 3.0, top_p 0.6: transformers keeps 2 tokens; llama.cpp draws 1, with the temperature first 2
#   temperature 0.5, top_p 0.9: transformers keeps 1 token; llama.cpp draws 3, with the temperature first 1
#
# The harness sends llama.cpp `samplers` with the temperature first (harness/engines/openai/kinds.py).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet xllamacpp==2026.10.11549 gguf==0.19.0 torch==2.13.0 transformers==5.24.0
cat > "$work/look.py" <<'EOF'
import json
import sys
import urllib.request

import numpy as np
import torch
import xllamacpp
from gguf import GGUFWriter, TokenType
from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

PROBABILITIES = (0.70, 0.15, 0.09, 0.06)
DRAWS = 400
SIZE = 32


def write_model(path: str) -> None:
    """A Llama whose only layer adds nothing: each token has one embedding, and each logit is fixed."""
    words = ["a", "b", "c", "d", "<end>"]
    logits = [*np.log(PROBABILITIES), -100.0]
    writer = GGUFWriter(path, "llama")
    writer.add_vocab_size(len(words))
    writer.add_context_length(512)
    writer.add_embedding_length(SIZE)
    writer.add_feed_forward_length(SIZE)
    writer.add_block_count(1)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(SIZE)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(words)
    writer.add_token_types([*[TokenType.NORMAL] * 4, TokenType.CONTROL])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(4)
    writer.add_add_bos_token(False)
    ones = np.ones(SIZE, np.float32)
    zeros = np.zeros((SIZE, SIZE), np.float32)
    rows = np.array(logits, np.float32)[:, None] / SIZE * ones
    writer.add_tensor("token_embd.weight", np.ones((len(words), SIZE), np.float32))
    writer.add_tensor("output_norm.weight", ones)
    writer.add_tensor("output.weight", rows)
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", ones)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", zeros)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def kept(temperature: float, top_p: float) -> int:
    """Tokens that transformers samples from."""
    warpers = LogitsProcessorList([TemperatureLogitsWarper(temperature), TopPLogitsWarper(top_p)])
    scores = warpers(torch.zeros(1, 1, dtype=torch.long), torch.tensor([PROBABILITIES]).log())
    return int(scores.isfinite().sum())


def drawn(address: str, temperature: float, top_p: float, **further: object) -> int:
    """Distinct tokens among many draws of the server, whose other samplers are switched off."""
    fields = {
        "prompt": "a", "max_tokens": DRAWS, "ignore_eos": True, "temperature": temperature,
        "top_p": top_p, "top_k": 0, "min_p": 0.0, "seed": 1, **further,
    }
    request = urllib.request.Request(
        f"{address}/v1/completions", json.dumps(fields).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return len(set(json.load(answer)["choices"][0]["text"]))


path = sys.argv[1]
write_model(path)
given = xllamacpp.CommonParams()
given.model.path, given.n_ctx, given.n_parallel = path, 512, 1
given.ui = given.warmup = False
server = xllamacpp.Server(given)
found = []
for temperature, top_p in ((3.0, 0.6), (0.5, 0.9)):
    others = kept(temperature, top_p)
    own = drawn(server.listening_address, temperature, top_p)
    turned = drawn(server.listening_address, temperature, top_p, samplers=["temperature", "top_p"])
    print(
        f"temperature {temperature}, top_p {top_p}: transformers keeps {others} token{'s' * (others > 1)}; "
        f"llama.cpp draws {own}, with the temperature first {turned}"
    )
    found.append((others, own, turned))
assert found == [(2, 1, 2), (1, 3, 1)], "the orders are others now"
EOF
"$work/venv/bin/python" "$work/look.py" "$work/model.gguf" 2>/dev/null
