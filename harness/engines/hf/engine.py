"""The default engine: Hugging Face transformers in this process, on a CPU or a GPU.

Samples are drawn by continuous batching (`harness.engines.hf.continuous`) where transformers and the
model can, else in fixed batches (`harness.engines.hf.fixed`).
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from harness.engines.budget import check_kept
from harness.engines.chat import Chat, length_cap
from harness.engines.checkpoint import load_model, weights_hash
from harness.engines.effort import BY_TEMPLATE
from harness.engines.hf.completion import Completions, Item
from harness.engines.hf.decoding import drop_generation_defaults
from harness.engines.hf.fixed import FixedBatches
from harness.engines.hf.options import Options
from harness.engines.hf.support import why_fixed
from harness.errors import DataError, UsageError
from harness.interfaces import Completion, Fingerprint, Request
from harness.types import Thinking

_DEFAULTS = Options()


class _Batching(Protocol):
    async def submit(self, item: Item) -> Completion: ...
    async def close(self) -> None: ...


class TransformersEngine:
    """One model in this process; see `harness.interfaces.Engine`.

    Args:
        model: folder or hub name.
        revision: of a hub model.
        seed: of this engine's draws.
        think_end: the tag that ends reasoning.
        thinking: whether the model reasons, which a reasoning budget depends on.
        effort: how hard the chat template asks it to reason.
        bounded: whether samples have a reasoning budget; the model is checked for it.
        seeded: whether samples have seeds of their own, which takes fixed batches.
        options: batching, its size and cache, device and dtype.

    Raises:
        UsageError: torch or transformers is not installed, or the model cannot have the effort, a
            budget or the batching.
        DataError: the model or its tokenizer cannot be loaded.
    """

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        seed: int = 0,
        think_end: str = "</think>",
        thinking: Thinking = "auto",
        effort: str | None = None,
        bounded: bool = False,
        seeded: bool = False,
        options: Options = _DEFAULTS,
    ) -> None:
        try:
            import torch
            import transformers
        except ImportError as error:
            raise UsageError(
                f"the transformers engine needs {error.name}: "
                "pip install 'reasoning-harness[transformers]'"
            ) from error
        transformers.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        self._name, self._revision, self._options = model, revision, options
        self._device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
        # bfloat16 on a CPU is slow and rounds otherwise than on a GPU; float32 is exact on both.
        self._dtype = options.dtype or ("float32" if self._device == "cpu" else "auto")
        self._effort = effort
        self._chat = Chat(model, revision, think_end, effort=effort)
        if bounded:
            self._chat.check_bounded(thinking)
        self._tags, self._bounded = self._chat.tags(thinking), bounded
        self._model = load_model(model, revision, self._dtype, self._device)
        drop_generation_defaults(self._model)
        self._generator = torch.Generator(self._device).manual_seed(seed)
        self._context = int(getattr(self._model.config, "max_position_embeddings", 0) or 1 << 30)
        self._batching, self._batches = self._open_batches(seeded)

    @property
    def concurrency(self) -> int:
        """Twice what is drawn at once: as many samples wait for the places that come free."""
        return 2 * self._options.batch_size

    @property
    def opens_reasoning(self) -> bool:
        """Whether the chat template ends inside open reasoning."""
        return self._chat.opens_reasoning

    def fingerprint(self) -> Fingerprint:
        """Weights, template, device, dtype, context and versions."""
        return {
            "engine": "transformers",
            "revision": self._revision,
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "device": str(self._model.device),
            "gpus": int(self._model.device.type == "cuda"),
            "chat_template": self._chat.template_hash,
            "weights": weights_hash(Path(self._name)),
            "context": self._context,
            "opens_reasoning": self._chat.opens_reasoning,
            "batch_size": self._options.batch_size,
            **self._batching,
            **({"effort": BY_TEMPLATE} if self._effort is not None else {}),
            **({"reasoning_budget": self._tags.forced} if self._bounded else {}),
            "versions": {name: version(name) for name in ("torch", "transformers")},
        }

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, without special ones."""
        return self._chat.count(text)

    async def generate(self, request: Request) -> Completion:
        """One sample.

        Raises:
            EngineError: the prompt leaves no room for a completion, or the model failed.
            EngineDown: the chat template fails on the prompt, the reasoning budget is not kept, or the
                cache is too small.
        """
        tokens = self._chat.tokens(request.prompt)
        cap = length_cap(len(tokens), request.sampling.max_tokens, self._context)
        found = await self._batches.submit(Item(request, tokens, cap))
        budget = request.sampling.reasoning_budget
        check_kept(self._name, self._tags.end, budget, found.n_reasoning_tokens)
        return found

    async def close(self) -> None:
        """Stop what is in progress."""
        await self._batches.close()

    def _open_batches(self, seeded: bool) -> tuple[Fingerprint, _Batching]:
        """How samples are batched, as the fingerprint says it, and what does it."""
        completions = Completions(self._chat, self._tags, self._find_end_tokens())
        size, asked = self._options.batch_size, self._options.batching
        why = why_fixed(self._model, seeded, completions) if asked != "fixed" else None
        if why is not None and asked == "continuous":
            raise UsageError(f"--engine-arg batching=continuous: {why}; leave it out")
        if asked == "fixed" or why is not None:
            stated = {"batching": "fixed"} | ({} if why is None else {"batching_why": why})
            return stated, FixedBatches(self._model, completions, self._generator, size)
        from harness.engines.hf.continuous import ContinuousBatches, attention_of
        from harness.engines.hf.memory import plan_cache

        plan = plan_cache(self._model, self._context, size, self._options.kv_mib)
        attention = attention_of(self._model)
        facts: Fingerprint = {"batching": "continuous", "attention": attention, **plan.facts()}
        return facts, ContinuousBatches(self._model, completions, self._generator, plan)

    def _find_end_tokens(self) -> tuple[int, ...]:
        """All tokens that end a completion; the first one also pads."""
        config = self._model.generation_config
        ends = config.eos_token_id if config is not None else None
        found = [ends] if isinstance(ends, int) else list(ends or [])
        if self._chat.tokenizer.eos_token_id is not None:
            found.append(self._chat.tokenizer.eos_token_id)
        if not found:
            raise DataError(f"{self._name}: neither model nor tokenizer names an end token")
        return tuple(dict.fromkeys(found))
