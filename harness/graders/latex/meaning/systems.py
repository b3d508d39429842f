"""Solutions of systems: values that belong together, each with the name of its unknown."""

from __future__ import annotations

from collections.abc import Sequence

from harness.graders.latex.syntax import Answer, Collection, Named, Symbol


def solutions(items: Sequence[Answer]) -> Collection | None:
    """`x=1, y=2, x=3, y=4` as two solutions, `x=1, y=2` as one; None where names do not pair up.

    A solution is a collection of the kind `system`; several are a list of them.
    """
    named = [item for item in items if isinstance(item, Named) and _is_value(item)]
    if len(named) < len(items):
        return None
    unknowns = {item.name for item in named}
    size = len(unknowns)
    if size < 2 or len(named) % size:
        return None
    rows = [named[at : at + size] for at in range(0, len(named), size)]
    if any({item.name for item in row} != unknowns for row in rows):
        return None
    systems = tuple(Collection("system", tuple(row)) for row in rows)
    return systems[0] if len(systems) == 1 else Collection("list", systems)


def by_name(system: Collection) -> tuple[Answer, ...]:
    """The values of a solution, in the order of the names of their unknowns."""
    named = [item for item in system.items if isinstance(item, Named)]
    return tuple(item.value for item in sorted(named, key=_name))


def _name(item: Named) -> str:
    return item.name.name if isinstance(item.name, Symbol) else ""


def _is_value(item: Named) -> bool:
    return isinstance(item.name, Symbol) and not isinstance(item.value, Collection)
