"""Published scores as JSON: what `harness baselines --json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .conflicts import conflicts
from .scores import Baselines, PublishedScore


def document(known: Baselines, chosen: Sequence[PublishedScore]) -> dict[str, Any]:
    """Scores with their sources. `conflict` marks those that sources disagree on.

    Args:
        known: all that there is, so that a filter hides no disagreement.
        chosen: those to list.
    """
    disputed = {score for group in conflicts(known.scores) for score in group}
    names = dict.fromkeys(score.source for score in chosen)
    return {
        "sources": [asdict(known.sources[name]) for name in names],
        "baselines": [record(score, conflict=score in disputed) for score in chosen],
    }


def record(score: PublishedScore, *, conflict: bool) -> dict[str, Any]:
    """One score with every detail; `value` is 0 to 1 where `unit` is share, else as printed."""
    return {
        "source": score.source,
        "model": score.model,
        "label": score.label,
        "task": score.task,
        "metric": score.metric,
        "printed_metric": score.printed_metric,
        "value": score.value,
        "printed_value": score.printed_value,
        "unit": score.unit,
        "kind": score.kind,
        "printed": score.printed,
        "places": list(score.places),
        "n": score.n,
        "k": score.k,
        "subset": dict(score.subset),
        "protocol": score.protocol.model_dump(),
        "availability": score.availability,
        "note": score.note,
        "conflict": conflict,
    }
