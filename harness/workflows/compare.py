"""Compare two runs from their folders: first their protocols, then their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import Incomplete, ProtocolMismatch, UsageError
from harness.pipeline.grading_pool import GradingPool
from harness.pipeline.pending import TaskRun
from harness.protocol import COMPARED, differences
from harness.stats.clusters import clusters_of
from harness.stats.comparison import Change, Comparison, ProblemChange, TaskComparison
from harness.stats.gate import Case, Ruling, rule
from harness.stats.metrics import tallies
from harness.stats.power import ALPHA
from harness.stats.scores import TaskScores, mean_length
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.types import Grade, Verdict
from harness.workflows.choice_notes import choice_notes
from harness.workflows.fingerprints import fingerprint_differences
from harness.workflows.further_scoring import lacks_opinions, under
from harness.workflows.regrade import TaskNamed, grade_again, stored_runs
from harness.workflows.shortfall import Standing, shortfalls, stands

_GRADER_ONLY = {"grader"}


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
    _check_allowed(allow)
    before = _base_folders(base, tasks)
    pairs = _pairs(before, new)
    _check_protocols(pairs, {*allow, *_GRADER_ONLY}, scoring)
    grades = await _grades(before, new, pairs, task_named)
    _check_protocols({n: p for n, p in pairs.items() if n not in grades}, set(allow), scoring)
    sides = _sides(pairs, grades, scoring)
    luck = less_luck or {}
    cases = [_case(name, sides[name], pair[1], luck.get(name, 0.0)) for name, pair in pairs.items()]
    rulings = rule(cases, margin=margin, alpha=alpha)
    lacking = {c.task: shortfalls(pairs[c.task], c, sides[c.task]) for c in cases}
    standing = stands(cases, lacking, rulings, alpha=alpha)
    compared = tuple(
        _task(ruling, case, before[ruling.task], pairs[ruling.task], again=ruling.task in grades,
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
        notes=_not_compared(before, new),
    )


def _not_compared(before: Mapping[str, Path], new: Path) -> tuple[str, ...]:
    extra = [folder.name for folder in RunFolder(new).tasks() if folder.name not in before]
    return (f"not compared, the base has none: {', '.join(extra)}",) if extra else ()


def _check_allowed(allow: Sequence[str]) -> None:
    parts = (*COMPARED, "judge")
    for part in allow:
        if part not in parts:
            raise UsageError(f"--allow {part}: no such part; the parts are {', '.join(parts)}")


def _pairs(before: Mapping[str, Path], new: Path) -> dict[str, tuple[TaskFolder, TaskFolder]]:
    """Pair each task of the base with that of the new run, which must have all of them."""
    known = {folder.name: folder for folder in RunFolder(new).tasks()}
    missing = [name for name in before if name not in known]
    if missing:
        raise ProtocolMismatch(
            f"{new} has no {', '.join(missing)}, which the base has; run it, or name the tasks to "
            "compare with --tasks"
        )
    return {name: (RunFolder(path).task(name), known[name]) for name, path in before.items()}


def _base_folders(base: Path | Mapping[str, Path], tasks: Sequence[str] | None) -> dict[str, Path]:
    """The run that each task is compared with."""
    found = (
        {folder.name: base for folder in RunFolder(base).tasks()}
        if isinstance(base, Path)
        else dict(base)
    )
    unknown = [name for name in tasks or () if name not in found]
    if unknown or not found:
        raise UsageError(
            f"the base has no task {', '.join(unknown) or 'at all'}; it has "
            f"{', '.join(found) or 'none'}"
        )
    return {name: path for name, path in found.items() if tasks is None or name in tasks}


def _check_protocols(
    pairs: Mapping[str, tuple[TaskFolder, TaskFolder]], allowed: set[str], scoring: str | None
) -> None:
    found = []
    for name, (before, after) in pairs.items():
        old, new = before.protocol(), after.protocol()
        parts = differences(old, new, scoring)
        if not old.problems.keys() & new.problems.keys():
            found.append(f"{name}: no problem in common")
            continue
        for part, words in parts.items():
            lacking = lacks_opinions((before, after)) if part == "judge" else None
            advice = lacking or f" (--allow {part} compares anyway)"
            if part not in allowed:
                found.append(f"{name}: {words}{advice}")
    if found:
        raise ProtocolMismatch(f"not the same protocol: {'; '.join(found)}")


async def _grades(
    before: Mapping[str, Path],
    new: Path,
    pairs: Mapping[str, tuple[TaskFolder, TaskFolder]],
    task_named: TaskNamed,
) -> dict[str, list[list[Grade]]]:
    """Both sides graded again, for the tasks whose graders differ and would agree now."""
    found: dict[str, list[list[Grade]]] = {}
    for name, (old, now) in pairs.items():
        if old.protocol().grader == now.protocol().grader:
            continue
        runs = [_stored(path, name, task_named) for path in (before[name], new)]
        runs[0].task.grader.ready()
        if runs[0].protocol.grader != runs[1].protocol.grader:
            continue  # two scorings, not two versions of one grader
        async with GradingPool() as pool:
            found[name] = [await grade_again(run, pool) for run in runs]
    return found


def _stored(path: Path, name: str, task_named: TaskNamed) -> TaskRun:
    return next(run for run in stored_runs(path, task_named) if run.task.name == name)


def _sides(
    pairs: Mapping[str, tuple[TaskFolder, TaskFolder]],
    again: Mapping[str, list[list[Grade]]],
    scoring: str | None,
) -> dict[str, list[list[Grade]]]:
    """The grades of both sides by task: those graded again, else the stored ones."""
    sides = {
        name: again.get(name) or [list(folder.grades()) for folder in pair]
        for name, pair in pairs.items()
    }
    if scoring is None:
        return sides
    return {
        name: [under(scoring, grades, pair, side) for side, grades in enumerate(sides[name])]
        for name, pair in pairs.items()
    }


def _case(name: str, sides: Sequence[Sequence[Grade]], new: TaskFolder, less_luck: float) -> Case:
    stopping = new.stopping()
    base, now = sides
    if stopping is not None and stopping.decision is None:
        stopping = None
    if stopping is not None:
        counts = new.asked(stopping.k)
        now = [grade for grade in now if grade.index < counts.get(grade.problem_id, 0)]
    case = Case(
        task=name,
        base=tallies(base),
        new=tallies(now),
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
