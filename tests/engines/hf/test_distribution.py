"""The draws of both kinds of batches: their frequencies, their independence, their seeds, their scores."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from harness.data.datasets import load_problems
from harness.data.prompts import render
from harness.engines.hf.options import Batching
from harness.pipeline.runner import Observer
from harness.registry import find_tasks
from harness.sampling import Sampling
from harness.storage.run_folder import RunFolder
from harness.types import Prompt, Score
from harness.workflows.evaluate import evaluate
from harness.workflows.run_settings import RunSettings
from tests.support.draws import dependence, distribution, draw_prompts, draw_tokens, fit
from tests.support.engines import need_continuous_batching

torch = pytest.importorskip("torch")

BOTH: tuple[Batching, ...] = ("continuous", "fixed")
PROMPT = Prompt("and is to = and how")  # unlike any of the training, so the first token is open
DRAWS = 3000
"""At which the chance that a temperature of 1.1 or a top_p of 0.95 passes for another is below 1e-4."""
PLAIN = Sampling(k=DRAWS, temperature=1.0, max_tokens=2)
LIKELY = 1e-4  # a right sampler goes below it once in 10,000 tests
UNLIKELY = 1e-8

draws = cache(draw_tokens)
"""As `draw_tokens`; the same call draws once."""


@pytest.fixture(scope="module")
def early(practice_model: Path) -> str:
    """The checkpoint whose samples differ most."""
    return str(practice_model / "early")


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, None), (1.0, 0.95), (0.6, None)])
@pytest.mark.parametrize("batching", BOTH)
def test_first_and_second_tokens_follow_the_softmax(
    early: str, batching: Batching, temperature: float, top_p: float | None
) -> None:
    sampling = replace(PLAIN, temperature=temperature, top_p=top_p)
    drawn = draws(early, PROMPT, sampling, DRAWS, batching)
    first, both = distribution(early).pairs(PROMPT, temperature, top_p or 1.0)
    assert len(drawn) == DRAWS
    assert fit(Counter(tokens[0] for tokens in drawn), first) > LIKELY
    # The first comes from the prompt's pass, the second from a step of one token per sample.
    assert fit(Counter(drawn), both) > LIKELY


@pytest.mark.parametrize(
    ("batching", "wrong"),
    [
        ("continuous", replace(PLAIN, temperature=1.1)),
        ("fixed", replace(PLAIN, temperature=1.1)),
        ("continuous", replace(PLAIN, top_p=0.95)),
        ("fixed", replace(PLAIN, top_p=0.95)),
        ("continuous", replace(PLAIN, k=1, temperature=0.0)),
    ],
)
def test_another_sampler_fails_the_same_test(
    early: str, batching: Batching, wrong: Sampling
) -> None:
    first, _ = distribution(early).pairs(PROMPT, 1.0, 1.0)
    drawn = draws(early, PROMPT, wrong, DRAWS, batching)
    assert fit(Counter(tokens[0] for tokens in drawn), first) < UNLIKELY


def test_tokens_outside_the_nucleus_fail_the_test(early: str) -> None:
    first, _ = distribution(early).pairs(PROMPT, 1.0, 0.95)
    drawn = draws(early, PROMPT, PLAIN, DRAWS, "continuous")
    assert fit(Counter(tokens[0] for tokens in drawn), first) == 0.0


@pytest.mark.parametrize("batching", BOTH)
def test_draws_of_one_batch_are_independent(early: str, batching: Batching) -> None:
    """In the order of the requests, so that neighbours share a step."""
    drawn = [tokens[0] for tokens in draws(early, PROMPT, PLAIN, DRAWS, batching)]
    for distance in (1, 2, 128):
        starts = [i for i in range(DRAWS - distance) if i // distance % 2 == 0]
        assert dependence([(drawn[i], drawn[i + distance]) for i in starts]) > LIKELY
    assert dependence([(token, token) for token in drawn[::2]]) < UNLIKELY


@pytest.mark.parametrize("batching", BOTH)
def test_engines_of_two_seeds_draw_independently(early: str, batching: Batching) -> None:
    one = draws(early, PROMPT, PLAIN, DRAWS, batching)
    other = draw_tokens(early, PROMPT, PLAIN, DRAWS // 2, batching, seed=1)
    pairs = [(a[0], b[0]) for a, b in zip(one, other, strict=False)]
    assert dependence(pairs) > LIKELY


@pytest.mark.parametrize("batching", BOTH)
def test_a_seed_gives_the_same_draws_where_requests_come_one_by_one(
    early: str, batching: Batching
) -> None:
    """Of requests that come together, timing decides which of them share a step and its noise."""
    sampling = replace(PLAIN, k=12, temperature=1.5, max_tokens=6)
    first, again, other = (
        draw_tokens(early, PROMPT, sampling, 12, batching, seed=seed, one_by_one=True)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def prompts(names: Sequence[str]) -> list[Prompt]:
    return [
        render(task.prompt, problem)
        for name in names
        for task in find_tasks(name)
        for problem in load_problems(task, None)
    ]


def first_difference(one: Sequence[int], other: Sequence[int]) -> int | None:
    """Place of the first token that differs; None where one text continues the other or is it."""
    places = (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(places, None)


def is_rounding(model: str, prefix: Sequence[int], tokens: tuple[int, int]) -> bool:
    """Whether float32 may confuse the two tokens with the highest logits after a prefix.

    It may where their logits are no further apart than float32 moves any logit there, four times
    over: each side has an error of its own in each of the two.
    """
    exact = distribution(model).logits([prefix])[0]
    rounded = distribution(model, "float32").logits([prefix])[0]
    if set(exact.topk(2).indices.tolist()) != set(tokens):
        return False
    gap = abs(float(exact[tokens[0]] - exact[tokens[1]]))
    return gap <= 4 * float((rounded - exact).abs().max())


def greedy(model: str, asked: Sequence[Prompt], batching: Batching) -> list[tuple[int, ...]]:
    """The tokens of each prompt's greedy sample, drawn together."""
    return draw_prompts(model, asked, Sampling(temperature=0.0, max_tokens=160), batching)


def test_a_token_that_is_not_close_is_no_rounding(early: str) -> None:
    prefix = distribution(early).chat.tokens(PROMPT)
    best, second, third = distribution(early).logits([prefix])[0].topk(3).indices.tolist()
    assert not is_rounding(early, prefix, (best, second))
    assert not is_rounding(early, prefix, (best, third))


@pytest.mark.slow
def test_greedy_texts_differ_by_rounding_alone(practice_model: Path) -> None:
    asked = prompts(["practice_integer", "practice_math", "practice_code"])
    differ = 0
    for model in (str(practice_model / name) for name in ("early", "middle", "late")):
        sides = [greedy(model, asked, batching) for batching in BOTH]
        for prompt, one, other in zip(asked, *sides, strict=True):
            if one == other:
                continue
            differ += 1
            place = first_difference(one, other)
            assert place is not None, "one of them goes on where the other ended"
            prefix = [*distribution(model).chat.tokens(prompt), *one[:place]]
            assert is_rounding(model, prefix, (one[place], other[place]))
    assert differ <= 0.01 * 3 * len(asked)


def scores(model: str, path: Path, batching: Batching, k: int) -> Score:
    """pass@1 of a checkpoint over the 40 integer problems."""
    if batching == "continuous":
        need_continuous_batching()
    settings = RunSettings(
        model=model, tasks="practice_integer", output=path, k=k, engine_arg={"batching": batching}
    )

    def observe(runs: object) -> Observer:
        return lambda event, task, verdict: None

    asyncio.run(evaluate(find_tasks("practice_integer"), settings, observe=observe))
    found = RunFolder(path).task("practice_integer").scores().scores
    return next(score for score in found if score.metric == "pass@1")


def compare_scores(model: str, folder: Path, k: int) -> None:
    """Fail where the two kinds of batches are more than four sampling errors apart."""
    new, old = (scores(model, folder / batching, batching, k) for batching in BOTH)
    assert new.se_sampling and old.se_sampling
    error = (new.se_sampling**2 + old.se_sampling**2) ** 0.5
    assert new.n == old.n == 40 * k
    assert abs(new.value - old.value) <= 4 * error


@pytest.mark.slow
@pytest.mark.usefixtures("inline_grading")
def test_the_score_is_that_of_fixed_batches(practice_model: Path, tmp_path: Path) -> None:
    compare_scores(str(practice_model / "late"), tmp_path, 8)


@pytest.mark.exhaustive
@pytest.mark.usefixtures("inline_grading")
@pytest.mark.parametrize("checkpoint", ["early", "middle", "late"])
def test_the_score_of_64_samples_is_that_of_fixed_batches(
    practice_model: Path, tmp_path: Path, checkpoint: str
) -> None:
    compare_scores(str(practice_model / checkpoint), tmp_path, 64)
