"""vLLM in this process: one AsyncLLM per replica, one request per sample.

Each replica has a seed of its own, and a new one after a restart: vLLM's default seed is the same
constant for all, and two engines with one seed draw the same samples.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.engines.chat import Chat, length_cap
from harness.engines.checkpoint import weights_hash
from harness.engines.replicas import ReplicaLost, Replicas
from harness.engines.settings import EngineSettings
from harness.engines.vllm.args import (
    EngineArgs,
    assign_devices,
    check_data_parallel,
    parse_engine_args,
)
from harness.engines.vllm.request import (
    cause,
    guard_params,
    lora_request,
    sampling_params,
    token_prompt,
)
from harness.engines.vllm.start import Processes, end_llm, import_vllm, start_llm, visible_devices
from harness.errors import EngineError, UsageError
from harness.interfaces import Completion, Request
from harness.types import FinishReason

_QUEUE = 1.25  # requests at an engine over those it runs at once, so that a free slot is filled
_ENDS = ("stop", "length", "repetition")
_LOOK_SECONDS = 0.2  # between two looks for an interruption while a model is loaded
_DEFAULTS = {"disable_log_stats": True}  # nobody reads them, and each step would cost


class VllmEngine:
    """One AsyncLLM; see `harness.interfaces.Engine`. It may be built before its event loop runs.

    `generate` raises ReplicaLost when vLLM's core is gone.

    Args:
        settings: of the run.
        args: vLLM's arguments, in its types.
        seed: of this engine's draws.
        devices: its GPUs; None leaves the choice to vLLM.
        processes: is given vLLM's processes as they start.

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
        self._chat = Chat(tokenizer, settings.revision, settings.think_end)
        values = {**_DEFAULTS, **args.values, "model": settings.model, "seed": seed}
        if settings.revision is not None:
            values["revision"] = settings.revision
        self.processes = processes or Processes()
        self._llm = start_llm(AsyncEngineArgs(**values), devices, self.processes)
        self._config = self._llm.vllm_config
        self._lora = lora_request(args.lora)
        self._context = int(self._config.model_config.max_model_len)
        self._numbers = itertools.count()
        self._told = False
        self._death = ""  # why vLLM is gone, once it is
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    def single(
        cls,
        settings: EngineSettings,
        replica: int = 0,
        restart: int = 0,
        devices: Sequence[str] | None = None,
    ) -> VllmEngine:
        """One life of one replica, with the seed that belongs to it.

        Raises:
            UsageError: vLLM is missing, or arguments that it refuses; DataError: the model.
        """
        args = _read_args(settings)
        return cls(settings, args, seed=settings.draw_seed(replica, restart), devices=devices)

    @property
    def concurrency(self) -> int:
        """What vLLM runs at once, and some that wait for a free slot."""
        ranks = self._config.parallel_config.data_parallel_size
        return int(ranks * self._config.scheduler_config.max_num_seqs * _QUEUE)

    @property
    def opens_reasoning(self) -> bool:
        """Whether the chat template ends inside open reasoning."""
        return self._chat.opens_reasoning

    def fingerprint(self) -> Mapping[str, Any]:
        """What this engine is made of."""
        config, lora = self._config, self._args.lora
        return {
            "engine": "vllm",
            "revision": self._settings.revision,
            "dtype": str(config.model_config.dtype).removeprefix("torch."),
            "device": str(config.device_config.device_type),
            "chat_template": self._chat.template_hash,
            "weights": weights_hash(Path(self._settings.model)),
            "context": self._context,
            "opens_reasoning": self._chat.opens_reasoning,
            "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
            "quantization": config.model_config.quantization,
            "lora": lora and {"path": lora, "weights": weights_hash(Path(lora))},
            "engine_args": dict(self._settings.options),
            "versions": {name: _version(name) for name in ("vllm", "torch", "transformers")},
        }

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, without special ones."""
        return self._chat.count(text)

    async def generate(self, request: Request) -> Completion:
        """One sample.

        Raises:
            EngineError: the prompt leaves no room, or vLLM refuses or fails this request.
            ReplicaLost: vLLM's core is gone.
        """
        tokens = self._chat.tokens(request.prompt)
        cap = length_cap(len(tokens), request.sampling.max_tokens, self._context)
        self._notify_lowered(request.sampling.max_tokens, cap)
        started = time.monotonic()
        output = await self._complete(tokens, sampling_params(request, cap))
        return self._completion(request, output, len(tokens), time.monotonic() - started)

    async def close(self) -> None:
        """End vLLM's processes."""
        if self._closing is None:
            self._closing = asyncio.create_task(asyncio.to_thread(self.shutdown))
        await asyncio.shield(self._closing)

    def shutdown(self) -> None:
        """End vLLM's processes, from any thread; `close` does so without holding up the loop."""
        llm, self._llm = self._llm, None  # its own destructor fails at the end of a process
        if llm is not None:
            end_llm(llm, self.processes)

    async def _complete(self, tokens: list[int], params: Any) -> Any:
        """The one output that FINAL_ONLY yields."""
        llm, number = self._llm, str(next(self._numbers))
        if llm is None:
            raise ReplicaLost("this engine was closed")
        try:
            outputs = [
                output
                async for output in llm.generate(
                    token_prompt(tokens), params, number, lora_request=self._lora
                )
            ]
        except Exception as error:  # vLLM's classes differ by version; that it is dead does not
            if llm.errored:
                self._death = self._death or self.processes.last_fault() or cause(error)
                raise ReplicaLost(f"vLLM is gone ({self._death})") from error
            raise EngineError(f"vLLM failed on this sample: {cause(error)}") from error
        reason = outputs[-1].outputs[0].finish_reason if outputs else None
        if reason not in _ENDS:
            # Nobody here aborts a request; a core that was asked to stop does, before it is gone.
            if reason == "abort" or llm.errored:
                raise ReplicaLost("vLLM is ending")
            raise EngineError("vLLM ended this sample without a completion")
        return outputs[-1].outputs[0]

    def _completion(
        self, request: Request, output: Any, n_prompt: int, seconds: float
    ) -> Completion:
        tokens, reason = list(output.token_ids), output.finish_reason
        # A completion that ends by a token holds it last; one that a stop string ends does not.
        by_token = reason == "stop" and not isinstance(output.stop_reason, str)
        text = self._chat.decode(tokens[: len(tokens) - by_token])
        places = [text.find(stop) for stop in request.sampling.stop if stop in text]
        if places:
            text, reason = text[: min(places)], "stop"
        finish: FinishReason = "stop" if reason == "stop" else "length"
        looped = reason == "repetition"
        return Completion(text, finish, n_prompt, len(tokens), seconds=seconds, looped=looped)

    def _notify_lowered(self, asked: int | None, cap: int) -> None:
        if asked is None or cap >= asked or self._told:
            return
        self._told = True
        self._settings.notify(
            f"max_tokens {asked} and the prompt do not fit the context of {self._context} tokens: "
            "a completion gets what its prompt leaves of it (max_model_len)"
        )


class _Start:
    """Starts the lives of replicas, each on its own GPUs; the first one is there already."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings, self._args = settings, _read_args(settings)
        self._devices = _devices(settings, self._args)
        self._engines: dict[int, VllmEngine] = {0: self._build_first()}

    @property
    def first(self) -> VllmEngine:
        return self._engines[0]

    async def __call__(self, replica: int, restart: int) -> VllmEngine:
        if (replica, restart) == (0, 0):
            return self._engines[0]
        if replica in self._engines:  # its GPUs are free only when it is gone
            await self._engines[replica].close()
        own, loop = Processes(), asyncio.get_running_loop()
        building = loop.run_in_executor(None, self._build, replica, restart, own)
        try:
            engine = await asyncio.shield(building)
        except asyncio.CancelledError:
            own.end()
            building.add_done_callback(_end)
            raise
        self._engines[replica] = engine
        return engine

    def _build_first(self) -> VllmEngine:
        """Its start fails at once when the run is interrupted meanwhile."""
        own, over = Processes(), threading.Event()

        def watch() -> None:
            while not over.wait(_LOOK_SECONDS):
                if self._settings.stopped():
                    own.end()
                    return

        threading.Thread(target=watch, daemon=True).start()
        try:
            return self._build(0, 0, own)
        finally:
            over.set()

    def _build(self, replica: int, restart: int, own: Processes) -> VllmEngine:
        devices = self._devices[replica] if self._devices else None
        seed = self._settings.draw_seed(replica, restart)
        return VllmEngine(self._settings, self._args, seed=seed, devices=devices, processes=own)


def open_engine(settings: EngineSettings) -> Replicas:
    """The engine as `harness.engines.make_engine` asks for it: one replica runs on return."""
    start = _Start(settings)
    return Replicas(
        start,
        settings.replicas or 1,
        each=start.first.concurrency,
        opens_reasoning=start.first.opens_reasoning,
        fingerprint=start.first.fingerprint(),
        count_tokens=start.first.count_tokens,
        notify=settings.notify,
    )


def _read_args(settings: EngineSettings) -> EngineArgs:
    import_vllm()
    guard_params(settings.repetition_guard)  # refused before a model is loaded for minutes
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    args = parse_engine_args(
        settings.options, AsyncEngineArgs.add_cli_args(FlexibleArgumentParser())
    )
    check_data_parallel(args, seeded=settings.seeded)
    if args.lora is not None and not Path(args.lora).is_dir():
        raise UsageError(f"--engine-arg lora={args.lora}: there is no such folder")
    return args


def _devices(settings: EngineSettings, args: EngineArgs) -> list[list[str]] | None:
    """The GPUs of each replica; one alone takes those that vLLM chooses."""
    replicas = settings.replicas or 1
    visible = visible_devices() if replicas > 1 else None
    return None if visible is None else assign_devices(replicas, args.gpus, visible)


def _end(building: asyncio.Future[VllmEngine]) -> None:
    """Shut down an engine that nobody waits for any more."""
    if not building.cancelled() and building.exception() is None:
        building.result().shutdown()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
