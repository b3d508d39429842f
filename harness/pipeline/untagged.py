"""Texts without a tag of reasoning: which of them must not be graded yet, and splitting them again.

With `--thinking auto` and a server that shows no prompt, such a text is a response, or reasoning that
the prompt opened. One that ended by itself counts as a response until a sample tells otherwise. One
that the length cap cut is not graded before that is known, and nothing is scored while there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import UsageError
from harness.interfaces import Engine
from harness.pipeline.pending import TaskRun, reasoning_tokens
from harness.protocol import Protocol
from harness.storage.files import write_lines
from harness.storage.projections import SampleRow
from harness.storage.run_folder import MANIFEST, RunFolder, TaskFolder
from harness.storage.scores import SCORES
from harness.types import Sample

SampleKey = tuple[str, int]

HOW_TO_SAY = "--thinking yes, --thinking no, or --engine-arg tokenizer=PATH"


def is_reasoning(protocol: Protocol, opens: bool | None) -> bool | None:
    """Whether a text without a tag is reasoning; None where that is not known.

    Args:
        protocol: of the task, whose `thinking` may say it.
        opens: whether the prompt opens the reasoning, as far as the run knows.
    """
    return opens if protocol.thinking == "auto" else protocol.thinking == "yes"


def is_untagged(sample: Sample | SampleRow) -> bool:
    """Whether a sample was stored as a response without reasoning."""
    return sample.reasoning is None and sample.response is not None


def is_cut_untagged(sample: Sample | SampleRow) -> bool:
    """Whether it may be reasoning that the length cap cut, for all that its text shows."""
    return is_untagged(sample) and sample.finish_reason != "stop" and bool(sample.text.strip())


def split_again(
    folder: TaskFolder,
    split: Callable[[Sample], Sample],
    *,
    write: Callable[[Path, Iterable[object]], None] = write_lines,
) -> Collection[SampleKey]:
    """Split stored samples in another way; the grades of those that change are removed.

    Grades go first: after a kill in between, the samples are split the next time. Done twice, it
    changes nothing.

    Args:
        folder: of the task.
        split: the sample as it is to be stored; the same object where it stays as it is.
        write: replaces a file in one step.

    Returns:
        The keys of the samples that changed, which have to be graded again.
    """
    keys = {sample.key for sample in folder.samples() if split(sample) is not sample}
    if keys:
        kept = (grade for grade in folder.grades() if grade.key not in keys)
        write(folder.path / "grades.jsonl", kept)
        write(folder.path / "samples.jsonl", map(split, folder.samples()))
    return keys


def as_reasoning(sample: Sample, count: Callable[[str], int | None] = lambda _: None) -> Sample:
    """A sample whose text without a tag is reasoning that never ended.

    Args:
        sample: as stored.
        count: tokens of a text.
    """
    if not is_untagged(sample):
        return sample
    tokens = reasoning_tokens(sample.response, sample.n_tokens, count)
    return replace(sample, reasoning=sample.response, response=None, n_reasoning_tokens=tokens)


def as_response(sample: Sample, keys: Collection[SampleKey]) -> Sample:
    """A sample whose text without a tag is a response after empty reasoning.

    Args:
        sample: as stored.
        keys: of such samples.
    """
    if sample.response is not None or sample.key not in keys:
        return sample
    nothing = None if sample.n_tokens is None else 0
    return replace(sample, reasoning=None, response=sample.reasoning, n_reasoning_tokens=nothing)


def split_due(
    folder: TaskFolder, count: Callable[[str], int | None] = lambda _: None
) -> Collection[SampleKey]:
    """Split stored texts again where a sample told, or `--thinking yes` says, that they are reasoning.

    Args:
        folder: of the task.
        count: tokens of a text.

    Returns:
        As `split_again`; none where there is nothing to do.
    """
    manifest = RunFolder(folder.path.parent).manifest()
    thinking = folder.protocol().thinking
    told = thinking == "auto" and manifest.opens_reasoning is True
    stated = thinking == "yes" and manifest.fingerprint.get("opens_reasoning", False) is None
    if not told and not stated:
        return ()
    return split_again(folder, lambda sample: as_reasoning(sample, count))


def split_others(path: Path, names: Collection[str], notify: Callable[[str], None]) -> None:
    """Split what is due in the tasks of a run folder that this start does not work on.

    Their scores are removed with the grades that they were computed from.

    Args:
        path: the run folder.
        names: the tasks that it does work on.
        notify: told which have to be graded again.
    """
    for folder in RunFolder(path).tasks():
        if folder.name not in names and (keys := split_due(folder)):
            (folder.path / SCORES).unlink(missing_ok=True)
            notify(
                f"{folder.name}: {len(keys):,} samples turned out to be reasoning that never ended, "
                f"and had been graded as responses; harness grade {path} grades and scores them"
            )


def unknown_reasoning(path: Path, protocols: Iterable[Protocol], engine: Engine) -> str | None:
    """That it is not known before the first sample what a text without a tag is; None where it is.

    Args:
        path: the run folder, which need not exist.
        protocols: of the tasks.
        engine: of the run.
    """
    opens = engine.opens_reasoning
    if opens is None and (path / MANIFEST).exists():
        opens = RunFolder(path).manifest().prompt_opens
    if all(is_reasoning(protocol, opens) is not None for protocol in protocols):
        return None
    return "nothing tells before the first sample whether the model reasons"


def check_settled(runs: Sequence[TaskRun]) -> None:
    """Check that no sample may be reasoning that would be graded as a response.

    Raises:
        UsageError: some may be; the message says how many, and how to say what they are.
    """
    path = runs[0].folder.path.parent
    auto = [run for run in runs if run.protocol.thinking == "auto"]
    if not auto or RunFolder(path).manifest().prompt_opens is not None:
        return
    cut = total = 0
    for run in auto:
        for sample in run.folder.read("samples.jsonl", SampleRow):
            total += 1
            cut += is_cut_untagged(sample)
    if cut:
        raise UsageError(
            f"{path}: {cut:,} of {total:,} samples may be reasoning that was cut off: they hold no "
            "tag of it, and nothing tells whether the model reasons, so they are not graded; every "
            "sample is kept: repeat the `harness run` with --thinking yes (they are reasoning) or "
            "with --thinking no (the model does not reason)"
        )
