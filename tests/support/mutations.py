"""Changes to a stored file as an editor, a bad disk or another program makes them, one at a time."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

_HUGE = 10**30
_RAW = {"@nan": "NaN", "@inf": "1e999", "@deep": "[" * 3000 + "]" * 3000}
"""Stand-ins for values that the json module would not write, and what takes their place."""

_VALUES: tuple[Any, ...] = (
    None, "", "x", "2026-13-45", -1, 0, 1, 0.5, -0.5, 3_000_000_000, 1 << 52, _HUGE, -_HUGE, 1e300, True, [], {},
    [1, 2], [None], [0.9, 0.1], {"x": {"y": [1]}}, ["x", ["y"]], "\x00\x1b[31m", *_RAW,
)  # fmt: skip

Place = list[str | int]


def mutate(data: bytes, random: Random) -> tuple[bytes, str]:
    """One change to the bytes of a JSON or JSON-lines file, and what it is in words."""
    change = random.choices((_field, _byte, _line), (6, 2, 2))[0]
    return change(data, random)


def _field(data: bytes, random: Random) -> tuple[bytes, str]:
    lines = data.decode().splitlines() if data[:2] != b"{\n" else [data.decode()]
    at = random.randrange(len(lines)) if lines else 0
    try:
        row = json.loads(lines[at]) if lines else None
    except ValueError:
        row = None
    places = [place for place in _places(row) if place]
    if not places:
        return _byte(data, random)
    row, place = copy.deepcopy(row), random.choice(places)
    parent, name = _parent(row, place), place[-1]
    what = random.choice(("drop", "rename", "add", *["set"] * 7))
    if what == "drop" or (what != "set" and not isinstance(parent, dict)):
        del parent[name]
    elif what == "rename":
        parent[f"{name}_new"] = parent.pop(name)
    elif what == "add":
        parent["more"] = 1
    else:
        parent[name] = random.choice(_VALUES)
        what = f"set to {str(parent[name])[:40]!r}"
    text = json.dumps(row, ensure_ascii=random.random() < 0.5)
    for word, raw in _RAW.items():
        text = text.replace(f'"{word}"', raw)
    lines[at] = text
    return ("\n".join(lines) + "\n").encode(), f"line {at + 1}, {place}: {what}"


def _byte(data: bytes, random: Random) -> tuple[bytes, str]:
    at, value = random.randrange(len(data) + 1), bytes([random.randrange(256)])
    changed: Callable[[], bytes] = random.choice((
        lambda: data[:at] + value + data[at + 1 :],
        lambda: data[:at] + data[at + 1 :],
        lambda: data[:at] + value + data[at:],
    ))  # fmt: skip
    return changed(), f"byte {at}"


def _line(data: bytes, random: Random) -> tuple[bytes, str]:
    lines = data.splitlines(keepends=True)
    if not lines:
        return b"{}\n", "a line into an empty file"
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    what = random.choice(("dropped", "doubled", "swapped", "truncated", "torn", "cut"))
    if what == "dropped":
        del lines[at]
    elif what == "doubled":
        lines.insert(at, lines[at])
    elif what == "swapped":
        lines[at], lines[other] = lines[other], lines[at]
    elif what == "truncated":
        lines[at] = lines[at][: random.randrange(len(lines[at]))] + b"\n"
    elif what == "torn":
        lines[-1] = lines[-1][: random.randrange(len(lines[-1]))]
    else:
        lines = lines[:at]
    return b"".join(lines), f"line {at + 1} {what}"


def _places(value: Any, here: Place | None = None) -> Iterator[Place]:
    """Where every value of a decoded JSON value stands."""
    here = here or []
    yield here
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, item in pairs:
        yield from _places(item, [*here, name])


def _parent(value: Any, place: Place) -> Any:
    for name in place[:-1]:
        value = value[name]
    return value
