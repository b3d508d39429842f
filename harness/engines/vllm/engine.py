"""vLLM in this process: one AsyncLLM per replica, one request per sample, two under a reasoning budget.

Each replica has a seed of its own, and a new one after a restart: vLLM's default seed is the same
constant for all, and two engines with one seed draw the same samples.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.engines.budget import check_kept
from harness.engines.chat import Chat, length_cap
from harness.engines.checkpoint import weights_hash
from harness.engines.effort import BY_TEMPLATE
from harness.engines.replicas import ReplicaLost
from harness.engines.settings import EngineSettings
from harness.engines.vllm.args import EngineArgs, read_engine_args
from harness.engines.vllm.invariance import batch_invariance, is_batch_invariant
from harness.engines.vllm.pieces import Pieces
from harness.engines.vllm.process import Processes, end_llm, start_llm
from harness.engines.vllm.request import (
    final_output,
    lora_request,
    sampling_params,
    token_prompt,
)
from harness.interfaces import Completion, Fingerprint, Request
from harness.stats.seeds import derive_seed
from harness.types import FinishReason

_QUEUE = 1.25  # requests in flight per sequence that vLLM runs, so that a free slot is filled
_DEFAULTS = {"disable_log_stats": True}  # unused here, and they would cost time in each step


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The tokens of a completion, without the one that ended it, and how it ended, in vLLM's words."""

    tokens: list[int]
    n_tokens: int  # with the one that ended it
    reason: str
    n_reasoning: int | None = None

    @classmethod
    def read(cls, output: Any) -> _Drawn:
        tokens, reason = list(output.token_ids), output.finish_reason
        # A completion that ends by a token holds it last; one that a stop string ends does not.
        by_token = reason == "stop" and not isinstance(output.stop_reason, str)
        return cls(tokens[: len(tokens) - by_token], len(tokens), reason)


class VllmEngine:
    """One AsyncLLM; see `harness.interfaces.Engine`. It may be built before its event loop runs.

    `llm` is the AsyncLLM, None once it is shut down; `chat` the tokenizer and chat template.

    Args:
        settings: of the run.
        args: vLLM's arguments, in its types.
        seed: of this engine's draws.
        devices: its GPUs; None leaves the choice to vLLM.
        processes: receives vLLM's processes as they start.

    Raises:
        UsageError: arguments that vLLM refuses, or too little memory.
        DataError: the model cannot be loaded.
    """

    def __init__(
        self,
        settings: EngineSettings,
        args: EngineArgs,
        *,
        seed: int,
        devices: Sequence[str] | None = None,
        processes: Processes | None = None,
    ) -> None:
        from vllm.engine.arg_utils import AsyncEngineArgs

        self._settings, self._args = settings, args
        tokenizer = str(args.values.get("tokenizer") or settings.model)
        self.chat = Chat(tokenizer, settings.revision, settings.think_end, effort=settings.effort)
        if settings.reasoning_budget is not None:
            self.chat.check_bounded(settings.thinking)
        self._tags = self.chat.tags(settings.thinking)
        values = {**_DEFAULTS, **args.values, "model": settings.model, "seed": seed}
        if settings.revision is not None:
            values["revision"] = settings.revision
        self.processes = processes or Processes()
        with batch_invariance(args.batch_invariant):
            self.llm = start_llm(AsyncEngineArgs(**values), devices, self.processes)
        self._config = self.llm.vllm_config
        self._lora = lora_request(args.lora)
        self._context = int(self._config.model_config.max_model_len)
        self._numbers = itertools.count()
        self._notified = False
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    def single(cls, settings: EngineSettings, replica: int = 0, restart: int = 0) -> VllmEngine:
        """One replica, with the seed of its own draws.

        Args:
            settings: of the run.
            replica: its number.
            restart: how often it was restarted before.

        Raises:
            UsageError: vLLM is missing, refuses its arguments, or lacks memory.
            DataError: the model cannot be loaded.
        """
        args = read_engine_args(settings)
        return cls(settings, args, seed=settings.draw_seed(replica, restart))

    @property
    def concurrency(self) -> int:
        """The sequences that vLLM runs at once, and a quarter more that wait for a free slot."""
        return requests_in_flight(self._config)

    @property
    def opens_reasoning(self) -> bool:
        """Whether the chat template ends inside open reasoning."""
        return self.chat.opens_reasoning

    def fingerprint(self) -> Fingerprint:
        """Weights, template, device, dtype, parallelism, LoRA, arguments and versions."""
        config, lora = self._config, self._args.lora
        effort, budget = self._settings.effort, self._settings.reasoning_budget
        return {
            "engine": "vllm",
            "revision": self._settings.revision,
            "dtype": str(config.model_config.dtype).removeprefix("torch."),
            "device": str(config.device_config.device_type),
            "gpus": 0 if config.device_config.device_type == "cpu" else self._args.gpus,
            "chat_template": self.chat.template_hash,
            "weights": weights_hash(Path(self._settings.model)),
            "context": self._context,
            "opens_reasoning": self.chat.opens_reasoning,
            "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
            "quantization": config.model_config.quantization,
            "lora": lora and {"path": lora, "weights": weights_hash(Path(lora))},
            "engine_args": dict(self._settings.options),
            **({"batch_invariant": True} if is_batch_invariant(self._args.batch_invariant) else {}),
            **({} if effort is None else {"effort": BY_TEMPLATE}),
            **(
                {}
                if budget is None
                else {"reasoning_budget": f"cut and continued: {self._tags.forced}"}
            ),
            "versions": {name: _version(name) for name in ("vllm", "torch", "transformers")},
        }

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, without special ones."""
        return self.chat.count(text)

    async def generate(self, request: Request) -> Completion:
        """One sample.

        Raises:
            EngineError: the prompt leaves no room, or vLLM fails on this request.
            EngineDown: the chat template fails on the prompt, or the reasoning budget is not kept.
            UsageError: vLLM refuses the sampling.
            ReplicaLost: vLLM's core has stopped.
        """
        tokens = self.chat.tokens(request.prompt)
        cap = length_cap(len(tokens), request.sampling.max_tokens, self._context)
        self._notify_lowered(request.sampling.max_tokens, cap)
        started = time.monotonic()
        if request.sampling.reasoning_budget is None:
            drawn = _Drawn.read(await self._complete(tokens, sampling_params(request, cap)))
        else:
            drawn = await self._draw_pieces(tokens, request, cap)
        return self._completion(request, drawn, len(tokens), time.monotonic() - started)

    async def close(self) -> None:
        """End vLLM's processes."""
        if self._closing is None:
            self._closing = asyncio.create_task(asyncio.to_thread(self.shutdown))
        await asyncio.shield(self._closing)

    def shutdown(self) -> None:
        """End vLLM's processes, from any thread; blocks, where `close` does not block the loop."""
        llm, self.llm = self.llm, None  # its own destructor fails when the process exits
        if llm is not None:
            end_llm(llm, self.processes)

    async def _draw_pieces(self, prompt: list[int], request: Request, cap: int) -> _Drawn:
        """A completion whose reasoning ends at its budget."""
        sampling = request.sampling
        pieces = Pieces(self._tags, sampling.reasoning_budget or 0, cap)
        n_tokens, reason, over = 0, "length", False
        while not over and pieces.due:
            params = sampling_params(_piece(request, pieces.number), pieces.due)
            piece = _Drawn.read(await self._complete(prompt + pieces.tokens, params))
            over = pieces.add(piece.tokens, ended=piece.reason != "length")
            n_tokens = len(pieces.tokens)
            if over:
                n_tokens, reason = n_tokens + piece.n_tokens - len(piece.tokens), piece.reason
        guard = sampling.repetition_guard
        cut = None if guard is None else pieces.loop(guard)
        if cut is not None:
            del pieces.tokens[cut:]
            n_tokens, reason = cut, "repetition"
        check_kept(
            self._settings.model, self._tags.end, sampling.reasoning_budget, pieces.n_reasoning
        )
        return _Drawn(pieces.tokens, n_tokens, reason, pieces.n_reasoning)

    async def _complete(self, tokens: list[int], params: Any) -> Any:
        """One request of AsyncLLM."""
        llm, number = self.llm, str(next(self._numbers))
        if llm is None:
            raise ReplicaLost("this engine was closed")
        outputs = llm.generate(token_prompt(tokens), params, number, lora_request=self._lora)
        return await final_output(llm, outputs, self.processes.stop_cause)

    def _completion(
        self, request: Request, drawn: _Drawn, n_prompt: int, seconds: float
    ) -> Completion:
        text, reason = self.chat.decode(drawn.tokens), drawn.reason
        places = [text.find(stop) for stop in request.sampling.stop if stop in text]
        if places:
            text, reason = text[: min(places)], "stop"
        finish: FinishReason = "stop" if reason == "stop" else "length"
        return Completion(
            text,
            finish,
            n_prompt,
            drawn.n_tokens,
            drawn.n_reasoning,
            seconds=seconds,
            looped=reason == "repetition",
        )

    def _notify_lowered(self, asked: int | None, cap: int) -> None:
        if asked is None or cap >= asked or self._notified:
            return
        self._notified = True
        self._settings.notify(
            f"max_tokens {asked} and the prompt do not fit the context of {self._context} tokens: "
            "a completion gets what its prompt leaves of it (max_model_len)"
        )


def _piece(request: Request, number: int) -> Request:
    """The request for one piece of a completion: with a seed of its own after the first."""
    if number == 0 or request.seed is None:
        return request
    return replace(request, seed=derive_seed("piece", request.seed, number))


def requests_in_flight(config: Any) -> int:
    """Requests that keep an engine with this VllmConfig busy: `_QUEUE` per sequence it runs."""
    ranks = config.parallel_config.data_parallel_size
    return int(ranks * config.scheduler_config.max_num_seqs * _QUEUE)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
