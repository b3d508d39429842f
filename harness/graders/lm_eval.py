"""lm-eval's own filters and metrics as a grader: correct where the chosen metric is 1.

A task of lm-eval is opened from its YAML file, once per process; `documents` gives its problems
their ids. Metrics that are not 0 or 1 for one response are refused.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.errors import DataError, UsageError, first_line
from harness.graders.base import make_grade, no_answer
from harness.interfaces import Grader
from harness.types import Grade, Problem, Sample, Verdict

MetricValues = Mapping[tuple[str, str], Any]
"""By (filter, metric), what lm-eval makes of one response."""

_SEED, _FEWSHOT_SEED = 0, 1234  # lm-eval's own: of Python's generator, and of all others
_NOTHING = "[invalid]"  # what lm-eval's extraction filters give where they find nothing
_SHOWN = 1000  # characters of a filtered response that are kept in a grade


@dataclass(frozen=True, slots=True)
class LmEval(Grader):
    """Grades by a metric of a task of lm-eval.

    Args:
        path: the task's YAML file.
        metric: the metric that decides.
        filter: the filter whose result it is computed on.
        beside: further (filter, metric) pairs, whose verdicts go to `Grade.also`.
    """

    path: str
    metric: str
    filter: str
    beside: tuple[tuple[str, str], ...] = ()

    @property
    def version(self) -> str:
        """Metric and filter, lm-eval's version, and a digest of the files that define the task."""
        defined = f"lm_eval-{version('lm_eval')}-{_definition(self.path)}"
        return f"{scoring(self.filter, self.metric)}/{defined}"

    def grade(self, problem: Problem, sample: Sample) -> Grade:
        """Decide one sample by its response alone.

        Raises:
            DataError: the task no longer holds the problem, or its metric is neither 0 nor 1.
        """
        started = time.perf_counter()
        grade = make_grade(problem, sample, no_answer(sample), answer=None, stage="no response",
                           started=started, version=self.version)  # fmt: skip
        if sample.response is None:
            also = {scoring(*key): str(grade.verdict) for key in self.beside}
            return replace(grade, also=also)
        document = documents(self.path).get(problem.id)
        if document is None:
            raise DataError(f"problem {problem.id} is none of {self.path}: its data has changed")
        values, filtered = metric_values(open_task(self.path), document, sample.response)
        verdict = _verdict(values.get((self.filter, self.metric)))
        beside = {key: _verdict(values.get(key)) for key in self.beside}
        if verdict is None:
            raise DataError(f"{self.metric} is {values.get((self.filter, self.metric))!r} for "
                            f"sample {sample.index}: only 0 or 1 is a verdict")  # fmt: skip
        said = filtered[self.filter]
        nothing = not said or (isinstance(said, str) and said.strip() in ("", _NOTHING))
        if nothing and verdict is Verdict.WRONG_ANSWER:
            verdict = no_answer(sample)
        answer = said[:_SHOWN] if isinstance(said, str) and not nothing else None
        return replace(
            grade,
            verdict=verdict,
            answer=answer,
            detail=self.filter,
            seconds=time.perf_counter() - started,
            also={scoring(*key): str(found) for key, found in beside.items() if found},
        )

    @property
    def startup_seconds(self) -> float:
        """Time to load lm-eval, the task and its data."""
        return 240.0

    def ready(self) -> None:
        """Check that lm-eval and the task's file are there, before anything is sampled.

        Raises:
            UsageError: one of them is missing.
        """
        need_lm_eval()
        if not Path(self.path).is_file():
            raise UsageError(f"the file of this lm-eval task is missing: {self.path}")


def scoring(filter: str, metric: str) -> str:
    """The name of one way of deciding, as lm-eval prints it: `exact_match,strict-match`."""
    return f"{metric},{filter}"


def need_lm_eval() -> None:
    """Check that lm-eval is installed.

    Raises:
        UsageError: it is not.
    """
    try:
        import lm_eval  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"tasks of lm-eval need {error.name}: pip install 'reasoning-harness[lm-eval]'"
        ) from error


@cache
def open_task(path: str) -> Any:
    """The task that a YAML file defines, set up as `lm_eval` would.

    Raises:
        UsageError: lm-eval is not installed.
        DataError: the task or its data cannot be loaded.
    """
    need_lm_eval()
    import datasets
    from lm_eval.tasks import TaskManager

    datasets.disable_progress_bars()
    try:
        with _as_lm_eval_seeds():
            (task,) = TaskManager(include_defaults=False).load([path])["tasks"].values()
    except Exception as error:  # whatever a task's file, functions or data set raise
        raise DataError(f"lm-eval cannot load {path}: {first_line(error, 300)}") from error
    if task.get_config("num_fewshot") is None:
        task.set_config("num_fewshot", 0)
    task.set_fewshot_seed(_FEWSHOT_SEED)
    return task


@contextmanager
def _as_lm_eval_seeds() -> Iterator[None]:
    """The global generators as `lm_eval` seeds them, and afterwards as they were.

    Tasks shuffle choices while they load their data (GPQA): unseeded, the process that grades would
    have another order than the one that built the prompts.
    """
    import random

    import numpy as np

    before = random.getstate(), np.random.get_state()
    random.seed(_SEED)
    np.random.seed(_FEWSHOT_SEED)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


@cache
def documents(path: str) -> dict[str, Any]:
    """The task's documents by problem id, in their order.

    The id is a field `id` where every document has its own, else a hash of the document; equal
    documents get a number appended.
    """
    task = open_task(path)
    with _as_lm_eval_seeds():
        found = list(task.eval_docs)
    named = [str(d["id"]) for d in found if d.get("id") is not None]
    if len(set(named)) == len(found):
        return dict(zip(named, found, strict=True))
    seen = Counter[str]()
    by_id = {}
    for document in found:
        text = json.dumps(document, sort_keys=True, default=repr)
        id = hashlib.sha256(text.encode()).hexdigest()[:16]
        seen[id] += 1
        by_id[id if seen[id] == 1 else f"{id}-{seen[id]}"] = document
    return by_id


def metric_values(
    task: Any, document: Any, response: str
) -> tuple[MetricValues, Mapping[str, Any]]:
    """What the task's filters and metrics make of one response, and the filtered responses."""
    from lm_eval.api.instance import Instance

    instance = Instance("generate_until", document, ("", {}), 0, (task.task_name, 0, 1), [response])
    task._instances = [instance]
    task.apply_filters()
    found = {
        (name, str(metric)): value
        for name, filtered in instance.filtered_resps.items()
        for metric, value in task.process_results(document, [filtered]).items()
    }
    return found, instance.filtered_resps


def _verdict(value: Any) -> Verdict | None:
    """Correct or wrong; None for a value that is neither 0 nor 1."""
    if isinstance(value, str | bytes) or not hasattr(value, "__float__") or value not in (0, 1):
        return None
    return Verdict.CORRECT if value else Verdict.WRONG_ANSWER


def binary(tried: Sequence[MetricValues]) -> list[tuple[str, str]]:
    """The (filter, metric) pairs whose value is 0 or 1 in each of these, in lm-eval's order."""
    return [key for key in tried[0] if all(_verdict(one.get(key)) is not None for one in tried)]


@cache
def _definition(path: str) -> str:
    """Digest of the task's file and of the code and files beside it that it may include."""
    folder = Path(path).parent
    digest = hashlib.sha256(Path(path).read_bytes())
    for file in sorted([*folder.glob("*.py"), *folder.glob("_*.yaml"), *folder.glob("*_yaml")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]
