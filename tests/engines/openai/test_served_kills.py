"""A real `vllm serve` under its guardians: whatever is killed, its engine core does not go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.engines.openai.serve import VllmServer, serve_arguments
from harness.engines.settings import EngineSettings
from tests.support.engines import VLLM_ARGS
from tests.support.processes import children, processes, wait_for

pytestmark = pytest.mark.engines

OPTIONS = {**VLLM_ARGS, "max_model_len": "512", "max_num_seqs": "8"}
READY_SECONDS = 300.0
GONE_SECONDS = 30.0  # vLLM's own end takes seconds, and the guardians allow ten


def below(pid: int) -> set[int]:
    """The processes below one."""
    found = children(pid)
    for child in list(found):
        found |= below(child)
    return found


def running(pids: set[int]) -> set[int]:
    """Those of them that have not ended; one that has ended has no command line."""
    return pids & {pid for pid, line in processes("").items() if line}


def engine_core(pids: set[int]) -> set[int]:
    return pids & processes("EngineCore").keys()


@pytest.fixture(scope="module")
def server(late: str) -> Iterator[VllmServer]:
    pytest.importorskip("vllm")
    settings = EngineSettings(engine="openai", model=late, serve=True)
    made = VllmServer(settings, serve_arguments(OPTIONS), READY_SECONDS)
    yield made
    every = below(made._process.pid)
    made.stop()
    assert not running(every)


def tree(server: VllmServer) -> dict[str, int]:
    """Process ids of a server that has started its engine core, by part."""
    outer = server._process.pid
    wait_for(lambda: engine_core(below(outer)), READY_SECONDS)
    (inner,) = children(outer)
    (api,) = children(inner)
    (core,) = engine_core(below(outer))
    return {"outer": outer, "inner": inner, "api": api, "core": core}


@pytest.mark.parametrize(
    ("parts", "number"),
    [
        (["api"], signal.SIGKILL),
        (["api"], signal.SIGTERM),
        (["core"], signal.SIGKILL),
        (["inner"], signal.SIGKILL),
        (["outer"], signal.SIGKILL),
        (["outer"], signal.SIGTERM),
        (["inner", "outer"], signal.SIGKILL),
    ],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else "+".join(value),
)
def test_a_killed_server_is_gone_before_it_is_started_again(
    server: VllmServer, parts: list[str], number: signal.Signals
) -> None:
    server.wait_until_ready()
    server.reset_exits()
    pids = tree(server)
    every = below(pids["outer"]) | {pids["outer"]}
    for part in parts:
        os.kill(pids[part], number)
    wait_for(lambda: not server.running, GONE_SECONDS)
    if len(parts) == 1:
        server.restart_if_exited()
        assert not running(every)
    else:  # nobody is left who could tell when it has ended
        wait_for(lambda: not running(every), GONE_SECONDS)
        server.restart_if_exited()
    assert server.running


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_the_server_ends_with_a_killed_harness(
    late: str, tmp_path: Path, number: signal.Signals
) -> None:
    program = textwrap.dedent(
        f"""
        import time
        from harness.engines.openai.serve import VllmServer, serve_arguments
        from harness.engines.settings import EngineSettings
        settings = EngineSettings(engine="openai", model={late!r}, serve=True)
        server = VllmServer(settings, serve_arguments({OPTIONS!r}), {READY_SECONDS})
        server.wait_until_ready()
        time.sleep({READY_SECONDS})
        """
    )
    with subprocess.Popen([sys.executable, "-c", program]) as harness:
        wait_for(lambda: engine_core(below(harness.pid)), READY_SECONDS)
        every = below(harness.pid)
        harness.send_signal(number)
    wait_for(lambda: not running(every), GONE_SECONDS)
