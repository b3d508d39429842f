"""One OpenAI-compatible server: its requests in flight, and one HTTP exchange with it."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import resource
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from harness.engines.openai.address import Address
from harness.engines.openai.completions import error_text
from harness.engines.openai.kinds import UNKNOWN
from harness.engines.openai.learned_rate import LearnedRate
from harness.engines.openai.limit_headers import Quota, asked_wait, quota
from harness.engines.openai.retries import is_retried
from harness.errors import EngineDown

if TYPE_CHECKING:
    from aiohttp import ClientSession

COMPLETIONS = "/chat/completions"
_CONNECT_SECONDS = 30.0
# uvicorn closes idle connections after 5 s; one that is used at that very moment is lost.
_IDLE_SECONDS = 4.0
# A host that disappears is noticed after two minutes, however long the request may take.
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
# LiteLLM's proxy tries a request three times at 429 and 5xx, which would multiply with the tries here
# and hide refusals from the rate limit. Other servers ignore it.
_HEADERS = {"x-litellm-num-retries": "0"}
_REST = 96  # file descriptors that are not connections


class Unreachable(Exception):
    """No connection could be made, so the server has received nothing."""


class TransientError(Exception):
    """A failed exchange that may succeed when it is retried.

    Args:
        text: what happened.
        wait: seconds that the server asked to wait, if it did.
        limited: whether the server's rate limit refused the request.
        timed_out: whether the time limit of the request ran out.
        status: of the reply; None where there was none.
        quota: what the server says of its rate limit.
    """

    def __init__(
        self,
        text: str,
        *,
        wait: float | None = None,
        limited: bool = False,
        timed_out: bool = False,
        status: int | None = None,
        quota: Quota | None = None,
    ) -> None:
        super().__init__(text)
        self.wait, self.limited, self.timed_out = wait, limited, timed_out
        self.status, self.quota = status, quota


class Refusal(Exception):
    """The server read the request and refused it: a retry would be refused too.

    Args:
        status: HTTP status.
        text: the server's message.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"status {status}: {text}")
        self.status, self.text = status, text


def open_session() -> ClientSession:
    """An HTTP client without a limit of its own on connections. Needs a running loop."""
    import aiohttp

    connector = aiohttp.TCPConnector(
        limit=0, keepalive_timeout=_IDLE_SECONDS, ttl_dns_cache=300, socket_factory=_socket
    )
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True
    )


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


def raise_file_limit() -> int:
    """Raise the limit of open files as far as the system allows; returns the connections that fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, 1 << 16)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(
            resource.RLIMIT_NOFILE)[1]))  # fmt: skip
    return max(1, hard - _REST)


class Client:
    """The connections of an engine, opened on the loop that first uses them."""

    def __init__(self) -> None:
        self._session: ClientSession | None = None

    @property
    def session(self) -> ClientSession:
        """The session of the running loop."""
        if self._session is None:
            self._session = open_session()
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class Server:
    """One server, its requests in flight, and what `Dispatch` knows of its state.

    Args:
        address: where it is.
        client: the connections to all servers.
    """

    def __init__(self, address: Address, client: Client) -> None:
        self.address, self.client = address, client
        self.kind = UNKNOWN
        self.slots: int | None = None  # requests that it works on side by side, where that is known
        # What each request to it holds unless it says otherwise.
        self.neutral: Mapping[str, Any] = {}
        self.model: Mapping[str, str] = {}  # what says which model it serves
        self.doubted = False  # whether it may have been restarted since that was asked
        self.confirming = asyncio.Lock()
        self.down = False
        self.failures = 0  # in a row, over all samples
        self.limited_since: float | None = None  # since then every reply was a rate-limit refusal
        self.rate = LearnedRate(random.Random())  # clients of one limit shall not meet
        self._pending: dict[int, float] = {}
        self._tickets = 0

    @property
    def at_once(self) -> int:
        """Requests in flight that keep it busy.

        More would only wait in its queue, while the time limit of each runs.
        """
        return self.kind.at_once if self.slots is None else 2 * self.slots

    @property
    def in_flight(self) -> int:
        """Requests without a reply so far."""
        return len(self._pending)

    def waiting(self, now: float) -> float:
        """Seconds since its oldest request in flight was sent; `now` is of time.monotonic."""
        return now - next(iter(self._pending.values()), now)

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request as in flight while the block runs."""
        self._tickets += 1
        ticket = self._tickets
        self._pending[ticket] = time.monotonic()
        try:
            yield
        finally:
            del self._pending[ticket]

    async def post(self, body: Mapping[str, Any], seconds: float) -> Any:
        """Request one completion; returns the JSON of the reply.

        Args:
            body: the JSON of the request.
            seconds: time limit.

        Raises:
            Unreachable: no connection could be made.
            TransientError: the exchange failed and may be retried.
            Refusal: the server refuses the request.
            EngineDown: this process may open no further file.
        """
        with self.request():
            return await exchange(
                self.client.session, self.address, COMPLETIONS, seconds, orjson.dumps(body)
            )


async def exchange(
    session: ClientSession, address: Address, path: str, seconds: float, body: bytes | None = None
) -> Any:
    """One GET, or POST with a body; returns the JSON of the reply.

    Args:
        session: the connections.
        address: of the server.
        path: below the address.
        seconds: time limit.
        body: JSON to be posted.

    Raises:
        Unreachable, TransientError, Refusal, EngineDown: as `Server.post` does.
    """
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, _CONNECT_SECONDS))
    method = "GET" if body is None else "POST"
    try:
        async with session.request(
            method, address.url(path), data=body, headers={**_HEADERS, **address.headers},
            timeout=timeout,
            proxy=address.proxy, allow_redirects=False,
        ) as response:  # fmt: skip
            content = await response.read()
            status, headers = response.status, response.headers
    except aiohttp.ConnectionTimeoutError as error:
        raise Unreachable(f"no connection within {_CONNECT_SECONDS:.0f} s") from error
    except TimeoutError as error:
        raise TransientError(f"no answer within {seconds:.0f} s", timed_out=True) from error
    except aiohttp.ClientConnectorError as error:
        raise connection_error(error.os_error, str(error)) from error
    except (aiohttp.ClientError, ConnectionError) as error:
        raise TransientError(f"the connection broke ({_why(error)})") from error
    if status == 200:
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise TransientError(f"the answer is not valid JSON ({error})") from error
    raise status_error(status, headers, address.hide(_error_message(content)))


def _why(error: Exception) -> str:
    """Why a connection ended, without the URL that the library adds, which may hold a key."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else "the server closed it"


def connection_error(error: OSError, text: str) -> Exception:
    """Unreachable for a connection that failed; EngineDown where this process has too many."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return EngineDown(
            f"this process may not open another connection ({os.strerror(error.errno)}): raise "
            "`ulimit -n`, or use a smaller --concurrency; what is finished is kept"
        )
    if isinstance(error, ssl.SSLError):  # its number is not one of the system's
        return Unreachable(str(error))
    number = error.errno or 0
    known = os.strerror(number) if number > 0 else error.strerror
    return Unreachable(known or text)


def status_error(status: int, headers: Mapping[str, str], text: str) -> Exception:
    """Refusal or TransientError for a reply whose status is not 200.

    Args:
        status: of the reply.
        headers: of the reply.
        text: the server's message, without secrets.
    """
    if 300 <= status < 400:
        to = headers.get("Location", "somewhere else").partition("?")[0]  # which may hold a key
        return Refusal(status, f"it redirects to {to}: use that as --base-url")
    if not is_retried(status) or "insufficient_quota" in text:
        return Refusal(status, text)
    limited = status == 429
    return TransientError(
        f"status {status}: {text}",
        wait=asked_wait(headers),
        limited=limited,
        status=status,
        quota=quota(headers) if limited else None,
    )


def _error_message(content: bytes) -> str:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return error_text(content.decode("utf-8", "replace"))
    code = answer.get("error", {}).get("code") if isinstance(answer, dict) and isinstance(
        answer.get("error"), dict) else None  # fmt: skip
    text = error_text(answer)
    return f"{text} ({code})" if isinstance(code, str) and code not in text else text
