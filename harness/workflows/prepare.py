"""Tasks under the settings of a run: their problems and protocols, before a model is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.data.datasets import miscounted, select_problems
from harness.data.selection import in_words
from harness.interfaces import Fingerprint
from harness.pipeline.pending import TaskRun
from harness.protocol import SERVER_SAMPLING, Protocol, make_protocol
from harness.sampling import Sampling
from harness.storage.problem_tests import with_stored_tests
from harness.storage.run_folder import RunWriter, TaskFolder
from harness.task import Task
from harness.types import Problem
from harness.workflows.run_settings import RunSettings, configure


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task under the settings of a run, with its problems, before any model is loaded.

    `allocation` and `orders` are as in `harness.pipeline.pending.TaskRun`.
    """

    task: Task
    sampling: Sampling
    problems: Sequence[Problem]
    protocol: Protocol
    allocation: Mapping[str, int] | None = None
    orders: Mapping[tuple[str, int], tuple[int, ...]] = field(default_factory=dict)

    def run(self, folder: TaskFolder) -> TaskRun:
        """The task in its folder."""
        return TaskRun(
            task=self.task,
            protocol=self.protocol,
            problems={p.id: p for p in with_stored_tests(folder.path, self.problems)},
            sampling=self.sampling,
            folder=folder,
            allocation=self.allocation,
            orders=self.orders,
        )


def _drawn_from(prepared: Sequence[Prepared], fingerprint: Fingerprint) -> list[Prepared]:
    """The tasks with what their engine says that a server samples with of its own.

    Args:
        prepared: before the engine was opened.
        fingerprint: of the engine.
    """
    own = fingerprint.get(SERVER_SAMPLING)
    return [replace(item, protocol=replace(item.protocol, server_sampling=own))
            for item in prepared]  # fmt: skip


def stated(
    writer: RunWriter, prepared: Sequence[Prepared], fingerprint: Fingerprint
) -> list[Prepared]:
    """The tasks with all that makes their protocols, checked against the run folder's.

    Args:
        writer: of the run folder.
        prepared: the tasks.
        fingerprint: of the engine.

    Raises:
        ProtocolMismatch: the folder has another protocol.
        UsageError: it holds more samples per problem.
        DataError: it holds samples whose protocol is not known.
    """
    known = list(prepared)
    if writer.knows_servers():  # else the folder goes on as it was begun
        known = _drawn_from(prepared, fingerprint)
    for item in known:
        writer.check_task(item.protocol, item.sampling.k)
    return known


def prepare(
    tasks: Sequence[Task], settings: RunSettings, notify: Callable[[str], None] | None = None
) -> list[Prepared]:
    """Load the problems of every task and fix its protocol.

    Args:
        tasks: by their own settings.
        settings: of the run.
        notify: gets what the user should know of a dataset.

    Raises:
        UsageError: a task does not support a setting.
        DataError: a dataset cannot be read.
    """
    prepared = []
    for plain in tasks:
        task, sampling = configure(plain, settings)
        task.grader.ready()  # before anything is sampled
        problems, left_out = select_problems(
            task, settings.data, settings.selection, settings.limit
        )
        source = task.dataset.source(settings.data)
        count = len(problems) + left_out.total()
        other = None if settings.limit is not None else miscounted(task, count)
        remarks = "; ".join(part for part in (other, in_words(left_out)) if part)
        protocol = make_protocol(
            task,
            problems,
            sampling,
            thinking=settings.thinking,
            think_end=settings.think_end,
            extract=settings.extract,
            source=f"{source} ({remarks})" if remarks else source,
        )
        prepared.append(Prepared(task, sampling, problems, protocol))
        if other and notify:
            notify(
                f"{task.name}: {source} holds {other}; no published score is over these problems"
            )
    return prepared
