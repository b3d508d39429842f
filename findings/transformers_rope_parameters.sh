#!/usr/bin/env bash
# transformers 4.57.1 and 5.24.0: a checkpoint that transformers 5 saved loads in transformers 4 without error or
# warning, as another model. Version 5 writes the base and the scaling of the rotary embedding to config.json as
# `rope_parameters`, and no longer `rope_theta` and `rope_scaling`. Version 4 keeps the unknown name as an attribute
# and takes the defaults of the model's class: base 10,000 in place of the 1,000,000 of Qwen2.5 and Qwen3 or the
# 500,000 of Llama 3, and no YaRN. Weights, vocabulary and chat template are right, so the text reads well.
#
# What it does to evals: a checkpoint that was trained or merged with version 5 and is sampled with version 4 has
# positions that it was not trained with. The error grows with the distance between tokens, so that it hits long
# reasoning most, and looks like a weaker model.
#
# Output seen:
#   5.24.0: rope_theta 1000000.0; mean relative difference of logits at positions 1 to 8 0.000, at the last 64 of
#     1,024 0.000; warnings: none
#   4.57.1: rope_theta 10000.0; mean relative difference of logits at positions 1 to 8 0.085, at the last 64 of
#     1,024 0.400; warnings: none
#
# The harness refuses such a checkpoint on transformers 4 (harness/engines/checkpoint.py).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
cat > "$work/look.py" <<'EOF'
import logging
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, LlamaConfig

folder, step = Path(sys.argv[1]), sys.argv[2]
if step == "save":
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=4, num_attention_heads=4,
        vocab_size=128, max_position_embeddings=4096, rope_theta=1_000_000.0, initializer_range=0.1,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)

warnings: list[str] = []
handler = logging.Handler(logging.WARNING)
handler.emit = lambda record: warnings.append(record.getMessage())
logging.getLogger("transformers").addHandler(handler)
model = AutoModelForCausalLM.from_pretrained(folder).eval()
with torch.no_grad():
    logits = model(torch.randint(128, (1, 1024), generator=torch.manual_seed(1))).logits[0]
if step == "save":
    torch.save(logits, folder / "logits.pt")
expected = torch.load(folder / "logits.pt")
gap = (logits - expected).norm(dim=-1) / expected.norm(dim=-1)
theta = getattr(model.config, "rope_theta", None) or model.config.rope_parameters["rope_theta"]
near, far = gap[1:9].mean().item(), gap[-64:].mean().item()
print(
    f"{transformers.__version__}: rope_theta {theta}; mean relative difference of logits at positions"
    f" 1 to 8 {near:.3f}, at the last 64 of 1,024 {far:.3f}; warnings: {warnings or 'none'}"
)
if step == "save":
    assert theta == 1_000_000.0 and far == 0.0
else:
    assert theta == 10_000.0 and far > 2 * near > 0.0 and not warnings, (near, far, warnings)
EOF
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy transformers==5.24.0
"$work/venv/bin/python" "$work/look.py" "$work/model" save 2>/dev/null
"$work/venv/bin/pip" install --quiet transformers==4.57.1
"$work/venv/bin/python" "$work/look.py" "$work/model" load 2>/dev/null
