"""Published scores for tests of what is shown beside runs: few sources, so that all can be counted."""

from __future__ import annotations

from harness.reports.baselines.loader import PublishedScore, load

FEW = ("open-r1", "openai-post", "r1-paper", "r1-readme")


def few_scores() -> list[PublishedScore]:
    """Those of version 1 of the R1 paper, its README, OpenAI's post and open-r1."""
    return [cell for cell in load().scores if cell.source in FEW]
