"""How numbers came to be, in full: each task's protocol and each run's manifest, as tables."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.protocol import MODEL_JUDGE, ModelJudge, Protocol, differences
from harness.reports.results import Result
from harness.storage.manifest import Start

from .model import Column, Row, Table


def protocol_table(group: Sequence[Result]) -> Table:
    """The protocol in full; a setting in which runs differ names each run's."""
    settings: list[tuple[str, Callable[[Result], object]]] = [
        ("Problems", lambda r: f"{len(r.protocol.problems):,}"),
        ("Source", lambda r: r.protocol.source or "not stated"),
        ("Samples per problem", _samples),
        ("Temperature", lambda r: _stated(r.protocol.temperature)),
        ("Top-p", lambda r: _stated(r.protocol.top_p)),
        ("Token cap", lambda r: _stated(r.protocol.max_tokens)),
        ("Repetition guard", lambda r: _guard(r.protocol)),
        ("Reasoning effort", lambda r: r.protocol.effort or "the model's own"),
        ("Reasoning budget", lambda r: _budget(r.protocol)),
        ("Server's own sampling", lambda r: r.protocol.server_sampling or "none"),
        ("Stop strings", lambda r: ", ".join(map(repr, r.protocol.stop)) or "none"),
        ("Prompt", lambda r: r.protocol.prompt or "not stated"),
        ("System prompt", lambda r: r.protocol.system_prompt or "none"),
        ("Thinking", lambda r: f"{r.protocol.thinking}, ends at {r.protocol.think_end}"),
        ("Extraction", lambda r: r.protocol.extract),
        ("Choice order", lambda r: _choice_order(r.protocol)),
        ("Grader", lambda r: r.protocol.grader),
        ("Scoring", lambda r: r.scored.scoring if r.scored else "not scored"),
        ("Protocol", lambda r: r.protocol.hash),
    ]
    if any(result.protocol.judge for result in group):
        settings += _JUDGE_SETTINGS
    first, *others = group
    notes = [
        f"Not the same protocol, so these scores do not compare: {first.run} and {other.run} differ "
        f"in {'; '.join(differences(first.protocol, other.protocol).values())}."
        for other in others
        if other.protocol.hash != first.protocol.hash
    ]
    notes += [
        f"Scores of {MODEL_JUDGE} do not compare: {first.run} and {other.run} have another judge."
        for other in others
        if first.protocol.judge and other.protocol.judge not in (None, first.protocol.judge)
    ]
    return _settings_table("Protocol", settings, group, notes)


def _samples(result: Result) -> str:
    """Samples per problem: 16, or the fewest and the most where problems differ."""
    if result.protocol.allocation is None:
        return str(result.k)
    counts = result.asked.values()
    return f"{min(counts)} to {max(counts)}, {result.k} on average"


def _of_judge(read: Callable[[ModelJudge], object]) -> Callable[[Result], object]:
    return lambda result: read(result.protocol.judge) if result.protocol.judge else "none"


_JUDGE_SETTINGS: tuple[tuple[str, Callable[[Result], object]], ...] = (
    ("Judge model", _of_judge(lambda judge: judge.model)),
    ("Judge temperature", _of_judge(lambda judge: judge.temperature)),
    ("Judge token cap", _of_judge(lambda judge: _stated(judge.max_tokens))),
    ("Judge prompt", _of_judge(lambda judge: f"{judge.prompt_hash}\n{judge.prompt}")),
)


def runs_table(results: Iterable[Result]) -> Table:
    """What made each run: the manifest, its nested parts named with dots."""
    runs = list({result.run: result for result in results}.values())
    manifests = {
        result.run: {
            "model": result.manifest.model,
            **_flat(result.manifest.fingerprint),
            "harness": result.manifest.harness or "not stated",
            "starts": "\n".join(_start_text(start) for start in result.manifest.starts) or "none",
        }
        for result in runs
    }
    names = list(dict.fromkeys(name for values in manifests.values() for name in values))
    settings: list[tuple[str, Callable[[Result], object]]] = [
        (name, lambda r, name=name: manifests[r.run].get(name, "not stated"))  # type: ignore[misc]
        for name in names
    ]
    return _settings_table("Runs", settings, runs, ())


def _settings_table(
    title: str,
    settings: Iterable[tuple[str, Callable[[Result], object]]],
    group: Sequence[Result],
    notes: Iterable[str],
) -> Table:
    rows = []
    for name, read in settings:
        values = {result.run: str(read(result)) for result in group}
        if len(set(values.values())) == 1:
            rows.append(Row((name, next(iter(values.values())))))
        else:
            text = "\n".join(f"{run}: {value}" for run, value in values.items())
            rows.append(Row((name, text), "differs"))
    return Table(
        title, (Column("Setting", "name"), Column("Value", "text")), tuple(rows), tuple(notes)
    )


def _stated(value: float | int | None) -> str:
    if value is None:
        return "not stated"
    return f"{value:,}" if isinstance(value, int) else f"{value}"


def _guard(protocol: Protocol) -> str:
    return f"{protocol.repetition_guard} repeats" if protocol.repetition_guard else "off"


def _budget(protocol: Protocol) -> str:
    return f"{protocol.reasoning_budget:,} tokens" if protocol.reasoning_budget else "off"


def _choice_order(protocol: Protocol) -> str:
    if protocol.choice_order == "published":
        return "as published"
    return (
        f"{protocol.choice_order}, seed {protocol.choice_seed}"
        if protocol.choice_order
        else "as written"
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = "not stated" if value is None else str(value)
    return flat


def _start_text(start: Start) -> str:
    """What is known of a start, its parts named with dots."""
    known = {**asdict(start), "command": shlex.join(start.command)}
    known["notices"] = "; ".join(start.notices)
    del known["discarded"]  # in the table of costs
    return ", ".join(
        f"{name} {value}" for name, value in _flat(known).items() if value not in ("", "not stated")
    )
