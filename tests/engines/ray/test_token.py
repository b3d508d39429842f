"""Clusters that ask for a token: Ray 2.59 and later do by default where they start one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.engines.ray import token
from harness.engines.ray.token import send_token, token_advice, token_source

TOKEN = "0123456789abcdef" * 2
CONNECT = """
import sys
from harness.engines.ray.cluster import Cluster, import_ray
from harness.errors import EngineDown

try:
    with Cluster(sys.argv[1] if len(sys.argv) > 1 else None) as cluster:
        ray = import_ray()
        print(len(cluster.nodes()), ray.get(ray.remote(lambda: 41 + 1).remote(), timeout=120))
except EngineDown as error:
    print(f"error: {error}")
"""
SECONDS = 240


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("RAY_AUTH"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def write_token(home: Path, text: str = TOKEN) -> None:
    (home / ".ray").mkdir(exist_ok=True)
    (home / ".ray" / "auth_token").write_text(text)


def test_a_token_is_sent_where_there_is_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send_token()
    assert "RAY_AUTH_MODE" not in os.environ
    write_token(home)
    send_token()
    assert os.environ["RAY_AUTH_MODE"] == "token"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    send_token()
    assert os.environ["RAY_AUTH_MODE"] == "disabled"


def test_the_token_is_found_in_the_order_of_ray(home: Path) -> None:
    assert token_source({}, home) is None
    write_token(home, " \n")
    assert token_source({}, home) is None
    write_token(home)
    assert token_source({}, home) == str(home / ".ray" / "auth_token")
    given = {"RAY_AUTH_TOKEN_PATH": "/etc/token"}
    assert token_source(given, home) == "the file /etc/token (RAY_AUTH_TOKEN_PATH)"
    assert token_source({**given, "RAY_AUTH_TOKEN": TOKEN}, home) == "RAY_AUTH_TOKEN"


def test_the_advice_says_what_this_process_sends_and_never_the_token(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "this process sends none;" in token_advice()
    write_token(home)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert "sends none (RAY_AUTH_MODE=disabled; unset it" in token_advice()
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert f"sends that of {home}/.ray/auth_token; `ray get-auth-token`" in token_advice()
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    assert TOKEN not in token_advice()


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a head node that asks for TOKEN."""
    pytest.importorskip("ray")
    home = tmp_path_factory.mktemp("head")
    write_token(home)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
    command = [Path(sys.executable).parent / "ray", "start", "--head", "--block", f"--port={port}"]
    command += ["--include-dashboard=false", "--num-cpus=1", "--node-ip-address=127.0.0.1"]
    environment = {**os.environ, "HOME": str(home), "RAY_AUTH_MODE": "token"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "--block" in line:  # the last line of a head node that runs
                break
        yield f"127.0.0.1:{port}"
        process.terminate()


def connect(home: Path, *address: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CONNECT, *address],
        env={**os.environ, "HOME": str(home), **environment},
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.engines
def test_a_cluster_that_asks_for_a_token_is_used_with_it(head: str, home: Path) -> None:
    """The user has set no mode: Ray itself then sends no token to HOST:PORT."""
    write_token(home)
    assert connect(home, head) == "1 42"


@pytest.mark.engines
@pytest.mark.parametrize(
    ("own", "mode", "message"),
    [
        (None, None, "this process sends none"),
        (None, "token", "Token authentication is enabled but no authentication token was found"),
        ("f" * 32, None, "this process sends that of HOME/.ray/auth_token"),
    ],
    ids=["none", "none but asked for", "a wrong one"],
)
def test_without_the_right_token_the_fix_is_one_line(
    head: str, home: Path, own: str | None, mode: str | None, message: str
) -> None:
    if own is not None:
        write_token(home, own)
    said = connect(home, head, **({} if mode is None else {token.MODE: mode}))
    assert said.startswith(f"error: --ray-address {head}: no Ray cluster can be used there (")
    assert message.replace("HOME", str(home)) in said
    assert "RAY_AUTH_TOKEN=TOKEN gives it to this process" in said
    assert "\n" not in said


@pytest.mark.engines
@pytest.mark.parametrize("mode", [None, "token", "disabled"])
def test_a_local_cluster_needs_no_token_file(home: Path, mode: str | None) -> None:
    assert connect(home, **({} if mode is None else {token.MODE: mode})).endswith(" 42")


@pytest.mark.engines
def test_a_local_cluster_that_cannot_keep_its_token_says_so(home: Path) -> None:
    (home / ".ray").write_text("in the way")
    said = connect(home)
    assert said.startswith("error: no local Ray cluster can be started (")
    assert said.endswith("RAY_AUTH_MODE=disabled does without")
