"""Allocating the samples of a run by what earlier runs tell, and saying what that costs.

`--allocate history` keeps the total at k samples per problem and gives each problem a number in
proportion to the expected standard deviation of one sample (`harness.stats.allocation`). It is fixed
before the first sample, from the base and the runs before, and written to TASK/protocol.json: a run
that goes on later keeps it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import UsageError
from harness.protocol import Protocol, differences
from harness.stats.allocation import FLOOR, neyman
from harness.stats.metrics import tallies
from harness.storage.projections import VerdictRow
from harness.storage.run_folder import MANIFEST, RunFolder, TaskFolder
from harness.types import Tally
from harness.workflows.prepare import Prepared
from harness.workflows.run_settings import RunSettings

_NAMED = 3  # problems or runs that a message names


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier runs tell about the problems of a task.

    Args:
        tallies: the graded samples of each problem, over all runs that are comparable.
        used: the runs that they come from.
        said: what a user should know of the others, a line each.
    """

    tallies: Mapping[str, Tally]
    used: tuple[Path, ...] = ()
    said: tuple[str, ...] = ()


def sources(
    settings: RunSettings, tasks: Sequence[str], runs: Mapping[str, Sequence[Path]] | None = None
) -> dict[str, list[Path]]:
    """By task, the runs whose samples tell how to allocate: the base, then those of --history.

    Args:
        settings: of the run.
        tasks: names of the tasks.
        runs: by task, other runs in place of those of the settings.

    Raises:
        UsageError: --allocate history without any run, or --history without it.
    """
    if settings.allocate == "uniform":
        if settings.history:
            raise UsageError("--history goes with --allocate history")
        return {}
    if runs is not None:
        return {task: list(runs.get(task, ())) for task in tasks}
    named = [*([] if settings.base is None else [settings.base]), *settings.history]
    if not named:
        raise UsageError(
            "--allocate history needs --base RUN or --history RUN, earlier runs on these tasks"
        )
    return {task: list(dict.fromkeys(named)) for task in tasks}


def nights_before(runs: Path, nights: Iterable[str], base: str | None, run: str) -> list[Path]:
    """The runs that tell how the samples of a night are allocated: the baseline, and those since.

    Args:
        runs: the folder of runs.
        nights: the names of its nights, oldest first.
        base: the name of the accepted run; None before the first, when all nights tell.
        run: the night to come, which tells nothing about itself.
    """
    found = [name for name in nights if name != run]
    if base is not None and base in found:
        found = found[found.index(base) :]
    elif base is not None and base != run:
        found = [base, *found]
    return [runs / name for name in found]


def allocate(
    prepared: Sequence[Prepared],
    settings: RunSettings,
    runs: Mapping[str, Sequence[Path]],
    *,
    allow: Sequence[str] = (),
    strict: bool = True,
    notify: Callable[[str], None],
) -> list[Prepared]:
    """Fix how many samples each problem gets: those of the run folder, else by the earlier runs.

    Args:
        prepared: the tasks.
        settings: of the run.
        runs: by task, the earlier runs, see `sources`.
        allow: parts of the protocol in which these may differ.
        strict: refuse a folder that was begun in the other way; otherwise it goes on in its own.
        notify: takes what was found out and what it costs, a line each.

    Raises:
        UsageError: k is 1, or the folder was begun with another allocation.
        DataError: a run folder cannot be read.
    """
    found = []
    for item in prepared:
        folder = TaskFolder(settings.output / item.task.name)
        if (folder.path / "protocol.json").exists():
            counts = _begun(folder, item, settings.allocate, strict=strict)
        elif settings.allocate == "uniform":
            counts = None
        elif item.sampling.k < FLOOR:
            raise UsageError(
                f"--allocate history: k of {item.task.name} is {item.sampling.k}; {FLOOR} or more "
                "are needed"
            )
        else:
            known = read_history(item.protocol, runs.get(item.task.name, ()), allow)
            counts, lines = _by_history(item, known)
            for line in lines:
                notify(line)
        protocol = replace(item.protocol, allocation=counts)
        found.append(replace(item, protocol=protocol, allocation=counts))
    return found


def _begun(
    folder: TaskFolder, item: Prepared, asked: str, *, strict: bool
) -> Mapping[str, int] | None:
    """The allocation that a run folder has of a task.

    Raises:
        UsageError: it is another one than asked for.
    """
    stored, k = folder.protocol().allocation, item.sampling.k
    begun = "uniform" if stored is None else "history"
    fix = "use the same settings, or another -o folder"
    if strict and begun != asked:
        raise UsageError(f"{folder.path} was begun with --allocate {begun}, not {asked}: {fix}")
    if stored is None or stored.keys() != item.protocol.problems.keys():
        return stored  # other problems are another protocol, which is refused with what differs
    if sum(stored.values()) != k * len(stored):
        raise UsageError(
            f"{folder.path} was begun with --allocate history and k = "
            f"{sum(stored.values()) / len(stored):g}, not {k}: an allocation is fixed before the "
            f"first sample; {fix}"
        )
    return stored


def read_history(protocol: Protocol, runs: Sequence[Path], allow: Sequence[str] = ()) -> Known:
    """Pool the graded samples of earlier runs on the problems of a protocol.

    A run that is missing, lacks the task or has another protocol is left out, and said. Problems
    count where their content is the same.

    Args:
        protocol: of the run to come.
        runs: the earlier runs.
        allow: parts of the protocol in which they may differ.

    Raises:
        DataError: a file of a run is damaged.
    """
    graded, right = Counter[str](), Counter[str]()
    used, unusable = [], dict[str, list[Path]]()
    for path in runs:
        reason = _unusable(path, protocol, allow)
        if reason is not None:
            unusable.setdefault(reason, []).append(path)
            continue
        folder = RunFolder(path).task(protocol.task)
        same = {id for id, content in folder.protocol().problems.items()
                if protocol.problems.get(id) == content}  # fmt: skip
        for id, tally in tallies(folder.read("grades.jsonl", VerdictRow)).items():
            if id in same:
                graded[id] += tally.n
                right[id] += tally.correct
        used.append(path)
    said = [f"{protocol.task}: not allocated by {_some(paths)}: {reason}"
            for reason, paths in unusable.items()]  # fmt: skip
    return Known({id: Tally(n, right[id]) for id, n in graded.items()}, tuple(used), tuple(said))


def _unusable(path: Path, protocol: Protocol, allow: Sequence[str]) -> str | None:
    """Why a run tells nothing about a task; None where it does."""
    if not (path / MANIFEST).is_file():
        return "no such run"
    folder = RunFolder(path).task(protocol.task)
    if not (folder.path / "protocol.json").exists():
        return "no such task"
    parts = differences(folder.protocol(), protocol)
    others = [words for part, words in parts.items() if part not in ("problems", *allow)]
    return f"another protocol ({'; '.join(others)})" if others else None


def counts_by_history(ids: Sequence[str], known: Mapping[str, Tally], k: int) -> dict[str, int]:
    """Samples of each problem: Neyman's of those that are known, k of the others."""
    told = {id: known[id] for id in ids if id in known}
    return dict.fromkeys(ids, k) | (neyman(told, k * len(told)) if told else {})


def _by_history(item: Prepared, known: Known) -> tuple[Mapping[str, int], list[str]]:
    """The allocation of a task, and what to say of it."""
    name, k, ids = item.task.name, item.sampling.k, list(item.protocol.problems)
    told = {id: known.tallies[id] for id in ids if id in known.tallies}
    unknown = [id for id in ids if id not in told]
    counts = counts_by_history(ids, known.tallies, k)
    lines = list(known.said)
    if not told:
        lines.append(f"{name}: no earlier run tells about its problems: {k} samples of each")
        return counts, lines
    if unknown:
        lines.append(f"{name}: {len(unknown)} problems without a sample in an earlier run "
                     f"({_some(unknown)}) get {k} samples each")  # fmt: skip
    lines.append(f"{name}: {in_words(counts)}, by {_some(known.used)}")
    settled = [id for id, tally in told.items() if tally.correct in (0, tally.n)]
    if settled:
        drawn = sum(counts[id] for id in settled)
        lines.append(
            f"{name}: a drop on the {len(settled)} problems that those always or never solved is "
            f"seen less: they get {drawn} samples of {k * len(settled)}"
        )
    return counts, lines


def in_words(counts: Mapping[str, int]) -> str:
    """An allocation on one line."""
    total, fewest, most = sum(counts.values()), min(counts.values()), max(counts.values())
    return (
        f"{total:,} samples, {fewest} to {most} of a problem, in proportion to the expected "
        "standard deviation of one sample"
    )


def _some(names: Sequence[object]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(str, names[:_NAMED])) + more
