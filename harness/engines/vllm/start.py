"""Starting one AsyncLLM: quiet, on GPUs of its own, with an error that says what was wrong.

vLLM's core runs in a process of its own that takes the environment at its start; so one engine
is started at a time until its process is there. SIGINT is kept from it: Ctrl-C reaches every
process of a terminal, and the harness ends its engines itself. When the harness is killed, the
core ends too.
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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from inspect import signature
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from harness.engines.vllm import orphan
from harness.errors import DataError, HarnessError, UsageError

_POLL_SECONDS = 0.02
_END_SECONDS = 6.0  # nothing in flight is worth waiting for: after it, vLLM kills its processes
_STARTING = threading.Lock()
_MEMORY = re.compile(
    r"out of memory|free memory on device|memory for the (KV )?cache|KV cache (memory|is needed)",
    re.IGNORECASE,
)
_POINTER = re.compile(r"initialization failed|See stack trace")
_MADE: list[_Workshop] = []  # one, after the first call of `_prepare`
_LOG_VARIABLES = ("VLLM_LOGGING_LEVEL", "VLLM_LOGGING_CONFIG_PATH", "VLLM_CONFIGURE_LOGGING")
_PYTHON = """#!/bin/sh
for word do
  shift
  [ "$last" != -c ] || word={prelude}"; $word"
  set -- "$@" "$word"
  last=$word
done
exec {python} "$@" {output}
"""
"""Runs Python with a prelude before what -c gives it."""


def import_vllm() -> Any:
    """The package, made quiet. UsageError where it is not installed."""
    with ExitStack() as kept:
        _quieten(kept)
        return _import()


def _import() -> Any:
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


@dataclass(eq=False, slots=True)
class Processes:
    """The processes of one engine, from their start on; what they log begins at `logged`."""

    running: list[BaseProcess] = field(default_factory=list)
    unwanted: bool = False
    logged: int = 0

    def end(self) -> None:
        """Kill them, and those that are still to come: the start in work then fails at once."""
        self.unwanted = True
        for process in self.running:
            process.kill()

    def last_fault(self) -> str | None:
        """The last exception in the log since their start; another engine's own may stand there."""
        faults = _faults(_prepare().since(self.logged))
        return faults[-1] if faults else None


def start_llm(engine_args: Any, devices: Sequence[str] | None, own: Processes) -> Any:
    """An AsyncLLM, ready. It may be built in any thread, before its event loop runs.

    Args:
        engine_args: vLLM's AsyncEngineArgs.
        devices: GPUs of this engine; None leaves the choice to vLLM.
        own: is given the engine's processes.

    Raises:
        UsageError: arguments that vLLM refuses, or too little memory.
        DataError: a model that it cannot load.
    """
    from vllm.v1.engine.async_llm import AsyncLLM

    workshop = _prepare()
    own.logged = workshop.log.stat().st_size
    try:
        with _surrounded(devices, engine_args.data_parallel_size or 1, own):
            return AsyncLLM.from_engine_args(engine_args)
    except Exception as error:  # whatever vLLM raises: the cause is in its log or in the message
        raise _explain(str(engine_args.model), error, workshop.since(own.logged)) from error


def end_llm(llm: Any, own: Processes) -> None:
    """Shut an AsyncLLM down and see its processes gone."""
    seconds = {"timeout": _END_SECONDS}
    llm.shutdown(**(seconds if "timeout" in signature(llm.shutdown).parameters else {}))
    for process in own.running:
        process.join(_END_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()


def cores() -> list[BaseProcess]:
    """The processes of vLLM's engines that this process has started and that live."""
    return [p for p in multiprocessing.active_children() if p.name.startswith("EngineCore")]


@contextmanager
def _surrounded(devices: Sequence[str] | None, n: int, own: Processes) -> Iterator[None]:
    """Give the next engine's n processes these GPUs, and keep the terminal's Ctrl-C from them."""
    surroundings = ExitStack()
    surroundings.enter_context(_STARTING)
    known, over = {core.pid for core in cores()}, threading.Event()
    with surroundings:
        _surround(surroundings, devices)
        # Started before the core, for its own start would unblock SIGINT again.
        resource_tracker.ensure_running()
        surroundings = surroundings.pop_all()

    def let_others_start() -> None:
        with surroundings:
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


def _surround(kept: ExitStack, devices: Sequence[str] | None) -> None:
    """Set what the next process inherits, its GPUs and its output, until the stack unwinds."""
    kept.callback(multiprocessing.spawn.set_executable, multiprocessing.spawn.get_executable())
    multiprocessing.spawn.set_executable(_prepare().python)
    _quieten(kept)
    if devices is not None:
        from vllm.platforms import current_platform

        kept.enter_context(_variable(current_platform.device_control_env_var, ",".join(devices)))


def _quieten(kept: ExitStack) -> None:
    """Have vLLM log to the file; not for good, as other processes of ours would inherit it."""
    config = _prepare().log_config
    if config is not None:
        kept.enter_context(_variable("VLLM_LOGGING_CONFIG_PATH", str(config)))


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


def _prepare() -> _Workshop:
    """What every start of this process needs, made once, and again where /tmp was cleaned."""
    if _MADE and not _MADE[0].log.exists():
        lost = _MADE.pop()
        lost.close()
        _MADE.append(_Workshop(quiet=lost.log_config is not None))
    if not _MADE:
        # A fork of this process would take its threads' locks along.
        os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        _MADE.append(_Workshop(quiet=not any(name in os.environ for name in _LOG_VARIABLES)))
    return _MADE[0]


class _Workshop:
    """A folder with a log and the Python that vLLM's core is run by; gone with this process.

    Args:
        quiet: send what vLLM and its processes print to the log; it is read when an engine does
            not start, for the cause is told nowhere else.
    """

    def __init__(self, quiet: bool) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="harness-vllm-")
        folder = Path(self._folder.name)
        self.log, self._python = folder / "vllm.log", folder / "python"
        self.log.touch()
        output = f">>{shlex.quote(str(self.log))} 2>&1" if quiet else ""
        names = {"__name__": "__child__", "PYTHON": str(self._python)}
        prelude = f"exec(open({orphan.__file__!r}).read(), {names!r})"
        self._python.write_text(
            _PYTHON.format(
                prelude=shlex.quote(prelude), python=shlex.quote(sys.executable), output=output
            )
        )
        self._python.chmod(0o700)
        self.log_config = folder / "logging.json" if quiet else None
        if self.log_config is not None:
            self._configure_log(self.log_config)

    def _configure_log(self, path: Path) -> None:
        logger = {"handlers": ["file"], "level": "WARNING", "propagate": False}
        configuration = {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"file": {"class": "logging.FileHandler", "filename": str(self.log)}},
            "loggers": {"vllm": logger},
        }
        path.write_text(json.dumps(configuration))
        logging.config.dictConfig(configuration)  # vLLM itself does so only after it has warned

    @property
    def python(self) -> str:
        """The Python of new cores; where nothing in the folder may run, the plain one."""
        return str(self._python) if os.access(self._python, os.X_OK) else sys.executable

    def close(self) -> None:
        """Remove what is left of it."""
        self._folder.cleanup()

    def since(self, offset: int) -> str:
        """What was said after the log had this size."""
        with self.log.open("rb") as file:
            file.seek(offset)
            return file.read().decode(errors="replace")


def _explain(model: str, error: Exception, log: str) -> HarnessError:
    """What went wrong, in one line, and what to change."""
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
    causes = _faults(log)
    inner = re.search(r"(?:Value|Assertion) error, (.+)", str(error))  # pydantic's own layout
    lines = str(error).strip().splitlines() or [type(error).__name__]
    found = causes[-1] if causes else inner.group(1) if inner else lines[0]
    return found.strip().rstrip(".")[:300]


def _faults(log: str) -> list[str]:
    """What exceptions in a log say; one that only points at another process's trace says nothing."""
    raised = re.findall(r"^(?:\S*\.)?\w*(?:Error|Exception)\b: (.+)$", log, re.MULTILINE)
    return [text[:300] for text in raised if not _POINTER.search(text)]
