"""Loads the engine of a run, without holding up who waits for it."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Sequence

from harness.engines import make_engine
from harness.engines.settings import EngineSettings, check_fields
from harness.interfaces import Engine
from harness.sampling import Sampling
from harness.waiting import waiting_for
from harness.workflows.notices import Notices
from harness.workflows.run_settings import RunSettings

LOADING_SECONDS = 30.0  # between two lines while a model is loading


async def open_engine(
    settings: RunSettings, seed: int, notices: Notices, samplings: Sequence[Sampling] = ()
) -> Engine:
    """Load the engine of a run in a thread that gives up when the run is interrupted.

    Args:
        settings: of the run.
        seed: the engine's own seed for this process start.
        notices: gets the engine's notices.
        samplings: of the tasks that it is to draw.

    Raises:
        UsageError: an unknown engine or option, or a missing package.
        DataError: the model cannot be loaded.
        EngineDown: the server does not answer.
    """
    stop = threading.Event()
    waiting = asyncio.create_task(_report_loading(settings))
    try:
        with waiting_for("the model to load"):
            return await asyncio.to_thread(
                load_engine, settings, seed, notices, stop.is_set, samplings=samplings
            )
    except asyncio.CancelledError:
        stop.set()  # the thread goes on until it checks this
        raise
    finally:
        waiting.cancel()


async def close_engine(engine: Engine) -> None:
    """End what the engine has started."""
    with waiting_for("the engine to end", droppable=False):
        await engine.close()


async def _report_loading(settings: RunSettings) -> None:
    """Print every 30 seconds that the engine is loading: minutes of silence look like a hang."""
    begun = time.monotonic()
    while not settings.serve:  # `serve` prints its own progress
        await asyncio.sleep(LOADING_SECONDS)
        sys.stderr.write(
            f"{settings.engine} is still loading {settings.model} after "
            f"{time.monotonic() - begun:.0f} s\n"
        )


def load_engine(
    settings: RunSettings,
    seed: int,
    notices: Notices,
    stopped: Callable[[], bool],
    *,
    samplings: Sequence[Sampling] = (),
) -> Engine:
    """Load the engine of a run.

    Args:
        settings: of the run.
        seed: the engine's own seed for this process start.
        notices: gets the engine's notices.
        stopped: says that the run was interrupted, so that loading can give up.
        samplings: of the tasks that the engine is to draw.

    Raises:
        UsageError: an unknown engine or option, or a missing package.
        DataError: the model cannot be loaded.
        EngineDown: the server does not answer.
    """
    check_fields(settings.engine_arg)
    # The address may be meant only for the graders.
    for_engine = settings.grade_on == "local" or settings.engine.partition(":")[0] == "ray"
    return make_engine(
        EngineSettings(
            engine=settings.engine,
            model=settings.model,
            revision=settings.revision,
            think_end=settings.think_end,
            thinking=settings.thinking,
            seed=seed,
            seeded=settings.seeded,
            options=settings.engine_arg,
            base_url=settings.base_url,
            serve=settings.serve,
            requests_per_minute=settings.requests_per_minute,
            tokens_per_minute=settings.tokens_per_minute,
            replicas=settings.replicas,
            ray_address=settings.ray_address if for_engine else None,
            repetition_guard=settings.repetition_guard,
            effort=settings.effort,
            reasoning_budget=settings.reasoning_budget,
            samplings=tuple(dict.fromkeys(samplings)),
            notify=notices.add,
            stopped=stopped,
        )
    )
