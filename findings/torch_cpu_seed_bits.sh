#!/usr/bin/env bash
# torch 2.13.0: a generator on a CPU reads the lower 32 bits of its seed and no others. `manual_seed` takes every
# 64-bit number, `initial_seed` returns it in full, and two generators whose seeds agree modulo 2^32 draw the same
# numbers for ever. On a GPU (Philox) all 64 bits count, so that code tried there repeats itself on a CPU.
#
# What it does to evals: seeds packed from two halves, such as `sample << 32 | seed` or `replica << 32 | seed`, give
# k copies of one completion on a CPU: k samples, one draw, and a sampling error of 0. vLLM takes 64-bit seeds too,
# one per request, and hands them to these generators.
#
# Output seen:
#   seeds 7 and 7 + 2^32: equal draws, initial_seed 7 and 4294967303
#   64 samples with seed `sample << 32 | 7`: 1 distinct draw
#   64 samples with seed `7 << 32 | sample`: 64 distinct draws
#
# The harness hashes what a sample is into 31 bits (harness/stats/seeds.py).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0
"$work/venv/bin/python" - 2>/dev/null <<'EOF'
import torch


def draws(seed: int) -> tuple[float, ...]:
    """The first 16 uniform numbers of a generator on the CPU."""
    return tuple(torch.rand(16, generator=torch.Generator("cpu").manual_seed(seed)).tolist())


low, high = 7, 7 + 2**32
seen = [torch.Generator("cpu").manual_seed(seed).initial_seed() for seed in (low, high)]
equal = draws(low) == draws(high)
print(f"seeds 7 and 7 + 2^32: {'equal' if equal else 'different'} draws, "
      f"initial_seed {seen[0]} and {seen[1]}")
packed = len({draws(sample << 32 | 7) for sample in range(64)})
print(f"64 samples with seed `sample << 32 | 7`: {packed} distinct draw{'s' * (packed > 1)}")
turned = len({draws(7 << 32 | sample) for sample in range(64)})
print(f"64 samples with seed `7 << 32 | sample`: {turned} distinct draws")
assert equal and seen == [low, high], "generators on a CPU tell such seeds apart now"
assert (packed, turned) == (1, 64)
EOF
