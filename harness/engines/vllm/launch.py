"""The folder from which vLLM's core processes are launched: a Python of their own, and their log.

The Python runs `orphan` first, so that a core ends when this process is killed, and sends what the
core prints to the log. The log is read when an engine does not start: nothing else names the cause.
"""

from __future__ import annotations

import json
import logging
import logging.config
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.engines.vllm import orphan

PYTHON = """#!/bin/sh
for word do
  shift
  [ "$last" != -c ] || word={prelude}"; $word"
  set -- "$@" "$word"
  last=$word
done
exec {python} "$@" {output}
"""
"""A script that runs Python with a prelude before the code that -c gives it."""

_LOG_VARIABLES = ("VLLM_LOGGING_LEVEL", "VLLM_LOGGING_CONFIG_PATH", "VLLM_CONFIGURE_LOGGING")
_CURRENT: list[LaunchFolder] = []  # one, after the first call of `launch_folder`


class LaunchFolder:
    """A temporary folder with a log and a Python for vLLM's cores; removed with this process.

    Args:
        quiet: send what vLLM and its processes print to the log instead of the terminal.
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
            PYTHON.format(
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
        """The Python for new cores; the plain one where nothing in the folder may be executed."""
        return str(self._python) if os.access(self._python, os.X_OK) else sys.executable

    def close(self) -> None:
        """Remove what is left of the folder."""
        self._folder.cleanup()

    def logged_since(self, offset: int) -> str:
        """What was logged after the log had this size in bytes."""
        with self.log.open("rb") as file:
            file.seek(offset)
            return file.read().decode(errors="replace")


def launch_folder() -> LaunchFolder:
    """The folder of this process, made once, and again after /tmp was cleaned."""
    if _CURRENT and not _CURRENT[0].log.exists():
        lost = _CURRENT.pop()
        lost.close()
        _CURRENT.append(LaunchFolder(quiet=lost.log_config is not None))
    if not _CURRENT:
        # A forked process would inherit locks that other threads hold.
        os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        _CURRENT.append(LaunchFolder(quiet=not any(name in os.environ for name in _LOG_VARIABLES)))
    return _CURRENT[0]


def log_to_file(stack: ExitStack) -> None:
    """Have vLLM log to the file until the stack unwinds; other child processes must not inherit it."""
    config = launch_folder().log_config
    if config is not None:
        stack.enter_context(environment_variable("VLLM_LOGGING_CONFIG_PATH", str(config)))


@contextmanager
def environment_variable(name: str, value: str) -> Iterator[None]:
    """Set an environment variable, and restore its old value afterwards."""
    old = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if old is not None:
            os.environ[name] = old
