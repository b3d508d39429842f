"""The made-up row in the docstring of a task's module is one that its `parse` reads."""

from __future__ import annotations

import importlib
import json
import re
from datetime import datetime
from typing import Any

import pytest

MODULES = (
    "aime", "amo_bench", "beyond_aime", "codeforces", "gpqa", "imo_answerbench", "livecodebench",
    "math500", "practice",
)  # fmt: skip


def example_row(module: Any) -> dict[str, Any]:
    text = re.search(r"^    (\{.*?\})\n(?!    )", module.__doc__, flags=re.DOTALL | re.MULTILINE)
    assert text, f"{module.__name__} shows no row"
    row: dict[str, Any] = json.loads(text.group(1))
    return row


@pytest.mark.parametrize("name", (*MODULES, "matharena"))
def test_the_example_row_of_a_task_is_read(name: str) -> None:
    module = importlib.import_module(f"harness.tasks.{name}")
    tasks = {task.name: task for task in module.TASKS}
    parse = tasks["hmmt_feb26"].parse if name == "matharena" else module.parse
    problem = parse(example_row(module))
    assert problem.statement
    assert problem.answer or problem.tests


def test_livecodebench_reads_a_date_of_a_parquet_copy() -> None:
    """Loaders that infer types turn a column of dates into datetimes."""
    module = importlib.import_module("harness.tasks.livecodebench")
    row = example_row(module) | {"contest_date": datetime(2025, 1, 4)}
    assert module.parse(row).provenance.month == "2025-01"
