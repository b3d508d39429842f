"""`--take-over`, the option of every command that writes to a run folder."""

from __future__ import annotations

import click

take_over_option = click.option(
    "--take-over",
    is_flag=True,
    default=None,
    help="Take over a run folder whose lock was left by a process on another host.",
)
