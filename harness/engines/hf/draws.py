"""How transformers' continuous batching draws tokens: one step of all samples in progress.

As in fixed batches a token is argmax(log p + noise), which draws from the softmax with a generator of
the engine's own. Every row has its own temperature, nucleus and forced token, so that samples of
different settings share a step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.engines.hf.rows import Row
from harness.sampling import Sampling

_NUCLEUS = 32  # tokens that hold the nucleus of a model that is sure of itself


def temperature_of(sampling: Sampling) -> float:
    """The temperature; 1 where none is stated."""
    return 1.0 if sampling.temperature is None else sampling.temperature


def draw_processor(rows: Mapping[str, Any], step: Step) -> Any:
    """The list of logits processors that draws the next token of every row.

    transformers calls it twice per step: before the forward pass with the requests in it, then with
    their logits.

    Args:
        rows: the samples in progress, by request id; others are drawn greedily and thrown away.
        step: what draws.
    """
    import torch
    from transformers import LogitsProcessorList
    from transformers.generation.continuous_batching.cb_logits_processors import (
        ContinuousBatchingLogitsProcessor,
        ContinuousBatchingLogitsProcessorList,
    )

    class Draws(ContinuousBatchingLogitsProcessor):
        def __init__(self) -> None:
            self.supported_kwargs, self.ignored_kwargs = {}, ()

        def fill_defaults(self, int32_tensor: Any) -> None:
            int32_tensor.fill_(0)

        def prepare_tensor_args(self, requests_with_new_token: Any) -> Any:
            found = []
            for request in requests_with_new_token:
                state = request.state
                row = rows.get(state.request_id)
                found.append(row)
                if row is not None and not row.over:
                    step.follow(row, state)
            step.prepare(found)
            return torch.empty(0, dtype=torch.int32)  # what a step needs lies in its own buffers

        def __call__(self, scores: Any, tensor_arg: Any) -> Any:
            return step.apply(scores)

    processors = ContinuousBatchingLogitsProcessorList(LogitsProcessorList([Draws()]))
    processors.tensors_required = 1
    return processors


class Step:
    """Draws one token of each sample in a step, all of them at once.

    Args:
        generator: of the draws, on the device of the logits.
        size: largest number of rows in a step.
        vocabulary: tokens that have logits.
        ended: called with a row that has just become a loop or reached a stop string.
    """

    def __init__(
        self, generator: Any, *, size: int, vocabulary: int, ended: Callable[[Any], None]
    ) -> None:
        import torch

        device = generator.device
        self._generator, self._ended = generator, ended
        self._noise = torch.zeros(size, vocabulary, device=device)
        self._temperatures = torch.ones(size, 1, device=device)
        self._nuclei = torch.ones(size, 1, device=device)
        self._forced = torch.full((size, 1), -1, dtype=torch.long, device=device)
        self._any_nucleus = self._any_forced = False
        self._prepared = torch.cuda.Event() if device.type == "cuda" else None

    def follow(self, row: Row, state: Any) -> None:
        """Take in what was drawn for a row since its last step.

        Args:
            row: of a sample in progress.
            state: its request's; after a preemption the tokens before it stand behind the prompt.
        """
        if not row.tokens:
            row.started = time.monotonic() - (time.perf_counter() - state.lifespan[0])
        before = state.initial_tokens[len(row.item.tokens) :]
        row.follow([*before, *state.generated_tokens] if before else state.generated_tokens)
        if row.over:
            self._ended(row)

    def prepare(self, rows: Sequence[Row | None]) -> None:
        """Set temperatures, nuclei, noise and forced tokens of the rows of a step.

        Args:
            rows: in the order of their logits; None for one that nobody waits for.
        """
        samplings = [None if row is None else row.item.request.sampling for row in rows]
        warm = [0.0 if s is None else temperature_of(s) for s in samplings]
        nuclei = [
            1.0 if s is None or not t or s.top_p is None else s.top_p
            for s, t in zip(samplings, warm, strict=True)
        ]
        forced = [None if row is None else row.next_forced() for row in rows]
        _fill(self._temperatures, [t or 1.0 for t in warm])
        _fill(self._nuclei, nuclei)
        _fill(self._forced, [-1 if token is None else token for token in forced])
        self._any_nucleus = min(nuclei, default=1.0) < 1.0
        self._any_forced = any(token is not None for token in forced)
        noise = self._noise[: len(rows)]
        if any(warm):
            noise.exponential_(generator=self._generator)
        for place, row in enumerate(rows):
            if row is not None and row.generator is not None and warm[place]:
                noise[place].exponential_(generator=row.generator)
            elif not warm[place]:
                noise[place] = 1.0
        noise.log_().neg_()
        if self._prepared is not None:
            self._prepared.record()

    def apply(self, scores: Any) -> Any:
        """Logits whose argmax is the draw, from logits, (rows, vocabulary)."""
        import torch

        if self._prepared is not None:  # transformers computes in a stream of its own
            self._prepared.wait()
        n = scores.shape[0]
        scores = scores / self._temperatures[:n]
        if self._any_nucleus:
            scores = nucleus(scores, self._nuclei[:n])
        scores = scores + self._noise[:n]
        if self._any_forced:
            # A forced token uses up its noise, and the other rows keep the draw that they had.
            token = self._forced[:n]
            place = token.clamp(min=0)
            own = scores.gather(1, place)
            scores = scores.scatter(1, place, torch.where(token >= 0, float("inf"), own))
        return scores


def _fill(buffer: Any, values: Sequence[float]) -> None:
    import torch

    buffer[: len(values), 0] = torch.tensor(values, dtype=buffer.dtype)


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
