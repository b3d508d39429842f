"""`vllm serve` on the practice checkpoint, started by the harness, against the other engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.data.datasets import load_problems
from harness.data.prompts import render
from harness.engines import make_engine
from harness.engines.repetition import SHORTEST
from harness.engines.settings import EngineSettings
from harness.errors import UsageError
from harness.interfaces import Completion, Request
from harness.pipeline.pending import TaskRun, make_sample
from harness.pipeline.runner import Observer
from harness.protocol import make_protocol
from harness.registry import tasks
from harness.sampling import Sampling
from harness.stats.seeds import derive_seed
from harness.storage.run_folder import RunFolder
from harness.types import Prompt, Verdict
from harness.workflows.evaluate import evaluate
from harness.workflows.run_settings import RunSettings
from tests.support.engines import Borrowed, Loop, Served, ask, close_scores

pytestmark = pytest.mark.engines

TASK = "practice_integer"
GUARD = 4
GREEDY = Sampling(temperature=0.0, max_tokens=200)


def beside(served: Served, requests: Sequence[Request], guard: int | None = None,
           **options: str) -> list[Completion]:  # fmt: skip
    """What another engine draws from the session's server."""
    settings = EngineSettings(
        engine="openai", model=served.settings.model, base_url=served.url, options=options,
        repetition_guard=guard, seeded=any(request.seed is not None for request in requests),
    )  # fmt: skip
    loop = Loop(make_engine(settings))
    try:
        sampling = [replace(request.sampling, repetition_guard=guard) for request in requests]
        return loop.draw([replace(r, sampling=s) for r, s in zip(requests, sampling, strict=True)])
    finally:
        loop.close()


def test_greedy_outputs_and_prompt_tokens_equal_those_of_transformers(
    served: Served, embedded: Loop
) -> None:
    task = tasks()[TASK]
    problems = load_problems(task, None, limit=32)
    requests = [Request(p.id, 0, render(task.prompt, p), GREEDY) for p in problems]
    protocol = make_protocol(task, problems, GREEDY)
    theirs, ours = (
        [
            make_sample(request, completion, None, protocol, embedded.engine)
            for request, completion in zip(requests, loop.draw(requests), strict=True)
        ]
        for loop in (served, embedded)
    )
    assert len(theirs) == 32
    for one, other in zip(theirs, ours, strict=True):
        assert one.n_prompt_tokens == other.n_prompt_tokens  # no second start token
        assert (one.reasoning or "").strip() == (other.reasoning or "").strip()
        assert (one.response or "").strip() == (other.response or "").strip()
        assert one.finish_reason == other.finish_reason == "stop"
        assert one.n_tokens == other.n_tokens


def test_the_guard_ends_loops_where_they_are_whole_and_cuts_nothing_else(
    served: Served, practice_prompts: list[Prompt]
) -> None:
    """It goes on after its response, and comes to repeat itself."""
    requests = ask(practice_prompts[:32], GREEDY)
    whole = beside(served, requests, **{"body.ignore_eos": "true"})
    cut = beside(served, requests, guard=GUARD, **{"body.ignore_eos": "true"})
    assert {(c.finish_reason, c.looped, c.n_tokens) for c in whole} == {("length", False, 200)}
    assert {c.finish_reason for c in cut} == {"length"}
    assert any(c.looped for c in cut)
    for short, long in zip(cut, whole, strict=True):
        assert short.looped is ((short.n_tokens or 0) < 200)
        assert (short.n_tokens or 0) >= GUARD * SHORTEST
        assert (long.reasoning or "").startswith(short.reasoning or "")
        assert long.text.startswith(short.text)


@pytest.mark.parametrize("budget", [1, 20, 190])
def test_a_budget_ends_reasoning_at_the_token_where_transformers_ends_it(
    served: Served, embedded: Loop, practice_prompts: list[Prompt], budget: int
) -> None:
    """The line break of the prompt after the opening tag counts against vLLM's field."""
    sampling = replace(GREEDY, reasoning_budget=budget)
    requests = ask(practice_prompts[:16], sampling)
    settings = EngineSettings(
        engine="openai", model=served.settings.model, base_url=served.url,
        reasoning_budget=budget, options={"tokenizer": served.settings.model},
    )  # fmt: skip
    loop = Loop(make_engine(settings))
    found, ours = loop.draw(requests), embedded.draw(requests)
    assert "1 more for the prompt's own" in loop.engine.fingerprint()["reasoning_budget"]
    loop.close()
    for there, here in zip(found, ours, strict=True):
        reasoning, _, response = here.text.partition("</think>")
        assert ((there.reasoning or "").strip(), there.text.strip()) == (
            reasoning.strip(),
            response.strip(),
        )
        assert there.n_tokens == here.n_tokens
        assert (there.n_reasoning_tokens or 0) <= budget


def test_an_effort_that_the_template_ignores_is_refused(served: Served) -> None:
    settings = EngineSettings(
        engine="openai", model=served.settings.model, base_url=served.url, effort="high"
    )
    with pytest.raises(UsageError, match=r"--effort high: .* does not use reasoning_effort"):
        make_engine(settings)
    with pytest.raises(UsageError, match=r"--effort turbo: .* refuses the field reasoning_effort"):
        make_engine(replace(settings, effort="turbo"))


def test_a_seeded_sample_depends_neither_on_its_engine_nor_on_its_batch(
    served: Served, vllm: Loop, practice_prompts: list[Prompt]
) -> None:
    sampling = Sampling(k=4, temperature=1.0, max_tokens=60)
    requests = [
        replace(request, seed=derive_seed(number))
        for number, request in enumerate(ask(practice_prompts[:3] * 4, sampling))
    ]
    whole = [completion.text for completion in vllm.draw(requests)]
    parts = vllm.draw(requests[:5]) + vllm.draw(requests[5:])
    assert whole == [completion.text for completion in parts]
    assert len(set(whole)) > 3  # more than the prompt decides
    # The server splits the reasoning off and drops white space around the tag.
    there = [f"{c.reasoning or ''}{c.text}" for c in beside(served, requests)]
    here = [text.replace("</think>", "") for text in whole]
    assert ["".join(text.split()) for text in there] == ["".join(text.split()) for text in here]


def test_a_served_run_agrees_with_transformers_though_its_server_is_killed(
    served: Served, embedded: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test of the server's first start."""
    scores = []
    for name, loop in (("served", served), ("plain", embedded)):
        engine = Borrowed(loop.engine)
        monkeypatch.setattr(
            "harness.workflows.engine_loading.make_engine", lambda given, engine=engine: engine
        )
        sampled = 0

        def observe(runs: Sequence[TaskRun]) -> Observer:
            def event(event: str, task: str, verdict: Verdict | None) -> None:
                nonlocal sampled
                sampled += event == "sampled"
                if event == "sampled" and sampled == 100 and name == "served":  # noqa: B023
                    served.kill()

            return event

        given = RunSettings(
            model=served.settings.model, tasks=TASK, output=tmp_path / name, k=8,
            engine="openai" if loop is served else "transformers",
        )  # fmt: skip
        (result,) = loop.run(evaluate([tasks()[TASK]], given, observe=observe))
        scores.append(result.scores[0])
    assert any("is restarted with another seed" in text for text in served.notices)
    folder = RunFolder(tmp_path / "served").task(TASK)
    keys = [sample.key for sample in folder.samples()]
    assert len(keys) == len(set(keys)) == 8 * len(folder.problems())
    assert folder.errors() == []
    assert close_scores(*scores), scores
    fingerprint = RunFolder(tmp_path / "served").manifest().fingerprint
    assert fingerprint["versions"]["vllm"] and fingerprint["max_model_len"] == 512
