"""Conditions of a sweep: one value of one factor on one task, and where its outcomes come from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from harness.errors import DataError, UsageError
from harness.graders.base import with_settings
from harness.interfaces import ExtractsAnswers, RunsPrograms
from harness.protocol import make_protocol
from harness.task import Task
from harness.tasks.kinds import GRADERS
from harness.types import Sample
from harness.workflows.prepare import Prepared
from harness.workflows.run_settings import configure
from harness.workflows.sweep_config import Variant

Origin = Literal["base", "sampled", "extended", "first", "capped", "regraded"]
"""Where the outcomes come from: `base`, the base itself; `sampled`, samples of its own; `extended`,
further samples of the base. The others need only the base's stored samples: `first`, the first k;
`capped`, cut at a lower cap; `regraded`, graded in another way."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One value of one factor on one task."""

    variant: Variant
    prepared: Prepared
    origin: Origin

    @property
    def stored(self) -> bool:
        """Whether the base's stored samples are enough for its outcomes."""
        return self.origin in ("first", "capped", "regraded")


def make_condition(task: Task, base: Prepared, variant: Variant) -> Condition | None:
    """Apply a value to a task; None if it does not apply.

    Args:
        task: as in the registry.
        base: the same task under the base's settings.
        variant: the value.

    Raises:
        UsageError: the task does not support the value.
    """
    if variant.grader is not None:
        varied = _graded_as(base, variant.grader)
    elif not _applies(variant.factor, base.task):
        return None
    else:
        varied = _configured(task, base, variant)
    if varied is None:
        return None
    varied.task.grader.ready()
    return Condition(variant, varied, _origin(base, varied, variant))


def _applies(factor: str, task: Task) -> bool:
    if factor == "choice_order":
        return task.choice_order is not None
    if factor == "extract":
        return isinstance(task.grader, ExtractsAnswers)
    if factor == "scoring":
        return isinstance(task.grader, RunsPrograms)
    return True


def _configured(task: Task, base: Prepared, variant: Variant) -> Prepared:
    settings = variant.settings
    try:
        varied, sampling = configure(task, settings)
    except UsageError as error:
        raise UsageError(f"{variant.name}: {error}") from error
    protocol = make_protocol(
        varied,
        (),
        sampling,
        thinking=settings.thinking,
        think_end=settings.think_end,
        extract=settings.extract,
        source=base.protocol.source,
    )
    # The problems are the base's; hashing all their test cases again would be slow.
    protocol = replace(protocol, problems=base.protocol.problems)
    return Prepared(varied, sampling, base.problems, protocol)


def _graded_as(base: Prepared, kind: str) -> Prepared | None:
    """The base with the grader of another kind of answer; None if that grader cannot grade it."""
    if any(bool(problem.choices) != (kind == "choice") for problem in base.problems):
        return None
    grader = GRADERS[kind]
    if isinstance(base.task.grader, ExtractsAnswers):
        grader = with_settings(grader, extract=base.task.grader.extract)
    nothing = Sample(problem_id="", index=0, reasoning=None, response=None, finish_reason="stop")
    try:
        for problem in base.problems:
            grader.grade(problem, nothing)
    except DataError:  # a reference answer of another kind
        return None
    protocol = replace(base.protocol, grader=grader.version)
    return Prepared(replace(base.task, grader=grader), base.sampling, base.problems, protocol)


def _origin(base: Prepared, varied: Prepared, variant: Variant) -> Origin:
    same_grader = variant.grader is None or varied.task.grader == base.task.grader
    if (
        varied.protocol.hash == base.protocol.hash
        and varied.sampling == base.sampling
        and same_grader
    ):
        return "base"
    if variant.factor == "k":
        return "first" if varied.sampling.k < base.sampling.k else "extended"
    if variant.factor in ("extract", "scoring", "grader"):
        return "regraded"
    cap = base.sampling.max_tokens
    if variant.factor == "max_tokens" and (cap is None or (varied.sampling.max_tokens or 0) < cap):
        return "capped"
    return "sampled"
