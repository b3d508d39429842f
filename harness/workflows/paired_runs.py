"""Two runs, paired task by task for a comparison: one protocol, one grader, the grades of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import ProtocolMismatch, UsageError
from harness.pipeline.grading_pool import GradingPool
from harness.pipeline.pending import TaskRun
from harness.protocol import COMPARED, differences
from harness.stats.verdict_table import VerdictTable
from harness.storage.projections import VerdictRow
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.types import Grade
from harness.workflows.further_scoring import lacks_none, lacks_opinions, rescored
from harness.workflows.regrade import TaskNamed, grade_again, stored_runs

_GRADER_ONLY = {"grader"}

Pair = tuple[TaskFolder, TaskFolder]
"""One task in the base and in the new run."""


@dataclass(frozen=True, slots=True)
class Side:
    """The grades of one task in one run: the stored ones, read anew each time, or others in memory.

    Args:
        folder: the task of that run.
        again: its samples graded again.
        scoring: whose verdicts count; the task's own by default.
    """

    folder: TaskFolder
    again: Sequence[Grade] | None = None
    scoring: str | None = None

    def grades(self) -> Iterable[Grade]:
        """One grade per graded sample, internal errors included."""
        found = self.folder.grades() if self.again is None else self.again
        return found if self.scoring is None else rescored(self.scoring, found)

    def verdicts(self) -> VerdictTable:
        """Their verdicts alone, which any number of samples leaves room for."""
        if self.again is None and self.scoring is None:
            return VerdictTable(self.folder.read("grades.jsonl", VerdictRow))
        return VerdictTable(self.grades())


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRuns:
    """What a comparison reads of two runs.

    Args:
        before: the run that each task is compared with.
        new: the new run.
        pairs: each task in both runs.
        sides: by task, the grades of the base and of the new run.
        again: the tasks whose samples were graded again, in memory.
    """

    before: Mapping[str, Path]
    new: Path
    pairs: Mapping[str, Pair]
    sides: Mapping[str, tuple[Side, Side]]
    again: frozenset[str]


async def pair_runs(
    base: Path | Mapping[str, Path],
    new: Path,
    task_named: TaskNamed,
    *,
    allow: Sequence[str] = (),
    tasks: Sequence[str] | None = None,
    scoring: str | None = None,
) -> PairedRuns:
    """Pair two runs; where only the version of the grader differs, both are graded again in memory.

    Args:
        base: a run folder, or one for each task.
        new: the run that is compared with it.
        task_named: finds a task by name, for grading again.
        allow: parts of the protocol that may differ.
        tasks: only these; all of the base by default.
        scoring: a further scoring whose verdicts are compared; the task's own by default.

    Raises:
        ProtocolMismatch: the protocols differ in a part that is not allowed, or the new run lacks a task.
        UsageError: an unknown part, task or scoring.
        DataError: a folder is not a run, or has no scores.
        Incomplete: the scoring lacks verdicts.
    """
    _check_allowed(allow)
    before = _base_folders(base, tasks)
    pairs = _pairs(before, new)
    _check_protocols(pairs, {*allow, *_GRADER_ONLY}, scoring)
    grades = await _grades(before, new, pairs, task_named)
    _check_protocols({n: p for n, p in pairs.items() if n not in grades}, set(allow), scoring)
    sides = _sides(pairs, grades, scoring)
    return PairedRuns(before=before, new=new, pairs=pairs, sides=sides, again=frozenset(grades))


def not_compared(
    before: Mapping[str, Path], new: Path, tasks: Sequence[str] | None = None
) -> tuple[str, ...]:
    """The tasks that only the new run has, in words; none where tasks were named."""
    if tasks is not None:
        return ()
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
    pairs: Mapping[str, Pair], again: Mapping[str, list[list[Grade]]], scoring: str | None
) -> dict[str, tuple[Side, Side]]:
    """Both sides by task; a scoring other than a task's own is checked to have all verdicts."""
    sides = {}
    for name, pair in pairs.items():
        kept = again.get(name, [None, None])
        base, new = (Side(folder, grades) for folder, grades in zip(pair, kept, strict=True))
        if scoring is not None:
            base, new = (
                replace(found, scoring=scoring)
                if lacks_none(scoring, found.grades(), pair, side)
                else found
                for side, found in enumerate((base, new))
            )
        sides[name] = base, new
    return sides
