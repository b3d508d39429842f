"""What a start costs: its GPUs and price, and how long it samples, by a monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from harness.interfaces import Fingerprint
from harness.pipeline.runner import Observer
from harness.stats.cost import Price
from harness.storage.manifest import Start
from harness.types import Verdict

_RECORD_SECONDS = 60.0  # between two records, so that a killed start has its time too


def own_costs(fingerprint: Fingerprint, start: Start | None) -> dict[str, Any]:
    """The fields of a start that tell what it costs: its GPUs, and the price of its tokens.

    Args:
        fingerprint: of the engine, which may state GPUs and a price of its own.
        start: with the price that the user gave, if one was.
    """
    given, listed = start.price if start else None, fingerprint.get("price")
    price = Price(**listed, listed=True) if given is None and listed else given
    return {"gpus": fingerprint.get("gpus"), "price": price}


class SamplingTime:
    """An observer of a runner that measures, and tells another observer of every event.

    Args:
        observe: is told of every event.
        record: called with the seconds so far, about once a minute.
    """

    def __init__(self, observe: Observer, record: Callable[[float], object]) -> None:
        self._observe, self._record = observe, record
        self._began = time.monotonic()
        self._due = _RECORD_SECONDS
        self.seconds = 0.0

    def begin(self) -> float:
        """The first request is about to be sent; returns that moment, by the monotonic clock."""
        self._began = time.monotonic()
        return self._began

    def event(self, what: str, task: str, verdict: Verdict | None) -> None:
        """One event of the runner; a sample that failed took its time as well."""
        if what != "graded":
            self.seconds = time.monotonic() - self._began
            if self.seconds >= self._due:
                self._due = self.seconds + _RECORD_SECONDS
                self._record(self.seconds)
        self._observe(what, task, verdict)
