"""The scores of a task from its stored samples and grades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from harness.pipeline.pending import TaskRun
from harness.pipeline.scoring import SampleStatistics, score_task
from harness.pipeline.untagged import check_settled
from harness.stats.breakdown import breakdown, open_range
from harness.stats.clusters import clustering, clusters_of
from harness.stats.decisions import Decisions
from harness.stats.scores import TaskScores
from harness.storage.projections import DecisionRow, SampleRow
from harness.storage.run_folder import RunFolder
from harness.storage.scores import write_scores


def compute_scores(run: TaskRun) -> TaskScores:
    """The scores of a task from its folder, over the problems of its protocol.

    Raises:
        UsageError: samples may be reasoning, and nothing tells.
    """
    check_settled([run])
    statistics = SampleStatistics()
    stored: Counter[str] = Counter()
    for sample in run.folder.read("samples.jsonl", SampleRow):
        if sample.problem_id in run.protocol.problems:
            statistics.add(sample)
            stored[sample.problem_id] += 1
    decisions = Decisions(run.protocol.problems, run.folder.read("grades.jsonl", DecisionRow))
    scores = score_task(
        run.protocol,
        run.sampling.k,
        run.task.grader,
        run.task.metrics,
        decisions=decisions,
        failed={row.key for row in run.folder.errors() if row.problem_id in run.protocol.problems},
        samples=statistics,
        asked=_asked(run, stored),
        clusters=clusters_of(run.problems.values()),
    )
    found = decisions.tallies()
    return replace(
        scores,
        stopped=run.folder.stopping(),
        breakdown=breakdown(run.problems, found),
        range=open_range(run.problems, found),
        clusters=clustering(run.problems.values()),
        usage=statistics.usage.total(),
    )


def _asked(run: TaskRun, stored: Mapping[str, int]) -> Mapping[str, int]:
    """The samples asked of each problem; of published responses, all there are."""
    recorded = RunFolder(run.folder.path.parent).manifest().fingerprint.get("engine") == "recorded"
    return stored if recorded and run.allocation is None else run.asked


def score(run: TaskRun) -> TaskScores:
    """Compute the scores of a task from its folder and write scores.json.

    Raises:
        UsageError: samples may be reasoning, and nothing tells.
    """
    scores = compute_scores(run)
    write_scores(run.folder.path, scores)
    return scores
