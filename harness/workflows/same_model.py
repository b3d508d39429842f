"""Ask of two runs whether one model drew both: what each sample shows, paired by problem."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from harness.errors import Incomplete, UsageError
from harness.interfaces import RunsPrograms
from harness.stats.allocation import share_of_level
from harness.stats.gate import Case
from harness.stats.metrics import last_grades
from harness.stats.power import ALPHA
from harness.stats.same_model import SameModel, SameModelCase, TaskSameness, judge_traits
from harness.stats.traits import OPENING, Observation, ObservedProblem
from harness.stats.verdict_table import VerdictTable
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.types import Grade, Sample, Verdict
from harness.workflows.fingerprints import fingerprint_differences
from harness.workflows.paired_runs import PairedRuns, Side, not_compared, pair_runs
from harness.workflows.regrade import TaskNamed
from harness.workflows.shortfall import shortfalls

Unit = Literal["characters", "tokens"]
Key = tuple[str, int]
Classes = Callable[[Sequence[str]], Sequence[Hashable]]
"""Puts answers into classes, as `Grader.classes` does."""

_READ = 8 * OPENING  # characters of a text that its opening is taken from, white space included
_TAGS = ("<think>", "<thinking>")  # a prompt that opens the reasoning leaves them out of the text

_ALL_THE_SAME = (
    "every text is that of the other run: unless texts are short, NEW is a copy, an engine with the same "
    "seed, or a cache, and its samples are no second draw"
)


@dataclass(frozen=True, slots=True)
class _Text:
    """What is kept of a sample: its texts are too many for memory."""

    reasoning: int
    response: int
    n_tokens: int | None
    n_reasoning_tokens: int | None
    truncated: bool
    opening: str
    response_opening: str
    digest: bytes

    @classmethod
    def of(cls, sample: Sample) -> _Text:
        reasoning, response = _shown(sample.reasoning), _shown(sample.response)
        return cls(
            len(reasoning),
            len(response),
            sample.n_tokens,
            sample.n_reasoning_tokens,
            sample.finish_reason == "length",
            _opening(reasoning or response),
            _opening(response),
            blake2b(f"{reasoning}\0{response}".encode("utf-8", "replace"), digest_size=16).digest(),
        )


Graded = Mapping[Key, tuple[_Text, Grade]]
"""The graded samples of one task of one run."""


async def compare_models(
    base: Path,
    new: Path,
    task_named: TaskNamed,
    *,
    margin: float = 0.05,
    alpha: float = ALPHA,
    allow: Sequence[str] = (),
    tasks: Sequence[str] | None = None,
    scoring: str | None = None,
) -> SameModel:
    """Ask whether one model drew the samples of both runs.

    Args:
        base: the run of the known model.
        new: the run of the model in question.
        task_named: finds a task by name, whose grader tells answers apart.
        margin: the difference of a share that must be detectable; of lengths twice as much.
        alpha: probability of a false alarm over all traits and tasks.
        allow: parts of the protocol that may differ.
        tasks: only these; all of the base by default.
        scoring: a further scoring whose verdicts are compared; the task's own by default.

    Raises:
        ProtocolMismatch: the protocols differ in a part that is not allowed, or the new run lacks a task.
        UsageError: an unknown part, task or scoring.
        DataError: a folder is not a run, or has no scores.
        Incomplete: no problem has a graded sample in both runs, or the scoring lacks verdicts.
    """
    paired = await pair_runs(base, new, task_named, allow=allow, tasks=tasks, scoring=scoring)
    read = {name: _read(name, paired, task_named) for name in paired.pairs}
    found = judge_traits([task.case for task in read.values()], margin=margin, alpha=alpha)
    compared = tuple(
        TaskSameness(
            task=name,
            traits=traits,
            alpha=alpha,
            length_unit=task.unit,
            identical=task.identical,
            n_pairs=task.n_pairs,
            greedy=task.greedy,
            notes=task.notes,
            incomplete=task.incomplete,
        )
        for (name, task), traits in zip(read.items(), found, strict=True)
    )
    return SameModel(
        base=str(base),
        new=str(new),
        margin=margin,
        tasks=compared,
        fingerprint=fingerprint_differences([base], RunFolder(new)),
        notes=not_compared(paired.before, new, tasks),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One task of both runs, ready to be tested."""

    case: SameModelCase
    unit: Unit
    identical: int
    n_pairs: int
    greedy: bool
    notes: tuple[str, ...]
    incomplete: tuple[str, ...]


def _read(name: str, paired: PairedRuns, task_named: TaskNamed) -> _Task:
    pair, found = paired.pairs[name], paired.sides[name]
    notes: list[str] = []
    sides = [_side(side, notes) for side in found]
    classes = _classes(name, task_named, notes)
    unit, hidden = _measured_in(sides)
    if hidden:
        notes.append(f"the {hidden} shows no reasoning: openings are those of the responses")
    problems = _problems(sides, classes, unit, of_responses=bool(hidden))
    if not problems:
        raise Incomplete(
            f"{pair[1].path}: no problem has a graded sample in both runs; complete them first"
        )
    allocation = pair[1].protocol().allocation
    kept = share_of_level(allocation, (len(p.base) for p in problems))
    common = sides[0].keys() & sides[1].keys()
    identical = sum(sides[0][key][0].digest == sides[1][key][0].digest for key in common)
    greedy = any(folder.protocol().temperature == 0 for folder in pair)
    if common and identical == len(common) and not greedy:
        notes.append(_ALL_THE_SAME)
    return _Task(
        case=SameModelCase(task=name, problems=problems, kept_level=kept),
        unit=unit,
        identical=identical,
        n_pairs=len(common),
        greedy=greedy,
        notes=tuple(notes),
        incomplete=_lacking(name, pair, [side.verdicts() for side in found]),
    )


def _side(side: Side, notes: list[str]) -> Graded:
    """The graded samples of a run; of one that stopped early, those up to its first interim analysis.

    The mean at a stop leans towards what stopped it; up to the first analysis nothing was looked at.
    """
    kept = {
        grade.key: grade
        for row in last_grades(side.grades(), lambda grade: grade).values()
        for grade in row.values()
        if grade.verdict is not Verdict.ERROR
    }
    folder = side.folder
    stopping = folder.stopping()
    if stopping is not None and stopping.early:
        asked = folder.asked_at(stopping.shares[0], stopping.k)
        kept = {key: grade for key, grade in kept.items() if key[1] < asked.get(key[0], 0)}
        notes.append(
            f"{folder.path.parent} stopped early: its samples count up to the first interim analysis"
        )
    return {s.key: (_Text.of(s), kept[s.key]) for s in folder.samples() if s.key in kept}


def _classes(name: str, task_named: TaskNamed, notes: list[str]) -> Classes | None:
    """What tells answers apart: None for programs, whose verdicts stand for them."""
    try:
        grader = task_named(name).grader
    except UsageError:
        notes.append(f"{name} is not installed: answers are told apart by their text")
        return list
    return None if isinstance(grader, RunsPrograms) else grader.classes


def _measured_in(sides: Sequence[Graded]) -> tuple[Unit, str]:
    """What lengths are counted in, and which run shows no reasoning while the other one does.

    Characters do not depend on who counts: engines differ in whether the end of a text and the tags
    of reasoning are tokens. Where a server counts reasoning that it does not show, tokens are left.
    """
    shown = [any(text.reasoning for text, _ in side.values()) for side in sides]
    if shown[0] == shown[1]:
        return "characters", ""
    hidden = shown.index(False)
    counted = all(
        text.n_tokens is not None and text.n_reasoning_tokens is not None
        for side in sides
        for text, _ in side.values()
    )
    hides = any(text.n_reasoning_tokens for text, _ in sides[hidden].values())
    return "tokens" if counted and hides else "characters", ("base", "new run")[hidden]


def _problems(
    sides: Sequence[Graded], classes: Classes | None, unit: Unit, *, of_responses: bool
) -> list[ObservedProblem]:
    """The problems of both runs, with the answers of both put into classes together."""
    rows: list[dict[str, list[tuple[_Text, Grade]]]] = [{}, {}]
    for row, side in zip(rows, sides, strict=True):
        for (id, _), found in side.items():
            row.setdefault(id, []).append(found)
    problems = []
    for id in rows[0]:
        if id in rows[1]:
            base, new = rows[0][id], rows[1][id]
            answers = _answers([grade for _, grade in (*base, *new)], classes)
            seen = [
                _observe(text, grade, answer, unit, of_responses=of_responses)
                for (text, grade), answer in zip((*base, *new), answers, strict=True)
            ]
            problems.append(ObservedProblem(seen[: len(base)], seen[len(base) :]))
    return problems


def _answers(grades: Sequence[Grade], classes: Classes | None) -> list[Hashable]:
    """The class of each answer, or how the sample ended where there is none."""
    if classes is None:
        return [grade.verdict for grade in grades]
    given = [grade.answer for grade in grades if grade.answer is not None]
    found = iter(classes(given) if given else ())
    return [grade.verdict if grade.answer is None else next(found) for grade in grades]


def _observe(
    text: _Text, grade: Grade, answer: Hashable, unit: Unit, *, of_responses: bool
) -> Observation:
    length, reasoning = text.reasoning + text.response, text.reasoning
    if unit == "tokens":
        length, reasoning = text.n_tokens or 0, text.n_reasoning_tokens or 0
    return Observation(
        right=grade.verdict is Verdict.CORRECT,
        truncated=text.truncated,
        length=length,
        reasoning=reasoning / length if length else 0.0,
        answer=answer,
        opening=text.response_opening if of_responses else text.opening,
    )


def _lacking(
    name: str, pair: tuple[TaskFolder, TaskFolder], verdicts: Sequence[VerdictTable]
) -> tuple[str, ...]:
    """What either run lacks, a line each: the longest samples are missing first."""
    base, new = (side.tallies() for side in verdicts)
    found = shortfalls(pair, Case(task=name, base=base, new=new), verdicts)
    return tuple(
        f"{name}, {side} {short.run}: {short.words}; the longest samples are missing first, so that "
        f"no verdict stands without them; {short.fix}"
        for side, short in zip(("base", "new run"), found, strict=True)
        if short.missing
    )


def _shown(text: str | None) -> str:
    """The text without the tag that a prompt may have opened, and without white space at its ends."""
    found = (text or "").strip()
    for tag in _TAGS:
        found = found.removeprefix(tag).lstrip()
    return found


def _opening(text: str) -> str:
    """The first characters, white space as single spaces."""
    return " ".join(text[:_READ].split())[:OPENING]
