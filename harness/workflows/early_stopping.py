"""Early stopping: sample in rounds until a comparison with the base is decided.

The question is that of `harness compare`: is this run worse than its base by the sampling error, or
is a drop of the margin excluded? `harness.stats.sequential` has the boundaries. The question and every
interim analysis are recorded in TASK/stopping.json, so that a comparison or a report of the run knows that its
number of samples was not fixed beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import ProtocolMismatch, UsageError
from harness.pipeline.pending import TaskRun
from harness.points import points_of, share_of
from harness.protocol import Protocol, differences
from harness.stats.allocation import uniform
from harness.stats.design import Design
from harness.stats.metrics import tallies
from harness.stats.power import ALPHA
from harness.stats.sequential import analyse
from harness.stats.stopping import Stopping
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.storage.scores import STOPPING, write_stopping
from harness.types import Tally
from harness.workflows.run_settings import RunSettings


@dataclass(frozen=True, slots=True)
class Gate:
    """The bases that tasks are compared with until the question is decided, at one level in all."""

    bases: Mapping[str, Path]
    margin: float  # a share
    allow: tuple[str, ...] = ()
    alpha: float = ALPHA

    def over(
        self, protocols: Sequence[tuple[Protocol, int]], output: Path, *, strict: bool
    ) -> Gate:
        """Restrict the gate to tasks whose base can be used, before anything is sampled or written.

        Args:
            protocols: of the run, each with its cap k.
            output: the run folder, whose tasks may have been begun already.
            strict: refuse a base that cannot be used; otherwise its task is sampled in full.

        Raises:
            ProtocolMismatch: the protocols differ in a part that is not allowed.
            UsageError: a k that leaves no rounds, a base that has fewer samples per problem, or a
                task that was begun under another gate.
        """
        kept = {}
        for protocol, k in protocols:
            if protocol.task not in self.bases:
                continue
            try:
                self._check(protocol, k, TaskFolder(output / protocol.task))
            except (ProtocolMismatch, UsageError):
                if strict:
                    raise
                continue
            kept[protocol.task] = self.bases[protocol.task]
        return replace(self, bases=kept)

    def _check(self, protocol: Protocol, k: int, folder: TaskFolder) -> None:
        base = RunFolder(self.bases[protocol.task]).task(protocol.task)
        parts = {part: words for part, words in differences(base.protocol(), protocol).items()
                 if part not in self.allow}  # fmt: skip
        if parts:
            raise ProtocolMismatch(
                f"--until decided: {base.path} has another protocol ({'; '.join(parts.values())})"
            )
        found, known = tallies(base.grades()), base.protocol().problems
        n = min((found[id].n if id in found else 0 for id in protocol.problems if id in known),
                default=0)  # fmt: skip
        if not 2 <= k <= n:
            raise UsageError(
                f"--until decided: k is {k} and {base.path} has {n} graded samples per problem; "
                "k from 2 up to that many is needed"
            )
        record = folder.stopping()
        if record is None:
            return
        asked = {"base": base.path.parent.resolve(), "k": k,
                 "margin": points_of(self.margin)}  # fmt: skip
        begun = {"base": Path(record.base).resolve(), "k": record.k,
                 "margin": points_of(record.margin)}  # fmt: skip
        changed = [f"{part} {begun[part]} against {now}" for part, now in asked.items()
                   if begun[part] != now]  # fmt: skip
        if changed:
            raise UsageError(
                f"{folder.path} was begun under another gate ({', '.join(changed)}), whose "
                "analyses count; use the same settings, or another -o folder"
            )

    def watch(self, runs: Sequence[TaskRun]) -> Rounds:
        """The callback that is asked after each round."""
        return Rounds(self, runs)


def make_gate(
    settings: RunSettings,
    protocols: Sequence[tuple[Protocol, int]],
    bases: Mapping[str, Path] | None,
    allow: Sequence[str],
    *,
    alpha: float = ALPHA,
) -> Gate | None:
    """The gate of `until: decided`; None if the number of samples is fixed.

    Args:
        settings: of the run.
        protocols: of its tasks, each with its cap k.
        bases: by task, the run to compare with; by default `settings.base` for all tasks.
        allow: parts of the protocol that may differ from the base's.
        alpha: chance of a false alarm over all tasks.

    Raises:
        UsageError: --base without --until decided or the reverse, or a base that cannot be used.
        ProtocolMismatch: the base has another protocol.
    """
    if settings.until is None:
        if settings.base is not None:
            raise UsageError("--base goes with --until decided")
        return None
    strict = bases is None
    if bases is None:
        if settings.base is None:
            raise UsageError("--until decided needs --base RUN, the run to compare with")
        bases = {folder.name: settings.base for folder in RunFolder(settings.base).tasks()}
    margin = share_of(settings.margin, "--margin")
    gate = Gate(bases, margin, tuple(allow), alpha).over(protocols, settings.output, strict=strict)
    return gate if gate.bases else None


class Rounds:
    """Asked after each round: is that enough? Keeps each interim analysis in stopping.json."""

    def __init__(self, gate: Gate, runs: Sequence[TaskRun]) -> None:
        held = [run for run in runs if run.task.name in gate.bases]
        self._designs: dict[str, Design] = {}
        self._bases: dict[str, Mapping[str, Tally]] = {}
        self._records: dict[str, Stopping] = {}
        for run in held:
            name, base = run.task.name, gate.bases[run.task.name]
            self._bases[name] = tallies(RunFolder(base).task(name).grades())
            # Bonferroni over the tasks: each stops by itself, at a time of its own. A task that
            # comes to be held later leaves the level of those that were begun as it was.
            record = run.folder.stopping() or Stopping(
                base=str(base),
                k=run.sampling.k,
                margin=gate.margin,
                alpha=gate.alpha / len(held),
                shares=tuple(r / run.sampling.k for r in range(1, run.sampling.k + 1)),
            )
            self._designs[name] = Design.against(
                self._bases[name],
                uniform(list(self._bases[name]), record.k),
                margin=record.margin,
                alpha=record.alpha,
                shares=record.shares,
            )
            self._records[name] = record
            write_stopping(run.folder.path, record)

    def __call__(self, run: TaskRun, number: int) -> bool:
        """Analyse a task after a round; True when it is decided or at its cap."""
        name = run.task.name
        if name not in self._designs:
            return number >= run.sampling.k
        now = tallies(grade for grade in run.folder.grades() if grade.index < number)
        base = {id: tally for id, tally in self._bases[name].items() if id in now}
        if not base:  # every sample of every problem failed: nothing to analyse
            return number >= run.sampling.k
        found = analyse(self._designs[name], base, now, number)
        self._records[name] = self._records[name].after(found)
        write_stopping(run.folder.path, self._records[name])
        return found.decision is not None


def forget(folder: TaskFolder, k: int) -> None:
    """Remove the record of a task that now gets a fixed number of samples, more than it had."""
    record = folder.stopping()
    if record is not None and k > record.share * record.k:
        (folder.path / STOPPING).unlink()


def in_words(task: str, record: Stopping) -> str | None:
    """How the sampling of a task ended, on one line; None where it was not decided."""
    if record.decision is None or record.score is None or record.interval is None:
        return None
    last = record.analyses[-1]
    low, high = record.interval
    return (
        f"{task}: {record.decision} at {record.share:.0%} of {record.k} samples per problem "
        f"({100 * last.difference:+.1f} points against {record.base}, at least "
        f"{100 * last.low:+.1f} by a bound that holds at any stage); the plain mean "
        f"{100 * record.score:.1f} stopped early: {100 * low:.1f} to {100 * high:.1f} holds at "
        "any stage"
    )
