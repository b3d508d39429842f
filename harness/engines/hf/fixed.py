"""Fixed batches: waiting requests go through plain `generate`, which ends with the longest of them.

`harness.engines.hf.decoding` draws the tokens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from harness.engines.batching import Batcher, BatchTooLarge
from harness.engines.budget import Reasoning
from harness.engines.hf.completion import Completions, Item
from harness.engines.hf.decoding import LoopStops, draw_tokens, end_reasoning, stop_rows
from harness.interfaces import Completion


class FixedBatches:
    """Draws requests of one setting together, one batch after another.

    Args:
        model: ready to generate.
        completions: of its tokens.
        generator: of the draws.
        size: largest number of samples in a batch.
    """

    def __init__(self, model: Any, completions: Completions, generator: Any, size: int) -> None:
        self._model, self._completions, self._generator = model, completions, generator
        self._device = str(model.device)
        self._batcher = Batcher(self._run, size=size, name="transformers")
        self._stopped = threading.Event()

    async def submit(self, item: Item) -> Completion:
        """One sample, in the next batch of its settings.

        Raises:
            EngineError: the batch failed.
        """
        sampling = item.request.sampling
        group = (sampling.temperature, sampling.top_p, sampling.stop, sampling.repetition_guard,
                 sampling.reasoning_budget, item.request.seed is None)  # fmt: skip
        return await self._batcher.submit(item, group)

    async def close(self) -> None:
        """Stop the batch in progress and end the loop."""
        self._stopped.set()
        await self._batcher.close()

    def _run(self, batch: Sequence[Item]) -> list[Completion]:
        """Generate a batch, left-padded; rows end on their own cap, end token or stop string."""
        import torch
        from transformers import GenerationConfig, StoppingCriteriaList

        width = max(len(item.tokens) for item in batch)
        ends = self._completions.end_tokens
        ids = torch.full((len(batch), width), ends[0], dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, item in enumerate(batch):
            ids[row, width - len(item.tokens) :] = torch.tensor(item.tokens)
            mask[row, width - len(item.tokens) :] = 1
        started = time.monotonic()
        sampling = batch[0].request.sampling
        config = GenerationConfig(
            do_sample=False,
            max_new_tokens=max(item.cap for item in batch),
            eos_token_id=list(ends),
            pad_token_id=ends[0],
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
            tags = self._completions.tags
            reasoning = [Reasoning(tags, sampling.reasoning_budget) for _ in batch]
            processors.append(end_reasoning(reasoning, width))
        with torch.inference_mode(), _too_large():
            output = self._model.generate(
                input_ids=ids.to(self._device),
                attention_mask=mask.to(self._device),
                generation_config=config,
                logits_processor=processors,
                stopping_criteria=stops,
                tokenizer=self._completions.chat.tokenizer if sampling.stop else None,
            )
        seconds = time.monotonic() - started
        rows = output[:, width:].tolist()
        cuts = loops.cuts if loops is not None else [None] * len(batch)
        return [
            self._completions.make(item, row, cut, seconds)
            for item, row, cut in zip(batch, rows, cuts, strict=True)
        ]


@contextmanager
def _too_large() -> Iterator[None]:
    """A GPU without memory for a batch asks for a smaller one."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise BatchTooLarge(str(error)) from error
