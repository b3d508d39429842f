"""Compare two runs from their folders: first their protocols, then their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import Incomplete
from harness.protocol import differences
from harness.stats.clusters import clusters_of
from harness.stats.comparison import Change, Comparison, ProblemChange, TaskComparison
from harness.stats.gate import Case, Ruling, rule
from harness.stats.power import ALPHA
from harness.stats.scores import TaskScores, mean_length
from harness.stats.verdict_table import VerdictTable
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.types import Verdict
from harness.workflows.choice_notes import choice_notes
from harness.workflows.fingerprints import fingerprint_differences
from harness.workflows.paired_runs import not_compared, pair_runs
from harness.workflows.regrade import TaskNamed
from harness.workflows.shortfall import Standing, shortfalls, stands


async def compare_runs(
    base: Path | Mapping[str, Path],
    new: Path,
    task_named: TaskNamed,
    *,
    margin: float = 0.05,
    alpha: float = ALPHA,
    allow: Sequence[str] = (),
    tasks: Sequence[str] | None = None,
    scoring: str | None = None,
    less_luck: Mapping[str, float] | None = None,
) -> Comparison:
    """Compare a run with another one, or task by task with several.

    Where only the version of the grader differs, both sides are graded again in memory; nothing is
    written.

    Args:
        base: a run folder, or one for each task.
        new: the run that is compared with it.
        task_named: finds a task by name, for grading again.
        margin: the drop that "no regression" must exclude, as a share.
        alpha: significance level of a regression, and of a rise, over all tasks.
        allow: parts of the protocol that may differ.
        tasks: only these; all of the base by default.
        scoring: a further scoring whose verdicts are compared; the task's own by default.
        less_luck: by task, the p-value of a drop against a base less its luck (`stats.selection`).

    Raises:
        ProtocolMismatch: the protocols differ in a part that is not allowed, or the new run lacks a task.
        UsageError: an unknown part, task or scoring.
        DataError: a folder is not a run, or has no scores.
        Incomplete: no problem has a graded sample in both runs, or the scoring lacks verdicts.
    """
    paired = await pair_runs(base, new, task_named, allow=allow, tasks=tasks, scoring=scoring)
    before, pairs = paired.before, paired.pairs
    sides = {name: tuple(s.verdicts() for s in found) for name, found in paired.sides.items()}
    luck = less_luck or {}
    cases = [_case(name, sides[name], pair[1], luck.get(name, 0.0)) for name, pair in pairs.items()]
    rulings = rule(cases, margin=margin, alpha=alpha)
    lacking = {c.task: shortfalls(pairs[c.task], c, sides[c.task]) for c in cases}
    standing = stands(cases, lacking, rulings, alpha=alpha)
    compared = tuple(
        _task(ruling, case, before[ruling.task], pairs[ruling.task], again=ruling.task in paired.again,
              scoring=scoring, standing=standing[ruling.task],
              further=choice_notes(*pairs[ruling.task], sides[ruling.task]))
        for ruling, case in zip(rulings, cases, strict=True)
    )  # fmt: skip
    return Comparison(
        base=", ".join(sorted({str(path) for path in before.values()})),
        new=str(new),
        margin=margin,
        tasks=compared,
        fingerprint=fingerprint_differences(before.values(), RunFolder(new)),
        notes=not_compared(before, new, tasks),
    )


def _case(name: str, sides: Sequence[VerdictTable], new: TaskFolder, less_luck: float) -> Case:
    stopping = new.stopping()
    base, now = sides
    if stopping is not None and stopping.decision is None:
        stopping = None
    case = Case(
        task=name,
        base=base.tallies(),
        new=now.tallies(None if stopping is None else new.asked(stopping.k)),
        stopping=stopping,
        allocation=new.protocol().allocation,
        clusters=clusters_of(new.problems().values()),
        p_less_luck=less_luck,
    )
    if not case.base.keys() & case.new.keys():
        raise Incomplete(
            f"{new.path}: no problem has a graded sample in both runs; complete them first"
        )
    return case


def _task(
    ruling: Ruling,
    case: Case,
    base: Path,
    pair: tuple[TaskFolder, TaskFolder],
    *,
    again: bool,
    scoring: str | None,
    standing: Standing,
    further: Sequence[str],
) -> TaskComparison:
    shared = [ProblemChange(id, tally, case.new[id])
              for id, tally in case.base.items() if id in case.new]  # fmt: skip
    notes = []
    unpaired = len(case.base.keys() ^ case.new.keys())
    if unpaired:
        notes.append(f"{unpaired} problems have graded samples in one run only and are left out")
    if case.stopping is not None:
        notes.append(
            f"sampling of the new run stopped at {case.stopping.share:.0%} of its samples; its test "
            "and bound hold at any interim analysis"
        )
    stopped = pair[0].stopping()
    if stopped is not None and stopped.decision is not None:
        notes.append(
            f"sampling of the base stopped at {stopped.share:.0%} of its samples: its mean is biased "
            "towards the result that stopped it"
        )
    for side, folder in zip(("base", "new run"), pair, strict=True):
        counts = (folder.protocol().allocation or {}).values()
        if counts:
            notes.append(
                f"samples of the {side} were allocated by earlier runs, {min(counts)} to "
                f"{max(counts)} of a problem; drops where there are few are seen less"
            )
    if scoring is not None:
        notes.append(f"compared by the verdicts of the scoring {scoring}")
    old, new = (folder.protocol() for folder in pair)
    allowed = differences(old, new, scoring)
    for part, words in allowed.items():
        if part == "grader" and again:
            notes.append(f"both graded again from the stored samples ({words})")
        else:
            notes.append(f"compared although {words}")
    return TaskComparison(
        ruling=ruling,
        base_run=RunFolder(base).name,
        changes=_changes(*(folder.scores() for folder in pair)),
        problems=tuple(sorted(shared, key=lambda p: (-abs(p.value), p.id))),
        notes=(*notes, *further),
        incomplete=standing.lines,
        stands=standing.drop,
        rise_stands=standing.rise,
    )


def _changes(base: TaskScores, new: TaskScores) -> tuple[Change, ...]:
    """Shares and lengths that may explain a change of the score."""

    def share(scores: TaskScores, verdict: Verdict) -> float:
        total = sum(scores.verdicts.values())
        return scores.verdicts.get(verdict, 0) / total if total else 0.0

    old, now = base.tokens, new.tokens
    return (
        Change("truncated share", base.truncated_share, new.truncated_share),
        *(
            Change(f"{str(verdict).replace('_', ' ')} share", share(base, verdict),
                   share(new, verdict))
            for verdict in (Verdict.NO_ANSWER, Verdict.UNDECIDED)
        ),
        Change("mean reasoning tokens", mean_length(old.reasoning), mean_length(now.reasoning)),
        Change("mean response tokens", mean_length(old.response), mean_length(now.response)),
    )  # fmt: skip
