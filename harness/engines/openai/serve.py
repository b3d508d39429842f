"""A `vllm serve` process for one run: started with it, restarted when it exits, stopped at its end."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from math import prod
from pathlib import Path

from harness.engines.openai import guardian
from harness.engines.settings import EngineSettings
from harness.engines.vllm.invariance import VARIABLE
from harness.errors import EngineDown, UsageError

_POLL_SECONDS = 0.25
_NOTICE_SECONDS = 60.0  # between two notices that it is still starting
_MAX_EXITS = 3  # in a row, without having been ready in between
_STOP_SECONDS = 20.0  # more than the guardian's grace
_TAIL_LINES = 15
_SET_HERE = {"seed", "port", "host", "revision", "model", "api_key"}


def serve_arguments(given: Mapping[str, str]) -> list[str]:
    """`--engine-arg serve.NAME=VALUE` as options of `vllm serve`; true and false are flags.

    Raises:
        UsageError: an option that the harness sets.
    """
    # By default it draws with the checkpoint's own settings: with a repetition penalty, for example.
    arguments = ["--generation-config", "vllm"]
    for name, value in given.items():
        plain = name.replace("-", "_")
        if plain in _SET_HERE:
            raise UsageError(f"--engine-arg serve.{name}: --serve sets this one itself")
        option = plain.replace("_", "-")
        if value in ("true", "false"):
            arguments.append(f"--{option}" if value == "true" else f"--no-{option}")
        else:
            arguments += [f"--{option}", value]
    return arguments


def gpus_served(given: Mapping[str, str]) -> int:
    """GPUs that a `vllm serve` with these options holds; 0 where the machine has none."""
    import torch

    from harness.engines.vllm.args import PARALLEL, plain_name

    if not torch.cuda.is_available():
        return 0
    sizes = {plain_name(name): value for name, value in given.items()}
    return prod(int(sizes.get(name, 1)) for name in PARALLEL)


class VllmServer:
    """A `vllm serve` process and its restarts.

    Args:
        settings: model, revision, and the seed of each start.
        arguments: further options of `vllm serve`.
        seconds: longest time until it is ready.
        batch_invariant: whether its batch-invariant mode is on; None leaves it to the environment.

    Raises:
        UsageError: vLLM is not installed.
    """

    def __init__(
        self,
        settings: EngineSettings,
        arguments: list[str],
        seconds: float,
        *,
        batch_invariant: bool | None = None,
    ) -> None:
        found = shutil.which("vllm", path=str(Path(sys.executable).parent)) or shutil.which("vllm")
        if found is None:
            raise UsageError("--serve needs vllm: pip install 'reasoning-harness[vllm]'")
        self._settings, self._seconds = settings, seconds
        self._reserved = reserve_port()
        self._port = int(self._reserved.getsockname()[1])
        self._command = [found, "serve", settings.model, "--host", "127.0.0.1"]
        self._command += ["--port", str(self._port), *arguments]
        if settings.revision is not None:
            self._command += ["--revision", settings.revision]
        with tempfile.NamedTemporaryFile(
            prefix="harness-vllm-serve-", suffix=".log", delete=False
        ) as log:
            self.log = Path(log.name)
        self._batch_invariant = batch_invariant
        self._restarts = 0
        self._exits = 0
        self._lock, self._stopped = threading.Lock(), False
        self._process = self._launch()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self._port}/v1"

    def wait_until_ready(self) -> None:
        """Block until it answers.

        Raises:
            EngineDown: it exited, was not ready in time, or the run was interrupted; the message
                holds the end of its log.
        """
        began = time.monotonic()
        notified = began
        self._settings.notify(
            f"starting vllm serve for {self._settings.model}; its log: {self.log}"
        )
        while not self.is_ready():
            if self._process.poll() is not None:
                raise EngineDown(f"vllm serve exited while it started{self.tail()}")
            if self._settings.stopped():
                raise EngineDown("vllm serve was stopped while it started")
            now = time.monotonic()
            if now - began > self._seconds:
                raise EngineDown(
                    f"vllm serve was not ready after {now - began:.0f} s (--engine-arg "
                    f"serve_seconds=N allows more){self.tail()}"
                )
            if now - notified > _NOTICE_SECONDS:
                notified = now
                last = self._lines(1)
                self._settings.notify(
                    f"vllm serve is still starting after {now - began:.0f} s"
                    + (f": {last[0][:120]}" if last else "")
                )
            time.sleep(_POLL_SECONDS)
        self._settings.notify(f"vllm serve is ready after {time.monotonic() - began:.0f} s")

    def is_ready(self) -> bool:
        """Whether it answers now."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/health")
        # Without a proxy: that of the environment is for other machines.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self._process.poll() is None

    def reset_exits(self) -> None:
        """Forget earlier exits: it has answered since."""
        self._exits = 0

    def restart_if_exited(self) -> None:
        """Start it again, with another seed, if it has exited and was not stopped.

        Raises:
            EngineDown: it exited several times in a row before it was ready.
        """
        with self._lock:
            code = self._process.poll()
            if code is not None and not self._stopped:
                self._restart(code)

    def _restart(self, code: int) -> None:
        self._exits += 1
        if self._exits > _MAX_EXITS:
            raise EngineDown(
                f"vllm serve exited {_MAX_EXITS} times in a row; every finished sample is "
                f"kept{self.tail()}"
            )
        self._restarts += 1
        self._settings.notify(
            f"vllm serve exited with code {code} and is restarted with another seed "
            f"(start {self._restarts + 1})"
        )
        self._close_pipe()
        self._wait_until_gone()
        self._process = self._launch()

    def stop(self, *, keep_log: bool = False) -> None:
        """End it and every process that it started.

        Args:
            keep_log: keep its log; it is kept in any case after a restart.
        """
        with self._lock:  # a probe in another thread may be restarting it
            self._stopped = True
            self._close_pipe()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:  # the inner guardian then kills the rest
            self._process.kill()
            self._process.wait()
        self._wait_until_gone()
        self._reserved.close()
        if not keep_log and not self._restarts:
            self.log.unlink(missing_ok=True)

    def tail(self) -> str:
        """The end of its log, for a message."""
        lines = self._lines(_TAIL_LINES)
        return (
            f"; the end of {self.log}:\n  " + "\n  ".join(lines) if lines else f"; see {self.log}"
        )

    def _launch(self) -> subprocess.Popen[bytes]:
        seed = self._settings.draw_seed(0, self._restarts)
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("VLLM_API_KEY", "OPENAI_API_KEY")}  # fmt: skip
        if self._batch_invariant is not None:
            environment[VARIABLE] = str(int(self._batch_invariant))
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", guardian.__file__, *self._command, "--seed", str(seed)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,  # the harness handles Ctrl-C
            )

    def _close_pipe(self) -> None:
        """Close the pipe to the guardian, which then ends the server."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def _wait_until_gone(self) -> None:
        """Wait for the end of its last process, which may come after that of a killed guardian.

        What is left would hold the port, and the memory that the next start needs.
        """
        ended = self._process.stdout
        if ended is not None and not ended.closed:  # it is, once the server was stopped
            select.select([ended], [], [], _STOP_SECONDS)
            ended.close()

    def _lines(self, count: int) -> list[str]:
        text = self.log.read_bytes()[-20_000:].decode("utf-8", "replace")
        return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]


def reserve_port() -> socket.socket:
    """A free port that no other process gets while the socket is open; a server may listen on it.

    vLLM takes tens of seconds until it listens, and would share its port with another server.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder
