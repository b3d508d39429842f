"""Seeds derived from what they are for, so that a draw can be repeated and no two share one. Pure."""

from __future__ import annotations

import hashlib

SEEDS = 2**31
"""Seeds are below it, so that they mean the same everywhere.

llama.cpp has 32 bits, all set for a random one; a generator of torch on a CPU reads the lower 32 only;
numpy, which vLLM seeds too, refuses more; a signed word has 31.
"""


def derive_seed(*parts: object) -> int:
    """A seed in [0, SEEDS) that depends on every part and on nothing else.

    It is a hash: seeds of neighbouring samples are no neighbours. Servers number the n completions of a
    request from its seed on, so that one with seed 1 repeats those of seeds 2, 3 and 4.
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
