"""A `vllm serve` of our own: started for a run, started again when it dies, stopped at the end."""

from __future__ import annotations

import os
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
from pathlib import Path

from harness.engines.openai import guardian
from harness.engines.settings import EngineSettings
from harness.errors import EngineDown, UsageError

_LOOK_SECONDS = 0.25
_TELL_SECONDS = 60.0
_LIVES = 3  # that may end in a row without having been ready
_STOP_SECONDS = 20.0  # the guardian's grace, and some
_TAIL_LINES = 15
_OURS = {"seed", "port", "host", "revision", "model", "api_key"}


def serve_arguments(given: Mapping[str, str]) -> list[str]:
    """`--engine-arg serve.NAME=VALUE` as options of `vllm serve`; true and false are flags.

    Raises:
        UsageError: an option that the harness sets, or engines that would draw the same samples.
    """
    # Its own default is to draw as the checkpoint's settings ask: with a repetition penalty, say.
    arguments = ["--generation-config", "vllm"]
    for name, value in given.items():
        plain = name.replace("-", "_")
        if plain in _OURS:
            raise UsageError(f"--engine-arg serve.{name}: --serve sets this one itself")
        option = plain.replace("_", "-")
        if value in ("true", "false"):
            arguments.append(f"--{option}" if value == "true" else f"--no-{option}")
        else:
            arguments += [f"--{option}", value]
    return arguments


class VllmServer:
    """One `vllm serve` process and its lives.

    Args:
        settings: model, revision and the seeds of its lives.
        arguments: further options of `vllm serve`.
        seconds: that it may take until it is ready.

    Raises:
        UsageError: vLLM is not installed.
    """

    def __init__(self, settings: EngineSettings, arguments: list[str], seconds: float) -> None:
        found = shutil.which("vllm", path=str(Path(sys.executable).parent)) or shutil.which("vllm")
        if found is None:
            raise UsageError("--serve needs vllm: pip install 'reasoning-harness[vllm]'")
        self._settings, self._seconds = settings, seconds
        self._reserved = _reserve_port()
        self._port = int(self._reserved.getsockname()[1])
        self._command = [found, "serve", settings.model, "--host", "127.0.0.1"]
        self._command += ["--port", str(self._port), *arguments]
        if settings.revision is not None:
            self._command += ["--revision", settings.revision]
        with tempfile.NamedTemporaryFile(
            prefix="harness-vllm-serve-", suffix=".log", delete=False
        ) as log:
            self.log = Path(log.name)
        self._restarts = 0
        self._fruitless = 0
        self._lock, self._stopped = threading.Lock(), False
        self._process = self._launch()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self._port}/v1"

    def wait_until_ready(self) -> None:
        """Block until it answers. EngineDown with the end of its log when it does not come up."""
        began = time.monotonic()
        told = began
        self._settings.notify(
            f"starting vllm serve for {self._settings.model}; its log: {self.log}"
        )
        while not self.is_ready():
            if self._process.poll() is not None:
                raise EngineDown(f"vllm serve ended while it started{self.tail()}")
            if self._settings.stopped():
                raise EngineDown("vllm serve was stopped while it started")
            now = time.monotonic()
            if now - began > self._seconds:
                raise EngineDown(
                    f"vllm serve was not ready after {now - began:.0f} s (--engine-arg "
                    f"serve_seconds=N allows more){self.tail()}"
                )
            if now - told > _TELL_SECONDS:
                told = now
                last = self._lines(1)
                self._settings.notify(
                    f"vllm serve is still starting after {now - began:.0f} s"
                    + (f": {last[0][:120]}" if last else "")
                )
            time.sleep(_LOOK_SECONDS)
        self._settings.notify(f"vllm serve is ready after {time.monotonic() - began:.0f} s")

    def is_ready(self) -> bool:
        """Whether it answers now."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/health")
        # Without a proxy: the environment's is not for this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def came_up(self) -> None:
        """It answers again: the next death is the first of its own."""
        self._fruitless = 0

    def revive(self) -> None:
        """Start it again, with draws of its own, if it is dead.

        Raises:
            EngineDown: it died several times in a row before it was ready.
        """
        with self._lock:
            code = self._process.poll()
            if code is not None and not self._stopped:
                self._start_again(code)

    def _start_again(self, code: int) -> None:
        self._fruitless += 1
        if self._fruitless > _LIVES:
            raise EngineDown(
                f"vllm serve ended {_LIVES} times in a row; every finished sample is "
                f"kept{self.tail()}"
            )
        self._restarts += 1
        self._settings.notify(
            f"vllm serve ended with exit code {code} and is started again with another seed "
            f"(start {self._restarts + 1})"
        )
        self._let_go()
        self._process = self._launch()

    def stop(self, *, keep_log: bool = False) -> None:
        """End it and everything that it started; its log stays where one of its lives failed."""
        with self._lock:  # a look for it may be under way in another thread
            self._stopped = True
            self._let_go()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:  # its child dies with it
            self._process.kill()
            self._process.wait()
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
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", guardian.__file__, *self._command, "--seed", str(seed)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C is ours to handle
            )

    def _let_go(self) -> None:
        """Close the pipe that keeps the guardian's command alive."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def _lines(self, count: int) -> list[str]:
        text = self.log.read_bytes()[-20_000:].decode("utf-8", "replace")
        return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]


def _reserve_port() -> socket.socket:
    """A free port that nobody else is given while the socket is open; a server may listen there.

    vLLM takes tens of seconds until it listens, and shares its port with whoever asks for it too.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder
