"""Messages between the supervisor and the fork server or watcher: JSON, and descriptors beside it."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

_MAX_FDS = 64
_MESSAGE = 1 << 16

Job = dict[str, Any]


def send(channel: socket.socket, message: Job) -> None:
    """Send a message to the supervisor."""
    channel.send(json.dumps(message).encode())


def receive(channel: socket.socket) -> tuple[Job | None, list[int]]:
    """The next job with its descriptors; None when the supervisor has closed the channel."""
    data, fds, _, _ = socket.recv_fds(channel, _MESSAGE, _MAX_FDS)
    return (json.loads(data) if data else None), fds


def close(fds: list[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        os.close(fd)
