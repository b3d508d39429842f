"""Engines generate samples. One package per engine; it is imported when the engine is used.

In every package `engine` holds the class, `options` or `args` parses `--engine-arg`, and `start`
opens the engine (`open_engine`).

    settings    the settings that every engine is built from
    replicas    several engines as one: the least busy gets the sample, a lost one is restarted
    batching    single requests into batches, for engines that generate a list in one call
    repetition  detects that a text has become a loop (the repetition guard)
    budget      which tokens a reasoning budget counts, and how it ends reasoning
    effort      whether a chat template knows an effort
    recorded    published responses, replayed
    chat        tokenizer and chat template; shared by hf, vllm, openai, ray and lm_eval
    checkpoint  loads a model, hashes its weights; shared by hf, vllm, openai and lm_eval
    hf/         transformers in this process, the default
    vllm/       vLLM in this process, one AsyncLLM per replica
    openai/     OpenAI-compatible servers, one or several; `vllm serve` started for the run
    ray/        vllm or transformers engines as actors on a Ray cluster
    lm_eval/    any model of lm-eval
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from harness.engines.settings import EngineSettings
from harness.errors import UsageError
from harness.interfaces import Engine

ENGINES = ("transformers", "vllm", "openai", "ray", "lm_eval")
"""Each is a package here whose module `start` has a function `open_engine(settings) -> Engine`."""

_PACKAGES = {"transformers": "hf"}


def make_engine(settings: EngineSettings) -> Engine:
    """Build the engine that the settings name.

    Raises:
        UsageError: an unknown engine, an option it does not use, or a missing package.
        DataError: a model that cannot be loaded.
        EngineDown: a server or cluster that does not answer.
    """
    if settings.name not in ENGINES:
        raise UsageError(f"there is no engine {settings.name!r}; there are {', '.join(ENGINES)}")
    settings.check_used()
    package = _PACKAGES.get(settings.name, settings.name)
    module = import_module(f"harness.engines.{package}.start")
    open_engine = cast(Callable[[EngineSettings], Engine], module.open_engine)
    return open_engine(settings)
