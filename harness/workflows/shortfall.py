"""What two runs that are compared lack, and whether a verdict stands whatever that would have given.

A run is interrupted while its longest samples are in flight, and long ones are wrong more often. The
mean over the rest is too high: a base without its slowest twentieth makes a false regression of one
night in ten (benchmarks/simulations/incomplete.py). So a significant drop counts only where it stays
one with every missing sample of the base counted as wrong and every one of the new run as right.
No choice of the missing verdicts gives a larger p than that, and the level is that of complete runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.stats.gate import Case, Ruling, rule
from harness.stats.power import ALPHA
from harness.stats.verdict_table import VerdictTable
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.types import Tally

Sides = tuple["Shortfall", "Shortfall"]
"""What the base lacks, and what the new run lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """What one side of a task lacks.

    Args:
        run: the run folder.
        missing: by problem, the samples without a verdict; where none lacks any, empty.
        words: what became of them.
        fix: how the run comes to have them.
    """

    run: Path
    missing: Mapping[str, int]
    words: str
    fix: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a task's drop and its rise, if significant, are so whatever the missing samples gave.

    `lines` has one for each side that lacks samples: which run, how many, what follows, what
    completes it.
    """

    drop: bool = True
    rise: bool = True
    lines: tuple[str, ...] = ()


def shortfalls(
    pair: tuple[TaskFolder, TaskFolder], case: Case, sides: Sequence[VerdictTable]
) -> Sides:
    """What either run lacks of one task, over the problems that both protocols have.

    Args:
        pair: the task in the base and in the new run.
        case: the samples that are compared.
        sides: the verdicts of the base and of the new run, internal errors included.
    """
    old, new = (folder.protocol().problems for folder in pair)
    shared = [id for id in old if id in new]
    base, now = (
        _shortfall(folder, found, verdicts, shared)
        for folder, found, verdicts in zip(pair, (case.base, case.new), sides, strict=True)
    )
    return base, now


def stands(
    cases: Sequence[Case],
    lacking: Mapping[str, Sides],
    rulings: Sequence[Ruling],
    *,
    alpha: float = ALPHA,
) -> dict[str, Standing]:
    """By task, whether a significant drop or rise stands whatever is missing in any task.

    Args:
        cases: the tasks as they are compared, without the missing samples.
        lacking: by task, what its two runs lack.
        rulings: on the cases as they are, in their order.
        alpha: the level that they were made at.
    """
    if not any(side.missing for sides in lacking.values() for side in sides):
        return {case.task: Standing() for case in cases}
    drops, rises = (
        rule([filled(case, lacking[case.task], right=right) for case in cases],
             margin=rulings[0].margin, alpha=alpha)
        for right in (True, False)
    )  # fmt: skip
    standing = {}
    for ruling, drop, rise in zip(rulings, drops, rises, strict=True):
        found = Standing(drop.verdict == "regression", rise.rise)
        lines = tuple(_lines(ruling, lacking[ruling.task], found))
        standing[ruling.task] = replace(found, lines=lines)
    return standing


def _lines(ruling: Ruling, sides: Sides, standing: Standing) -> Iterator[str]:
    if ruling.verdict == "regression" and standing.drop:
        follows = "a regression whatever they would have given"
    elif ruling.rise and standing.rise:
        follows = "a rise whatever they would have given, no verdict on a drop"
    else:
        follows = (
            "the longest samples are missing first and are wrong more often, so that no verdict "
            "stands without them"
        )
    for side, short in zip(("base", "new run"), sides, strict=True):
        if short.missing:
            yield f"{ruling.task}, {side} {short.run}: {short.words}; {follows}; {short.fix}"
    complete = not any(short.missing for short in sides)
    if complete and ruling.verdict == "regression" and not standing.drop:
        yield f"{ruling.task}: Holm's correction waits for the tasks that lack samples"


def _shortfall(
    folder: TaskFolder, found: Mapping[str, Tally], graded: VerdictTable, problems: Sequence[str]
) -> Shortfall:
    run = RunFolder(folder.path.parent)
    manifest, scores = run.manifest(), folder.scores()
    known, again = set(problems), graded.errors()
    ended = Counter(id for id, index in {row.key for row in folder.errors()}
                    if id in known and (id, index) not in graded)  # fmt: skip
    k = max(scores.k, manifest.k.get(folder.name, 0))  # more were asked for since the last scores
    whole = folder.asked(k)
    published = manifest.fingerprint.get("engine") == "recorded"
    counts = {id: found[id].n if id in found else 0 for id in problems}
    asked = {id: (n + again[id] + ended[id]) or k if published else whole[id]
             for id, n in counts.items()}  # fmt: skip
    missing = {id: asked[id] - n for id, n in counts.items() if asked[id] > n}
    none = sum(not counts[id] for id in missing)
    failed, in_error = (sum(counter[id] for id in missing) for counter in (again, ended))
    pending = 0 if published else max(0, sum(missing.values()) - failed - in_error)
    words = (
        f"{count:,} {what if count == 1 else more}"
        for count, what, more in (
            (pending, "sample pending", "samples pending"),
            (in_error, "sample ended in error", "samples ended in error"),
            (failed, "sample could not be graded again", "samples could not be graded again"),
            (none, "problem without any sample", "problems without any sample"),
        )
        if count
    )
    fix = "the run's own command completes it"
    if published:
        fix = "import it again with a response to every problem"
    elif failed == sum(missing.values()):
        fix = f"run harness grade {run.path}"
    return Shortfall(run=run.path, missing=missing, words=", ".join(words), fix=fix)


def filled(case: Case, sides: Sides, *, right: bool) -> Case:
    """The case with every missing sample of the new run right and of the base wrong, or the reverse."""
    base, new = (side.missing for side in sides)
    return replace(
        case, base=_with(case.base, base, right=not right), new=_with(case.new, new, right=right)
    )


def _with(
    found: Mapping[str, Tally], missing: Mapping[str, int], *, right: bool
) -> dict[str, Tally]:
    """The tallies with the missing samples counted, all as right or all as wrong."""
    nothing = Tally(0, 0)
    more = {
        id: Tally(old.n + count, old.correct + right * count)
        for id, count in missing.items()
        for old in (found.get(id, nothing),)
    }
    return {**found, **more}
