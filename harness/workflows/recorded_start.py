"""What the manifest says of a start while it samples and at its end: its plan, its time, its costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.interfaces import Fingerprint
from harness.pipeline.runner import Observer
from harness.stats.cost import Price
from harness.stats.usage import Usage
from harness.storage.manifest import PlanRecord, Start
from harness.storage.run_folder import RunWriter
from harness.types import Verdict
from harness.workflows.notices import Notices

_RECORD_SECONDS = 60.0  # between two records, so that a killed start has its time too


def own_costs(fingerprint: Fingerprint, start: Start) -> dict[str, Any]:
    """The fields of a start that tell what it costs: its GPUs, and the price of its tokens.

    Args:
        fingerprint: of the engine, which may state GPUs and a price of its own.
        start: with the price that the user gave, if one was.
    """
    listed = fingerprint.get("price")
    price = Price(**listed, listed=True) if start.price is None and listed else start.price
    return {"gpus": fingerprint.get("gpus"), "price": price}


class RecordedStart:
    """One start in the manifest. Observes the runner to measure how long it samples.

    The time of sampling is that from the first request to the last sample, by a monotonic clock.

    Args:
        writer: of the run folder.
        start: as the manifest has it.
        notices: those of this start, complete at its end.
        observe: told of every event of the runner.
    """

    def __init__(
        self, writer: RunWriter, start: Start, notices: Notices, observe: Observer
    ) -> None:
        self._writer, self._start = writer, start
        self._notices, self._observe = notices, observe
        self._began, self._sampled, self._due = time.monotonic(), 0.0, _RECORD_SECONDS

    def begin(self, plan: PlanRecord) -> None:
        """Record what is about to be drawn; the first request follows."""
        self._start = self._writer.update_start(replace(self._start, plan=plan))
        self._began = time.monotonic()

    def event(self, what: str, task: str, verdict: Verdict | None) -> None:
        """One event of the runner; a sample that failed took its time as well."""
        if what != "graded":
            self._sampled = time.monotonic() - self._began
            if self._sampled >= self._due:
                self._due = self._sampled + _RECORD_SECONDS
                self._writer.update_start(replace(self._start, sampling_seconds=self._sampled))
        self._observe(what, task, verdict)

    def end(self, discarded: Mapping[str, Usage]) -> None:
        """Record how long it took, and what is to be said of it.

        Args:
            discarded: by task, the usage of samples that were drawn and not kept.
        """
        self._writer.update_start(
            replace(
                self._start,
                seconds=time.monotonic() - self._began,
                sampling_seconds=self._sampled,
                notices=tuple(self._notices.texts),
                discarded=discarded,
            )
        )
