"""How the samples of a run are split into reasoning and response, as the run comes to know it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from harness.data.reasoning import opening_tag
from harness.interfaces import Completion, Engine
from harness.pipeline.pending import TaskRun
from harness.pipeline.task_files import TaskFiles
from harness.pipeline.untagged import (
    SampleKey,
    as_reasoning,
    as_response,
    is_cut_untagged,
    is_reasoning,
    is_untagged,
    split_again,
    split_due,
)
from harness.storage.run_folder import RunFolder
from harness.types import Sample


class Splitting:
    """What a run knows of texts without a tag: from its manifest, its engine, and its samples.

    Args:
        runs: the tasks, all of one model.
        engine: draws the samples; None where none are drawn.
        learned: told of what the manifest does not hold yet.
    """

    def __init__(
        self, runs: Sequence[TaskRun], engine: Engine | None, learned: Callable[[bool], None]
    ) -> None:
        self._runs, self._engine, self._learned = runs, engine, learned
        self._said: bool | None = None  # the engine's last word
        self._stale: dict[str, dict[SampleKey, bool]] = {run.task.name: {} for run in runs}
        self._unended: dict[str, set[SampleKey]] = {run.task.name: set() for run in runs}
        self.opens: bool | None = None
        """Whether the prompt opens the reasoning; None where nothing has told so far."""

    def begin(self) -> None:
        """Read what is known, and split again what an earlier process has stored otherwise.

        What samples told, which the manifest holds, goes before a template.
        """
        manifest = RunFolder(self._runs[0].folder.path.parent).manifest()
        self.opens = manifest.opens_reasoning
        self._said = None if self._engine is None else self._engine.opens_reasoning
        if self.opens is None:
            self.opens = manifest.prompt_opens if self._said is None else self._said
            if self.opens is not manifest.prompt_opens:
                self._learned(bool(self.opens))
        for run in self._runs:
            split_due(run.folder, self._count)

    def learn(self, files: Mapping[str, TaskFiles]) -> Mapping[str, Collection[SampleKey]]:
        """Ask the engine whether a completion has told more.

        Args:
            files: of the tasks, by name.

        Returns:
            By task, the samples that were split again; they have no grade any more.
        """
        said = self._said if self._engine is None else self._engine.opens_reasoning
        if said is None or said is self._said:
            return {}
        self._said = said
        if said is self.opens:
            return {}
        self.opens = said
        self._learned(said)  # before the files are changed: a kill in between loses nothing
        found: dict[str, Collection[SampleKey]] = {}
        for run in self._runs:
            name = run.task.name
            if run.protocol.thinking != "auto":
                continue
            split = self._as_reasoning if said else partial(as_response, keys=self._unended[name])
            found[name] = split_again(run.folder, split, write=files[name].replace)
            self._stale[name] |= dict.fromkeys(found[name], said)
        return found

    def note(self, run: TaskRun, sample: Sample, completion: Completion) -> None:
        """Remember a text without a tag that ended by itself, stored as reasoning that never did.

        Where the server turns out to split reasoning off, it had cut off an empty one.
        """
        is_text = completion.reasoning is None and completion.finish_reason == "stop"
        tag = opening_tag(run.protocol.think_end)
        if is_text and sample.response is None and tag not in completion.text:
            self._unended[run.task.name].add(sample.key)

    def _as_reasoning(self, sample: Sample) -> Sample:
        return as_reasoning(sample, self._count)

    def is_held(self, run: TaskRun, sample: Sample) -> bool:
        """Whether a sample must not be graded yet: it may be reasoning, and nothing tells."""
        return is_reasoning(run.protocol, self.opens) is None and is_cut_untagged(sample)

    def is_superseded(self, run: TaskRun, sample: Sample) -> bool:
        """Whether a sample that was given to be graded has been split again since."""
        return self._stale[run.task.name].get(sample.key) is is_untagged(sample)

    def _count(self, text: str) -> int | None:
        return None if self._engine is None else self._engine.count_tokens(text)
