"""The repetition guard: what counts as a loop, and what becomes of a sample that is one."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.repetition import LONGEST, SHORTEST, LoopDetector
from harness.engines.settings import EngineSettings
from harness.errors import UsageError
from harness.interfaces import Completion, Request
from harness.pipeline.pending import make_sample
from harness.protocol import make_protocol
from harness.registry import tasks
from harness.sampling import Sampling
from harness.types import Problem, Prompt, Verdict
from tests.support.fakes import FakeEngine, answer


def first_loop(tokens: list[int], repeats: int) -> int | None:
    """The number of tokens at which the guard cuts."""
    detector = LoopDetector(repeats)
    return next((n for n, token in enumerate(tokens, 1) if detector.add(token)), None)


def first_loop_by_trying(tokens: list[int], repeats: int) -> int | None:
    """The same, trying every pattern at every length."""
    for n in range(1, len(tokens) + 1):
        for size in range(SHORTEST, min(LONGEST, n // repeats) + 1):
            pattern = tokens[n - size : n]
            if tokens[n - size * repeats : n] == pattern * repeats:
                return n
    return None


TOKENS = st.integers(0, 2)
CAP = 150


@given(
    st.lists(TOKENS, max_size=30),
    st.lists(TOKENS, min_size=1, max_size=70),
    st.integers(1, 9),
    st.lists(TOKENS, max_size=8),
    st.integers(2, 5),
)
def test_the_first_loop_is_found_at_its_first_token(
    before: list[int], pattern: list[int], times: int, after: list[int], repeats: int
) -> None:
    tokens = before + pattern * times + after
    assert first_loop(tokens, repeats) == first_loop_by_trying(tokens, repeats)


@pytest.mark.parametrize(
    ("size", "cut"),
    [(1, 4 * 8), (3, 4 * 9), (8, 4 * 8), (40, 4 * 40), (64, 4 * 64), (65, None)],
    ids=["one token", "three tokens", "8", "40", "64", "a longer pattern is none"],
)
def test_four_repeats_of_a_pattern_are_a_loop(size: int, cut: int | None) -> None:
    assert first_loop(list(range(size)) * 40, 4) == cut


def test_a_pattern_that_is_broken_starts_again() -> None:
    pattern = list(range(10))
    assert first_loop([*pattern * 3, 99, *pattern * 3, 99], 4) is None


def test_a_guard_of_one_repeat_is_refused() -> None:
    with pytest.raises(UsageError, match="repetition_guard is 1: at least 2 repeats make a loop"):
        Sampling(repetition_guard=1)


@pytest.mark.parametrize("engine", ["lm_eval:dummy", "recorded"])
def test_an_engine_that_cannot_watch_its_tokens_refuses_the_guard(engine: str) -> None:
    with pytest.raises(UsageError, match=r"--repetition-guard: the .* engine has no use for it"):
        EngineSettings(engine=engine, model="m", repetition_guard=8).check_used()


@pytest.fixture
def endless(practice_model: Path, tmp_path: Path) -> str:
    """A checkpoint that takes another token for its end: it goes on after its response."""
    folder = tmp_path / "endless"
    shutil.copytree(practice_model / "late", folder)
    for name, old, new in (
        ("config.json", '"eos_token_id": 1', '"eos_token_id": 2'),
        ("generation_config.json", '"eos_token_id": 1', '"eos_token_id": 2'),
        ("tokenizer_config.json", '"eos_token": "<|end|>"', '"eos_token": "<|system|>"'),
    ):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    return str(folder)


def greedy(model: str, prompts: Sequence[str], guard: int | None, cap: int) -> list[Completion]:
    pytest.importorskip("torch")
    from harness.engines.hf.engine import TransformersEngine

    sampling = Sampling(temperature=0.0, max_tokens=cap, repetition_guard=guard)

    async def work() -> list[Completion]:
        engine = TransformersEngine(model)
        try:
            requests = (Request(text, 0, Prompt(text), sampling) for text in prompts)
            return await asyncio.gather(*(engine.generate(request) for request in requests))
        finally:
            await engine.close()

    return asyncio.run(work())


def test_a_model_in_a_loop_is_cut_where_the_loop_is_whole(endless: str) -> None:
    prompts = ["x", "7"]
    plain = greedy(endless, prompts, None, CAP)
    cut = greedy(endless, prompts, 4, CAP)
    assert {(c.finish_reason, c.looped) for c in plain} == {("length", False)}
    assert any(c.looped for c in cut)
    for guarded, whole in zip(cut, plain, strict=True):
        assert whole.text.startswith(guarded.text)
        assert guarded.finish_reason == "length"
        assert guarded.looped is ((guarded.n_tokens or 0) < CAP)
    (alone,) = greedy(endless, prompts[:1], 4, CAP)
    assert replace(alone, seconds=None) == replace(cut[0], seconds=None)


def test_a_reasoning_that_was_cut_is_truncated_and_known_to_have_looped() -> None:
    task, problem = tasks()["practice_integer"], Problem("p", "1 + 1?", answer="2")
    protocol = make_protocol(task, [problem], Sampling(repetition_guard=8))
    cut = Completion("<think>so " + "wait " * 99, "length", n_tokens=100, looped=True)
    request = Request("p", 0, Prompt("1 + 1?"), Sampling())
    sample = make_sample(request, cut, None, protocol, FakeEngine(lambda _: answer("2")))
    assert sample.looped and sample.response is None
    assert task.grader.grade(problem, sample).verdict is Verdict.TRUNCATED


@pytest.mark.engines
@given(st.lists(TOKENS, max_size=20), st.lists(TOKENS, min_size=1, max_size=30), st.integers(2, 5))
def test_vllms_own_detection_cuts_at_the_same_token(
    before: list[int], pattern: list[int], repeats: int
) -> None:
    from vllm.sampling_params import RepetitionDetectionParams
    from vllm.v1.core.sched.utils import check_sequence_repetition

    params = RepetitionDetectionParams(
        max_pattern_size=LONGEST, min_pattern_size=SHORTEST, min_count=repeats
    )
    tokens = before + pattern * (repeats + 8)
    ends = range(1, len(tokens) + 1)
    theirs = next((n for n in ends if check_sequence_repetition(tokens[:n], params)), None)
    assert first_loop(tokens, repeats) == theirs
