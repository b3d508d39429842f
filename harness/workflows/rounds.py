"""Sampling in rounds until the gate's question is decided: what `--until decided` does.

The question is that of `harness compare`: is this run worse than its base by the sampling error, or
is a drop of the margin excluded? `harness.sequential` has the boundaries. What was asked and every
look are kept in TASK/stopping.json, so that a comparison or a report of the run knows that its
number of samples was not fixed beforehand:

{"base": "runs/base", "k": 16, "margin": 0.05, "alpha": 0.05, "round": 5,
 "decision": "no regression", "score": 0.61, "interval": [0.54, 0.68],
 "looks": [{"round", "difference", "low", "p_drop", "decision"}]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ExamMismatch, UsageError
from harness.exam import Exam, differences
from harness.files import write_json
from harness.metrics import tallies
from harness.planning import TaskRun
from harness.power import ALPHA
from harness.sequential import Design, Look, look
from harness.store import STOPPING, RunFolder, TaskFolder
from harness.types import Tally


@dataclass(frozen=True, slots=True)
class Gate:
    """What each task is held against, until its question is decided."""

    bases: Mapping[str, Path]
    margin: float

    def check(self, exam: Exam, k: int) -> None:
        """Refuse a base of another exam or with fewer samples, before anything is sampled.

        Raises:
            ExamMismatch: the exams differ; the message names the parts.
            UsageError: a k that leaves no rounds, or a base that has fewer samples a problem.
        """
        base = self.bases.get(exam.task)
        if base is None:
            return
        folder = RunFolder(base).task(exam.task)
        parts = differences(folder.exam(), exam)
        if parts:
            raise ExamMismatch(
                f"--until decided: {folder.path} is another exam ({'; '.join(parts.values())})"
            )
        n = min((t.n for t in tallies(folder.grades()).values()), default=0)
        if not 2 <= k <= n:
            raise UsageError(
                f"--until decided: k is {k} and {folder.path} has {n} graded samples a problem; "
                "k from 2 up to that many is needed"
            )

    def watch(self, runs: Sequence[TaskRun]) -> Rounds:
        """Who is asked after each round. UsageError when a run was begun under another gate."""
        return Rounds(self, runs)


class Rounds:
    """Asked after each round: is that enough? Keeps what each look found in stopping.json."""

    def __init__(self, gate: Gate, runs: Sequence[TaskRun]) -> None:
        held = [run for run in runs if run.task.name in gate.bases]
        self._designs: dict[str, Design] = {}
        self._bases: dict[str, Mapping[str, Tally]] = {}
        self._records: dict[str, dict[str, Any]] = {}
        for run in held:
            name, base = run.task.name, gate.bases[run.task.name]
            self._bases[name] = tallies(RunFolder(base).task(name).grades())
            # Bonferroni over the tasks: each stops by itself, at a time of its own.
            design = Design.against(
                self._bases[name], run.sampling.k, margin=gate.margin, alpha=ALPHA / len(held)
            )
            asked = {"base": str(base), "k": design.k, "margin": design.margin,
                     "alpha": design.alpha}  # fmt: skip
            record = run.folder.stopping() or {**asked, "round": 0, "decision": None, "looks": []}
            changed = [f"{part} {record[part]} against {asked[part]}" for part in asked
                       if record[part] != asked[part]]  # fmt: skip
            if changed:
                raise UsageError(
                    f"{run.folder.path} was begun under another gate ({', '.join(changed)}), whose "
                    "looks count; use the same settings, or another -o folder"
                )
            self._designs[name], self._records[name] = design, record
            write_json(run.folder.path / STOPPING, record)

    def __call__(self, run: TaskRun, number: int) -> bool:
        """Look at a task after a round; True when it is decided or at its cap."""
        name = run.task.name
        if name not in self._designs:
            return number >= run.sampling.k
        now = tallies(grade for grade in run.folder.grades() if grade.index < number)
        base = {id: tally for id, tally in self._bases[name].items() if id in now}
        found = look(self._designs[name], base, now, number)
        record = self._records[name]
        record["looks"] = [old for old in record["looks"] if old["round"] < number]
        record["looks"].append(_row(found))
        if found.decision is not None:
            record |= {"round": number, "decision": found.decision, "score": found.score,
                       "interval": list(found.interval)}  # fmt: skip
        write_json(run.folder.path / STOPPING, record)
        return found.decision is not None

    def rounds(self, task: str) -> int | None:
        """The rounds that a task has had; None where it is not held against anything."""
        return self._records[task]["round"] if task in self._records else None


def forget(folder: TaskFolder, k: int) -> None:
    """Take away the record of a task that now gets a fixed number of samples, more than it had."""
    record = folder.stopping()
    if record is not None and k > record["round"]:
        (folder.path / STOPPING).unlink()


def in_words(task: str, record: Mapping[str, Any]) -> str:
    """How the sampling of a task ended, on one line."""
    last = record["looks"][-1]
    low, high = record["interval"]
    return (
        f"{task}: {record['decision']} after round {record['round']} of {record['k']} "
        f"({100 * last['difference']:+.1f} points against {record['base']}, at least "
        f"{100 * last['low']:+.1f} by a bound that holds at any round); the plain mean "
        f"{100 * record['score']:.1f} stopped early: {100 * low:.1f} to {100 * high:.1f} holds at "
        "any round"
    )


def _row(found: Look) -> dict[str, Any]:
    names = ("round", "difference", "low", "p_drop", "decision")
    return {name: getattr(found, name) for name in names}
