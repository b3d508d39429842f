"""What this process waits for at the moment, so that an interruption can name it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that takes a while.

    Args:
        what: after "waiting for": "the model to load".
        droppable: nothing is lost where the process ends in the middle of it.
    """

    what: str
    droppable: bool


NOTHING = Wait("the step in progress to end", droppable=False)
_waits: list[Wait] = []  # the innermost last
_told: list[Callable[[Wait], None]] = []


@contextmanager
def waiting_for(what: str, *, droppable: bool = True) -> Iterator[None]:
    """Say what the process waits for; a context manager, or the decorator of a function.

    Args:
        what: after "waiting for": "the model to load".
        droppable: nothing is lost where the process ends in the middle of it.
    """
    wait = Wait(what, droppable)
    _waits.append(wait)
    _tell()
    try:
        yield
    finally:
        _waits.remove(wait)
        _tell()


@contextmanager
def telling(listener: Callable[[Wait], None]) -> Iterator[None]:
    """Call it with every wait from now on: the innermost one, or NOTHING."""
    _told.append(listener)
    _tell()
    try:
        yield
    finally:
        _told.remove(listener)


def _tell() -> None:
    now = _waits[-1] if _waits else NOTHING
    for listener in _told:
        listener(now)
