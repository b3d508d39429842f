"""A run with right, wrong and unreadable answers, and a model that gives a second opinion on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.cli import run_command
from harness.interfaces import Completion, Request
from harness.pipeline.pending import TaskRun
from harness.tasks.kinds import KINDS
from tests.support.fakes import FakeEngine, InlinePool
from tests.support.runs import complete, make_run

SECRET = "the reasoning that nobody else may see"
UNREADABLE = r"\unknown{4} \leadsto ?"
ASKED = re.compile(r"BEGIN REFERENCE (\w+)\n(.*)\nEND REFERENCE \1\n\nBEGIN ANSWER \1\n(.*)\nEND ANSWER \1",
                   re.DOTALL)  # fmt: skip

ANSWERS = {0: "{right}", 1: "99", 2: UNREADABLE, 3: "98"}
"""By index, what a sample of each problem answers."""


def math_run(
    path: Path, kind: str = "math", answers: Mapping[int, str] = ANSWERS, k: int = 4
) -> TaskRun:
    """Five problems, whose samples answer as given."""

    def reply(request: Request) -> Completion:
        answer = answers[request.index].replace("{right}", str(2 * int(request.problem_id)))
        text = f"<think>{SECRET}</think>{SECRET}, so \\boxed{{{answer}}}"
        return Completion(text, "stop", n_tokens=9)

    run = make_run(path, task=KINDS[kind], k=k)
    complete(run, FakeEngine(reply), InlinePool())
    return run


def asked(body: Mapping[str, Any]) -> tuple[str, str]:
    """The reference and the answer that a request is about."""
    found = ASKED.search(body["messages"][-1]["content"])
    assert found is not None
    return found[2], found[3]


def says(
    words: Mapping[str, str], other: str = "DIFFERENT"
) -> Callable[[dict[str, Any], int], str]:
    """A model that says a word for some answers, and another for the rest."""
    return lambda body, number: words.get(asked(body)[1], other)


def grade(run: Path, url: str, *options: str) -> int:
    """`harness grade` with the mock as the judge."""
    return run_command(["grade", str(run), "--judge-model", "mock", "--base-url", url, *options])
