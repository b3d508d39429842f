"""One OpenAI-compatible server: where it is, and one HTTP exchange with it."""

from __future__ import annotations

import base64
import errno
import os
import resource
import socket
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

import harness
from harness.engines.openai.completions import error_text
from harness.engines.openai.retries import is_retried, retry_after
from harness.errors import EngineDown, UsageError

if TYPE_CHECKING:
    from aiohttp import ClientSession

COMPLETIONS = "/chat/completions"
_CONNECT_SECONDS = 30.0
# uvicorn closes idle connections after 5 s; one that is used at that very moment is lost.
_IDLE_SECONDS = 4.0
# A host that vanished is noticed after two minutes, however long the request may take.
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
_REST = 96  # file descriptors that are not connections


class Unreachable(Exception):
    """No connection came about, so nothing was asked."""


class Fault(Exception):
    """An exchange that failed and may be tried again.

    `wait` is what the server asked for in seconds, `limited` says that it was one request too
    many, `timed_out` that the time limit ran out.
    """

    def __init__(
        self,
        text: str,
        *,
        wait: float | None = None,
        limited: bool = False,
        timed_out: bool = False,
    ) -> None:
        super().__init__(text)
        self.wait, self.limited, self.timed_out = wait, limited, timed_out


class Refusal(Exception):
    """The server read the request and refuses it: another try would change nothing."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"status {status}: {text}")
        self.status, self.text = status, text


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, apart from what must not be shown.

    `shown` has neither credentials nor query; it is what messages and the fingerprint name.
    """

    shown: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, url: str, key: str | None, headers: Mapping[str, str]) -> Address:
        """An address from what a user gives; UsageError on what is no URL."""
        try:
            parts = urllib.parse.urlsplit(url.strip())
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UsageError(f"--base-url: not a URL ({error})") from error
        if parts.scheme not in ("http", "https") or not host:
            shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
            raise UsageError(
                f"--base-url {shown}: a URL is needed, such as http://localhost:8000/v1"
            )
        place = f"[{host}]" if ":" in host else host
        shown = f"{parts.scheme}://{place}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
        sent = {"Content-Type": "application/json"}
        sent["User-Agent"] = f"reasoning-harness/{harness.__version__}"
        secrets = [key, *(word for value in headers.values() for word in value.split())]
        secrets += [part.partition("=")[2] for part in parts.query.split("&")]
        if parts.username is not None:
            user, password = (
                urllib.parse.unquote(part or "") for part in (parts.username, parts.password)
            )
            pair = base64.b64encode(f"{user}:{password}".encode()).decode()
            sent["Authorization"] = f"Basic {pair}"
            secrets += [password, pair]
        elif key:
            sent["Authorization"] = f"Bearer {key}"
        return cls(
            shown,
            parts.query,
            {**sent, **headers},
            _proxy(parts.scheme, host),
            tuple(sorted((s for s in secrets if s and _is_secret(s)), key=len, reverse=True)),
        )

    @property
    def root(self) -> Address:
        """The server without /v1, where vLLM has its own paths."""
        return replace(self, shown=self.shown.removesuffix("/v1"))

    def url(self, path: str) -> str:
        """The URL of one of its paths."""
        return f"{self.shown}{path}" + (f"?{self.query}" if self.query else "")

    def hide(self, text: str) -> str:
        """A text without the secrets of this address: servers quote what they were sent."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def _is_secret(text: str) -> bool:
    """Not so short that hiding it would blot out words and the numbers that refusals are read for."""
    return len(text) >= (6 if text.isdecimal() else 4)


def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for this host, as other HTTP clients read it."""
    local = host == "localhost" or host.startswith("127.") or host == "::1"
    if local or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(scheme)


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
    """Let this process hold as many connections as the system grants; returns how many."""
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
    """One server and what is in flight to it."""

    def __init__(self, address: Address, client: Client) -> None:
        self.address, self.client = address, client
        self.is_vllm = False
        self.down = False
        self.failures = 0  # in a row, over all samples
        self.limited_since: float | None = None  # with nothing but refusals for the rate
        self.limited_until = 0.0
        self._pending: dict[int, float] = {}
        self._tickets = 0

    @property
    def in_flight(self) -> int:
        """Requests that it has not answered yet."""
        return len(self._pending)

    def waiting(self, now: float) -> float:
        """Seconds since its oldest open request was sent."""
        return now - next(iter(self._pending.values()), now)

    async def post(self, body: Mapping[str, Any], seconds: float) -> Any:
        """Ask for a completion: the JSON to be sent, and the JSON that comes back.

        Raises:
            Unreachable, Fault, Refusal: see there.
            EngineDown: this process may open no further file.
        """
        self._tickets += 1
        ticket = self._tickets
        self._pending[ticket] = time.monotonic()
        try:
            return await exchange(
                self.client.session, self.address, COMPLETIONS, seconds, orjson.dumps(body)
            )
        finally:
            del self._pending[ticket]


async def exchange(
    session: ClientSession, address: Address, path: str, seconds: float, body: bytes | None = None
) -> Any:
    """One GET, or POST with a body; see `Server.post`."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, _CONNECT_SECONDS))
    method = "GET" if body is None else "POST"
    try:
        async with session.request(
            method, address.url(path), data=body, headers=address.headers, timeout=timeout,
            proxy=address.proxy, allow_redirects=False,
        ) as response:  # fmt: skip
            content = await response.read()
            status, headers = response.status, response.headers
    except aiohttp.ConnectionTimeoutError as error:
        raise Unreachable(f"no connection within {_CONNECT_SECONDS:.0f} s") from error
    except TimeoutError as error:
        raise Fault(f"no answer within {seconds:.0f} s", timed_out=True) from error
    except aiohttp.ClientConnectorError as error:
        raise _no_connection(error.os_error, str(error)) from error
    except (aiohttp.ClientError, ConnectionError) as error:
        raise Fault(f"the connection broke off ({_why(error)})") from error
    if status == 200:
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise Fault(f"the answer is not valid JSON ({error})") from error
    raise _not_ok(status, headers, address.hide(_said(content)))


def _why(error: Exception) -> str:
    """What ended a connection, without the URL that the library adds, which may hold a key."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else "the server closed it"


def _no_connection(error: OSError, text: str) -> Exception:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return EngineDown(
            f"this process may not open another connection ({os.strerror(error.errno)}): raise "
            "`ulimit -n`, or use a smaller --concurrency; every finished sample is kept"
        )
    if isinstance(error, ssl.SSLError):  # its number is not one of the system's
        return Unreachable(str(error))
    number = error.errno or 0
    known = os.strerror(number) if number > 0 else error.strerror
    return Unreachable(known or text)


def _not_ok(status: int, headers: Mapping[str, str], text: str) -> Exception:
    if 300 <= status < 400:
        to = headers.get("Location", "somewhere else").partition("?")[0]  # which may hold a key
        return Refusal(status, f"it redirects to {to}: use that as --base-url")
    if not is_retried(status) or "insufficient_quota" in text:
        return Refusal(status, text)
    wait = retry_after(headers.get("Retry-After"))
    return Fault(f"status {status}: {text}", wait=wait, limited=status == 429)


def _said(content: bytes) -> str:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return error_text(content.decode("utf-8", "replace"))
    code = answer.get("error", {}).get("code") if isinstance(answer, dict) and isinstance(
        answer.get("error"), dict) else None  # fmt: skip
    text = error_text(answer)
    return f"{text} ({code})" if isinstance(code, str) and code not in text else text
