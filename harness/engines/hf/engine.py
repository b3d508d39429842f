"""The default engine: Hugging Face transformers in this process, on a CPU or a GPU.

Waiting requests are batched and go through plain `generate`; `harness.engines.hf.decoding` draws
the tokens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from harness.engines.batching import Batcher, BatchTooLarge
from harness.engines.budget import Reasoning, check_kept, count_reasoning
from harness.engines.chat import Chat, length_cap
from harness.engines.checkpoint import load_model, weights_hash
from harness.engines.effort import BY_TEMPLATE
from harness.engines.hf.decoding import (
    LoopStops,
    draw_tokens,
    drop_generation_defaults,
    end_reasoning,
    stop_rows,
)
from harness.engines.hf.options import Options
from harness.errors import DataError, UsageError
from harness.interfaces import Completion, Fingerprint, Request
from harness.types import FinishReason, Thinking

_DEFAULTS = Options()


@dataclass(frozen=True, slots=True)
class _Item:
    """A request, its prompt's token ids, and how many tokens its completion may have."""

    request: Request
    tokens: list[int]
    cap: int


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
        options: batch size, device and dtype.

    Raises:
        UsageError: torch or transformers is not installed, or the model cannot have the effort or
            a budget.
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
        self._end_tokens = self._find_end_tokens()
        self._batcher = Batcher(self._run_batch, size=options.batch_size, name="transformers")
        self._stopped = threading.Event()

    @property
    def concurrency(self) -> int:
        """Samples of two batches: one in progress, and one that waits for it."""
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
            **({"effort": BY_TEMPLATE} if self._effort is not None else {}),
            **({"reasoning_budget": self._tags.forced} if self._bounded else {}),
            "versions": {name: version(name) for name in ("torch", "transformers")},
        }

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, without special ones."""
        return self._chat.count(text)

    async def generate(self, request: Request) -> Completion:
        """One sample, in the next batch.

        Raises:
            EngineError: the prompt leaves no room for a completion, or the batch failed.
            EngineDown: the chat template fails on the prompt, or the reasoning budget is not kept.
        """
        tokens = self._chat.tokens(request.prompt)
        cap = length_cap(len(tokens), request.sampling.max_tokens, self._context)
        sampling = request.sampling
        group = (sampling.temperature, sampling.top_p, sampling.stop, sampling.repetition_guard,
                 sampling.reasoning_budget, request.seed is None)  # fmt: skip
        found = await self._batcher.submit(_Item(request, tokens, cap), group)
        check_kept(self._name, self._tags.end, sampling.reasoning_budget, found.n_reasoning_tokens)
        return found

    async def close(self) -> None:
        """Stop the batch in progress and end the loop."""
        self._stopped.set()
        await self._batcher.close()

    def _run_batch(self, batch: Sequence[_Item]) -> list[Completion]:
        """Generate a batch, left-padded; rows end on their own cap, end token or stop string."""
        import torch
        from transformers import GenerationConfig, StoppingCriteriaList

        width = max(len(item.tokens) for item in batch)
        pad = self._end_tokens[0]
        ids = torch.full((len(batch), width), pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, item in enumerate(batch):
            ids[row, width - len(item.tokens) :] = torch.tensor(item.tokens)
            mask[row, width - len(item.tokens) :] = 1
        started = time.monotonic()
        sampling = batch[0].request.sampling
        config = GenerationConfig(
            do_sample=False,
            max_new_tokens=max(item.cap for item in batch),
            eos_token_id=list(self._end_tokens),
            pad_token_id=pad,
            stop_strings=list(sampling.stop) or None,
        )
        stops = StoppingCriteriaList(
            [stop_rows([width + w.cap for w in batch], self._stopped, self._device)]
        )
        loops = None
        if sampling.repetition_guard is not None:
            loops = LoopStops(len(batch), sampling.repetition_guard, width)
            stops.append(loops.criterion(self._device))
        processors = draw_tokens(
            sampling, self._generator, [w.request.seed for w in batch], self._device
        )
        if sampling.reasoning_budget is not None:
            reasoning = [Reasoning(self._tags, sampling.reasoning_budget) for _ in batch]
            processors.append(end_reasoning(reasoning, width))
        with torch.inference_mode(), _too_large():
            output = self._model.generate(
                input_ids=ids.to(self._device),
                attention_mask=mask.to(self._device),
                generation_config=config,
                logits_processor=processors,
                stopping_criteria=stops,
                tokenizer=self._chat.tokenizer if sampling.stop else None,
            )
        seconds = time.monotonic() - started
        rows = output[:, width:].tolist()
        cuts = loops.cuts if loops is not None else [None] * len(batch)
        return [
            self._completion(w, row, cut, seconds)
            for w, row, cut in zip(batch, rows, cuts, strict=True)
        ]

    def _completion(
        self, item: _Item, row: list[int], cut: int | None, seconds: float
    ) -> Completion:
        """The text of a row up to its end, its cap or where the repetition guard cut it."""
        ends = [place for place, token in enumerate(row) if token in self._end_tokens]
        limit = item.cap if cut is None else min(cut, item.cap)
        n_tokens = min(ends[0] + 1 if ends else len(row), limit)
        ended = bool(ends) and ends[0] < limit
        tokens = row[: n_tokens - ended]
        text = self._chat.decode(tokens)
        places = [text.find(stop) for stop in item.request.sampling.stop if stop in text]
        if places:
            text, ended = text[: min(places)], True
        reason: FinishReason = "stop" if ended else "length"
        bounded = item.request.sampling.reasoning_budget is not None
        return Completion(
            text,
            reason,
            len(item.tokens),
            n_tokens,
            # The text in other tokens than those drawn may have a few more.
            count_reasoning(self._tags, tokens) if bounded else None,
            seconds=seconds,
            looped=not ended and n_tokens == cut,
        )

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


@contextmanager
def _too_large() -> Iterator[None]:
    """A GPU without memory for a batch asks for a smaller one."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise BatchTooLarge(str(error)) from error
