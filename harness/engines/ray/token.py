"""The token that a Ray cluster asks for: where this process has one, and what to do without it.

From 2.59 on a cluster that `ray.init()` starts asks for a token, and so does a head node of `ray start`
on a machine that has one. A process that connects by HOST:PORT does not send its token by itself: it
does with RAY_AUTH_MODE=token alone. A cluster that asks for none takes a process that sends one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

MODE = "RAY_AUTH_MODE"
_TOKEN, _PATH = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
_FILE = Path(".ray") / "auth_token"


def token_source(environment: Mapping[str, str], home: Path) -> str | None:
    """Where Ray takes this process's token from, in words; None without a token.

    Args:
        environment: of the process.
        home: the user's home directory.
    """
    if environment.get(_TOKEN):
        return _TOKEN
    if environment.get(_PATH):
        return f"the file {environment[_PATH]} ({_PATH})"
    try:
        found = bool((home / _FILE).read_bytes().strip())
    except OSError:
        return None
    return str(home / _FILE) if found else None


def send_token() -> None:
    """Have Ray send the token that this process has, unless the user has set the mode.

    It is read when Ray is imported, and inherited by the processes that Ray starts.
    """
    if MODE not in os.environ and token_source(os.environ, Path.home()) is not None:
        os.environ[MODE] = "token"


def token_advice() -> str:
    """What a cluster that asks for a token needs here, in one clause."""
    source = token_source(os.environ, Path.home())
    if os.environ.get(MODE, "").lower() != "token":
        sent = "this process sends none"
        if source is not None:
            sent += f" ({MODE}={os.environ.get(MODE, '')}; unset it, or set it to token)"
    else:
        sent = "this process has none" if source is None else f"this process sends that of {source}"
    return (
        f"if the cluster asks for a token: {sent}; `ray get-auth-token` on its head node prints the "
        f"right one, and {_TOKEN}=TOKEN gives it to this process"
    )
