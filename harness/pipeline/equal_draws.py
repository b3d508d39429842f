"""Stops a run whose draws are all equal: its engine does not sample, whatever it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.errors import EngineDown
from harness.interfaces import Engine, Fingerprint
from harness.pipeline.pending import TaskRun
from harness.stats.equal_draws import EqualDraws, collapsed
from harness.storage.projections import SampleRow
from harness.types import Sample

_FEW = 5  # prompts with equal draws from which a task is worth a notice at its end

_WEIGHTS = "check the weights, as a failed merge or adapter may leave one continuation only"
_UNKNOWN_SERVER = (
    "have the server sample and switch off caches in front of it (transformers serve needs a "
    "generation_config with do_sample, which --engine-arg server=transformers sends)"
)
_OF_SERVERS = {
    "transformers": "leave its generation_config to the harness, or set do_sample there",
    "unknown": _UNKNOWN_SERVER,
    "litellm": _UNKNOWN_SERVER,
}
_ANY_SERVER = f"switch off caches in front of the server, or {_WEIGHTS}"
_OF_ENGINES = {"lm_eval": f"have it sample (do_sample=true among its own arguments), or {_WEIGHTS}"}


def remedy(fingerprint: Fingerprint) -> str:
    """What makes an engine sample, as far as its kind is known.

    Args:
        fingerprint: of the engine.
    """
    name = str(fingerprint.get("engine"))
    if name == "openai":
        return _OF_SERVERS.get(str(fingerprint.get("server_kind", "unknown")), _ANY_SERVER)
    return _OF_ENGINES.get(name, _WEIGHTS)


class DrawCheck:
    """Compares the draws of a run's tasks, those stored before included.

    Published responses are compared by nobody: there is no engine to mend.

    Args:
        runs: the tasks.
        engine: that draws them; None where nothing is drawn.
    """

    def __init__(self, runs: Sequence[TaskRun], engine: Engine | None) -> None:
        fingerprint = {"engine": "recorded"} if engine is None else engine.fingerprint()
        self._remedy = remedy(fingerprint)
        self._found = {
            run.task.name: EqualDraws(run.sampling.temperature)
            for run in runs
            if run.sampling.k > 1
            and run.sampling.temperature != 0
            and fingerprint.get("engine") != "recorded"
        }

    def read(self, run: TaskRun) -> None:
        """Compare the stored samples of a task, up to the first two draws that differ."""
        found = self._found.get(run.task.name)
        if found is not None:
            for sample in run.folder.read("samples.jsonl", SampleRow):
                self.add(run, sample)
                if found.sampled:
                    return

    def add(self, run: TaskRun, sample: Sample | SampleRow) -> None:
        """Compare one more sample of a task with the others of its prompt."""
        found = self._found.get(run.task.name)
        if found is not None and not found.sampled:
            prompt = sample.problem_id, sample.choice_order
            found.add(prompt, sample.text, sample.n_tokens)

    def check(self, run: TaskRun) -> None:
        """Check that the draws of a task, or of all tasks together, are not all equal.

        Raises:
            EngineDown: they are, beyond chance; the message has the cause and the remedy.
        """
        found = self._found.get(run.task.name)
        if found is None or found.sampled:
            return
        for tasks in ({run.task.name: found}, self._found):
            if collapsed(tasks.values()):
                raise EngineDown(
                    f"{_equal(tasks)}, which chance gives to fewer than 1 run in 100,000: the "
                    f"engine does not sample; {self._remedy}; then draw again into another folder "
                    f"(-o), as {run.folder.path.parent} would keep the equal samples, or take --k 1"
                )

    def report(self, run: TaskRun, notify: Callable[[str], None]) -> None:
        """Say at the end of a task that its draws are all equal, where that may be chance."""
        found = self._found.get(run.task.name)
        if found is not None and not found.sampled and found.prompts >= _FEW:
            notify(
                f"{_equal({run.task.name: found})}, so that its sampling error is 0: either the "
                f"model is this sure, or the engine does not sample ({self._remedy})"
            )


def _equal(tasks: Mapping[str, EqualDraws]) -> str:
    """How many draws of these tasks are equal, in words."""
    found = list(tasks.values())
    temperatures = sorted({task.temperature for task in found if task.temperature is not None})
    at = f" at temperature {' and '.join(f'{t:g}' for t in temperatures)}" if temperatures else ""
    return (
        f"{', '.join(tasks)}: all draws of {sum(task.prompts for task in found)} prompts are "
        f"equal{at} ({sum(task.repeats for task in found):,} repeats, "
        f"{sum(task.tokens for task in found):,} tokens)"
    )
