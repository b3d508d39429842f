"""A run's protocol beside the one that a source states for its figure, part by part. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.data.selection import Window
from harness.errors import UsageError
from harness.protocol import Protocol
from harness.reports.results import Result

from .schema import StatedProtocol
from .scores import PublishedScore

MODES = {"yes": "thinking", "no": "non-thinking"}
"""A source's words for what `Protocol.thinking` says."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a protocol, as a run and a source state it; None where one does not.

    Args:
        name: of the part.
        ours: what the run states.
        theirs: what the source states, a description in words included.
        difference: in words, where both state it, it can be compared, and it is not the same.
        decides: whether two scores that differ in it do not compare. They do with another k.
        in_words: whether the source states it in words that no rule compares.
    """

    name: str
    ours: str | None
    theirs: str | None
    difference: str | None = None
    decides: bool = True
    in_words: bool = False


def parts(result: Result, cell: PublishedScore) -> list[Part]:
    """Every part that a run or a figure's source may state, in the order of reports."""
    protocol, stated = result.protocol, cell.protocol
    scored = result.scored
    scoring = scored.scoring if scored and scored.several else None
    return [
        _number("temperature", protocol.temperature, stated.temperature),
        _number("top-p", protocol.top_p, stated.top_p),
        _number("top-k", None, stated.top_k),  # a run's protocol has none
        _number("cap", protocol.max_tokens, stated.max_tokens),
        _text("effort", protocol.effort, stated.effort),
        _budget(result, stated),
        _mode(protocol, stated),
        _tools(result, stated),
        _window(result, stated),
        _guard(protocol),
        _prompt(protocol, stated),
        replace(_number("k", result.k, cell.k), decides=False),
        _problems(protocol, cell),
        Part("extraction", protocol.extract, stated.extraction, in_words=bool(stated.extraction)),
        Part("choice order", protocol.choice_order, None),  # no source states any
        Part("scoring", scoring, None),  # likewise
    ]


def stated_differences(result: Result, cell: PublishedScore) -> list[str]:
    """The parts stated both by a figure's source and by a run in which scores do not compare."""
    return [part.difference for part in parts(result, cell) if part.difference and part.decides]


def unstated(result: Result, cell: PublishedScore) -> tuple[list[str], list[str]]:
    """The parts of a protocol that cannot be compared: the source's silence, then the run's."""
    theirs, ours = one_sided(parts(result, cell))
    return [part.name for part in theirs], [part.name for part in ours]


def one_sided(found: Sequence[Part]) -> tuple[list[Part], list[Part]]:
    """The parts that only the run states, then those that only the source states."""
    run = [part for part in found if part.theirs is None and part.ours is not None]
    return run, [part for part in found if part.theirs is not None and part.ours is None]


def _number(name: str, ours: float | None, theirs: float | None) -> Part:
    texts = [None if value is None else f"{value:,}" for value in (ours, theirs)]
    return _part(name, *texts, same=ours == theirs)


def _text(name: str, ours: str | None, theirs: str | None) -> Part:
    return _part(name, ours, theirs, same=(ours or "").lower() == (theirs or "").lower())


def _part(name: str, ours: str | None, theirs: str | None, *, same: bool) -> Part:
    differs = ours is not None and theirs is not None and not same
    return Part(name, ours, theirs, f"{name} {ours} against {theirs}" if differs else None)


def _budget(result: Result, stated: StatedProtocol) -> Part:
    """A run that was sampled without a budget had none; what published responses had is not known."""
    part = _number("reasoning budget", result.protocol.reasoning_budget, stated.reasoning_budget)
    if part.ours is None and part.theirs is not None and not _imported(result):
        return _text(part.name, "none", part.theirs)
    return part


def _mode(protocol: Protocol, stated: StatedProtocol) -> Part:
    """Sources name a mode where the model has several, so silence leaves nothing open."""
    return _text("mode", MODES.get(protocol.thinking) if stated.mode else None, stated.mode)


def _tools(result: Result, stated: StatedProtocol) -> Part:
    """No run has tools. Sources name those that they used, so silence leaves nothing open."""
    ours = "none" if stated.tools and not _imported(result) else None
    return _text("tools", ours, stated.tools)


def _imported(result: Result) -> bool:
    """Whether somebody else drew the samples, under a protocol of which only a part is known."""
    return result.manifest.fingerprint.get("engine") == "recorded"


def _window(result: Result, stated: StatedProtocol) -> Part:
    """The months of a run's problems beside the window, which may be described in words.

    A site goes on publishing, so a window says which of its problems; an exam is asked whole.
    """
    origins = [problem.provenance for problem in result.problems.values()]
    months = sorted(origin.month for origin in origins if origin.month and origin.platform)
    ours = f"{months[0]}..{months[-1]}" if months else None
    part = Part("window", ours, stated.window)
    try:
        window = Window.parse(stated.window or "")
    except UsageError:  # no window, or one in words
        return replace(part, in_words=bool(stated.window))
    if ours in (None, str(window)):
        return part
    beyond = months[0] < window.first or months[-1] > window.last
    hint = " (see --window)" * beyond
    return replace(part, difference=f"problems of {ours} against the window {window}{hint}")


def _guard(protocol: Protocol) -> Part:
    guard = protocol.repetition_guard
    words = f"a repetition guard of {guard} against none" if guard else None
    return Part("repetition guard", str(guard) if guard else "none", "none", words)


def _prompt(protocol: Protocol, stated: StatedProtocol) -> Part:
    """Prompts are compared by the phrase that a source's is known by."""
    name = "prompt" if stated.prompt is None else "wording of the prompt"
    part = Part(name, protocol.prompt or None, stated.prompt_holds)
    if part.ours is None or part.theirs is None or part.theirs in part.ours:
        return part
    return replace(part, difference=f"a prompt of its own against {stated.prompt}")


def _problems(protocol: Protocol, cell: PublishedScore) -> Part:
    """How many problems, or which of them where a figure is of some."""
    name, ours = "number of problems", len(protocol.problems)
    if cell.subset:
        which = ", ".join(f"{field} {value}" for field, value in cell.subset.items())
        return Part(name, str(ours), which, f"problems of the whole set against {which}")
    return replace(_number("problems", ours, cell.n), name=name)
