"""What the commands print: every text goes through here, and no control of it reaches the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.controls import has_controls, plain

if TYPE_CHECKING:
    from rich.console import Console


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text as it stands, controls by name.

    Args:
        text: of one or several lines.
        err: to standard error.
        nl: with a line break at the end.
    """
    click.echo(plain(text), err=err, nl=nl)


def terminal(*, stderr: bool = False, highlight: bool = True) -> Console:
    """A console of rich that sends its own sequences for colour and none that a text holds.

    Args:
        stderr: writes to standard error.
        highlight: colours numbers and the like.
    """
    from rich.console import Console
    from rich.segment import Segment

    class Terminal(Console):
        def render(self, *given: Any, **named: Any) -> Any:
            """The parts of what is printed, a segment each."""
            for part in super().render(*given, **named):
                if not part.control and has_controls(part.text):
                    yield Segment(plain(part.text), part.style)
                else:
                    yield part

    return Terminal(stderr=stderr, highlight=highlight)
