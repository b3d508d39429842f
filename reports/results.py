"""What a report says of the tasks of runs: read from run folders, checked, nothing computed anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from harness.data.choice_orders import right_positions
from harness.data.selection import Window
from harness.errors import UsageError
from harness.protocol import MODEL_JUDGE, Protocol, narrowed
from harness.stats.cost import Price
from harness.stats.positions import PositionEffect, position_effects
from harness.stats.scores import SecondOpinions, TaskScores
from harness.stats.verdict_table import VerdictTable
from harness.storage.manifest import Manifest
from harness.storage.projections import VerdictRow
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.types import Problem, Score, Verdict

from .graded import Grades, read_grades
from .observations import Observations, observe

_SCORE_FIELDS = tuple(field.name for field in fields(Score))

_RESUMES = "; the run's own command resumes it"
_SILENT = "incomplete: problems without any response"


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of a problem's graded samples are correct."""

    correct: int
    graded: int

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.correct / self.graded


@dataclass(frozen=True, slots=True)
class Result:
    """One task of one run. `scored` is None, and `status` says why, where scores are missing.

    `graded` are the last grades of the samples, `rates` count those that are no internal error, and
    `internal_errors` are the messages of samples that have no other outcome yet, with their number.
    `stands_for` names the published model that the run reproduces, where its own name does not.
    `price` is that of its tokens where another one is given than the run recorded. `folder` is where
    its samples are.
    """

    run: str
    manifest: Manifest
    protocol: Protocol
    k: int
    problems: Mapping[str, Problem]
    rates: Mapping[str, Rate]
    scored: TaskScores | None
    status: str
    internal_errors: Mapping[str, int] = field(default_factory=dict)
    stands_for: str | None = None
    price: Price | None = None
    folder: TaskFolder | None = None
    graded: Grades | None = field(default=None, repr=False, compare=False)
    _observed: dict[bool, Observations] = field(default_factory=dict, repr=False, compare=False)

    @property
    def task(self) -> str:
        """The task's name."""
        return self.protocol.task

    @property
    def model(self) -> str:
        """The model's name without the folder or account before it."""
        return self.manifest.model.rstrip("/").rpartition("/")[2]

    def is_of(self, published: str) -> bool:
        """Whether the run is of a model that a source calls `published`, in any case."""
        return (self.stands_for or self.model).lower() == published.lower()

    @property
    def asked(self) -> Mapping[str, int]:
        """The samples asked of each problem."""
        found = {} if self.folder is None else self.folder.asked(self.k)
        return {id: found.get(id, self.k) for id in self.problems}

    @property
    def complete(self) -> bool:
        """Whether every sample asked for is graded and scored."""
        return self.status == "complete"

    @property
    def lack(self) -> str:
        """The status without the words on what completes the run."""
        return self.status.removesuffix(_RESUMES)

    @property
    def can_be_completed(self) -> bool:
        """Whether samples, grades or scores are missing that a command would add."""
        return not self.complete and not self.status.startswith(_SILENT)

    def position_effects(self) -> list[PositionEffect]:
        """What the place of the right choice does; none where each problem has one order of choices.

        Raises:
            DataError: a samples.jsonl that cannot be read.
        """
        if self.folder is None or self.protocol.choice_order in (None, "per-problem"):
            return []
        samples = self.folder.samples()
        verdicts = VerdictTable(self.folder.read("grades.jsonl", VerdictRow))
        return position_effects(right_positions(self.problems, samples, verdicts))

    def observed(self, *, words: bool = False) -> Observations:
        """What one pass over the samples finds, kept: figures and the page share the pass.

        Args:
            words: with counts of reflection words. Ask for them first where they are wanted.

        Raises:
            DataError: a samples.jsonl that cannot be read, with the line.
        """
        if self.folder is None or self.graded is None:
            return Observations()
        counted = words or True in self._observed
        if counted not in self._observed:
            path = self.folder.path / "samples.jsonl"
            found = observe(path, self.problems, self.graded, words=counted)
            self._observed[counted] = found
        return self._observed[counted]


Rescore = Callable[[Path, Window], Mapping[str, TaskScores]]
"""By task, the scores of a run over the problems of a window."""


def read_results(
    paths: Sequence[Path], window: Window | None = None, rescore: Rescore | None = None
) -> list[Result]:
    """Every task of every run, in the order given.

    Args:
        paths: the run folders.
        window: only the problems of these months, in the tasks whose problems have dates.
        rescore: computes the scores over a window; needed with one.

    Raises:
        DataError: a folder that is no run, or a file in it that is damaged.
        UsageError: a run without any task, or one that is named twice.
    """
    seen: dict[Path, Path] = {}
    for path in paths:
        if path.resolve() in seen:
            raise UsageError(f"{path} is given twice; name each run once")
        seen[path.resolve()] = path
    folders = [RunFolder(path) for path in paths]
    named = Counter(folder.name for folder in folders)
    results = []
    for folder in folders:
        name = folder.name if named[folder.name] == 1 else str(folder.path)
        tasks = folder.tasks()
        if not tasks:
            raise UsageError(f"{folder.path} holds no task yet; there is nothing to report")
        inside = rescore(folder.path, window) if window and rescore else {}
        results += [
            _result(name, folder.manifest(), task, window, inside.get(task.name)) for task in tasks
        ]
    return results


def by_task(results: Iterable[Result]) -> dict[str, list[Result]]:
    """The results grouped by task, both in the order in which they come."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.task, []).append(result)
    return groups


def scores_json(results: Iterable[Result]) -> dict[str, list[dict[str, Any]]]:
    """What `report -o F.json` writes: one row per run, task and metric; values from 0 to 1.

    Where a model gave a second opinion, also a row per run and task of how it agrees with the rule.
    """
    results = list(results)
    opinions = [
        _opinions_row(result, result.scored.opinions)
        for result in results
        if result.scored and result.scored.opinions
    ]
    return {
        "scores": [
            {
                "run": result.run,
                "task": result.task,
                **{name: getattr(score, name) for name in _SCORE_FIELDS},
            }
            for result in results
            if result.scored
            for score in result.scored.scores
        ],
        **({"second_opinions": opinions} if opinions else {}),
    }


def _opinions_row(result: Result, found: SecondOpinions) -> dict[str, Any]:
    judge = result.protocol.judge
    return {
        "run": result.run,
        "task": result.task,
        "scoring": MODEL_JUDGE,
        "model": judge.model if judge else None,
        "temperature": judge.temperature if judge else None,
        "prompt_hash": judge.prompt_hash if judge else None,
        "asked": found.asked,
        "differ": found.n_differ,
        "changes": dict(found.differ),
        "no_opinion": found.no_opinion,
        "missing": found.missing,
    }


def _result(
    run: str,
    manifest: Manifest,
    folder: TaskFolder,
    window: Window | None,
    inside: TaskScores | None,
) -> Result:
    protocol, problems = folder.protocol(), folder.problems()
    if window and inside:
        problems = {id: problem for id, problem in problems.items() if window.holds(problem)}
        protocol = replace(
            narrowed(protocol, problems), source=f"{protocol.source}, window {window}"
        )
    grades = read_grades(folder, problems)
    last_errors = {row.key: row for row in folder.errors()}
    internal_errors = Counter(last_errors[key].message for key in grades.missing(last_errors))
    scored = inside or (folder.scores() if folder.has_scores() else None)
    return Result(
        run=run,
        manifest=manifest,
        protocol=protocol,
        k=manifest.k.get(protocol.task, 0),
        problems=problems,
        rates={id: Rate(tally.correct, tally.n) for id, tally in grades.counts().items()},
        scored=scored,
        status=_status(
            folder, protocol, scored, int(grades.decided.sum()), internal_errors.total()
        ),
        internal_errors=internal_errors,
        folder=folder,
        graded=grades,
    )


def _status(
    folder: TaskFolder, protocol: Protocol, scored: TaskScores | None, graded: int, failed: int
) -> str:
    """Whether the result is "complete", else what is missing and the command that mends it."""
    again = f"run harness score {folder.path.parent}"
    if scored is None:
        return f"not scored: {again}, or the run's own command to complete it"
    if scored.protocol != protocol.hash:
        return f"scored under another protocol: {again}"
    if graded > sum(scored.verdicts.values()) - scored.verdicts.get(Verdict.ERROR, 0):
        return f"scored before the last samples were graded: {again}"
    if scored.complete:
        return "complete"
    missing = [f"{scored.pending:,} pending"] * bool(scored.pending)
    missing += [f"{failed:,} ended in error"] * bool(failed)
    if not missing:
        silent = f"{scored.unscored:,}"
        return f"{_SILENT}, left out of every mean: {silent}"
    return f"incomplete: {', '.join(missing)}{_RESUMES}"
