"""Early stopping: sample in stages until a comparison with the base is decided.

The question is that of `harness compare`: is this run worse than its base by the sampling error, or
is a drop of the margin excluded? `harness.stats.sequential` has the boundaries. The question and every
interim analysis are recorded in TASK/stopping.json, so that a comparison or a report of the run knows that its
number of samples was not fixed beforehand.

The number of samples alone says where the analyses lie best for the test; `harness.pipeline.timeline`
moves them to where they save time, by the lengths of the base's samples. They are placed once: a run
that goes on later keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.errors import ProtocolMismatch, UsageError
from harness.pipeline.pending import Plan, TaskRun
from harness.pipeline.timeline import Shares, Timeline, distinct
from harness.points import points_of, share_of
from harness.protocol import differences
from harness.stats.allocation import counts_at, uniform
from harness.stats.design import SHARES, Design
from harness.stats.metrics import tallies
from harness.stats.power import ALPHA, POWER
from harness.stats.sequential import analyse
from harness.stats.stopping import Stopping
from harness.stats.verdict_table import VerdictTable
from harness.storage.projections import VerdictRow
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.storage.scores import STOPPING, write_stopping
from harness.types import Tally
from harness.workflows.prepare import Prepared
from harness.workflows.run_settings import RunSettings

_FEWER = ((0.3, 0.6, 1.0), (0.4, 1.0), (0.5, 1.0))  # where many lanes make more of them too slow
_COST = 0.02  # of that power, which analyses may cost


@dataclass(frozen=True, slots=True)
class Gate:
    """The bases that tasks are compared with until the question is decided.

    `alpha` is the chance of a false alarm of one task, over all of its analyses.
    """

    bases: Mapping[str, Path]
    margin: float  # a share
    alpha: float
    allow: tuple[str, ...] = ()

    def over(self, tasks: Sequence[Prepared], output: Path, *, strict: bool) -> Gate:
        """Restrict the gate to tasks whose base can be used, before anything is sampled or written.

        Args:
            tasks: of the run.
            output: the run folder, whose tasks may have been begun already.
            strict: refuse a base that cannot be used; otherwise its task is sampled in full.

        Raises:
            ProtocolMismatch: the protocols differ in a part that is not allowed.
            UsageError: a k that leaves no stages, a base that has fewer samples, or a task that was
                begun under another gate.
        """
        kept = {}
        for item in tasks:
            name = item.task.name
            if name not in self.bases:
                continue
            try:
                self._check(item, TaskFolder(output / name))
            except (ProtocolMismatch, UsageError):
                if strict:
                    raise
                continue
            kept[name] = self.bases[name]
        return replace(self, bases=kept)

    def _check(self, item: Prepared, folder: TaskFolder) -> None:
        protocol, k = item.protocol, item.sampling.k
        base = RunFolder(self.bases[protocol.task]).task(protocol.task)
        parts = {part: words for part, words in differences(base.protocol(), protocol).items()
                 if part not in self.allow}  # fmt: skip
        if parts:
            raise ProtocolMismatch(
                f"--until decided: {base.path} has another protocol ({'; '.join(parts.values())})"
            )
        graded, known = tallies(base.read("grades.jsonl", VerdictRow)), base.protocol().problems
        there = [graded[id].n if id in graded else 0 for id in protocol.problems if id in known]
        n = sum(there) / len(there) if all(there) and there else 0
        if not 2 <= k <= n:
            raise UsageError(
                f"--until decided: k is {k} and {base.path} has {n:.4g} graded samples per "
                "problem; k from 2 up to that many is needed"
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

    def watch(self, runs: Sequence[TaskRun], plan: Plan, lanes: int) -> Analyses:
        """The interim analyses of these tasks, placed by the time that they are expected to save."""
        return Analyses(self, runs, plan, lanes)


def make_gate(
    settings: RunSettings,
    tasks: Sequence[Prepared],
    bases: Mapping[str, Path] | None,
    allow: Sequence[str],
    *,
    level: float = ALPHA,
    notify: Callable[[str], None] = lambda _: None,
) -> Gate | None:
    """The gate of `until: decided`; None if the number of samples is fixed.

    Args:
        settings: of the run.
        tasks: of the run.
        bases: by task, the run to compare with; by default `settings.base` for all tasks.
        allow: parts of the protocol that may differ from the base's.
        level: chance of a false alarm over all tasks with a base. The tasks share it equally,
            as those of the comparison afterwards do, whether or not they can stop early.
        notify: takes what a user should know of the bases, a line each.

    Raises:
        UsageError: --base without --until decided or --allocate history, --until decided without
            --base, or a base that cannot be used.
        ProtocolMismatch: the base has another protocol.
    """
    if settings.until is None:
        if settings.base is not None and settings.allocate == "uniform":
            raise UsageError("--base goes with --until decided or --allocate history")
        return None
    strict = bases is None
    if bases is None:
        if settings.base is None:
            raise UsageError("--until decided needs --base RUN, the run to compare with")
        bases = {folder.name: settings.base for folder in RunFolder(settings.base).tasks()}
    n_compared = sum(item.task.name in bases for item in tasks)
    margin, alpha = share_of(settings.margin, "--margin"), level / max(1, n_compared)
    gate = Gate(bases, margin, alpha, tuple(allow))
    gate = gate.over(tasks, settings.output, strict=strict)
    for item in tasks:
        if (base := gate.bases.get(item.task.name)) is not None:
            known = RunFolder(base).task(item.task.name).protocol().problems
            lacking = [id for id in item.protocol.problems if id not in known]
            if lacking:
                notify(f"{item.task.name}: {base} has no {len(lacking)} of the problems "
                       f"({', '.join(lacking[:3])}{', ..' * (len(lacking) > 3)}): they are sampled "
                       "and left out of the test")  # fmt: skip
    return gate if gate.bases else None


def place_analyses(
    task: str,
    design: Callable[[Shares | None], Design],
    asked: Mapping[str, Mapping[str, int]],
    *,
    timeline: Timeline | None,
    others: Mapping[str, Shares],
) -> Shares:
    """Where the interim analyses of a task lie.

    They are those of `harness.stats.design.SHARES` that end it soonest where nothing changed, and
    that keep the power to see what a fixed number of samples sees with 0.8; without lengths, those
    that need the fewest samples.

    Args:
        task: the task's name.
        design: its test with analyses at these shares; None chooses them by the samples.
        asked: by task of the run, the samples of each problem.
        timeline: of the run; None where nothing is known of the lengths.
        others: where the analyses of the other tasks lie.
    """
    if timeline is None:
        return distinct(design(None).shares, asked[task])
    fixed = design((1.0,))
    kept = min(POWER, fixed.power(fixed.detect)) - _COST

    def chances(shares: Shares) -> list[float] | None:
        found = design(shares)
        if found.power(found.detect) < kept:
            return None
        ends = found.ends()
        stopped = [above + below for above, below in zip(ends.above, ends.below, strict=True)]
        return [*stopped[:-1], stopped[-1] + ends.open]

    return timeline.place(task, (*SHARES, *_FEWER), asked, others=others, chances=chances)


class Analyses:
    """The interim analyses of a run: when they are due, and each one's result in stopping.json.

    Args:
        gate: the question.
        runs: all tasks of the run; those without a base are sampled in full.
        plan: what is left to draw, and the lengths to expect.
        lanes: samples drawn at once.
    """

    def __init__(self, gate: Gate, runs: Sequence[TaskRun], plan: Plan, lanes: int) -> None:
        self._asked = {run.task.name: run.asked for run in runs}
        self._bases: dict[str, Mapping[str, Tally]] = {}
        self._records: dict[str, Stopping] = {}
        begun = set()
        for run in runs:
            if (base := gate.bases.get(run.task.name)) is None:
                continue
            name, stored = run.task.name, run.folder.stopping()
            graded = tallies(RunFolder(base).task(name).read("grades.jsonl", VerdictRow))
            self._bases[name] = {id: t for id, t in graded.items() if id in self._asked[name]}
            self._records[name] = stored or Stopping(
                base=str(base),
                k=run.sampling.k,
                margin=gate.margin,
                alpha=gate.alpha,
                shares=(1.0,),
            )
            if stored is not None:
                begun.add(name)
        self._place(runs, begun, plan, lanes)
        self._designs = {
            name: self._design(name, record.shares) for name, record in self._records.items()
        }
        self.ends = {
            name: [counts_at(counts, share) for share in self._shares(name)]
            for name, counts in self._asked.items()
        }
        """By task, the samples of each problem up to each analysis."""

    def _shares(self, name: str) -> Shares:
        record = self._records.get(name)
        return (1.0,) if record is None else record.shares

    def _design(self, name: str, shares: Shares | None = None) -> Design:
        """The test of a task; where the number of samples alone places its analyses by default."""
        record, base = self._records[name], self._bases[name]
        asked = {id: self._asked[name][id] for id in base}
        return Design.against(base, asked, margin=record.margin, alpha=record.alpha, shares=shares)

    def _place(
        self, runs: Sequence[TaskRun], begun: Collection[str], plan: Plan, lanes: int
    ) -> None:
        """Fix where the analyses lie of the tasks that were not begun before, and record it."""
        caps = {run.task.name: run.protocol.max_tokens for run in runs}
        timeline = Timeline.of(plan, lanes, caps)
        for run in runs:
            name = run.task.name
            if name in begun or name not in self._records:
                continue
            others = {task: self._shares(task) for task in self._asked if task != name}
            placed = place_analyses(name, partial(self._design, name), self._asked, timeline=timeline,
                           others=others)  # fmt: skip
            self._records[name] = replace(self._records[name], shares=placed)
            write_stopping(run.folder.path, self._records[name])

    def decided(self, run: TaskRun, stage: int) -> bool:
        """Analyse a task after a stage; True when it is decided or has all of its samples."""
        name = run.task.name
        last = stage >= len(self.ends[name])
        if name not in self._designs:
            return last
        counts = self.ends[name][stage - 1]
        now = VerdictTable(run.folder.read("grades.jsonl", VerdictRow)).tallies(counts)
        base = {id: tally for id, tally in self._bases[name].items() if id in now}
        if not base:  # every sample of every problem failed: nothing to analyse
            return last
        found = analyse(self._designs[name], base, now, stage)
        self._records[name] = self._records[name].after(found)
        write_stopping(run.folder.path, self._records[name])
        return found.decision is not None


def forget(folder: TaskFolder, asked: Mapping[str, int]) -> None:
    """Remove the record of a task that now gets a fixed number of samples, more than it had."""
    record = folder.stopping()
    if record is None:
        return
    whole = folder.protocol().allocation or uniform(asked, record.k)
    ended = counts_at(whole, record.share) if record.decision else {}
    if any(n > ended.get(id, 0) for id, n in asked.items()):
        (folder.path / STOPPING).unlink()


def in_words(task: str, record: Stopping) -> str | None:
    """How the sampling of a task ended, on one line; None where it was not decided."""
    if record.decision is None or record.score is None or not (record.interval and record.analyses):
        return None
    last = record.analyses[-1]
    low, high = record.interval
    return (
        f"{task}: {record.decision} at {record.share:.0%} of {record.k} samples per problem "
        f"({100 * last.difference:+.1f} points against {record.base}, at least "
        f"{100 * last.low:+.1f} by a bound that holds at any stage); the plain mean "
        f"{100 * record.score:.1f} stopped early (95 %: {100 * low:.1f} to {100 * high:.1f})"
    )
