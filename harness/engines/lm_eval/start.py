"""Starts the lm_eval engine."""

from __future__ import annotations

from harness.engines.lm_eval.engine import LmEvalEngine
from harness.engines.lm_eval.models import load
from harness.engines.settings import EngineSettings
from harness.errors import UsageError


def open_engine(settings: EngineSettings) -> LmEvalEngine:
    """The lm_eval engine, its model loaded.

    Raises:
        UsageError: lm-eval or what the model needs is not installed, there is no model of that
            name, it does not take an argument, or `--seeded` with a model that takes no seed.
        DataError: the model cannot be loaded.
    """
    loaded = load(settings)
    if settings.seeded and not loaded.takes_seed:
        raise UsageError(
            f"--seeded: lm-eval's {loaded.name} model takes no seed with a request; leave it out, "
            "every process start has draws of its own"
        )
    return LmEvalEngine(settings, loaded)
