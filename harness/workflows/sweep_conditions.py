"""One value of one factor on one task: what it changes, and where its outcomes come from."""

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
from harness.workflows.evaluate import Prepared
from harness.workflows.run_settings import configure
from harness.workflows.sweep_config import Variant

How = Literal["base", "sampled", "extended", "first", "capped", "regraded"]
"""Where a value's outcomes come from: the base as it is; samples of its own; the base's samples
beyond its k; or the stored ones: the first k, cut at a lower cap, graded in another way."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of one factor on one task."""

    variant: Variant
    prepared: Prepared
    how: How

    @property
    def stored(self) -> bool:
        """Whether the base's stored samples tell its outcomes."""
        return self.how in ("first", "capped", "regraded")


def make_cell(task: Task, base: Prepared, variant: Variant) -> Cell | None:
    """What a value means for a task; None where it does not apply to it.

    Args:
        task: as the registry has it.
        base: the same under the base's settings.
        variant: the value.

    Raises:
        UsageError: a value that cannot be honoured.
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
    return Cell(variant, varied, _how(base, varied, variant))


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
    # The problems are the base's: their hashes run over every test and are not computed again.
    protocol = replace(protocol, problems=base.protocol.problems)
    return Prepared(varied, sampling, base.problems, protocol)


def _graded_as(base: Prepared, kind: str) -> Prepared | None:
    """The base under the grader of another kind of answer; None where it cannot read the task."""
    if any(bool(problem.choices) != (kind == "choice") for problem in base.problems):
        return None
    grader = GRADERS[kind]
    if isinstance(base.task.grader, ExtractsAnswers):
        grader = with_settings(grader, extract=base.task.grader.extract)
    nothing = Sample(problem_id="", index=0, reasoning=None, response=None, finish_reason="stop")
    try:
        for problem in base.problems:
            grader.grade(problem, nothing)
    except DataError:  # a reference answer that is none of this kind
        return None
    protocol = replace(base.protocol, grader=grader.version)
    return Prepared(replace(base.task, grader=grader), base.sampling, base.problems, protocol)


def _how(base: Prepared, varied: Prepared, variant: Variant) -> How:
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
