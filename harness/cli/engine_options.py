"""`--engine-arg NAME=VALUE`, as several commands take it."""

from __future__ import annotations

from collections.abc import Sequence

import click


def engine_args(
    _: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, str] | None:
    """The options by name; None where there are none.

    Raises:
        BadParameter: a value without an equals sign.
    """
    options = {}
    for value in values:
        name, found, text = value.partition("=")
        if not found:
            raise click.BadParameter(
                f"{value!r} has no '=': the form is NAME=VALUE", param=parameter
            )
        options[name] = text
    return options or None
