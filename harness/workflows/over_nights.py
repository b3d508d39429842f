"""The nights of a task that are tested together, those that are not and why, and the baseline's candidates.

A night counts if it is complete and of the protocol that is tested. One that stopped early counts
with its samples up to the first interim analysis, because the mean at a stop leans towards what
stopped it. Lines written before there was a test over nights are read from their run folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

from harness.errors import DataError
from harness.stats import nights
from harness.stats.nights import Night
from harness.stats.selection import Choice
from harness.stats.verdict_table import VerdictTable
from harness.storage.ledger import REDRAWN, Acceptance, History
from harness.storage.nights import CLOCK, TaskLine
from harness.storage.projections import VerdictRow
from harness.storage.run_folder import RunFolder, TaskFolder

_NAMED = 3  # runs that a sentence names
_DAY = 86_400.0
_OLD = "of an earlier version whose run folder is gone"


@dataclass(frozen=True, slots=True)
class Observed:
    """One task of one run as a night; `stopped` is the number of samples per problem where it stopped early."""

    night: Night
    protocol: str
    stopped: int | None = None

    @property
    def run(self) -> str:
        """The run's name."""
        return self.night.run


@dataclass(frozen=True, slots=True)
class TaskNights:
    """What a night's tests of one task rest on.

    Args:
        nights: those of the test over nights, oldest first, the last one included.
        candidates: the nights that the base was chosen from; empty where it was no choice.
        left_out: what is not tested and why, and what else a reader must know.
    """

    nights: tuple[Night, ...]
    candidates: tuple[Night, ...]
    left_out: tuple[str, ...]


def observe(folder: TaskFolder, run: str) -> Observed | None:
    """A task of a run as a night; None where no sample is graded.

    Raises:
        DataError: the folder is no run's, or is damaged.
    """
    stopping, protocol = folder.stopping(), folder.protocol()
    verdicts = VerdictTable(folder.read("grades.jsonl", VerdictRow))
    stopped = first = None
    if stopping is not None and stopping.early:
        stopped = round(stopping.share * stopping.k)
        first = folder.asked_at(stopping.shares[0], stopping.k)
    found = list(verdicts.tallies(first).values())
    return Observed(Night.of(run, found), protocol.hash, stopped) if found else None


def collect(
    runs: Path, task: str, history: History, accepted: Acceptance, tonight: Observed
) -> TaskNights:
    """Collect the nights that are tested together with one night.

    A night that is held again is tested as of its own time.

    Args:
        runs: the folder of runs.
        task: the task's name.
        history: of the folder.
        accepted: the task's baseline.
        tonight: the last night of the test.
    """
    order = list(history.lines)
    if tonight.run in order:
        order = order[: order.index(tonight.run)]
    begin = accepted.begin or accepted.run
    since = order[order.index(begin) :] if begin in order else order
    found, left_out = _of_protocol(runs, task, history, since, tonight)
    if accepted.begin is not None and begin not in history.lines:
        left_out.append(f"{begin}, with which the test began, has no line in the history")
    present = [run for run in accepted.candidates if run in history.lines]
    candidates, _ = _of_protocol(runs, task, history, present, tonight)
    lost = set(accepted.candidates) - {seen.run for seen in candidates}
    if lost:
        left_out.append(f"of the baseline's candidates {_names(sorted(lost))} cannot be counted")
    if accepted.missing:
        found = [seen for seen in found if seen.run != accepted.run]
    if accepted.run not in history.lines or accepted.missing:
        base, words = _base_that_was_no_night(runs, task, accepted, tonight)
        left_out.append(words)
        then = _seconds(accepted.time)
        earlier = [seen for seen in found if _seconds(history.first[seen.run]) <= then]
        found = [*earlier, *base, *found[len(earlier) :]]
    left_out += _remarks(history, [*found, tonight])
    return TaskNights((*(seen.night for seen in found), tonight.night),
                  tuple(seen.night for seen in candidates), tuple(left_out))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chosen:
    """What an accepted run was chosen from, and what follows.

    Args:
        candidates: the runs, itself included; empty where it is no night of the history.
        begin: the night with which the test over nights begins from now on; None where the history
            has none of the run's protocol.
        choice: how the run lies among the candidates; None where there are not two.
        recent: the nights since the acceptance before; where there are none, the last one.
        score: the run's own, as a share; None where no sample is graded.
    """

    candidates: tuple[str, ...] = ()
    begin: str | None = None
    choice: Choice | None = None
    recent: tuple[Night, ...] = ()
    score: float | None = None


def chosen_from(
    runs: Path, folder: TaskFolder, history: History, run: str, before: Acceptance | None
) -> Chosen:
    """What a run that is accepted now was chosen from: the nights since the acceptance before.

    Where the run is older than that acceptance, the nights from the run on.

    Args:
        runs: the folder of runs.
        folder: the task of the run.
        history: of the folder.
        run: the run's name.
        before: the acceptance that this one replaces.

    Raises:
        DataError: the run is damaged.
    """
    own = observe(folder, run)
    if own is None:
        return Chosen()
    task, order = folder.name, list(history.lines)
    found, _ = _of_protocol(runs, task, history, order, own)
    names = [seen.run for seen in found]
    if not names:
        return Chosen(score=own.night.score)
    start = 0
    anchor = "" if before is None else before.begin or before.run
    if anchor in order:
        later = [i for i, name in enumerate(names) if order.index(name) >= order.index(anchor)]
        start = later[0] if later else 0
    original = run.removesuffix(REDRAWN)
    begin = start
    if original in names:
        alarms = [history.lines[name].tasks[task].alarm for name in names]
        begin = nights.begin_after(alarms, names.index(original), start)
    since = [i for i, name in enumerate(names) if _later(history, name, before)]
    first = min([*since, *([names.index(run)] if run in names else []), len(names) - 1])
    recent = tuple(seen.night for seen in found[first:])
    if run not in names:
        return Chosen((), names[begin], None, recent, own.night.score)
    return Chosen(tuple(night.run for night in recent), names[begin],
                  nights.choice(recent, run), recent, own.night.score)  # fmt: skip


def _later(history: History, run: str, before: Acceptance | None) -> bool:
    """Whether a night came after an acceptance: after the last night that it could have been."""
    if before is None:
        return True
    order = list(history.lines)
    known = [order.index(name) for name in before.candidates if name in order]
    if known:
        return order.index(run) > max(known)
    return _seconds(history.first[run]) > _seconds(before.time)


def _of_protocol(
    runs: Path, task: str, history: History, order: Sequence[str], like: Observed
) -> tuple[list[Observed], list[str]]:
    """The nights of one protocol in their order, and sentences about the others."""
    found: list[Observed] = []
    left_out: dict[str, list[str]] = {}
    for run in order:
        line = history.lines[run].tasks.get(task)
        seen = None if line is None else _observed(runs, run, task, line)
        if line is None:
            left_out.setdefault("without this task", []).append(run)
        elif seen is None:
            left_out.setdefault(_OLD, []).append(run)
        elif seen.protocol != like.protocol:
            left_out.setdefault("of another protocol", []).append(run)
        else:
            found.append(seen)
    incomplete = [run for run in history.incomplete if run != like.run]
    if incomplete:
        left_out["not complete"] = incomplete
    words = [f"left out: {_count(names)} {why} ({_names(names)})"
             for why, names in left_out.items()]  # fmt: skip
    return found, [*words, *(f"left out: {line}" for line in history.left_out)]


def _observed(runs: Path, run: str, task: str, line: TaskLine) -> Observed | None:
    """A night from its line, or from its folder where an earlier version wrote the line."""
    night = line.night(run)
    if night is not None and line.protocol is not None:
        return Observed(night, line.protocol, line.stopped)
    try:
        return observe(RunFolder(runs / run).task(task), run)
    except DataError:
        return None


def _base_that_was_no_night(
    runs: Path, task: str, accepted: Acceptance, tonight: Observed
) -> tuple[list[Observed], str]:
    """The accepted run as a night, where it can be one, and what a reader must know of it."""
    if accepted.missing:
        return [], f"left out: the accepted run {accepted.run}, not complete: {accepted.missing}"
    try:
        base = observe(RunFolder(runs / accepted.run).task(task), accepted.run)
    except DataError as error:
        return [], f"left out: the accepted run {accepted.run} ({error})"
    if base is None or base.protocol != tonight.protocol:
        return [], f"left out: the accepted run {accepted.run}, of another protocol"
    return [base], (f"the accepted run {accepted.run} was no night; it counts as one at the time of "
                    "its acceptance")  # fmt: skip


def _remarks(history: History, found: Sequence[Observed]) -> Iterator[str]:
    """Nights that count with fewer samples, and those that are missing."""
    early = [seen.run for seen in found if seen.stopped is not None]
    if early:
        yield (f"{_count(early)} stopped early, counted with the samples up to the first "
               f"interim analysis ({_names(early)})")  # fmt: skip
    times = [(seen.run, _seconds(history.first[seen.run]))
             for seen in found if seen.run in history.first]  # fmt: skip
    days = [(later - sooner) / _DAY for (_, sooner), (_, later) in pairwise(times)]
    if not days or not 0.5 < median(days) < 1.5:
        return  # not one a day: what is missing cannot be told
    missing = [f"{round(gap) - 1} after {run}" for gap, (run, _) in zip(days, times[:-1], strict=True)
               if gap >= 1.5]  # fmt: skip
    if missing:
        yield f"missing nights: {_names(missing)}"


def _seconds(moment: str) -> float:
    return datetime.strptime(moment, CLOCK).timestamp()


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} night{'s' if len(names) > 1 else ''}"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
