"""Where an OpenAI-compatible server is, apart from the secrets in what the user gave."""

from __future__ import annotations

import base64
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import harness
from harness.errors import UsageError


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is.

    Args:
        shown: its base URL without credentials and query, for messages and the fingerprint.
        query: of every URL.
        headers: of every request.
        proxy: URL of the proxy for it, if any.
        secrets: words that no message may show, the longest first.
    """

    shown: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, url: str, key: str | None, headers: Mapping[str, str]) -> Address:
        """An address from what the user gives.

        Args:
            url: base URL; it may hold credentials and a query.
            key: sent as bearer token unless the URL holds credentials.
            headers: further headers of every request.

        Raises:
            UsageError: it is not an HTTP URL.
        """
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
        """The address without /v1, where vLLM has its own paths."""
        return replace(self, shown=self.shown.removesuffix("/v1"))

    def url(self, path: str) -> str:
        """The URL of one of its paths."""
        return f"{self.shown}{path}" + (f"?{self.query}" if self.query else "")

    def hide(self, text: str) -> str:
        """A text without the secrets of this address: servers quote what they receive."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def _is_secret(text: str) -> bool:
    """Whether it is long enough to be hidden without hiding words and the numbers in refusals."""
    return len(text) >= (6 if text.isdecimal() else 4)


def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for this host, as other HTTP clients read it."""
    local = host == "localhost" or host.startswith("127.") or host == "::1"
    if local or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(scheme)
