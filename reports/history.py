"""The runs of each task in order, each beside the run before it and the accepted one.

Two questions, one test (the gate's):

- *Is the newest run worse?* is the gate's question: each of its tasks once, against the accepted baseline
  or else the run before it, one-sided at 5 % with Holm's correction over the tasks.
- *What changed in all these nights?* is asked of every other pair at once. Sixty runs where nothing changed
  hold some six that differ at 5 % to either side, so the pairs of a task's history are
  corrected together. Benjamini and Hochberg's procedure and not Holm's: a mark calls a reader's
  attention and stops no job, and of a history with many real changes Holm's would hide most. Where
  nothing changed both mark anything in 5 % of histories at most, unless the accepted run was chosen
  for its score: its luck is then in every pair with it. benchmarks/simulations/site.py
  measures it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.stats.multiplicity import benjamini_hochberg
from harness.stats.power import ALPHA
from harness.storage.ledger import Acceptance, read_ledger

from .changes import TESTED, Difference, GateTests
from .facts import RunFacts, TaskFacts, clock


@dataclass(frozen=True, slots=True)
class Entry:
    """One run in the history of a task: what it scored, and against which others.

    `base` is the result that a gate would hold it against.
    """

    run: RunFacts
    facts: TaskFacts
    previous: RunFacts | None = None
    change: Difference | None = None
    against_accepted: Difference | None = None
    accepted: bool = False
    base: TaskFacts | None = None

    @property
    def differences(self) -> list[Difference]:
        """Those there are; the run before it may be the accepted one."""
        return list(dict.fromkeys(d for d in (self.change, self.against_accepted) if d))

    @property
    def gated(self) -> Difference | None:
        """What a gate would judge this run by: the accepted baseline, else the run before it."""
        return self.against_accepted or self.change


@dataclass(frozen=True, slots=True)
class History:
    """Every run of one task, newest first, and the acceptances."""

    task: str
    entries: tuple[Entry, ...]
    acceptances: tuple[Acceptance, ...]

    @property
    def scored(self) -> list[Entry]:
        """Those that have a score."""
        return [entry for entry in self.entries if entry.facts.metric is not None]

    @property
    def latest(self) -> Entry | None:
        """The newest run with a score."""
        return next(iter(self.scored), None)

    @property
    def tested(self) -> list[tuple[Entry, Difference]]:
        """Every pair that the gate's test was made of, once each."""
        return [
            (entry, difference)
            for entry in self.entries
            if entry.facts.metric == TESTED
            for difference in entry.differences
        ]

    @property
    def accepted(self) -> Entry | None:
        """The accepted baseline, where its run is still there."""
        return next((entry for entry in self.scored if entry.accepted), None)


def histories(
    runs: Iterable[RunFacts],
    accepted: Mapping[str, str],
    acceptances: Sequence[Acceptance],
    tests: GateTests,
) -> list[History]:
    """Each task's runs, newest first, each beside the run before it of the same protocol.

    Those that began after the accepted baseline are compared with it too.

    Args:
        runs: in any order.
        accepted: by task, the path or name of the run that is its baseline.
        acceptances: every one on record.
        tests: compares two results of the same protocol.
    """
    by_task: dict[str, list[tuple[RunFacts, TaskFacts]]] = {}
    for run in sorted(runs, key=lambda run: (run.time, run.path)):
        for facts in run.tasks:
            by_task.setdefault(facts.task, []).append((run, facts))
    found = []
    for task in sorted(by_task):
        chosen = accepted.get(task)
        base = next((f for r, f in by_task[task] if chosen in (r.path, r.name) and f.metric), None)
        before: dict[tuple[str, str | None], tuple[RunFacts, TaskFacts]] = {}
        entries, accepted_seen = [], False
        for run, facts in by_task[task]:
            key = (facts.protocol, facts.metric)
            previous = before.get(key) if facts.metric else None
            like_base = base is not None and accepted_seen and key == (base.protocol, base.metric)
            change = tests.difference(previous[1], facts) if previous else None
            against = tests.difference(base, facts) if base and like_base else None
            entries.append(
                Entry(
                    run, facts,
                    previous=previous[0] if previous else None,
                    change=change,
                    against_accepted=against,
                    accepted=base is facts,
                    base=base if against else previous[1] if previous and change else None,
                )
            )  # fmt: skip
            before[key] = (run, facts)
            accepted_seen |= base is facts
        of_task = tuple(a for a in acceptances if a.task == task)
        found.append(History(task, tuple(reversed(entries)), of_task))
    return _marked(found, tests)


def _marked(found: Sequence[History], tests: GateTests) -> list[History]:
    """The same with every difference that is real so called; see the module's text."""
    gated = _real_by_gate(found, tests)
    marked = []
    for history in found:
        newest = history.latest.gated if history.latest else None
        pairs = [pair for pair in history.tested if pair != (history.latest, newest)]
        adjusted = benjamini_hochberg([difference.p for _, difference in pairs])
        real = {
            (entry.run.path, difference)
            for (entry, difference), p in zip(pairs, adjusted, strict=True)
            if p <= ALPHA
        } | gated[history.task]
        entries = tuple(_mark(entry, real) for entry in history.entries)
        marked.append(replace(history, entries=entries))
    return marked


def _mark(entry: Entry, real: Container[tuple[str, Difference]]) -> Entry:
    """The entry with its differences that are among the real ones so called."""
    change, against = (
        replace(found, real=True) if found and (entry.run.path, found) in real else found
        for found in (entry.change, entry.against_accepted)
    )
    return replace(entry, change=change, against_accepted=against)


def _real_by_gate(
    found: Sequence[History], tests: GateTests
) -> dict[str, set[tuple[str, Difference]]]:
    """By task, what a gate calls a regression or a rise of its newest run."""
    real: dict[str, set[tuple[str, Difference]]] = {history.task: set() for history in found}
    nights: dict[str, list[Entry]] = {}
    for history in found:
        entry = history.latest
        if entry is not None and entry.gated is not None and entry.facts.metric == TESTED:
            nights.setdefault(entry.run.path, []).append(entry)
    for path, entries in nights.items():
        pairs = [(entry.base, entry.facts) for entry in entries if entry.base is not None]
        for entry, way in zip(entries, tests.night(pairs), strict=True):
            if way and entry.gated is not None:
                real[entry.facts.task].add((path, entry.gated))
    return real


def read_accepted(root: Path) -> tuple[dict[str, str], list[Acceptance]]:
    """The accepted run of each task, and every acceptance on record, newest first.

    Raises:
        DataError: an accepted.json that is not what `harness accept` writes.
    """
    ledger = read_ledger(root)
    entries = [replace(entry, time=clock(entry.time)) for entry in ledger.history]
    return (
        {task: entry.run for task, entry in ledger.accepted.items()},
        sorted(entries, key=lambda entry: entry.time, reverse=True),
    )
