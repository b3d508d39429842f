"""Continuous batching by transformers' own manager: each sample starts and ends by itself.

The manager runs the forward passes in a thread of its own, over a cache of fixed blocks; a request
joins the next step that has room, and one that ends makes room for another. What a step draws is
`harness.engines.hf.draws`.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from harness.engines.hf import attention
from harness.engines.hf.completion import Completions, Item
from harness.engines.hf.draws import Step, draw_processor
from harness.engines.hf.memory import Plan
from harness.engines.hf.rows import Row
from harness.errors import EngineDown, EngineError, HarnessError, first_line
from harness.interfaces import Completion

_STOP_SECONDS = 0.8  # to wait for the step in progress when the engine is closed
_OWN_KEYS = "sdpa, of each sample's own keys"
_MAX_FAILURES = 3  # of the manager in a row, without a sample in between


class _InFlight(Row):
    """A row whose caller waits for it."""

    def __init__(self, *args: Any, name: str) -> None:
        super().__init__(*args)
        self.name = name
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self.loop.create_future()


class ContinuousBatches:
    """Draws requests of any settings together, each from its own start to its own end.

    Args:
        model: ready to generate.
        completions: of its tokens.
        generator: of the draws, on the model's device.
        plan: of the cache.
    """

    def __init__(self, model: Any, completions: Completions, generator: Any, plan: Plan) -> None:
        self._model, self._completions, self._generator = model, completions, generator
        self._plan = plan
        self._rows: dict[str, _InFlight] = {}
        self._numbers = itertools.count()
        self._manager: Any = None
        self._n_managers = 0
        self._closed = False
        self._failures = 0
        self._recovery: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Completion:
        """One sample, which starts with the next step that has room for it.

        Raises:
            EngineDown: the cache is too small for it, or the engine is closed.
            EngineError: the model failed on it.
        """
        row = await self._draw(item)
        seconds = time.monotonic() - row.started
        return self._completions.make(item, row.tokens, row.cut, seconds)

    async def draw(self, item: Item) -> list[int]:
        """The tokens of one sample. Raises what `submit` raises."""
        return (await self._draw(item)).tokens

    async def _draw(self, item: Item) -> _InFlight:
        self._plan.check_fits(len(item.tokens), item.cap)
        self._check_open()
        name = str(next(self._numbers))
        chat, tags = self._completions.chat, self._completions.tags
        row = _InFlight(item, tags, chat.decode, self._own_generator(item), name=name)
        self._rows[name] = row
        try:
            if self._recovery is None:
                self._add([row])
            await row.done
            return row
        finally:
            if self._rows.pop(name, None) is not None and self._manager is not None:
                self._manager.cancel_request(name)

    async def close(self) -> None:
        """End the step in progress, and with it all samples."""
        self._closed = True
        if self._recovery is not None:
            self._recovery.cancel()
        _end(self._rows.values(), EngineDown, "the engine was closed")
        await asyncio.to_thread(self._stop)

    def _check_open(self) -> None:
        if self._closed:
            raise EngineDown("the engine was closed")

    def _own_generator(self, item: Item) -> Any:
        import torch

        seed = item.request.seed
        device = self._generator.device
        return None if seed is None else torch.Generator(device).manual_seed(seed)

    def _add(self, rows: Sequence[_InFlight]) -> None:
        """Hand rows to the manager, with the tokens that they have already."""
        self._check_open()
        if self._manager is None:
            try:
                self._manager = self._start()
            except Exception as error:
                raise EngineDown(
                    f"transformers cannot start continuous batching: {first_line(error)}; --engine-arg "
                    "kv_mib=N makes its cache smaller, batching=fixed draws without it"
                ) from error
        for row in rows:
            taken = self._manager.add_request(
                [*row.item.tokens, *row.tokens],
                request_id=row.name,
                max_new_tokens=row.item.cap - len(row.tokens),
                eos_token_id=list(self._completions.end_tokens),
            )
            if taken is None:
                self._failed(self._n_managers, "its thread has stopped")

    def _start(self) -> Any:
        """A manager whose thread runs."""
        import torch
        from transformers import GenerationConfig
        from transformers.generation.continuous_batching import ContinuousBatchingManager

        # A failed step fails its samples, which say so: no trace on the terminal beside them.
        logging.getLogger("ContinuousBatchingLogger").setLevel(logging.CRITICAL)
        config = GenerationConfig(
            do_sample=False, eos_token_id=list(self._completions.end_tokens), max_new_tokens=1
        )
        # transformers seeds torch's global generator; it is nobody's business here.
        devices = [self._model.device] if self._model.device.type == "cuda" else []
        ragged = attention_of(self._model) == _OWN_KEYS
        if ragged:
            attention.register()
            self._model.set_attn_implementation("sdpa")
        with torch.random.fork_rng(devices=devices):
            manager = ContinuousBatchingManager(self._model, config, self._plan.config())
            if ragged:
                self._model.set_attn_implementation(attention.NAME)
            step = Step(
                self._generator,
                size=self._plan.size,
                vocabulary=self._model.config.get_text_config().vocab_size,
                ended=self._ended,
            )
            manager.logit_processor = draw_processor(self._rows, step)
            self._n_managers += 1
            manager.output_router = self._router(self._n_managers)
            manager.warmup()
        # A daemon's threads are daemons, so that no failure elsewhere leaves a process that never ends.
        starter = threading.Thread(target=_run_inference, args=(manager,), daemon=True)
        starter.start()
        starter.join()
        atexit.register(self._stop)
        return manager

    def _stop(self) -> None:
        """End the manager's thread; what it has allocated goes with it, once nothing refers to it."""
        atexit.unregister(self._stop)
        manager, self._manager = self._manager, None
        if manager is not None:
            status = manager.background_thread_status
            status.request_stop(status.HARD_STOP, global_rank=0)
            manager.cancel_request("")  # which wakes a thread that waits for requests
            manager.join(time.perf_counter(), timeout=_STOP_SECONDS)

    def _router(self, number: int) -> Any:
        """Takes what a manager delivers, in its thread."""
        from transformers.generation.continuous_batching.continuous_api import OutputRouter

        deliver = partial(self._delivered, number)

        class Router(OutputRouter):
            def deliver(self, output: Any) -> None:
                deliver(output)

            def deliver_batch(self, outputs: Any) -> None:
                for output in outputs:
                    deliver(output)

        return Router()

    def _delivered(self, number: int, output: Any) -> None:
        row = self._rows.get(output.request_id)
        if row is None:
            return
        if output.error is not None:
            self._call(row, self._failed, number, output.error)
            return
        if not row.over:
            drawn = [*output.prompt_ids, *output.generated_tokens][len(row.item.tokens) :]
            row.follow(drawn)
            self._ended(row)

    def _ended(self, row: _InFlight) -> None:
        self._call(row, self._complete, row)

    @staticmethod
    def _call(row: _InFlight, function: Any, *args: Any) -> None:
        """Call a function in the event loop of a row, from the manager's thread."""
        if not row.loop.is_closed():
            row.loop.call_soon_threadsafe(function, *args)

    def _complete(self, row: _InFlight) -> None:
        self._failures = 0
        if not row.done.done():
            row.done.set_result(None)

    def _failed(self, number: int, error: str) -> None:
        """A manager is dead: what was in flight goes on in another one."""
        if number == self._n_managers and self._recovery is None and not self._closed:
            self._recovery = asyncio.create_task(self._recover(error))

    async def _recover(self, error: str) -> None:
        self._failures += 1
        await asyncio.to_thread(self._stop)
        rows = [row for row in self._rows.values() if not row.done.done()]
        self._recovery = None
        if self._failures < _MAX_FAILURES:
            try:
                self._add(rows)
            except EngineDown as failure:
                _end(rows, EngineDown, str(failure))
            return
        self._failures = 0
        _end(rows, EngineError, f"transformers failed: {error}")


def attention_of(model: Any) -> str:
    """The attention of a model's layers here, as the fingerprint says it."""
    own = str(model.config._attn_implementation)
    return _OWN_KEYS if own in ("sdpa", attention.NAME) else own


def _end(rows: Iterable[_InFlight], kind: type[HarnessError], message: str) -> None:
    for row in rows:
        if not row.done.done():
            row.done.set_exception(kind(message))


def _run_inference(manager: Any) -> None:
    import torch

    with torch.inference_mode():
        manager.start()
