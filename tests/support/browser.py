"""What tests with a browser share: run folders with chosen texts, addresses, what a page shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.registry import tasks
from harness.types import Problem

if TYPE_CHECKING:
    from playwright.sync_api import Page

MakePage = Callable[..., str]
Open = Callable[..., "Page"]
TASK = "practice_math"


def practice(name: str, count: int) -> list[Problem]:
    task = tasks()[name]
    return [task.parse(row) for _, row in task.dataset.rows(None)][:count]


@contextmanager
def rewritten(path: Path) -> Iterator[list[dict[str, Any]]]:
    """The rows of a JSON-lines file, written back as they were changed."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    yield rows
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def change_samples(
    run: Path, task: str, changes: Mapping[tuple[str, int], Mapping[str, Any]]
) -> None:
    """Put texts into the samples of a run."""
    with rewritten(run / task / "samples.jsonl") as rows:
        for row in rows:
            row.update(changes.get((row["problem_id"], row["index"]), {}))


def texts(page: Page, selector: str) -> Sequence[str]:
    """What the matching elements show, in order."""
    found: list[str] = page.locator(selector).all_inner_texts()
    return [text.strip() for text in found]


def sample(run: str, problem: Problem, index: int, task: str = TASK) -> str:
    return f"#s/{run}/{task}/{problem.id}/{index}"


def shown(page: Page) -> str:
    """The sample that is open, as its address."""
    page.wait_for_selector("#detail section.part")
    return str(page.evaluate("location.hash"))


def violations(page: Page) -> list[str]:
    """What axe finds in the page that is serious or critical."""
    base = pytest.importorskip("axe_playwright_python.base")
    page.evaluate(base.AXE_SCRIPT)
    result = page.evaluate("axe.run()")
    return [
        f"{found['id']}: {node['target']} {node['failureSummary']}"
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]
