"""The connection of this process to a Ray cluster, shared by all of its users.

Ray has one connection per process. The first user makes it, the last one ends it, and a cluster
that ran before goes on.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from harness.engines.ray.token import send_token, token_advice
from harness.errors import EngineDown, UsageError, first_line

ANSWER_SECONDS = 5.0  # Ray itself would retry an address without a cluster for minutes
POLL_SECONDS = 5.0
# Without a head node Ray ends this process after 60 s, with the code that means "the answer is no".
HEAD_SECONDS = 45.0
_NO_HANDLER = "RAY_DISABLE_FAILURE_SIGNAL_HANDLER"
_SETTINGS = 4  # type of the frame that each side sends first
_REASON = 160  # characters of Ray's own message
_LOCAL_STORE_BYTES = 256 << 20  # prompts, completions and grades are small
_lock = threading.Lock()
_users = 0
_owned = False  # whether this process made the connection and must end it
_ended = threading.Event()  # set when it was


@dataclass(frozen=True, slots=True)
class Node:
    """A running node of the cluster and its resources, busy or idle.

    Args:
        id: Ray's id of the node.
        host: its host name.
        cpus: CPU cores that Ray counts there.
        gpus: GPUs that Ray counts there.
        here: whether this process runs on it.
    """

    id: str
    host: str
    cpus: int
    gpus: int
    here: bool

    @property
    def name(self) -> str:
        """Its host and the first digits of its id: several nodes may share a host."""
        return f"{self.host} ({self.id[:6]})"


class Cluster:
    """One use of the connection; a context manager.

    Args:
        address: of a running cluster, HOST:PORT or "auto"; RAY_ADDRESS by default, and a cluster
            on this machine alone, started now and stopped with its last user, without either.

    Raises:
        UsageError: Ray is not installed, or the address is of a kind that cannot be used.
        EngineDown: no cluster answers at the address.
    """

    def __init__(self, address: str | None = None) -> None:
        global _users, _owned
        ray = import_ray()
        with _lock:
            if not _users:
                _owned = not ray.is_initialized()
                if _owned:
                    chosen = address or os.environ.get("RAY_ADDRESS") or "local"
                    _in_lasting_thread(lambda: _connect(chosen))
            _users += 1
        self._open = True

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    def nodes(self) -> list[Node]:
        """The nodes that run now."""
        ray = import_ray()
        here = ray.get_runtime_context().get_node_id()
        return [_node(row, here) for row in ray.nodes() if row["Alive"]]

    def close(self) -> None:
        """End this use; the last one disconnects, which stops a cluster that was started here."""
        global _users
        with _lock:
            if not self._open:
                return
            self._open = False
            _users -= 1
            if not _users and _owned:
                import_ray().shutdown()
                _ended.set()


def import_ray() -> Any:
    """The package `ray`.

    Raises:
        UsageError: it is not installed; the message names the extra.
    """
    # Ray reads it on import. Its own handler would abort this process three seconds after SIGTERM,
    # before the run has ended in order. Processes that Ray starts do not inherit it.
    first = "ray" not in sys.modules and _NO_HANDLER not in os.environ
    if first:
        os.environ[_NO_HANDLER] = "1"
        send_token()
    try:
        import ray
    except ImportError as error:
        raise UsageError("Ray is not installed: pip install 'reasoning-harness[ray]'") from error
    finally:
        if first:
            del os.environ[_NO_HANDLER]
    return ray


def _in_lasting_thread(work: Callable[[], None]) -> None:
    """Run it in a thread that lasts until the connection ends.

    A local cluster's processes end with the thread that started them, and the calling thread may
    belong to a pool. The thread then checks that the head node answers.
    """
    global _ended
    result: Future[None] = Future()
    _ended = ended = threading.Event()

    def run() -> None:
        try:
            work()
        except BaseException as error:
            result.set_exception(error)
            return
        address = import_ray().get_runtime_context().gcs_address
        result.set_result(None)
        watch_head(address, ended)

    threading.Thread(target=run, daemon=True, name="ray-start").start()
    result.result()


def watch_head(address: str, ended: threading.Event) -> None:
    """End this process when the head node stops answering; return when `ended` is set.

    What waits for Ray cannot be ended in order, so the exit is immediate, with the code of EngineDown.
    """
    host, _, port = address.rpartition(":")
    seen = time.monotonic()
    while not ended.wait(POLL_SECONDS):
        try:
            socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
            seen = time.monotonic()
        except OSError as error:
            if time.monotonic() - seen > HEAD_SECONDS:
                sys.stderr.write(
                    f"error: the Ray head node at {address} does not answer any more ({error}); "
                    "every finished sample is kept: start the cluster again, and run the same "
                    "command\n"
                )
                sys.stderr.flush()
                os._exit(EngineDown.exit_code)  # what waits for Ray cannot be ended in order


def _connect(address: str) -> None:
    if address not in ("local", "auto"):
        _check_answers(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    logging.getLogger("ray").setLevel(logging.ERROR)  # before ray.init reads its own option
    local: dict[str, Any] = {}
    if address == "local":
        local = {"include_dashboard": False, "object_store_memory": _LOCAL_STORE_BYTES}
    try:
        import_ray().init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=False,
            **local,
        )
    except (OSError, RuntimeError, ValueError, import_ray().exceptions.RayError) as error:
        if local:
            raise EngineDown(
                f"no local Ray cluster can be started ({first_line(error, _REASON)}); it writes its token to "
                "~/.ray/auth_token where there is none: RAY_AUTH_MODE=disabled does without"
            ) from error
        raise EngineDown(
            f"--ray-address {address}: no Ray cluster can be used there ({first_line(error, _REASON)}); "
            f"`ray status` on a node of the cluster shows its state, and {token_advice()}"
        ) from error


def _check_answers(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in address:
        raise UsageError(
            f"--ray-address {address}: it takes HOST:PORT of the head node, or auto on a node of "
            "the cluster"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0") in ("0", ""):
                _check_speaks(connection)
    except OSError as error:
        raise EngineDown(
            f"--ray-address {address}: no Ray head node answers there ({error}); is it up, and is "
            "this the port of `ray start --head`?"
        ) from error


def _check_speaks(connection: socket.socket) -> None:
    """ConnectionError unless it answers as gRPC does, which is HTTP/2 (RFC 9113, section 3.4)."""
    connection.sendall(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0))
    )
    if connection.recv(4)[3:] != bytes([_SETTINGS]):
        raise ConnectionError("something else does")


def _node(row: Mapping[str, Any], here: str) -> Node:
    resources = row["Resources"]
    return Node(
        row["NodeID"],
        row["NodeManagerHostname"],
        int(resources.get("CPU", 0)),
        int(resources.get("GPU", 0)),
        row["NodeID"] == here,
    )
