"""Whether continuous batching draws from a model what plain forward passes do, found by trying."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from harness.engines.hf.completion import Completions, Item
from harness.engines.hf.continuous import ContinuousBatches
from harness.engines.hf.memory import Plan
from harness.engines.hf.rows import Row
from harness.errors import first_line
from harness.interfaces import Request
from harness.sampling import Sampling
from harness.types import Prompt

_TRIAL_SECONDS = 120.0


def why_it_fails(model: Any, completions: Completions) -> str | None:
    """Why the manager cannot draw from a model, found by trying; None where it can.

    A few tokens are drawn greedily for a prompt that is longer than a block. A plain forward pass
    over all of them has to find each of them the likeliest, but for rounding.
    """
    import torch

    vocabulary = model.config.get_text_config().vocab_size
    prompt = [7 * n % vocabulary for n in range(40)]
    plan = Plan(size=2, page_size=32, n_blocks=8, bytes_per_token=0, step_tokens=64)
    request = Request("", 0, Prompt(""), Sampling(temperature=0.0, max_tokens=4))
    row = Row(Item(request, prompt, 4), completions.tags, completions.chat.decode)
    attends = model.config._attn_implementation
    generator = torch.Generator(model.device)

    async def draw() -> None:
        batches = ContinuousBatches(model, completions, generator, plan)
        try:
            row.follow(await asyncio.wait_for(batches.draw(row.item), _TRIAL_SECONDS))
        finally:
            await batches.close()

    failure: list[str] = []

    def run() -> None:
        try:
            asyncio.run(draw())
        except (Exception, asyncio.CancelledError) as error:
            failure.append(first_line(error, 120))

    trial = threading.Thread(target=run, daemon=True)  # there may be an event loop in this one
    trial.start()
    trial.join()
    if model.config._attn_implementation != attends:
        model.set_attn_implementation(attends)
    if failure:
        return f"{type(model).__name__} failed on a trial of it: {failure[0]}"
    with torch.inference_mode():
        ids = torch.tensor([[*prompt, *row.tokens]], device=model.device)
        logits = model(ids).logits[0, len(prompt) - 1 : -1].float()
    drawn = logits.gather(1, ids[0, len(prompt) :, None])[:, 0]
    if bool((drawn < logits.amax(-1) - 0.05 * logits.std(-1)).any()):
        return f"{type(model).__name__} drew other tokens than without it on a trial"
    return None
