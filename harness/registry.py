"""Finding tasks: every module in harness.tasks, then entry points of the group harness.tasks.

A module exposes `TASKS`; one that has more than can be listed exposes `PREFIX` and
`find(name) -> Task`, and its tasks are called `PREFIX:NAME`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Protocol, runtime_checkable

from harness.errors import UsageError
from harness.task import Task

GROUP = "harness.tasks"


@runtime_checkable
class _Listing(Protocol):
    """A module that lists its tasks."""

    TASKS: tuple[Task, ...]


@runtime_checkable
class _Finder(Protocol):
    """A module that finds tasks by name."""

    PREFIX: str

    def find(self, name: str) -> Task: ...


@cache
def tasks() -> dict[str, Task]:
    """All tasks by name.

    Raises:
        UsageError: two places define a task of one name (both are named), or a plugin fails.
    """
    found: dict[str, Task] = {}
    places: dict[str, str] = {}
    for place, module_tasks in _sources():
        for task in module_tasks:
            if task.name in found:
                raise UsageError(
                    f"the task {task.name!r} is defined twice: in {places[task.name]} and in "
                    f"{place}; rename or uninstall one"
                )
            found[task.name], places[task.name] = task, place
    return found


def find_tasks(names: str) -> list[Task]:
    """Tasks from a comma-separated list of names; UsageError suggests what was meant."""
    known = tasks()
    chosen = []
    for name in dict.fromkeys(part.strip() for part in names.split(",") if part.strip()):
        prefix, found, rest = name.partition(":")
        if found and prefix in finders():
            chosen.append(finders()[prefix](rest))
            continue
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            raise UsageError(f"there is no task {name!r}; {hint} (`harness tasks` lists them)")
        chosen.append(known[name])
    if not chosen:
        raise UsageError("no task is named; `harness tasks` lists them")
    counts = Counter(task.name for task in chosen)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise UsageError(f"--tasks {names}: two of them are called {twice[0]}, and a run has one "
                         "folder for each name; leave one out")  # fmt: skip
    return chosen


@cache
def finders() -> dict[str, Callable[[str], Task]]:
    """By prefix, what finds the tasks that are called PREFIX:NAME."""
    return {module.PREFIX: module.find for module in _modules() if isinstance(module, _Finder)}


def _modules() -> Iterator[ModuleType]:
    import harness.tasks as package

    for info in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{package.__name__}.{info.name}")


def _sources() -> list[tuple[str, tuple[Task, ...]]]:
    sources = [(m.__name__, m.TASKS) for m in _modules() if isinstance(m, _Listing)]
    for entry in entry_points(group=GROUP):
        try:
            loaded = entry.load()
            plugin_tasks = tuple(loaded.TASKS if isinstance(loaded, _Listing) else loaded)
        except Exception as error:  # a plugin may raise anything while it is imported
            raise UsageError(
                f"the plugin {entry.name!r} ({entry.value}) cannot be loaded: {error!r}"
            ) from error
        if not all(isinstance(task, Task) for task in plugin_tasks):
            raise UsageError(f"the plugin {entry.name!r} ({entry.value}): TASKS holds other things "
                             "than harness.types.Task")  # fmt: skip
        sources.append((entry.value, plugin_tasks))
    return sources
