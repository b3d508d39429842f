"""Where a run's protocol differs from the one that a source states for its figure. Pure."""

from __future__ import annotations

from harness.data.selection import Window
from harness.errors import UsageError
from harness.protocol import Protocol
from harness.reports.results import Result

from .loader import PublishedScore


def stated_differences(result: Result, cell: PublishedScore) -> list[str]:
    """The parts stated both by a figure's source and by a run in which the two differ."""
    return [*_protocol_differences(result.protocol, cell), *_window_differences(result, cell)]


def unstated(result: Result, cell: PublishedScore) -> tuple[list[str], list[str]]:
    """The parts of a protocol that cannot be compared: the source's silence, then the run's."""
    stated, protocol = cell.protocol, result.protocol
    # A site goes on publishing, so a window says which of its problems; an exam is asked whole.
    origins = [problem.provenance for problem in result.problems.values()]
    dated = any(origin.date and origin.platform for origin in origins)
    wording = "prompt" if stated.prompt is None else "wording of the prompt"
    parts: tuple[tuple[str, object, object], ...] = (
        ("temperature", stated.temperature, protocol.temperature),
        ("top-p", stated.top_p, protocol.top_p),
        ("cap", stated.max_tokens, protocol.max_tokens),
        ("window", stated.window, dated or None),
        (wording, stated.prompt_holds, protocol.prompt or None),
    )
    theirs = [name for name, stated, ours in parts if stated is None and ours is not None]
    theirs += ["k"] * (cell.k is None) + ["number of problems"] * (cell.n is None)
    theirs += ["extraction"] * (stated.extraction is None)
    theirs += ["choice order"] * (protocol.choice_order is not None)  # no source states any
    return theirs, [name for name, stated, ours in parts if stated is not None and ours is None]


def _protocol_differences(protocol: Protocol, cell: PublishedScore) -> list[str]:
    stated = cell.protocol
    pairs = (
        ("temperature", protocol.temperature, stated.temperature),
        ("top-p", protocol.top_p, stated.top_p),
        ("cap", protocol.max_tokens, stated.max_tokens),
        ("problems", len(protocol.problems), cell.n),
    )
    found = [
        f"{name} {ours:,} against {theirs:,}"
        for name, ours, theirs in pairs
        if ours is not None and theirs is not None and ours != theirs
    ]
    if protocol.repetition_guard:
        found.append(f"a repetition guard of {protocol.repetition_guard} against none")
    if stated.prompt_holds and protocol.prompt and stated.prompt_holds not in protocol.prompt:
        found.append(f"a prompt of its own against {stated.prompt}")
    return found


def _window_differences(result: Result, cell: PublishedScore) -> list[str]:
    """The months of a run's problems, where they are not those of the window that is stated."""
    months = sorted(
        month for problem in result.problems.values() if (month := problem.provenance.month)
    )
    try:
        window = Window.parse(cell.protocol.window or "")
    except UsageError:  # no window, or one described in words
        return []
    if not months or (months[0], months[-1]) == (window.first, window.last):
        return []
    beyond = months[0] < window.first or months[-1] > window.last
    hint = " (see --window)" * beyond
    return [f"problems of {months[0]}..{months[-1]} against the window {window}{hint}"]
