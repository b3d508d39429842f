"""How transformers' `generate` draws tokens and ends the rows of a batch.

A token is drawn by the Gumbel trick, argmax(log p + noise), so that every draw comes from a
generator of the engine's own (or of the sample's own, when seeded) and the process-global random
state is never touched.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from harness.engines.budget import Reasoning
from harness.engines.repetition import LoopDetector
from harness.sampling import Sampling


def drop_generation_defaults(model: Any) -> None:
    """Drop a checkpoint's own generation settings, except for its special tokens and its cache.

    `generate` takes from them what a call leaves out, and many set a repetition penalty, which would
    change every sample and appear in no protocol.
    """
    from transformers import GenerationConfig

    own = model.generation_config
    if own is not None:
        kept = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id",
                "cache_implementation")  # fmt: skip
        model.generation_config = GenerationConfig(**{name: getattr(own, name) for name in kept})


def draw_tokens(
    sampling: Sampling, generator: Any, seeds: Sequence[int | None], device: str
) -> Any:
    """Logits processors: temperature, nucleus (top_p), then noise, so that argmax is a draw.

    None at temperature 0, where argmax itself is meant.

    Args:
        sampling: an unstated temperature is 1.
        generator: the engine's torch generator.
        seeds: one per row where samples are seeded; else None for all.
        device: of the logits, (rows, vocabulary).
    """
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

    processors = LogitsProcessorList()
    temperature = 1.0 if sampling.temperature is None else sampling.temperature
    if temperature == 0:
        return processors
    processors.append(TemperatureLogitsWarper(temperature))
    if sampling.top_p is not None and sampling.top_p < 1:
        processors.append(TopPLogitsWarper(sampling.top_p))
    processors.append(add_noise(generator, seeds, device))
    return processors


def stop_rows(lengths: Sequence[int], stopped: threading.Event, device: str) -> Any:
    """A stopping criterion: each row ends at its own length, all of them when the engine stops.

    Args:
        lengths: tokens of each row at its end, prompt and padding included.
        stopped: set when the engine is closed.
        device: of the token ids.
    """
    import torch
    from transformers import StoppingCriteria

    ends = torch.tensor(lengths, device=device)

    class RowLengths(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
            return (input_ids.shape[1] >= ends) | stopped.is_set()

    return RowLengths()


class LoopStops:
    """Applies the repetition guard to a batch; `cuts` holds the tokens at which it cut each row.

    Args:
        rows: in the batch.
        guard: repeats that make a loop.
        width: tokens of the padded prompts; only what follows them is checked.
    """

    def __init__(self, rows: int, guard: int, width: int) -> None:
        self.cuts: list[int | None] = [None] * rows
        self._detectors = [LoopDetector(guard) for _ in range(rows)]
        self._width = width

    def criterion(self, device: str) -> Any:
        """A stopping criterion that ends a row when it has become a loop."""
        import torch
        from transformers import StoppingCriteria

        def ended(input_ids: Any) -> list[bool]:
            n = input_ids.shape[1] - self._width
            for row, token in enumerate(input_ids[:, -1].tolist()):
                # The padding of a row that has ended may be a loop too: it comes after the end.
                if self.cuts[row] is None and self._detectors[row].add(token):
                    self.cuts[row] = n
            return [cut is not None for cut in self.cuts]

        class Loops(StoppingCriteria):
            def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
                return torch.tensor(ended(input_ids), device=device)

        return Loops()


def end_reasoning(rows: Sequence[Reasoning], width: int) -> Any:
    """A logits processor that forces the tag that ends reasoning, in each row at its own token.

    It comes last: an unforced row keeps the draw that it had, and a forced one uses up its noise.

    Args:
        rows: one per row of the batch, at its start.
        width: tokens of the padded prompts; only what follows them is counted.
    """
    from transformers import LogitsProcessor

    class EndReasoning(LogitsProcessor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            if input_ids.shape[1] > width:
                for row, token in zip(rows, input_ids[:, -1].tolist(), strict=True):
                    row.add(token)
            tokens = [row.next_forced() for row in rows]
            for place, token in enumerate(tokens):
                if token is not None:
                    scores[place] = -float("inf")
                    scores[place, token] = 0.0
            return scores

    return EndReasoning()


def add_noise(generator: Any, seeds: Sequence[int | None], device: str) -> Any:
    """A logits processor that adds Gumbel noise, so that argmax draws from the softmax.

    Args:
        generator: the engine's torch generator, for all rows without a seed.
        seeds: one per row where samples are seeded; else None for all.
        device: of the logits.
    """
    import torch
    from transformers import LogitsProcessor

    rows = [None if s is None else torch.Generator(device).manual_seed(s) for s in seeds]

    class Noise(LogitsProcessor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            scores = scores.float()
            exponential = torch.empty_like(scores)
            if rows[0] is None:
                exponential.exponential_(generator=generator)
            else:
                for row, own in enumerate(rows):
                    exponential[row].exponential_(generator=own)
            return scores - exponential.log()

    return Noise()
