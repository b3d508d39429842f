"""What a stored value must be beyond its type, since another one would crash a reader or lie.

Whole numbers are counts, unless they are seeds; what is a share lies between 0 and 1; every other
number has a size that sums and figures can hold; an interval's low end is not above its high end; and
values of any type (a problem's `meta`, a fingerprint) can be written again as JSON.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from msgspec import Meta

from harness.stats.intervals import Interval

MAX_INDEX = 1 << 20
"""Samples of one problem are numbered below this; memory is held by index."""

Index = Annotated[int, Meta(ge=0, lt=MAX_INDEX)]
"""The index of a sample, for the fields of a projection."""

_K = Annotated[int, Meta(ge=1, le=MAX_INDEX)]
_COUNT = Annotated[int, Meta(ge=0, le=1 << 53)]
_SEED = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_SHARE = Annotated[float, Meta(ge=0, le=1)]
_SPREAD = Annotated[float, Meta(ge=0, le=1e15)]
_NUMBER = Annotated[float, Meta(ge=-1e15, le=1e15)]

_WHOLE = {
    "index": Index,
    "k": _K,
    "TaskFacts.k": _COUNT,  # 0 where there is no score
    "allocation": _K,
    "memory_mib": Annotated[int, Meta(ge=1, le=1 << 24)],
    "seed": _SEED,
    "engine_seed": _SEED,
    "choice_seed": _SEED,
}
"""By name of a field, perhaps with its class, what its whole numbers are; elsewhere they are counts."""

_SHARES = frozenset(
    ("value", "score", "alpha", "shares", "p", "p_drop", "p_adjusted", "level", "truncated_share",
     "truncated")
)  # fmt: skip
_SPREADS = frozenset(("variance", "mean", "median", "cpu_seconds", "temperature"))

Check = Callable[[Any, str], None]
"""Checks a decoded value; given the name of its field, for the ValueError that it raises."""

_DEEPEST = 64
_OPEN = (Any, object)


def bounded(name: str, hint: Any) -> Any:
    """The type of a number in a field, with its bounds; every other type as it is.

    Args:
        name: of the field, with that of its class: "Score.k".
        hint: its type, or a part of it.
    """
    if hint is int and name in _WHOLE:
        return _WHOLE[name]
    name = name.rpartition(".")[2]
    if hint is int:
        return _WHOLE.get(name, _COUNT)
    if hint is float:
        if name in _SHARES:
            return _SHARE
        return _SPREAD if name in _SPREADS or name.startswith("se_") else _NUMBER
    return hint


def check_of(hint: Any) -> Check | None:
    """What checks the values of a type beyond what their types and numbers say; None for nothing."""
    if hint in _OPEN:
        return _check_open
    if hint is Interval or hint in (tuple[float, float], tuple[int, int]):
        return _check_order
    if isinstance(hint, type) and is_dataclass(hint):
        return _check_fields(hint)
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        found = [check for part in parts if (check := check_of(part))]
        return _where_set(found[0]) if found else None
    if origin is tuple and parts[1:] == (...,) and (each := check_of(parts[0])):
        return _check_each(each)
    if isinstance(origin, type) and issubclass(origin, Mapping) and (each := check_of(parts[1])):
        return _check_values(each)
    return None


def _where_set(check: Check) -> Check:
    def found(value: Any, name: str) -> None:
        if value is not None:
            check(value, name)

    return found


def _check_each(check: Check) -> Check:
    def found(value: Any, name: str) -> None:
        for i, item in enumerate(value):
            check(item, f"{name}[{i}]")

    return found


def _check_values(check: Check) -> Check:
    def found(value: Any, name: str) -> None:
        for key, item in value.items():
            check(item, f"{name}.{key}")

    return found


def _check_fields(kind: type) -> Check | None:
    hints = get_type_hints(kind)
    checks = [(f.name, check) for f in fields(kind) if (check := check_of(hints[f.name]))]
    if not checks:
        return None

    def found(value: Any, name: str) -> None:
        for field, check in checks:
            check(getattr(value, field), f"{name}.{field}" if name else field)

    return found


def _check_order(value: Any, name: str) -> None:
    low, high = value
    if not -1e15 <= low <= high <= 1e15:
        raise ValueError(f"{name}: from {low:g} to {high:g} is no interval")


def _check_open(value: Any, name: str, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise ValueError(f"{name}: nested too deeply")
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        raise ValueError(f"{name}: a number of more than 64 bits")
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        _check_open(item, name, depth + 1)
