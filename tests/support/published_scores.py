"""Published scores for tests: some without a file, and few of the shipped ones, which can be counted."""

from __future__ import annotations

from typing import Any

from harness.reports.baselines.loader import load
from harness.reports.baselines.schema import StatedProtocol
from harness.reports.baselines.scores import Baselines, PublishedScore, Source

FEW = ("open-r1", "openai-post", "r1-paper", "r1-readme")


def published(
    model: str = "DeepSeek-R1",
    value: float = 0.8,
    *,
    source: str = "s2025",
    stated: dict[str, Any] | None = None,
    **changes: Any,
) -> PublishedScore:
    """A pass@1 on aime24; `stated` is what its source says of the protocol."""
    fields: dict[str, Any] = {
        "task": "aime24",
        "metric": "pass@1",
        "places": ("table 1",),
        "kind": "published",
        "availability": "reproducible",
        "label": model,
        "printed_metric": changes.get("metric", "pass@1"),
        "printed_value": f"{100 * value:.1f}",
        "unit": "share",
        **changes,
    }
    return PublishedScore(
        model=model, value=value, source=source, protocol=StatedProtocol(**(stated or {})), **fields
    )


def baselines_of(*scores: PublishedScore, **dates: str | None) -> Baselines:
    """Scores with their sources, each of the date that its name has."""
    names = dict.fromkeys(score.source for score in scores)
    sources = {
        name: Source(name, f"Title of {name}", "https://example.org", dates.get(name))
        for name in names
    }
    return Baselines(sources, scores)


def few_scores() -> list[PublishedScore]:
    """Those of version 1 of the R1 paper, its README, OpenAI's post and open-r1."""
    return [cell for cell in load().scores if cell.source in FEW]
