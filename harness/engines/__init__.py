"""Engines generate samples; one file an engine, imported when it is used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from harness.engines.settings import EngineSettings
from harness.errors import UsageError
from harness.interfaces import Engine

ENGINES = ("transformers", "vllm", "openai", "ray", "lm_eval")
"""Each is a module of this package with a function `open_engine(settings) -> Engine`."""


def make_engine(settings: EngineSettings) -> Engine:
    """Build an engine by name.

    Raises:
        UsageError: an unknown engine, an option it does not know, or a missing package.
        DataError: a model that cannot be loaded.
        EngineDown: a server that does not answer.
    """
    if settings.name not in ENGINES:
        raise UsageError(f"there is no engine {settings.name!r}; there are {', '.join(ENGINES)}")
    settings.check_used()
    module = import_module(f"harness.engines.{settings.name}")
    open_engine = cast(Callable[[EngineSettings], Engine], module.open_engine)
    return open_engine(settings)
