"""Tasks of lm-eval, by its own names: `lm_eval:gsm8k`, or `lm_eval:DIR/NAME` for one in a folder.

lm-eval builds the prompt (few-shot examples included) and decides by its own filters and metrics;
sampling, k samples per problem and the statistics are the harness's. The first metric that is 0 or 1
for a response gives the verdict, under the first filter; `lm_eval:gsm8k@flexible-extract` names
another filter or metric. `HARNESS_LM_EVAL_INCLUDE` names folders to search as well (as PATH does).
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from harness.errors import DataError, UsageError
from harness.graders.lm_eval import (
    LmEval,
    binary,
    documents,
    metric_values,
    need_lm_eval,
    open_task,
    scoring,
)
from harness.sampling import Sampling
from harness.stats.metrics import pass_at
from harness.task import Task
from harness.types import Problem, Row

PREFIX = "lm_eval"
INCLUDE = "HARNESS_LM_EVAL_INCLUDE"
_CAPS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_DEFAULT_CAP = 256  # what lm-eval's models generate where a task says nothing
_KNOWN = {*_CAPS, "until", "do_sample", "temperature", "top_p"}
_TRIED, _OTHER = 3, "seven words that are no answer here"  # documents and a response to try


@dataclass(frozen=True, slots=True)
class LmEvalDataset:
    """The documents of a task of lm-eval, each with the prompt that lm-eval builds for it."""

    path: str

    def source(self, data_dir: Path | None) -> str:
        """lm-eval's version and the task's file. `data_dir` plays no part: the task has its own."""
        from importlib.metadata import version

        return f"lm_eval {version('lm_eval')} {self.path}"

    def rows(self, data_dir: Path | None) -> Iterator[tuple[str, Row]]:
        """Yield (place, row) with id, statement and answer.

        Raises:
            DataError: a function of the task fails on a document.
        """
        task = open_task(self.path)
        task.set_fewshot_seed(
            1234
        )  # the examples are drawn document by document, from the first on
        shots = task.get_config("num_fewshot")
        for number, (id, document) in enumerate(documents(self.path).items(), 1):
            place = f"{Path(self.path).name}, document {number}"
            try:
                prompt = task.fewshot_context(
                    document, num_fewshot=shots, gen_prefix=task.doc_to_prefix(document)
                )
                target = task.doc_to_target(document)
            except Exception as error:  # whatever a task's own functions raise
                raise DataError(f"{place}: lm-eval cannot build its prompt: {error!r}") from error
            yield place, {"id": id, "statement": prompt, "answer": str(target) or "(none)"}


def parse(row: Row) -> Problem:
    """One row as `LmEvalDataset` yields it."""
    return Problem(id=row["id"], statement=row["statement"], answer=row["answer"])


def find(name: str) -> Task:
    """The task of lm-eval that a name, a folder's name or `NAME@FILTER-OR-METRIC` stands for.

    Raises:
        UsageError: no such task, a group, a task that is not generated, or one whose metrics are
            not 0 or 1 for a response.
        DataError: the task's data cannot be loaded.
    """
    need_lm_eval()
    where, _, wanted = name.partition("@")
    folder, _, plain = where.rpartition("/")
    if not plain:
        raise UsageError(f"lm_eval:{name} names no task: lm_eval:NAME, or lm_eval:DIR/NAME")
    path = _find_file(plain, [Path(folder)] if folder else _folders())
    task = open_task(path)
    _check(plain, task)
    (filter, metric), *beside = _decides(plain, task, path, wanted)
    return Task(
        name=f"{PREFIX}:{plain}" + (f"@{wanted}" if wanted else ""),
        dataset=LmEvalDataset(path),
        parse=parse,
        prompt="{statement}",
        grader=LmEval(path, metric, filter, tuple(beside)),
        metrics=(pass_at(1),),
        sampling=_sampling(plain, task),
    )


def _folders() -> list[Path]:
    import lm_eval.tasks

    given = [Path(part) for part in os.environ.get(INCLUDE, "").split(os.pathsep) if part]
    return [*given, Path(lm_eval.tasks.__file__).parent]


def _find_file(name: str, folders: list[Path]) -> str:
    """The YAML file that defines a task. UsageError names what was meant.

    lm-eval's own index reads all of its files, which takes some 20 s: it is asked only where no
    file says `task: NAME`.
    """
    word = re.escape(name.encode())
    says = re.compile(
        rb"""^["']?task["']?:[ \t]*["']?""" + word + rb"""["']?[ \t]*(?:#.*)?$""", re.M
    )
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"lm_eval:{name}: there is no folder {folder}")
        for file in sorted(folder.rglob("*.yaml")):
            if says.search(file.read_bytes()):
                return str(file.resolve())
    return _look_up(name, folders)


def _look_up(name: str, folders: list[Path]) -> str:
    """The YAML file by lm-eval's own index. UsageError names what was meant."""
    from lm_eval.tasks import TaskManager

    index = TaskManager(include_path=list(folders), include_defaults=False)
    if name in index.all_subtasks:
        return str(index.task_index[name].yaml_path)
    if name in index.all_groups or name in index.all_tags:
        inside = sorted(_members(name, index))
        shown = ", ".join(f"lm_eval:{task}" for task in inside[:8])
        rest = f" and {len(inside) - 8} more" if len(inside) > 8 else ""
        raise UsageError(f"lm_eval:{name} is a group: name its tasks, which are {shown}{rest}")
    near = get_close_matches(name, index.all_tasks, n=3)
    hint = f"did you mean {' or '.join(f'lm_eval:{n}' for n in near)}?" if near else (
        f"name a folder, as lm_eval:DIR/{name}, or set {INCLUDE}")  # fmt: skip
    raise UsageError(f"lm-eval has no task {name!r} in {', '.join(map(str, folders))}; {hint}")


def _members(name: str, index: Any) -> Iterator[str]:
    """Names of what a group or a tag of lm-eval holds."""
    entry = index.task_index[name]
    children = (entry.cfg or {}).get("task") if name in index.all_groups else None
    if not isinstance(children, list):
        yield from entry.tags
        return
    for child in children:
        yield str(child if isinstance(child, str) else child.get("task") or child.get("group"))


def _check(name: str, task: Any) -> None:
    kind = task.OUTPUT_TYPE
    if kind != "generate_until":
        raise UsageError(
            f"lm_eval:{name} is a task of the type {kind}, which scores given texts; the harness "
            "samples, and runs tasks of the type generate_until"
        )
    if getattr(task, "UNSAFE_CODE", False):
        raise UsageError(f"lm_eval:{name} runs the model's code without a sandbox: not here")
    if getattr(task, "MULTIMODAL", False):
        raise UsageError(f"lm_eval:{name} needs images or sound: only text is sent here")


def _decides(name: str, task: Any, path: str, wanted: str) -> list[tuple[str, str]]:
    """(filter, metric) pairs, first the one that gives the verdict, seen by trying a few responses.

    A share of something (F1, ROUGE) is 1 for the reference answer too, and shows in the others.
    """
    tried = []
    for document in itertools.islice(documents(path).values(), _TRIED):
        target = task.doc_to_target(document)
        right = str(target[0] if isinstance(target, list) and target else target)
        try:
            for response in (right, f"{right} or {_OTHER}", _OTHER):
                tried.append(metric_values(task, document, response)[0])
        except Exception as error:  # whatever filters and metrics raise
            raise UsageError(
                f"lm_eval:{name}: its filters and metrics fail on a single response ({error!r}); "
                "tasks that need several at once cannot be graded sample by sample"
            ) from error
    higher = task.higher_is_better()
    verdicts = [key for key in binary(tried) if higher.get(key[1], True)]
    usable = [key for key in verdicts if wanted in ("", *key)]
    if not usable:
        named = ", ".join(scoring(*key) for key in tried[0]) or "none"
        why = f"none of them is {wanted!r}" if wanted and verdicts else (
            "none of them is 0 or 1 for a response, and 1 for a right one, so there is no "
            "verdict")  # fmt: skip
        raise UsageError(f"lm_eval:{name}: its metrics are {named}, and {why}")
    return [usable[0], *(key for key in verdicts if key != usable[0])]


def _sampling(name: str, task: Any) -> Sampling:
    """The task's generation arguments as defaults of the harness's sampling."""
    given: Mapping[str, Any] = task.get_config("generation_kwargs") or {}
    until = given.get("until") or ()
    cap = next((int(given[key]) for key in _CAPS if given.get(key)), _DEFAULT_CAP)
    stop = tuple(s for s in ([until] if isinstance(until, str) else until) if s)
    unknown = [key for key in given if key not in _KNOWN and (key, given[key]) != ("num_beams", 1)]
    if unknown:
        raise UsageError(
            f"lm_eval:{name} generates with {', '.join(unknown)}, which the harness has no word "
            "for: copy its YAML file without it, and name that one's folder"
        )
    draws = given.get("do_sample", float(given.get("temperature", 0)) > 0)
    if not draws:
        return Sampling(k=1, temperature=0.0, max_tokens=cap, stop=stop)
    return Sampling(
        k=int(task.get_config("repeats") or 1),
        temperature=float(given.get("temperature", 1.0)),
        top_p=given.get("top_p"),
        max_tokens=cap,
        stop=stop,
    )
