"""How the samples of a run are split into reasoning and response, as the run comes to know it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from harness.interfaces import Engine
from harness.pipeline.pending import TaskRun
from harness.pipeline.task_files import TaskFiles
from harness.pipeline.untagged import (
    SampleKey,
    is_cut_untagged,
    is_reasoning,
    is_untagged,
    split_again,
    split_due,
)
from harness.storage.run_folder import RunFolder
from harness.storage.sample_set import SampleSet
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
        self._superseded: dict[str, SampleSet] = {run.task.name: SampleSet() for run in runs}
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
            if run.protocol.thinking == "auto":
                found[name] = []
                if said:
                    found[name] = split_again(run.folder, self._count, write=files[name].replace)
                    for key in found[name]:
                        self._superseded[name].add(key)
        return found

    def is_held(self, run: TaskRun, sample: Sample) -> bool:
        """Whether a sample must not be graded yet: it may be reasoning, and nothing tells."""
        return is_reasoning(run.protocol, self.opens) is None and is_cut_untagged(sample)

    def is_superseded(self, run: TaskRun, sample: Sample) -> bool:
        """Whether a sample that was given to be graded has been split again since."""
        return is_untagged(sample) and sample.key in self._superseded[run.task.name]

    def _count(self, text: str) -> int | None:
        return None if self._engine is None else self._engine.count_tokens(text)
