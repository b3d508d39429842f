"""Engines generate samples; one package per engine, imported when it is used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from harness.engines.settings import EngineSettings
from harness.errors import UsageError
from harness.interfaces import Engine

ENGINES = ("transformers", "vllm", "openai", "ray", "lm_eval")
"""Each is a package here whose module `engine` has a function `open_engine(settings) -> Engine`."""

_PACKAGES = {"transformers": "hf"}


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
    package = _PACKAGES.get(settings.name, settings.name)
    module = import_module(f"harness.engines.{package}.engine")
    open_engine = cast(Callable[[EngineSettings], Engine], module.open_engine)
    return open_engine(settings)
