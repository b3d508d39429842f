"""Whether tokens that an engine drew follow the distribution that was asked for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from harness.engines.chat import Chat
from harness.engines.hf.engine import TransformersEngine
from harness.engines.hf.options import Batching, Options
from harness.interfaces import Request
from harness.sampling import Sampling
from harness.types import Prompt
from tests.support.engines import need_continuous_batching

LEAST = 5.0
"""Expected draws of a cell of a chi-squared test; cells with fewer are pooled."""


def fit(counts: Mapping[Any, int], expected: Mapping[Any, float]) -> float:
    """p-value of Pearson's chi-squared test of counts against probabilities that sum to 1.

    A draw to which the probabilities give no place at all makes it 0.
    """
    from scipy.stats import chisquare

    n = sum(counts.values())
    large = [cell for cell, share in expected.items() if share * n >= LEAST]
    seen = [float(counts.get(cell, 0)) for cell in large]
    meant = [expected[cell] * n for cell in large]
    rest = n - sum(meant)
    if rest >= LEAST:
        seen, meant = [*seen, n - sum(seen)], [*meant, rest]
    else:  # too few for a cell of their own: they go to the smallest
        place = meant.index(min(meant))
        seen[place] += n - sum(seen)
        meant[place] += rest
    if any(expected.get(cell, 0.0) == 0.0 for cell in counts):
        return 0.0
    return float(chisquare(seen, meant).pvalue)


def dependence(pairs: Sequence[tuple[Any, Any]], cells: int = 6) -> float:
    """p-value of the chi-squared test that the two of each pair are independent.

    Args:
        pairs: of categories.
        cells: most frequent categories that count apart; the others are one.
    """
    from scipy.stats import chi2_contingency

    frequent = [cell for cell, _ in Counter(c for pair in pairs for c in pair).most_common(cells)]
    table = [[0.0] * (len(frequent) + 1) for _ in range(len(frequent) + 1)]
    places = {cell: place for place, cell in enumerate(frequent)}
    for one, other in pairs:
        table[places.get(one, cells)][places.get(other, cells)] += 1
    rows = [row for row in table if sum(row)]
    columns = [column for column in zip(*rows, strict=True) if sum(column)]
    return float(chi2_contingency(columns).pvalue)


class Distribution:
    """What a checkpoint should draw, from its own logits.

    Args:
        model: folder.
        dtype: in which they are computed.
    """

    def __init__(self, model: str, dtype: str) -> None:
        from transformers import AutoModelForCausalLM

        self.chat = Chat(model, None, "</think>")
        loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
        self._model = loaded.eval()
        self.end = self.chat.tokenizer.eos_token_id
        self._pairs: dict[tuple[Prompt, float, float], Any] = {}

    def logits(self, tokens: Sequence[Sequence[int]]) -> Any:
        """Of the next token after each sequence of one length, (sequences, vocabulary)."""
        import torch

        with torch.inference_mode():
            ids = torch.tensor([list(row) for row in tokens])
            return self._model(ids, logits_to_keep=1).logits[:, -1]

    def shares(
        self, tokens: Sequence[Sequence[int]], temperature: float, top_p: float
    ) -> list[dict[int, float]]:
        """Probability of each token that may come next, after each sequence of one length."""
        found = []
        shares, order = (self.logits(tokens) / temperature).softmax(-1).sort(-1, descending=True)
        above = shares.cumsum(-1) - shares
        for row, places, mass in zip(shares, order, above, strict=True):
            n = len(row) if top_p >= 1 else int((mass < top_p).sum())
            kept = row[:n] / row[:n].sum()
            found.append(dict(zip(places[:n].tolist(), kept.tolist(), strict=True)))
        return found

    def pairs(
        self, prompt: Prompt, temperature: float, top_p: float
    ) -> tuple[dict[int, float], dict[tuple[int, ...], float]]:
        """Probabilities of the first token, and of the first two or an end in their place.

        They are computed once.
        """
        asked = (prompt, temperature, top_p)
        if asked not in self._pairs:
            self._pairs[asked] = self._find_pairs(prompt, temperature, top_p)
        return self._pairs[asked]

    def _find_pairs(
        self, prompt: Prompt, temperature: float, top_p: float
    ) -> tuple[dict[int, float], dict[tuple[int, ...], float]]:
        start = self.chat.tokens(prompt)
        (first,) = self.shares([start], temperature, top_p)
        after = self.shares([[*start, token] for token in first], temperature, top_p)
        both: dict[tuple[int, ...], float] = {}
        for (token, share), nexts in zip(first.items(), after, strict=True):
            if token == self.end:
                both[(token,)] = share
            else:
                both |= {(token, second): share * then for second, then in nexts.items()}
        return first, both


@cache
def distribution(model: str, dtype: str = "float64") -> Distribution:
    """Of a checkpoint, loaded once."""
    return Distribution(model, dtype)


def draw_tokens(
    model: str,
    prompt: Prompt,
    sampling: Sampling,
    n: int,
    batching: Batching,
    *,
    seed: int = 0,
    one_by_one: bool = False,
) -> list[tuple[int, ...]]:
    """The tokens of n samples of one prompt; see `draw_prompts`."""
    return draw_prompts(model, [prompt] * n, sampling, batching, seed=seed, one_by_one=one_by_one)


def draw_prompts(
    model: str,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    batching: Batching,
    *,
    seed: int = 0,
    one_by_one: bool = False,
) -> list[tuple[int, ...]]:
    """The tokens of a sample of each prompt, the end token included, in the order of requests.

    Args:
        model: folder.
        prompts: one per sample.
        sampling: of all samples.
        batching: of the engine.
        seed: of the engine.
        one_by_one: ask for a sample when the one before has ended.
    """

    if batching == "continuous":
        need_continuous_batching()

    async def work() -> list[tuple[int, ...]]:
        options = Options(batching=batching, batch_size=256, device="cpu", dtype="float32")
        engine = TransformersEngine(model, seed=seed, options=options)
        # Tokens by number: of a text it is not known which tokens it was drawn as.
        engine._chat.decode = lambda tokens: " ".join(map(str, tokens))  # type: ignore[method-assign]
        requests = [Request(str(n), 0, prompt, sampling) for n, prompt in enumerate(prompts)]
        try:
            if one_by_one:
                drawn = [await engine.generate(request) for request in requests]
            else:
                drawn = await asyncio.gather(*(engine.generate(request) for request in requests))
        finally:
            await engine.close()
        end = engine._chat.tokenizer.eos_token_id
        return [
            (*map(int, sample.text.split()), *[end] * (sample.finish_reason == "stop"))
            for sample in drawn
        ]

    return asyncio.run(work())
