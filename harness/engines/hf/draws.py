"""How transformers' continuous batching draws tokens: one step of all samples in progress.

As in fixed batches a token is argmax(log p + noise), which draws from the softmax with a generator of
the engine's own. Every row has its own temperature, nucleus and forced token, so that samples of
different settings share a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.engines.hf.rows import Row
from harness.sampling import Sampling

_NUCLEUS = 32  # tokens that hold the nucleus of a model that is sure of itself


def temperature_of(sampling: Sampling) -> float:
    """The temperature; 1 where none is stated."""
    return 1.0 if sampling.temperature is None else sampling.temperature


def draw_processor(
    rows: Mapping[str, Row],
    generator: Any,
    *,
    size: int,
    vocabulary: int,
    ended: Callable[[Row], None],
) -> Any:
    """The list of logits processors that draws the next token of every row.

    transformers calls it twice per step: before the forward pass with the requests in it, then with
    their logits. What the second call needs lies in buffers that never move, as CUDA graphs ask for.

    Args:
        rows: the samples in progress, by request id; others are drawn greedily and thrown away.
        generator: of the draws, on the device of the logits.
        size: largest number of rows in a step.
        vocabulary: tokens that have logits.
        ended: called with a row that has just become a loop or reached a stop string.
    """
    import torch
    from transformers import LogitsProcessorList
    from transformers.generation.continuous_batching.cb_logits_processors import (
        ContinuousBatchingLogitsProcessor,
        ContinuousBatchingLogitsProcessorList,
    )

    device = generator.device

    class Draws(ContinuousBatchingLogitsProcessor):
        supported_kwargs: dict[str, type] = {}
        ignored_kwargs: tuple[str, ...] = ()

        def __init__(self) -> None:
            self.noise = torch.zeros(size, vocabulary, device=device)
            self.temperatures = torch.ones(size, 1, device=device)
            self.nuclei = torch.ones(size, 1, device=device)
            self.forced = torch.full((size,), -1, dtype=torch.long, device=device)
            self.any_nucleus = self.any_forced = False

        def fill_defaults(self, int32_tensor: Any) -> None:
            int32_tensor.fill_(0)

        def prepare_tensor_args(self, requests_with_new_token: Any) -> Any:
            found = [self._row(request.state) for request in requests_with_new_token]
            samplings = [None if row is None else row.item.request.sampling for row in found]
            warm = [0.0 if s is None else temperature_of(s) for s in samplings]
            nuclei = [
                1.0 if s is None or not t or s.top_p is None else s.top_p
                for s, t in zip(samplings, warm, strict=True)
            ]
            forced = [None if row is None else row.next_forced() for row in found]
            n = len(found)
            self._fill(self.temperatures[:n, 0], [t or 1.0 for t in warm])
            self._fill(self.nuclei[:n, 0], nuclei)
            self._fill(self.forced[:n], [-1 if token is None else token for token in forced])
            self.any_nucleus = min(nuclei, default=1.0) < 1.0
            self.any_forced = any(token is not None for token in forced)
            self._draw_noise(found, warm)
            return torch.empty(0, dtype=torch.int32)

        def __call__(self, scores: Any, tensor_arg: Any) -> Any:
            n = scores.shape[0]
            scores = scores / self.temperatures[:n]
            if self.any_nucleus:
                scores = nucleus(scores, self.nuclei[:n])
            scores = scores + self.noise[:n]
            if self.any_forced:
                token = self.forced[:n, None]
                # A forced token uses up its noise, and the other rows keep the draw that they had.
                scores = scores.scatter(1, token.clamp(min=0), torch.where(
                    token >= 0, float("inf"), scores.gather(1, token.clamp(min=0))))  # fmt: skip
            return scores

        def _row(self, state: Any) -> Row | None:
            row = rows.get(state.request_id)
            if row is None or row.over:
                return row
            # After a preemption the tokens drawn before it stand behind the prompt.
            before = state.initial_tokens[len(row.item.tokens) :]
            row.follow([*before, *state.generated_tokens] if before else state.generated_tokens)
            if row.over:
                ended(row)
            return row

        @staticmethod
        def _fill(buffer: Any, values: list[Any]) -> None:
            buffer.copy_(torch.tensor(values, dtype=buffer.dtype))

        def _draw_noise(self, found: list[Row | None], warm: list[float]) -> None:
            noise = self.noise[: len(found)]
            noise.exponential_(generator=generator)
            for place, row in enumerate(found):
                if row is not None and row.generator is not None:
                    noise[place].exponential_(generator=row.generator)
            noise.log_().neg_()
            for place, temperature in enumerate(warm):
                if temperature == 0:
                    noise[place] = 0.0

    processors = ContinuousBatchingLogitsProcessorList(LogitsProcessorList([Draws()]))
    processors.tensors_required = 1
    return processors


def nucleus(scores: Any, top_p: Any) -> Any:
    """Logits, -inf outside each row's smallest set of tokens whose probabilities reach `top_p`.

    The set is mostly small, so that the whole vocabulary need not be sorted.

    Args:
        scores: logits, (rows, vocabulary).
        top_p: (rows, 1).
    """
    total = scores.logsumexp(-1, keepdim=True)
    for n in (_NUCLEUS, scores.shape[-1]):
        highest, places = scores.topk(min(n, scores.shape[-1]), dim=-1)
        reached = (highest - total).exp().cumsum(-1)
        if n >= scores.shape[-1] or bool(((reached[:, -1:] >= top_p) | (top_p >= 1)).all()):
            break
    inside = reached.roll(1, -1) < top_p  # what the tokens above it reach
    inside[:, 0] = True
    kept = highest.masked_fill(~inside & (top_p < 1), -float("inf"))
    chosen = scores.new_full(scores.shape, -float("inf")).scatter(-1, places, kept)
    return chosen.where(top_p < 1, scores)
