"""Starts and ends one AsyncLLM and its processes, with an error that names the cause of a failure.

vLLM's core runs in a process of its own that copies the environment at its start, so one engine is
started at a time, until its process exists. SIGINT is blocked in it: Ctrl-C reaches every process
of a terminal, and the harness ends its engines itself. When the harness is killed, the core ends
too (see `launch`).
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.spawn
import os
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from inspect import signature
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any

from harness.engines.vllm.launch import environment_variable, launch_folder, log_to_file
from harness.engines.vllm.request import cause
from harness.errors import DataError, HarnessError, UsageError

_POLL_SECONDS = 0.02
_END_SECONDS = 6.0  # no sample in flight is worth waiting for; then vLLM kills its processes
_STARTING = threading.Lock()
_MEMORY = re.compile(
    r"out of memory|free memory on device|memory for the (KV )?cache|KV cache (memory|is needed)",
    re.IGNORECASE,
)
_POINTER = re.compile(r"initialization failed|See stack trace")


def import_vllm() -> Any:
    """The package `vllm`, with its logging sent to a file.

    Raises:
        UsageError: it is not installed.
    """
    with ExitStack() as stack:
        log_to_file(stack)
        try:
            import vllm
        except ImportError as error:
            missing = "vllm" if error.name in (None, "vllm") else f"vllm ({error})"
            raise UsageError(
                f"the vllm engine needs {missing}: pip install 'reasoning-harness[vllm]'"
            ) from error
        return vllm


def visible_devices() -> list[str] | None:
    """The GPUs that an engine may use, as their environment variable names them.

    None without a GPU, or where vLLM's platform reads no such variable.
    """
    from vllm.platforms import current_platform

    if not current_platform.is_cuda_alike():
        return None
    given = os.environ.get(current_platform.device_control_env_var)
    if given:
        return [name.strip() for name in given.split(",") if name.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


@dataclass(eq=False, slots=True)
class Processes:
    """The processes of one engine, from their start on.

    Args:
        running: those that were started.
        unwanted: whether `end` was called.
        logged: size of the log in bytes before their start.
        cause: why the engine stopped, once it has.
    """

    running: list[BaseProcess] = field(default_factory=list)
    unwanted: bool = False
    logged: int = 0
    cause: str = ""

    def end(self) -> None:
        """Kill them, and those still to be started: a start in progress then fails at once."""
        self.unwanted = True
        for process in self.running:
            process.kill()

    def stop_cause(self, error: BaseException) -> str:
        """Why the engine stopped: the last exception logged since its start, or this error.

        The log is shared, so that the exception may be another engine's.
        """
        if not self.cause:
            errors = _logged_errors(launch_folder().logged_since(self.logged))
            self.cause = errors[-1] if errors else cause(error)
        return self.cause


def start_llm(engine_args: Any, devices: Sequence[str] | None, own: Processes) -> Any:
    """An AsyncLLM, ready. Any thread may start it, before its event loop runs.

    Args:
        engine_args: vLLM's AsyncEngineArgs.
        devices: GPUs of this engine; None leaves the choice to vLLM.
        own: receives the engine's processes.

    Raises:
        UsageError: arguments that vLLM refuses, or too little memory.
        DataError: a model that it cannot load.
    """
    from vllm.v1.engine.async_llm import AsyncLLM

    folder = launch_folder()
    own.logged = folder.log.stat().st_size
    try:
        with _starting(devices, engine_args.data_parallel_size or 1, own):
            return AsyncLLM.from_engine_args(engine_args)
    except Exception as error:  # whatever vLLM raises: the cause is in its log or in the message
        log = folder.logged_since(own.logged)
        raise start_error(str(engine_args.model), error, log) from error


def end_llm(llm: Any, own: Processes) -> None:
    """Shut an AsyncLLM down and wait until its processes have ended."""
    seconds = {"timeout": _END_SECONDS}
    llm.shutdown(**(seconds if "timeout" in signature(llm.shutdown).parameters else {}))
    for process in own.running:
        process.join(_END_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()


def cores() -> list[BaseProcess]:
    """The running core processes of the vLLM engines that this process has started."""
    return [p for p in multiprocessing.active_children() if p.name.startswith("EngineCore")]


@contextmanager
def _starting(devices: Sequence[str] | None, n: int, own: Processes) -> Iterator[None]:
    """Give the next engine's n processes these GPUs, and block the terminal's Ctrl-C in them."""
    stack = ExitStack()
    stack.enter_context(_STARTING)
    known, over = {core.pid for core in cores()}, threading.Event()
    with stack:
        _set_inherited(stack, devices)
        # Started before the core, since its own start would unblock SIGINT again.
        resource_tracker.ensure_running()
        stack = stack.pop_all()

    def let_others_start() -> None:
        with stack:
            while len(own.running) < n and not over.wait(_POLL_SECONDS):
                own.running = [core for core in cores() if core.pid not in known]
        if own.unwanted:
            own.end()

    threading.Thread(target=let_others_start, daemon=True).start()
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
        over.set()


def _set_inherited(stack: ExitStack, devices: Sequence[str] | None) -> None:
    """Set what the next process inherits, its GPUs and its output, until the stack unwinds."""
    stack.callback(multiprocessing.spawn.set_executable, multiprocessing.spawn.get_executable())
    multiprocessing.spawn.set_executable(launch_folder().python)
    log_to_file(stack)
    if devices is not None:
        from vllm.platforms import current_platform

        variable = current_platform.device_control_env_var
        stack.enter_context(environment_variable(variable, ",".join(devices)))


def start_error(model: str, error: Exception, log: str) -> HarnessError:
    """The error for an engine that did not start: the cause in one line, and what to change.

    Args:
        model: as the user named it.
        error: what vLLM raised.
        log: what its processes logged during the start.
    """
    reason = _reason(error, log)
    if _MEMORY.search(reason):
        return UsageError(
            f"{model}: vLLM has too little memory ({reason}); lower max_model_len or "
            "max_num_seqs, or set gpu_memory_utilization, by --engine-arg"
        )
    if isinstance(error, OSError):
        return DataError(f"{model}: vLLM cannot load the model ({reason})")
    return UsageError(f"{model}: vLLM does not start ({reason})")


def _reason(error: Exception, log: str) -> str:
    """The line that names the cause: the processes' last exception, or the error's own."""
    causes = _logged_errors(log)
    inner = re.search(r"(?:Value|Assertion) error, (.+)", str(error))  # pydantic's own layout
    lines = str(error).strip().splitlines() or [type(error).__name__]
    found = causes[-1] if causes else inner.group(1) if inner else lines[0]
    return found.strip().rstrip(".")[:300]


def _logged_errors(log: str) -> list[str]:
    """Messages of the exceptions in a log, but for those that only point at another traceback."""
    raised = re.findall(r"^(?:\S*\.)?\w*(?:Error|Exception)\b: (.+)$", log, re.MULTILINE)
    return [text[:300] for text in raised if not _POINTER.search(text)]
