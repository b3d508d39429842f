"""Starting one AsyncLLM: quiet, on GPUs of its own, with an error that says what was wrong.

vLLM's core runs in a process of its own that takes the environment at its start; so one engine
is started at a time until its process is there. SIGINT is kept from it: Ctrl-C reaches every
process of a terminal, and the harness ends its engines itself.
"""

from __future__ import annotations

import json
import logging
import logging.config
import multiprocessing
import multiprocessing.spawn
import os
import re
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from harness.errors import DataError, HarnessError, UsageError

_POLL_SECONDS = 0.02
_STARTING = threading.Lock()
_QUIET: dict[str, _Quiet] = {}
"""Holds one, "quiet", once vLLM was made quiet."""


def import_vllm() -> Any:
    """The package, made quiet. UsageError where it is not installed."""
    _be_quiet()
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

    None where there is none, or where vLLM's platform takes no such variable.
    """
    from vllm.platforms import current_platform

    if not current_platform.is_cuda_alike():
        return None
    given = os.environ.get(current_platform.device_control_env_var)
    if given:
        return [name.strip() for name in given.split(",") if name.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def start_llm(engine_args: Any, devices: Sequence[str] | None) -> Any:
    """An AsyncLLM, ready. It may be built in any thread, before its event loop runs.

    Args:
        engine_args: vLLM's AsyncEngineArgs.
        devices: GPUs of this engine; None leaves the choice to vLLM.

    Raises:
        UsageError: arguments that vLLM refuses, or too little memory.
        DataError: a model that it cannot load.
    """
    from vllm.v1.engine.async_llm import AsyncLLM

    quiet = _QUIET.get("quiet")
    offset = quiet.log.stat().st_size if quiet else 0
    try:
        with _own_process(devices):
            return AsyncLLM.from_engine_args(engine_args)
    except HarnessError:
        raise
    except Exception as error:  # whatever vLLM raises: the cause is in its log or in the message
        raise _explain(
            str(engine_args.model), error, quiet.since(offset) if quiet else ""
        ) from error


def cores() -> list[BaseProcess]:
    """The processes of vLLM's engines that this process has started and that live."""
    return [p for p in multiprocessing.active_children() if p.name.startswith("EngineCore")]


@contextmanager
def _own_process(devices: Sequence[str] | None) -> Iterator[None]:
    """Give the next engine's process these GPUs, and keep the terminal's Ctrl-C from it."""
    # Started here, for its own start would unblock SIGINT again.
    resource_tracker.ensure_running()
    _STARTING.acquire()
    known, over = {core.pid for core in cores()}, threading.Event()
    restore = _surround(devices)

    def let_others_start() -> None:
        while not over.wait(_POLL_SECONDS) and all(core.pid in known for core in cores()):
            pass
        restore()
        _STARTING.release()

    threading.Thread(target=let_others_start, daemon=True).start()
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
        over.set()


def _surround(devices: Sequence[str] | None) -> Callable[[], None]:
    """Set what the next process inherits: its GPUs and its output; returns what puts it back."""
    kept = ExitStack()
    if "quiet" in _QUIET:
        kept.callback(multiprocessing.spawn.set_executable, multiprocessing.spawn.get_executable())
        multiprocessing.spawn.set_executable(_QUIET["quiet"].executable())
    if devices is not None:
        from vllm.platforms import current_platform

        kept.enter_context(_variable(current_platform.device_control_env_var, ",".join(devices)))
    return kept.close


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Set an environment variable and put the old one back."""
    old = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if old is not None:
            os.environ[name] = old


def _be_quiet() -> None:
    """Send what vLLM and its processes print to a file, unless the user has configured its log.

    The file is read when an engine does not start, for the cause is told nowhere else.
    """
    # A fork of this process would take its threads' locks along.
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    configured = ("VLLM_LOGGING_LEVEL", "VLLM_LOGGING_CONFIG_PATH", "VLLM_CONFIGURE_LOGGING")
    if "quiet" in _QUIET or any(name in os.environ for name in configured):
        return
    _QUIET["quiet"] = quiet = _Quiet()
    os.environ["VLLM_LOGGING_CONFIG_PATH"] = str(quiet.config)


class _Quiet:
    """A file for what vLLM says, and a Python whose output goes there; gone with this process."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="harness-vllm-")
        folder = Path(self._folder.name)
        self.log, self.config, self.python = (
            folder / name for name in ("vllm.log", "logging.json", "python")
        )
        self.log.touch()
        self.python.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@" >>{shlex.quote(str(self.log))} 2>&1\n'
        )
        self.python.chmod(0o700)
        logger = {"handlers": ["file"], "level": "WARNING", "propagate": False}
        configuration = {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"file": {"class": "logging.FileHandler", "filename": str(self.log)}},
            "loggers": {"vllm": logger},
        }
        self.config.write_text(json.dumps(configuration))
        logging.config.dictConfig(configuration)  # vLLM itself does so only after it has warned

    def executable(self) -> str:
        """The Python of new processes; where nothing in the folder may run, the plain one."""
        return str(self.python) if os.access(self.python, os.X_OK) else sys.executable

    def since(self, offset: int) -> str:
        """What was said after the log had this size."""
        with self.log.open("rb") as file:
            file.seek(offset)
            return file.read().decode(errors="replace")


def _explain(model: str, error: Exception, log: str) -> HarnessError:
    """What went wrong, in one line, and what to change."""
    text = f"{error}\n{log}"
    reason = _reason(error, log)
    if re.search(r"out of memory|OutOfMemory|[Ff]ree memory|KV cache|No available memory", text):
        return UsageError(
            f"{model}: vLLM has too little memory ({reason}); lower max_model_len or "
            "max_num_seqs, or set gpu_memory_utilization, by --engine-arg"
        )
    if isinstance(error, OSError):
        return DataError(f"{model}: vLLM cannot load the model ({reason})")
    return UsageError(f"{model}: vLLM does not start ({reason})")


def _reason(error: Exception, log: str) -> str:
    """The line that names the cause: the core's last exception, or the error's own."""
    raised = re.findall(r"^(?:\S*\.)?\w*(?:Error|Exception)\b: (.+)$", log, re.MULTILINE)
    inner = re.search(r"(?:Value|Assertion) error, (.+)", str(error))  # pydantic's own layout
    lines = str(error).strip().splitlines() or [type(error).__name__]
    found = raised[-1] if raised else inner.group(1) if inner else lines[0]
    return found.strip().rstrip(".")[:300]
