"""Errors that a user sees as one line, each with the exit code that scripts rely on.

    0 done · 1 the answer is no · 2 usage or bad input · 3 not the same protocol · 4 some samples ended
    in error · 5 underpowered · 70 an internal error · 130, 143 interrupted (resumable)

The message names the value, the place and the fix.
"""

from __future__ import annotations


class HarnessError(Exception):
    """Anything that ends a command with one clear line. A bare one is an internal error."""

    exit_code = 70


class UsageError(HarnessError):
    """An option, a configuration or a combination of them that cannot be honoured."""

    exit_code = 2


class DataError(HarnessError):
    """A data file, run folder or model folder that cannot be read."""

    exit_code = 2


class ProtocolMismatch(HarnessError):
    """Two things that were to be compared or continued are not the same protocol."""

    exit_code = 3


class Incomplete(HarnessError):
    """Some samples ended in `error`; the run can be resumed."""

    exit_code = 4


class EngineError(HarnessError):
    """An engine failed on one sample, for good. The sample ends in `error`; the run goes on."""

    exit_code = 4


class EngineDown(EngineError):
    """The engine cannot serve any sample (server unreachable, out of memory at the start)."""


class Interrupted(HarnessError):
    """Ctrl-C (130) or SIGTERM (143): what was finished is kept."""

    def __init__(self, message: str, exit_code: int = 130) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def first_line(error: BaseException, length: int | None = None) -> str:
    """The first line of an error's text, or its name, cut to that many characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:length]
