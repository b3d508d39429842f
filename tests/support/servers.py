"""Real servers, each a process on a free port with a practice checkpoint, in its own environment.

    python -m tests.support.servers llamacpp --model late --port 8000

`make test-servers` builds the environments. Whatever ends the process that started a server, the
server's whole process group ends with it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.engines.openai import guardian
from tests.support.processes import children, wait_for

ROOT = Path(__file__).parent.parent.parent
MODELS = ROOT / "examples" / "practice-model"
CONTEXT = 4096  # of the practice checkpoints
SLOTS = 16  # of llama.cpp's server
START_SECONDS = 600.0  # for a hang, not for a busy machine


@dataclass(frozen=True)
class Setting:
    """What a server is started with: a checkpoint's folder, a port, and a folder for its files."""

    checkpoint: Path
    port: int
    folder: Path
    environment: Path  # of Python, that the server is installed in
    behind: str | None = None  # base URL of the server behind a proxy

    @property
    def programs(self) -> Path:
        return self.environment / "bin"


@dataclass(frozen=True)
class Recipe:
    """How a server is installed, started and called."""

    environment: str  # its folder, from the repository's root
    package: str  # whose version is the server's
    command: Callable[[Setting], list[str]]
    model: Callable[[Setting], str]  # the name that it serves the checkpoint under
    variables: Mapping[str, str] = field(default_factory=dict)
    behind: str | None = None  # the server that a proxy stands before


def _path(given: Setting) -> str:
    return str(given.checkpoint)


def _gguf(given: Setting) -> Path:
    return given.folder / f"{given.checkpoint.name}.gguf"


def _llamacpp(given: Setting) -> list[str]:
    python = str(given.programs / "python")
    if not _gguf(given).exists():
        script = str(MODELS / "write_gguf.py")
        command = [python, script, str(given.checkpoint), str(_gguf(given))]
        subprocess.run(command, check=True, capture_output=True, text=True)
    program = str(Path(__file__).with_name("llamacpp_server.py"))
    return [python, program, str(_gguf(given)), str(given.port), str(SLOTS)]


def _transformers(*more: str) -> Callable[[Setting], list[str]]:
    def command(given: Setting) -> list[str]:
        return [
            str(given.programs / "transformers"), "serve", str(given.checkpoint), *more,
            "--device", "cpu", "--dtype", "float32",
            "--host", "127.0.0.1", "--port", str(given.port),
        ]  # fmt: skip

    return command


def _vllm(given: Setting) -> list[str]:
    return [
        str(given.programs / "vllm"), "serve", str(given.checkpoint),
        "--enforce-eager", "--dtype", "float32", "--max-num-batched-tokens", "16384",
        "--max-num-seqs", "64", "--reasoning-parser", "deepseek_r1", "--host", "127.0.0.1", "--port", str(given.port),
    ]  # fmt: skip


def _litellm(given: Setting) -> list[str]:
    path = given.folder / "litellm.yaml"
    parameters = {"model": "hosted_vllm/served", "api_base": given.behind, "api_key": "none"}
    # JSON is YAML, too.
    models = [{"model_name": "practice", "litellm_params": parameters}]
    path.write_text(
        json.dumps({"model_list": models, "litellm_settings": {"telemetry": False}}, indent=1)
    )
    return [
        str(given.programs / "litellm"), "--config", str(path),
        "--host", "127.0.0.1", "--port", str(given.port),
    ]  # fmt: skip


_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"}
# Without a number of blocks it takes all of a CPU's memory.
_CONTINUOUS = ("--continuous-batching", "--cb-num-blocks", "256", "--cb-max-batch-tokens", "2048")
RECIPES = {
    "llamacpp": Recipe(
        ".venv-servers/llamacpp", "xllamacpp", _llamacpp, lambda given: str(_gguf(given))
    ),
    "transformers": Recipe(
        ".venv-servers/transformers", "transformers", _transformers(), _path, _OFFLINE
    ),
    "transformers-continuous": Recipe(
        ".venv-servers/transformers", "transformers", _transformers(*_CONTINUOUS), _path, _OFFLINE
    ),
    "vllm": Recipe(
        ".venv-vllm",
        "vllm",
        _vllm,
        _path,
        {
            **_OFFLINE,
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_NO_USAGE_STATS": "1",
        },
    ),
    "litellm": Recipe(
        ".venv-servers/litellm",
        "litellm",
        _litellm,
        lambda given: "practice",
        {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # prices out of the package, not the network
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "True",  # on this machine alone
            "DISABLE_ADMIN_UI": "True",
        },
        behind="llamacpp",
    ),
}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class RealServer:
    """A server and, where it is a proxy, the one behind it; both end with the block.

    Args:
        name: of a recipe.
        checkpoint: a folder, or the name of a practice checkpoint.
        port: by default a free one.
        environment: of Python, in place of the recipe's own.
    """

    def __init__(
        self,
        name: str,
        checkpoint: Path | str = "late",
        *,
        port: int | None = None,
        environment: Path | None = None,
    ) -> None:
        self.name, self.recipe = name, RECIPES[name]
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self.log = self.folder / "server.log"
        folder = MODELS / checkpoint
        self.behind = RealServer(self.recipe.behind, folder) if self.recipe.behind else None
        self.setting = Setting(
            checkpoint=folder if folder.is_dir() else Path(checkpoint),
            port=port or free_port(),
            folder=self.folder,
            environment=environment or ROOT / self.recipe.environment,
            behind=self.behind.url if self.behind else None,
        )
        self._guardian: subprocess.Popen[bytes] | None = None
        self._sessions: set[int] = set()  # of processes, one for each start
        self.ruled: object = None
        """What its first request said, where that sets how all later ones are sampled."""

    @property
    def url(self) -> str:
        """Base URL, for `--base-url`."""
        return f"http://127.0.0.1:{self.setting.port}/v1"

    @property
    def model(self) -> str:
        """The name of the model, for `--model`."""
        return self.recipe.model(self.setting)

    @property
    def version(self) -> str:
        """The installed version of the server."""
        python = str(self.setting.programs / "python")
        code = f"import importlib.metadata as m; print(m.version({self.recipe.package!r}))"
        done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def __enter__(self) -> Self:
        try:
            if self.behind:
                self.behind.start()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the process, and return when it lists its model."""
        command = [sys.executable, guardian.__file__, *self.recipe.command(self.setting)]
        variables = {**os.environ, **self.recipe.variables}
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "VIRTUAL_ENV", "PYTHONPATH"):
            variables.pop(name, None)
        with self.log.open("ab") as log:
            self._guardian = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=variables
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            text = self.log.read_text(errors="replace")
            assert self._guardian.poll() is None, f"{self.name} ended:\n{text[-3000:]}"
            assert time.monotonic() < deadline, f"{self.name} does not start:\n{text[-3000:]}"
            time.sleep(0.1)
        self._sessions |= children(self._guardian.pid)

    def left(self) -> list[int]:
        """Ids of the processes of all its starts, and of the server behind it, that are there."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                if os.getsid(int(path.name)) in self._sessions:
                    found.append(int(path.name))
        return found + (self.behind.left() if self.behind else [])

    def ready(self) -> bool:
        """Whether it lists its model now."""
        with suppress(OSError):
            self.get("/models")
            return True
        return False

    def page(self, path: str) -> str:
        """The URL of a path under /v1, or beside it where it begins with /../"""
        beside = path.startswith("/../")
        return self.url.removesuffix("/v1") + path[3:] if beside else self.url + path

    def get(self, path: str) -> Any:
        """The JSON of a page, from the base URL on."""
        with urllib.request.urlopen(self.page(path), timeout=10) as answer:
            return json.load(answer)

    def post(self, body: Mapping[str, Any], path: str = "/chat/completions") -> tuple[int, Any]:
        """The status and the JSON of an answer; the text where it is no JSON."""
        request = urllib.request.Request(
            self.page(path), json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            status, text = refusal.code, refusal.read().decode()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def kill(self) -> None:
        """SIGKILL the server's process group: no farewell to anybody."""
        assert self._guardian is not None
        for child in children(self._guardian.pid):
            os.killpg(child, signal.SIGKILL)
        self._guardian.wait(30)
        wait_for(lambda: not self.ready(), 30)

    def stop(self) -> None:
        """Let the guardian end the server, and wait for it."""
        if self._guardian is not None:
            assert self._guardian.stdin is not None
            self._guardian.stdin.close()
            self._guardian.wait(30)

    def close(self) -> None:
        """Stop what runs, see that nothing is left of it, and delete the files."""
        self.stop()
        if self.behind:
            self.behind.close()
        wait_for(lambda: not self.left(), 30)
        shutil.rmtree(self.folder, ignore_errors=True)


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=list(RECIPES))
    parser.add_argument("--model", default="late", help="a practice checkpoint, or a folder")
    parser.add_argument("--port", type=int, help="a free one by default")
    parser.add_argument("--environment", type=Path, help="of Python, in place of the Makefile's")
    given = parser.parse_args()
    with RealServer(
        given.name, given.model, port=given.port, environment=given.environment
    ) as server:
        print(f"{given.name} {server.version} at {server.url}, model {server.model}")  # noqa: T201
        print(f"log: {server.log}; Ctrl-C stops it", flush=True)  # noqa: T201
        with suppress(KeyboardInterrupt):
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            signal.pause()


if __name__ == "__main__":
    main()
