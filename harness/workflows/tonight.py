"""One night of a job among the others: what both of its tests need beside the comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.stats.nights import Levels, choice, over_nights, p_drop
from harness.stats.scores import TaskScores
from harness.storage.ledger import Ledger, read_history
from harness.storage.nights import TaskResult
from harness.storage.run_folder import RunFolder
from harness.workflows.over_nights import Observed, TaskNights, collect, observe


@dataclass(frozen=True, slots=True)
class Tonight:
    """By task: the accepted run, what is observed tonight, and what is tested together with it."""

    bases: Mapping[str, str]
    observed: Mapping[str, Observed]
    tested: Mapping[str, TaskNights]

    @classmethod
    def of(cls, runs: Path, run: str, scores: Mapping[str, TaskScores], ledger: Ledger) -> Tonight:
        """Read the grades of a run, and the history as it is by now.

        Args:
            runs: the folder of runs.
            run: the run's name.
            scores: of its tasks.
            ledger: of the folder.

        Raises:
            DataError: the run or the history cannot be read.
        """
        history = read_history(runs)
        bases, observed, tested = {}, {}, {}
        for task, result in scores.items():
            seen = observe(RunFolder(runs / run).task(task), run) if result.complete else None
            accepted = ledger.last(task)
            if seen is None:
                continue
            observed[task] = seen
            if accepted is not None and accepted.run != run:
                bases[task] = accepted.run
                tested[task] = collect(runs, task, history, accepted, seen)
        return cls(bases, observed, tested)

    @property
    def less_luck(self) -> dict[str, float]:
        """By task, the p-value of a drop against the base less its luck."""
        return {
            task: p_drop(tested.candidates, self.bases[task], self.observed[task].night)
            for task, tested in self.tested.items()
        }

    def completed(self, results: Sequence[TaskResult], levels: Levels) -> tuple[TaskResult, ...]:
        """The results of the night's own test with what the other nights say."""
        remarks = {task: tested.left_out for task, tested in self.tested.items()}
        nights = {task: tested.nights for task, tested in self.tested.items()}
        found = over_nights(nights, levels.over_nights, remarks)
        completed = []
        for result in results:
            seen, tested = self.observed.get(result.task), self.tested.get(result.task)
            if seen is not None:
                result = replace(result, night=seen.night, stopped=seen.stopped)
            if tested is not None:
                result = replace(
                    result,
                    level=levels.night,
                    choice=choice(tested.candidates, self.bases[result.task]),
                    over_nights=found.get(result.task),
                    remarks=tested.left_out,
                )
            completed.append(result)
        return tuple(completed)
