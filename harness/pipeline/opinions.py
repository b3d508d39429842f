"""Second opinions on the grades of one task: what is asked, asking it, and what it adds to grades."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from harness.data.reasoning import split_reasoning
from harness.errors import EngineDown, EngineError
from harness.graders.model_judge import (
    Pair,
    is_too_long,
    question,
    read_reply,
    render,
    with_opinion,
)
from harness.interfaces import Completion, Engine, Request
from harness.pipeline.pending import TaskRun
from harness.pipeline.stages import together
from harness.protocol import MODEL_JUDGE, ModelJudge
from harness.sampling import Sampling
from harness.storage.opinions import Opinion, read_opinions
from harness.types import Grade, Prompt, Verdict

_SHOWN = 500  # characters of a reply that are kept: the words that were asked for are nine at most


def opinion_adder(run: TaskRun) -> Callable[[Grade], Grade]:
    """A function that adds the stored second opinion to a grade; the same grade where none is asked.

    Raises:
        DataError: opinions.jsonl is damaged.
    """
    judge = run.protocol.judge
    if judge is None:
        return lambda grade: grade
    opinions = read_opinions(run.folder.path, judge.hash)
    return lambda grade: with_opinion(grade, _question(run, grade), opinions)


def questions(run: TaskRun) -> dict[Pair, tuple[str, int]]:
    """Every question on the stored grades, once, each with the first sample that leads to it."""
    found: dict[Pair, tuple[str, int]] = {}
    for grade in run.folder.grades():
        pair = _question(run, grade)
        if pair is not None:
            found.setdefault(pair, grade.key)
    return found


def _question(run: TaskRun, grade: Grade) -> Pair | None:
    return question(grade, run.problems[grade.problem_id].answer)


async def ask(
    engine: Engine,
    judge: ModelJudge,
    pairs: Collection[Pair],
    *,
    answered: Callable[[Opinion], None],
    failed: Callable[[Pair, str], None],
) -> None:
    """Ask about every pair, many at once; what takes a reply is called as each arrives.

    Args:
        engine: of the model.
        judge: how it is asked.
        pairs: the questions.
        answered: takes an opinion.
        failed: takes a question whose request failed for good, and why.

    Raises:
        EngineDown: the engine cannot go on; every opinion so far was taken.
    """
    opinion = partial(Opinion, judge=judge.hash)
    sampling = Sampling(k=1, temperature=judge.temperature, max_tokens=judge.max_tokens)
    waiting = iter(pairs)

    async def lane() -> None:
        for pair in waiting:
            reference, answer = pair
            asked = partial(opinion, reference=reference, answer=answer)
            if is_too_long(pair):
                answered(asked(verdict=Verdict.UNDECIDED, reply="(too long: not asked)"))
                continue
            prompt = Prompt(render(judge.prompt, pair))
            try:
                completion = await engine.generate(Request(MODEL_JUDGE, 0, prompt, sampling))
            except EngineDown:
                raise
            except EngineError as error:
                failed(pair, str(error))
                continue
            reply = _reply(completion, engine)
            answered(asked(verdict=read_reply(reply), reply=(reply or "")[:_SHOWN]))

    await together(lane() for _ in range(min(engine.concurrency, len(pairs))))


def _reply(completion: Completion, engine: Engine) -> str | None:
    """What follows the reasoning of a reply; None for one that the length cap ended."""
    if completion.finish_reason == "length":
        return None
    if completion.reasoning is not None:
        return completion.text
    return split_reasoning(completion.text, opened=bool(engine.opens_reasoning))[1]
