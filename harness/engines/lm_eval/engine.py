"""Any model of lm-eval as an engine: `--engine lm_eval:NAME`, NAME as in `lm_eval --model NAME`.

`--model` becomes lm-eval's `pretrained` (or `model`), each `--engine-arg` one of its model arguments.
The chat template is applied once, by lm-eval's own `apply_chat_template`. Models that run in this
process get batches; API clients get one request per thread, so that a failure ends one sample only.

Draws. lm-eval seeds its models with constants (1234), and its chat client sends it with every
repeat. Here each process start has a seed of its own: vLLM engines get it, API clients send a
different one with each sample, and for models that draw from torch's global generator that is seeded
for each batch and restored afterwards. lm-eval's response cache is never used.

The finish reason is the server's. Models in this process return text alone: it is tokenized again,
and as many tokens as the cap allows mean `length`, fewer mean `stop`. Without a tokenizer the reason
is unknown.
"""

from __future__ import annotations

import asyncio
import copy
import gc
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.engines.batching import Batcher
from harness.engines.budget import prompt_reasoning
from harness.engines.chat import length_cap
from harness.engines.checkpoint import digest, weights_hash
from harness.engines.lm_eval.calls import arguments, from_reply, record_replies, torch_draws
from harness.engines.lm_eval.models import Loaded
from harness.engines.opening import Opening
from harness.engines.settings import EngineSettings
from harness.errors import EngineDown, EngineError
from harness.interfaces import Completion, Fingerprint, Request
from harness.stats.seeds import derive_seed
from harness.types import FinishReason, Prompt

_CHAT_STOPS = 4  # stop strings that lm-eval's chat client sends; it drops the others


@dataclass(frozen=True, slots=True)
class _Item:
    """One request for lm-eval: the rendered prompt, its tokens, the cap, and the arguments."""

    request: Request
    prompt: Any
    n_prompt: int | None
    cap: int | None
    arguments: dict[str, Any]


class LmEvalEngine:
    """One lm-eval model; see `harness.interfaces.Engine`.

    Args:
        settings: of the run.
        loaded: the model.
    """

    def __init__(self, settings: EngineSettings, loaded: Loaded) -> None:
        self._settings, self._loaded, self._lm = settings, loaded, loaded.lm
        self._replies = threading.local()
        self._notified: set[str] = set()
        self._batches = 0
        # A copy: batches are encoded in a thread, and encoding is not safe in two at once.
        self._tokenizer = copy.deepcopy(loaded.tokenizer)
        self._template = getattr(self._tokenizer, "chat_template", None)
        self._context = loaded.context
        self._batcher: Batcher[_Item] | None = None
        if loaded.api:
            record_replies(self._lm, partial(setattr, self._replies, "last"))
        else:
            self._batcher = Batcher(
                self._run_batch, size=loaded.concurrency, name=f"lm_eval:{loaded.name}"
            )
        if self._template and not loaded.bos_given and hasattr(self._lm, "add_bos_token"):
            self._lm.add_bos_token = False  # the template decides whether there is one
        rendered = self._render(Prompt("x"))
        self._rendered: bool | None = None  # a server's own template shows nothing
        if isinstance(rendered, str):
            self._rendered = prompt_reasoning(rendered, settings.think_end) is not None
        self._opening = Opening(self._rendered, settings.think_end)

    @property
    def concurrency(self) -> int:
        """Requests in flight of an API client; else the samples of two batches, one of them waiting."""
        return self._loaded.concurrency * (1 if self._loaded.api else 2)

    @property
    def opens_reasoning(self) -> bool | None:
        """Whether the chat template ends inside open reasoning.

        Where a server renders it, the completions tell; None while none has.
        """
        return self._opening.known if self._loaded.api else self._rendered

    def fingerprint(self) -> Fingerprint:
        """Model, weights, template, dtype, context, arguments and versions."""
        return {
            "engine": "lm_eval",
            "lm_eval_model": self._loaded.name,
            "revision": self._settings.revision,
            "dtype": self._loaded.dtype,
            "chat_template": digest(str(self._template).encode()) if self._template else None,
            "weights": weights_hash(Path(self._settings.model)),
            "context": self._context,
            "opens_reasoning": self._rendered,
            "arguments": dict(self._loaded.shown),
            "versions": _versions("lm_eval", "torch", "transformers", "vllm"),
        }

    def count_tokens(self, text: str) -> int | None:
        """Tokens of a text, without special ones; None where lm-eval has no tokenizer."""
        if self._tokenizer is None:
            return None
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    async def generate(self, request: Request) -> Completion:
        """One sample.

        Raises:
            EngineError: the prompt leaves no room, or lm-eval failed on this sample or its batch.
            EngineDown: no length cap is given, or the chat template fails on the prompt.
        """
        item = self._item(request)
        if self._batcher is not None:
            sampling = request.sampling
            group = sampling.temperature, sampling.top_p, sampling.stop, item.cap
            return await self._batcher.submit(item, group)
        completion = await self._in_a_thread(item)
        self._opening.observe(completion)
        return self._opening.placed(completion)

    async def close(self) -> None:
        """Free the model; vLLM's engine process ends with it."""
        if self._batcher is not None:
            await self._batcher.close()
        core = getattr(getattr(self._loaded.model, "llm_engine", None), "engine_core", None)
        if core is not None:
            await asyncio.to_thread(core.shutdown)
        self._lm = None
        gc.collect()

    def _item(self, request: Request) -> _Item:
        sampling = request.sampling
        prompt = self._render(request.prompt)
        n_prompt = self.count_tokens(prompt) if isinstance(prompt, str) else None
        cap = sampling.max_tokens
        if n_prompt is not None and self._context is not None:
            first = (
                0 if self._template else 1
            )  # the start token that lm-eval puts before plain text
            cap = length_cap(n_prompt + first, cap, self._context)
            if sampling.max_tokens and cap < sampling.max_tokens:
                self._notify(
                    f"lm_eval:{self._loaded.name} has a context of {self._context} tokens: "
                    "completions are capped at what the prompt leaves of it (--engine-arg "
                    "max_length=N where the model has more)"
                )
        if cap is None:
            raise EngineDown("--max-tokens is needed: lm-eval's own default would cut at 256")
        if self._loaded.api and len(sampling.stop) > _CHAT_STOPS:
            self._notify(f"lm-eval's chat client sends the first {_CHAT_STOPS} of "
                       f"{len(sampling.stop)} stop strings")  # fmt: skip
        found = arguments(sampling, cap, transformers=self._loaded.transformers)
        seed = self._seed(request)
        return _Item(request, prompt, n_prompt, cap, found | ({} if seed is None else seed))

    def _seed(self, request: Request) -> dict[str, int] | None:
        """A seed for this sample alone, where the model takes one and needs it."""
        if request.seed is not None:
            return {"seed": request.seed}
        if not (self._loaded.api and self._loaded.takes_seed):
            return None
        key = request.problem_id, request.index
        return {"seed": derive_seed("lm_eval", self._settings.seed, *key)}

    def _render(self, prompt: Prompt) -> Any:
        """A prompt for lm-eval: a string, or its own wrapping of messages."""
        messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
        messages.append({"role": "user", "content": prompt.user})
        if self._tokenizer is None or self._template:
            try:
                return self._lm.apply_chat_template(messages)
            except NotImplementedError:  # a model of completions
                pass
            except Exception as error:  # templates raise their own errors
                raise EngineDown(f"the chat template of {self._settings.model} failed: {error}") from error  # fmt: skip
        return "\n\n".join(message["content"] for message in messages)

    async def _in_a_thread(self, item: _Item) -> Completion:
        """One request in a thread of its own: a daemon, so that no exit waits for a slow server."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Completion] = loop.create_future()

        def settle(completion: Completion | None, error: EngineError | None) -> None:
            if done.done():  # cancelled
                return
            if completion is not None:
                done.set_result(completion)
            elif error is not None:
                done.set_exception(error)

        def work() -> None:
            completion = failure = None
            try:
                completion = self._run_alone(item)
            except EngineError as error:
                failure = error
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, completion, failure)

        threading.Thread(target=work, daemon=True).start()
        return await done

    def _run_batch(self, batch: Sequence[_Item]) -> list[Completion]:
        started = time.monotonic()
        self._batches += 1
        with torch_draws(self._settings.draw_seed(0, self._batches)):
            texts = self._call(batch)
        seconds = time.monotonic() - started
        return [self._completion(i, text, seconds) for i, text in zip(batch, texts, strict=True)]

    def _run_alone(self, item: _Item) -> Completion:
        started = time.monotonic()
        self._replies.last = None
        try:
            (text,) = self._call([item])
        except Exception as error:  # whatever a client raised, this sample ends in `error`
            raise EngineError(f"lm_eval:{self._loaded.name} failed: {error!r}"[:500]) from error
        return self._completion(item, text, time.monotonic() - started)

    def _call(self, batch: Sequence[_Item]) -> list[str]:
        from lm_eval.api.instance import Instance

        requests = [
            Instance("generate_until", {}, (item.prompt, dict(item.arguments)), number)
            for number, item in enumerate(batch)
        ]
        return [str(text) for text in self._lm.generate_until(requests, disable_tqdm=True)]

    def _completion(self, item: _Item, text: str, seconds: float) -> Completion:
        reply = getattr(self._replies, "last", None)
        if reply is not None:
            return from_reply(reply, text, seconds)
        n_tokens = self.count_tokens(text)
        reason: FinishReason = "unknown"
        if n_tokens is not None and item.cap is not None:
            reason = "length" if n_tokens >= item.cap else "stop"
        return Completion(text, reason, item.n_prompt, n_tokens, seconds=seconds)

    def _notify(self, text: str) -> None:
        if text not in self._notified:
            self._notified.add(text)
            self._settings.notify(text)


def _versions(*names: str) -> dict[str, str]:
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
