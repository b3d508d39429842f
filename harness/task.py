"""A benchmark as one value: where its problems come from, what is asked, how it is graded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.interfaces import Dataset, Grader, Metric
from harness.sampling import Sampling
from harness.types import ChoiceOrdering, Problem, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A benchmark: composed of parts, never subclassed. A variant is `dataclasses.replace`.

    Args:
        name: what `--tasks` takes.
        dataset: where rows come from.
        parse: one row to one problem; it raises KeyError or ValueError on a row it cannot read.
        prompt: template; the fields it may hold are those of `harness.data.prompts.render`.
        grader: decides a sample.
        metrics: what is computed, the headline first.
        sampling: the defaults of this task.
        choice_order: how choices are ordered; None where there are none.
        system_prompt: sent as the system turn.
        family: what baselines and presets know it by: aime24, gpqa_diamond; "" where none do.
        masked: whether reports hide statements and answers unless asked to show them.
        n_problems: how many problems the dataset has, those left out included; a copy with another
            number is pointed out. None where that is not fixed.
    """

    name: str
    dataset: Dataset
    parse: Callable[[Row], Problem]
    prompt: str
    grader: Grader
    metrics: tuple[Metric, ...]
    sampling: Sampling
    choice_order: ChoiceOrdering | None = None
    system_prompt: str | None = None
    family: str = ""
    masked: bool = False
    n_problems: int | None = None
