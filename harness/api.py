"""What the files of `harness export lm-eval-tasks` call while lm-eval runs them.

lm-eval generates; problems, prompts, choice orders, reasoning, verdicts and metrics are the
harness's. lm-eval says nothing of why a response ended, so one that was cut is `no_answer` here
where a run of the harness says `truncated`; both count as wrong.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.data.datasets import load_problems
from harness.data.prompts import choice_order, render
from harness.data.reasoning import split_reasoning
from harness.pipeline.grading_process import grade_chunk
from harness.pipeline.scoring import SampleStatistics
from harness.registry import find_tasks
from harness.stats.metrics import tally_problem
from harness.task import Task
from harness.types import Problem, Sample, Thinking, Verdict

Document = Mapping[str, Any]
"""One document of lm-eval's: the fields of a problem as `load` laid them out."""


def load(*, harness_task: str, harness_data: str | None = None, **settings: Any) -> dict[str, Any]:
    """The problems of a task as lm-eval's `custom_dataset` returns them, under the split `test`.

    Args:
        harness_task: its name.
        harness_data: folder of the user's own copies; None reads the hub, as `harness run` does.
        settings: `harness_thinking` and `harness_think_end`; the rest, which lm-eval adds, is its.

    Raises:
        UsageError, DataError: as `harness run` raises them.
    """
    import datasets

    task, problems = _opened(harness_task, harness_data)
    task.grader.ready()  # before a model generates for hours
    rows = []
    for problem in problems.values():
        order = _order(task, problem)
        prompt = render(task.prompt, problem, order=order, system=task.system_prompt)
        rows.append(
            {
                "id": problem.id,
                "prompt": prompt.user,
                "target": problem.answer or "",
                "order": list(order or ()),
                "task": harness_task,
                "data": harness_data,
                "thinking": settings.get("harness_thinking", "auto"),
                "think_end": settings.get("harness_think_end", "</think>"),
            }
        )
    return {"test": datasets.Dataset.from_list(rows)}


def process_results(document: Document, results: Sequence[Any]) -> dict[str, Any]:
    """Grade all repeats of a problem.

    Args:
        document: a row of `load`.
        results: one list of all its responses, as the filter `take_first_k` leaves them.

    Returns:
        Each metric of the task; `verdicts`, one per response in their order; `errors` and `copies`,
        how many responses an internal error left without a verdict, and how many repeat another.
    """
    responses = [results[0]] if isinstance(results[0], str) else list(results[0])
    task, problems = _opened(document["task"], document["data"])
    problem = problems[document["id"]]
    samples = [_sample(document, index, text) for index, text in enumerate(responses)]
    grades = grade_chunk([(task.grader, problem, sample) for sample in samples])
    graded = [grade for grade in grades if grade.verdict is not Verdict.ERROR]
    votes = any(metric.votes for metric in task.metrics)  # comparing formulas takes long
    found = tally_problem(graded, task.grader.classes if votes else None)
    statistics = SampleStatistics()
    for sample in samples:
        statistics.add(sample)
    if 0 < statistics.duplicates == len(samples) - 1:
        _warn_of_copies(document["task"])
    for grade in grades:
        if grade.verdict is Verdict.ERROR:
            _logger().error("problem %s, repeat %d: %s", problem.id, grade.index, grade.detail)
    return {
        **{m.name: m.value(found) if found.n >= m.k else math.nan
           for m in task.metrics if m.k <= len(responses)},
        "verdicts": [str(grade.verdict) for grade in grades],
        "errors": len(grades) - len(graded),
        "copies": statistics.duplicates,
    }  # fmt: skip


def total(values: Iterable[Any]) -> int:
    """An aggregation: the sum of numbers, or the number of all entries of lists."""
    return sum(len(value) if isinstance(value, list) else int(value) for value in values)


@cache
def _opened(name: str, data: str | None) -> tuple[Task, dict[str, Problem]]:
    (task,) = find_tasks(name)
    problems = load_problems(task, Path(data) if data else None)
    return task, {problem.id: problem for problem in problems}


def _order(task: Task, problem: Problem) -> tuple[int, ...] | None:
    if not (task.choice_order and problem.choices):
        return None
    return choice_order(len(problem.choices), task.choice_order, problem_id=problem.id, index=0,
                        seed=task.sampling.choice_seed)  # fmt: skip


def _sample(document: Document, index: int, text: str) -> Sample:
    thinking: Thinking = document["thinking"]
    reasoning, response = split_reasoning(text, think_end=document["think_end"], thinking=thinking)
    order = tuple(document["order"]) or None
    return Sample(document["id"], index, reasoning, response, "unknown", choice_order=order)


@cache
def _warn_of_copies(task: str) -> None:
    _logger().warning(
        "%s: all repeats of a problem are one text. The model draws them with one seed (lm-eval's "
        "chat client sends 1234 with each), so this is one sample counted several times",
        task,
    )


def _logger() -> logging.Logger:
    return logging.getLogger("harness")
