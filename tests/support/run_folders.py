"""Run folders as the pipeline writes them, with verdicts chosen by the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.data import prompts
from harness.graders.integer import Integer
from harness.pipeline.scoring import SampleStatistics, score_task
from harness.protocol import make_protocol
from harness.sampling import Sampling
from harness.stats.decisions import Decisions
from harness.stats.metrics import cons_at, pass_at
from harness.storage.files import Appender
from harness.storage.manifest import Manifest, Start
from harness.storage.run_folder import ErrorRow, RunWriter, TaskFolder
from harness.storage.scores import write_scores
from harness.task import Task
from harness.types import ChoiceOrdering, Grade, Problem, Row, Sample, Verdict

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER
Verdicts = Sequence[Sequence[Verdict | None]]
WriteRun = Callable[..., Path]
FINGERPRINT = {"engine": "transformers", "dtype": "bfloat16", "versions": {"torch": "2.13.0"}}


@dataclass(frozen=True)
class NoRows:
    """A dataset for tests that hand the problems over themselves."""

    def source(self, data_dir: Path | None) -> str:
        return "problems of the test"

    def rows(self, data_dir: Path | None) -> Iterator[tuple[str, Row]]:
        return iter(())


def make_problems(count: int) -> list[Problem]:
    return [Problem(f"p{i:02}", f"What is {i} + {i}?", answer=str(2 * i)) for i in range(count)]


def run_writer(folder: Path) -> WriteRun:
    """A function that writes one task of a run below the folder.

    Its verdicts[i][j] is that of sample j of problem i; None is one still pending.
    """

    def write(
        verdicts: Verdicts,
        *,
        name: str = "late",
        task: str = "practice_integer",
        model: str = "some/where/small-model",
        problems: Sequence[Problem] | None = None,
        sampling: Mapping[str, Any] | None = None,
        masked: bool = False,
        scored: bool = True,
        reasoning: str = "thinking aloud",
        votes: int = 4,
        prompt: str = "{statement}\nBox it: \\boxed{}",
        choice_order: ChoiceOrdering | None = None,
    ) -> Path:
        problems = problems or make_problems(len(verdicts))
        k = max(len(found) for found in verdicts)
        settings = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 32768, **(sampling or {})}
        grader = Integer(0, 999)
        noun = Task(
            name=task,
            dataset=NoRows(),
            parse=lambda row: problems[0],
            prompt=prompt,
            grader=grader,
            metrics=(pass_at(1), cons_at(votes)),
            sampling=Sampling(k=k, **settings),
            masked=masked,
            choice_order=choice_order,
        )
        protocol = make_protocol(noun, problems, noun.sampling, source=noun.dataset.source(None))
        with RunWriter(folder / name) as run:
            run.begin(
                Manifest(model, FINGERPRINT, harness="0.1.0"), Start(command=("harness", "run"))
            )
            written = run.add_task(protocol, problems, k)
            grades, statistics, errors = _fill(written, problems, verdicts, reasoning, noun)
            if scored:
                value = score_task(
                    protocol,
                    k,
                    grader,
                    noun.metrics,
                    decisions=Decisions(protocol.problems, grades),
                    failed={error.key for error in errors},
                    samples=statistics,
                )
                write_scores(written.path, replace(value, usage=statistics.usage.total()))
        return folder / name

    return write


def _fill(
    folder: TaskFolder,
    problems: Sequence[Problem],
    verdicts: Verdicts,
    reasoning: str,
    task: Task,
) -> tuple[list[Grade], SampleStatistics, list[ErrorRow]]:
    """Write samples, grades and errors of a task with these verdicts."""
    grades: list[Grade] = []
    statistics, errors = SampleStatistics(), []
    files = [Appender(folder.path / f"{kind}.jsonl") for kind in ("samples", "grades", "errors")]
    for problem, found in zip(problems, verdicts, strict=True):
        for index, verdict in enumerate(found):
            if verdict is Verdict.ERROR:
                errors.append(ErrorRow("engine", problem.id, index, "server gone", 0.0))
            elif verdict is not None:
                sample = replace(
                    _sample(problem, index, verdict, reasoning),
                    choice_order=_order(task, problem, index),
                )
                statistics.add(sample)
                files[0].append([sample])
                answer = problem.answer if verdict is C else "1"
                grades.append(Grade(problem.id, index, verdict, answer))
    files[1].append(grades)
    files[2].append(errors)
    for file in files:
        file.close()
    return grades, statistics, errors


def _order(task: Task, problem: Problem, index: int) -> tuple[int, ...] | None:
    if task.choice_order in (None, "published"):
        return None
    return prompts.choice_order(
        len(problem.choices),
        task.choice_order,
        seed=task.sampling.choice_seed,
        problem_id=problem.id,
        index=index,
    )


def _sample(problem: Problem, index: int, verdict: Verdict, reasoning: str) -> Sample:
    cut = verdict is Verdict.TRUNCATED
    return Sample(
        problem.id,
        index,
        f"{reasoning} {problem.id} {index}",
        None if cut else "\\boxed{1}",
        "length" if cut else "stop",
        n_prompt_tokens=20,
        n_reasoning_tokens=100,
        n_tokens=130,
    )
