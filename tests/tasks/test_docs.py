"""docs/tasks.md against the tasks: every task has its line, with the numbers and the source that it has."""

from __future__ import annotations

import re
from pathlib import Path

from harness.registry import tasks
from harness.tasks.livecodebench import ERRATA
from tests.support.contest_rows import ROWS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table() -> dict[str, list[str]]:
    """The cells of each line by the task's name."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name.strip("`"): rest for name, *rest in cells}


def test_every_task_has_its_line() -> None:
    found = table()
    assert found.keys() == tasks().keys()
    for name, task in tasks().items():
        problems, _, grader, dataset, _ = found[name]
        source = task.dataset.source(None).partition("@")[0].partition(" ")[0]
        assert (problems, grader, dataset) == (
            f"{task.n_problems:,}", task.grader.version.partition("/")[0], source,
        )  # fmt: skip


def test_the_days_are_those_of_the_problems() -> None:
    for name, (_, day, *_) in table().items():
        if re.fullmatch(r"\d{4}-\d\d-\d\d", day) and name in ROWS:
            dates = {tasks()[name].parse(row).provenance.date for row in ROWS[name]}
            assert [str(date) for date in dates] == [day]


def test_the_errata_are_counted() -> None:
    assert f"{len(ERRATA)} problems of LiveCodeBench" in PAGE
    assert {"arc185_c", "abc343_a", "arc189_a"} <= ERRATA.keys()


def test_the_readme_names_every_task() -> None:
    listed = README[README.index("| task | problems") : README.index("Datasets come from the hub")]
    shown = set(re.findall(r"`(\w+)`", listed))
    missing = {name for name in tasks() if name not in shown and not name.startswith("practice_")}
    assert missing == set()
