"""How large the cache of continuous batching is, in blocks, and whether a sample fits into it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil, lcm
from typing import Any

from harness.errors import EngineDown

_MIB = 1 << 20
_PAGE = 64
_STEP_TOKENS = 1024
_LENGTH = (
    1024  # tokens of a sample that the cache is sized for; longer ones take the room of others
)
_SHARE = 0.7  # of the free memory, at most


@dataclass(frozen=True, slots=True)
class Plan:
    """A cache of fixed blocks, and how many samples and tokens one step has.

    Args:
        size: largest number of samples in a step.
        page_size: tokens in a block.
        n_blocks: of the cache.
        bytes_per_token: of the keys and values of all layers.
        step_tokens: most tokens of a step; longer prompts are read in several.
        spare: blocks that one sample may need beyond those of its tokens.
    """

    size: int
    page_size: int
    n_blocks: int
    bytes_per_token: int
    step_tokens: int
    spare: int = 0

    def facts(self) -> dict[str, int]:
        """As part of a fingerprint."""
        return {"kv_blocks": self.n_blocks, "kv_block_tokens": self.page_size}

    def check_fits(self, n_prompt: int, cap: int) -> None:
        """Check that the cache can hold one sample.

        Raises:
            EngineDown: it cannot.
        """
        blocks = ceil((n_prompt + cap) / self.page_size) + self.spare
        if blocks > self.n_blocks:
            needed = ceil(blocks * self.page_size * self.bytes_per_token / _MIB)
            raise EngineDown(
                f"a prompt of {n_prompt} tokens and a completion of up to {cap} need {blocks} blocks of "
                f"{self.page_size} tokens, and the cache has {self.n_blocks}: --engine-arg "
                f"kv_mib={needed}, or a smaller --max-tokens"
            )

    def config(self) -> Any:
        """As transformers' configuration."""
        from transformers import ContinuousBatchingConfig

        return ContinuousBatchingConfig(
            page_size=self.page_size,
            num_blocks=self.n_blocks,
            max_batch_tokens=self.step_tokens,
            max_requests_per_batch=self.size,
            max_memory_percent=1.0,
            allow_block_sharing=True,
            use_async_batching=False,  # the next token is chosen with the last one at hand
            use_cuda_graph=False,
            auto_switch_to_flash=False,
            seed=0,
        )


def plan_cache(model: Any, context: int, size: int, kv_mib: int | None) -> Plan:
    """A cache for a model on its device.

    By default it holds `size` samples of 1,024 tokens, or one that fills the context if that is more,
    within 70 % of the free memory, all of which is taken at the first sample. Samples that find no
    room wait, or give theirs up and go on later.

    Args:
        model: on its device.
        context: tokens of a prompt and its completion together.
        size: largest number of samples in a step.
        kv_mib: MiB of keys and values; None for as much as is needed and free.
    """
    per_token, spare = bytes_per_token(model), spare_blocks(model)
    budget = kv_mib * _MIB if kv_mib is not None else _SHARE * _free(model.device)
    n_blocks = int(budget) // (_PAGE * per_token)
    if kv_mib is None:
        wanted = max(context, size * min(context, _LENGTH))
        n_blocks = min(n_blocks, ceil(wanted / _PAGE) + spare)
    return Plan(size, _PAGE, n_blocks, per_token, max(_STEP_TOKENS, size), spare)


def bytes_per_token(model: Any) -> int:
    """Bytes of the keys and values of one token in all layers."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * dim * model.dtype.itemsize)


def spare_blocks(model: Any) -> int:
    """Blocks that may be left unused where layers of two kinds share the cache.

    transformers gives it out in sectors, of as many pages as the layers of either kind fill in whole
    blocks, and each kind of layer may leave a part of its last sector unused.
    """
    config = model.config.get_text_config()
    counts = Counter(getattr(config, "layer_types", None) or ()).values()
    return ceil(lcm(*counts) / sum(counts)) if len(counts) > 1 else 0


def _free(device: Any) -> int:
    """Bytes of memory that are free on a device."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)
