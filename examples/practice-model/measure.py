"""Scores of the model in training, by the harness's own graders and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from tokenizer import THINK_END, prompt_text

from harness.data.datasets import load_problems
from harness.data.prompts import choice_order, render
from harness.data.reasoning import split_reasoning
from harness.pipeline.scoring import SampleStatistics, score_task
from harness.protocol import make_protocol
from harness.stats.decisions import Decisions
from harness.stats.scores import mean_length
from harness.task import Task
from harness.types import Problem, Sample

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BATCH = 640  # sequences that are sampled at once
Scores = dict[str, float]


def measure(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    tasks: Sequence[Task],
    *,
    k: int,
    limit: int | None,
    seed: int,
) -> dict[str, Scores]:
    """Sample k times per problem at the tasks' own settings, and score.

    Returns:
        Per task: each metric by its name (left out where it needs more than k samples), and the
        mean tokens of reasoning and responses.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return {task.name: _measure_task(model, tokenizer, task, k, limit) for task in tasks}


def _measure_task(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    task: Task,
    k: int,
    limit: int | None,
) -> Scores:
    task = replace(task, sampling=replace(task.sampling, k=k))
    problems = load_problems(task, None, limit)
    samples = draw(model, tokenizer, task, problems)
    by_id = {problem.id: problem for problem in problems}
    grades = [task.grader.grade(by_id[sample.problem_id], sample) for sample in samples]
    statistics = SampleStatistics()
    for sample in samples:
        statistics.add(sample)
    protocol = make_protocol(task, problems, task.sampling)
    result = score_task(
        protocol,
        k,
        task.grader,
        task.metrics,
        decisions=Decisions(protocol.problems, grades),
        failed=set(),
        samples=statistics,
    )
    scores = {score.metric: round(score.value, 4) for score in result.scores}
    parts = {"reasoning": result.tokens.reasoning, "response": result.tokens.response}
    lengths = {f"{part}_tokens": round(mean_length(of) or 0, 1) for part, of in parts.items()}
    return {**scores, **lengths}


def draw(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    task: Task,
    problems: Sequence[Problem],
) -> list[Sample]:
    """Sample every problem of a task `task.sampling.k` times."""
    orders = {
        problem.id: choice_order(len(problem.choices), task.choice_order, seed=0,
                                 problem_id=problem.id, index=0)
        for problem in problems
        if task.choice_order
    }  # fmt: skip
    samples = []
    per_call = max(1, BATCH // task.sampling.k)
    for start in range(0, len(problems), per_call):
        part = problems[start : start + per_call]
        prompts = [
            prompt_text(tokenizer, render(task.prompt, problem, order=orders.get(problem.id)).user)
            for problem in part
        ]
        completions = generate(model, tokenizer, prompts, task)
        for i, tokens in enumerate(completions):
            problem, index = part[i // task.sampling.k], i % task.sampling.k
            samples.append(_sample(tokenizer, tokens, problem, index, orders.get(problem.id)))
    return samples


@torch.no_grad()
def generate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, prompts: list[str], task: Task
) -> list[list[int]]:
    """Sample k completions of each prompt, as token ids; k in a row belong to one prompt."""
    encoded = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
    sampling = task.sampling
    generated = model.generate(  # type: ignore[operator]
        input_ids=encoded.input_ids,
        attention_mask=encoded.attention_mask,
        do_sample=True,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=0,
        max_new_tokens=sampling.max_tokens,
        num_return_sequences=sampling.k,
    )
    return [tokens.tolist() for tokens in generated[:, encoded.input_ids.shape[1] :]]


def _sample(
    tokenizer: PreTrainedTokenizerFast,
    tokens: list[int],
    problem: Problem,
    index: int,
    order: tuple[int, ...] | None,
) -> Sample:
    end = tokenizer.eos_token_id
    ended = end in tokens
    tokens = tokens[: tokens.index(end)] if ended else tokens
    reasoning, response = split_reasoning(str(tokenizer.decode(tokens)), opened=True)
    tag = tokenizer.convert_tokens_to_ids(THINK_END)
    return Sample(
        problem_id=problem.id,
        index=index,
        reasoning=reasoning,
        response=response,
        finish_reason="stop" if ended else "length",
        n_reasoning_tokens=tokens.index(tag) + 1 if tag in tokens else len(tokens),
        n_tokens=len(tokens),
        choice_order=order,
    )
