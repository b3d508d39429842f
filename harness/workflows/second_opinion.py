"""`harness grade RUN --judge-model M`: grade by rule, then ask a model where the rule finds fault.

The opinions go to opinions.jsonl as they arrive and from there, as verdicts of the further scoring
`model-judge`, to grades.jsonl and scores.json. A run that was killed in between asks for the rest.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from harness.engines import make_engine
from harness.engines.openai.options import parse_options
from harness.engines.settings import EngineSettings
from harness.errors import UsageError
from harness.graders.model_judge import PROMPT, Pair, is_too_long, takes_opinions
from harness.interfaces import Engine
from harness.pipeline.opinions import ask, opinion_adder, questions
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer
from harness.pipeline.stored_scores import score
from harness.pipeline.task_files import record_error
from harness.protocol import MODEL_JUDGE, ModelJudge
from harness.sampling import Sampling
from harness.stats.scores import TaskScores
from harness.storage.files import Appender, write_lines
from harness.storage.opinions import Opinion, open_opinions, read_opinions
from harness.storage.run_folder import RunFolder, RunWriter
from harness.types import Verdict
from harness.workflows.notices import Notices
from harness.workflows.regrade import Change, TaskNamed, regrade_runs, stored_runs

MAX_TOKENS = 8192
"""Length cap of a reply by default: enough for a model that reasons before its one word."""

Progress = Callable[[Sequence[TaskRun]], Observer]
Asking = Callable[[str, int], Callable[[bool], None]]
"""Given a task and its number of questions, returns what is called on every end: did it fail?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """The model that is asked, and where it is.

    Args:
        model: the name that its server knows it by.
        base_url: of an OpenAI-compatible server; None takes OPENAI_BASE_URL.
        temperature: of its replies.
        max_tokens: length cap of a reply, reasoning included.
        options: of the openai engine, as `--engine-arg` gives them.

    Raises:
        UsageError: there is no name or no address, or a number is out of range.
    """

    model: str
    base_url: str | None = None
    temperature: float = 0.0
    max_tokens: int = MAX_TOKENS
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise UsageError(f"--judge-model {self.model!r}: the name of a model is needed")
        if not (self.base_url or os.environ.get("OPENAI_BASE_URL")):
            raise UsageError(
                f"--judge-model {self.model}: it needs --base-url URL (or OPENAI_BASE_URL)"
            )
        self.sampling()

    def sampling(self) -> Sampling:
        """How its replies are drawn.

        Raises:
            UsageError: a number is out of range.
        """
        return Sampling(temperature=self.temperature, max_tokens=self.max_tokens)

    def judge(self) -> ModelJudge:
        """The part of the protocol that these settings amount to; nothing secret is in it.

        Raises:
            UsageError: an option that is unknown or cannot be read.
        """
        return ModelJudge(
            model=self.model,
            prompt=PROMPT,
            temperature=float(self.temperature),
            max_tokens=self.max_tokens,
            body=dict(parse_options(self._engine()).body),
        )

    def open(self, notices: Notices) -> Engine:
        """Connect to the server. Blocks: call it from a thread without an event loop.

        Raises:
            EngineDown: no server answers, or it refuses the key or does not serve the model.
        """
        return make_engine(self._engine(notices))

    def _engine(self, notices: Notices | None = None) -> EngineSettings:
        return EngineSettings(
            engine="openai",
            model=self.model,
            base_url=self.base_url,
            options=self.options,
            samplings=(self.sampling(),),
            outlasts_failures=False,  # a question that failed is cheap to ask again
            notify=(notices or Notices()).add,
        )


def judge_command(run: Path, judge: ModelJudge | None) -> str:
    """The command that asks for the second opinions that a run lacks; no file holds the address.

    Args:
        run: the run folder.
        judge: who is asked; None leaves the name open.
    """
    if judge is None:
        return f"{shlex.join(['harness', 'grade', str(run)])} --judge-model MODEL --base-url URL"
    words = ["harness", "grade", str(run), "--judge-model", judge.model]
    if judge.temperature:
        words += ["--judge-temperature", str(judge.temperature)]
    if judge.max_tokens not in (None, MAX_TOKENS):
        words += ["--judge-max-tokens", str(judge.max_tokens)]
    for name, value in judge.body.items():
        words += ["--engine-arg", f"body.{name}={json.dumps(value)}"]
    return f"{shlex.join(words)} --base-url URL"


@dataclass(frozen=True, slots=True)
class Asked:
    """One task: its scores under both scorings, how many questions were put, how many failed."""

    task: str
    scores: TaskScores
    questions: int
    failed: int


async def second_opinion(
    path: Path,
    task_named: TaskNamed,
    settings: JudgeSettings,
    *,
    grading: AbstractContextManager[Progress],
    asking: AbstractContextManager[Asking],
    again: bool = False,
    take_over: bool = False,
) -> tuple[list[Change], list[Asked]]:
    """Grade a run again by rule, and ask for the second opinions that it lacks.

    Args:
        path: the run folder.
        task_named: the installed task of a name.
        settings: of the model that is asked.
        grading: shows the progress of grading, entered when that begins.
        asking: shows the progress of asking, entered when that begins.
        again: ask the questions again whose stored reply is no opinion.
        take_over: take the lock of another host.

    Returns:
        The verdicts of the rule that changed, and each task on which a model can be asked.

    Raises:
        UsageError: no task of the run takes a second opinion; nothing was changed.
        DataError: a folder that is not a run, or a damaged file.
        EngineDown: the server does not answer; what was asked before is kept.
    """
    judge = settings.judge()
    RunFolder(path)  # refuses a folder that is not a run before a lock is written
    with RunWriter(path, take_over=take_over):
        runs = stored_runs(path, task_named, judge)
        judged = [run for run in runs if takes_opinions(run.task.grader)]
        if not judged:
            raise UsageError(
                f"--judge-model: {path} has no task with a mathematical answer; a second opinion is "
                "for the graders math and integer"
            )
        # Before anything is changed: a wrong address, key or name is no judge.
        engine = await asyncio.to_thread(settings.open, Notices())
        try:
            with grading as observe:
                changes = await regrade_runs(runs, observe)
            with asking as begin:
                return changes, await _ask_all(judged, engine, judge, begin, again=again)
        finally:
            await engine.close()


async def _ask_all(
    runs: Sequence[TaskRun], engine: Engine, judge: ModelJudge, begin: Asking, *, again: bool
) -> list[Asked]:
    """Task by task, so that one is complete before the next begins. Equal questions are one."""
    stored = [read_opinions(run.folder.path, judge.hash) for run in runs]
    if again:
        stored = [_given(opinions) for opinions in stored]
    known = {pair: verdict for opinions in stored for pair, verdict in opinions.items()}
    found = []
    for run, own in zip(runs, stored, strict=True):
        try:
            asked, failed = await _ask_task(run, engine, judge, begin, own=own, known=known)
        finally:  # also where the engine gave up: what was answered counts
            add = opinion_adder(run)
            write_lines(run.folder.path / "grades.jsonl", map(add, run.folder.grades()))
            scores = score(run)
        found.append(Asked(run.task.name, scores, asked, failed))
    return found


def _given(opinions: Mapping[Pair, Verdict]) -> dict[Pair, Verdict]:
    """Without the replies that are no opinion; a pair that is too long has none anyway."""
    return {
        pair: verdict
        for pair, verdict in opinions.items()
        if verdict is not Verdict.UNDECIDED or is_too_long(pair)
    }


async def _ask_task(
    run: TaskRun,
    engine: Engine,
    judge: ModelJudge,
    begin: Asking,
    *,
    own: Mapping[Pair, Verdict],
    known: dict[Pair, Verdict],
) -> tuple[int, int]:
    """How many questions were asked of one task, and how many failed."""
    due = {pair: key for pair, key in questions(run).items() if pair not in own}
    new = {pair: key for pair, key in due.items() if pair not in known}
    ended = begin(run.task.name, len(new))
    failures = 0
    opinions, errors = open_opinions(run.folder.path), Appender(run.folder.path / "errors.jsonl")

    def answered(opinion: Opinion) -> None:
        opinions.append([opinion])
        known[opinion.pair] = opinion.verdict
        ended(False)

    def failed(pair: Pair, why: str) -> None:
        nonlocal failures
        failures += 1
        record_error(errors, MODEL_JUDGE, due[pair], f"second opinion: {why}")
        ended(True)

    try:
        opinions.append(
            Opinion(judge=judge.hash, reference=pair[0], answer=pair[1], verdict=known[pair],
                    reply="(as in another task of the run)")
            for pair in due if pair in known
        )  # fmt: skip
        await ask(engine, judge, new, answered=answered, failed=failed)
    finally:
        opinions.close()
        errors.close()
    return len(new), failures
