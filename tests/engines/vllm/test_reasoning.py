"""Effort and reasoning budget in the requests that reach vLLM, with a scripted one in its place."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.engines.settings import EngineSettings
from harness.engines.vllm import engine as engine_module
from harness.engines.vllm.args import EngineArgs
from harness.engines.vllm.engine import VllmEngine
from harness.errors import UsageError
from harness.interfaces import Completion, Request
from harness.sampling import Sampling
from harness.types import Prompt

ASKS = "{% if reasoning_effort %}effort {{ reasoning_effort }}. {% endif %}"
OPENS = "{{ messages[-1]['content'] }} <think>"


@dataclass
class Script:
    """Writes one text for each prompt, by its tokens, as AsyncLLM does, and records what it is asked."""

    tokens: Callable[[str], list[int]]
    reasoning: str = "37 and 5 make 42, that is, 40 and 2"
    asked: list[tuple[list[int], Any]] = field(default_factory=list)
    errored: bool = False

    def generate(
        self, prompt: Any, params: Any, number: str, *, lora_request: Any
    ) -> AsyncIterator[Any]:
        self.asked.append((prompt["prompt_token_ids"], params))
        end = self.tokens("</think>")
        ended = prompt["prompt_token_ids"][-len(end) :] == end
        due = self.tokens("42." if ended else f"{self.reasoning}</think>42.")
        reason = "stop" if len(due) < params.max_tokens else "length"
        due = [*due, 0][: params.max_tokens]
        output = SimpleNamespace(finish_reason=reason, token_ids=due, stop_reason=None)

        async def yielded() -> AsyncIterator[Any]:
            yield SimpleNamespace(outputs=[output])

        return yielded()


@pytest.fixture
def model(practice_model: Path, tmp_path: Path) -> Path:
    """A tokenizer whose chat template asks for an effort and opens reasoning."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(practice_model / "late" / name, tmp_path / name)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "chat_template.jinja").write_text(ASKS + OPENS)
    return tmp_path


def open_scripted(
    model: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> tuple[VllmEngine, Script]:
    """The engine over a vLLM that is scripted."""
    params = SimpleNamespace(RequestOutputKind=SimpleNamespace(FINAL_ONLY="final"))
    config = SimpleNamespace(
        model_config=SimpleNamespace(max_model_len=400, dtype="torch.float32", quantization=None),
        device_config=SimpleNamespace(device_type="cpu"),
        parallel_config=SimpleNamespace(tensor_parallel_size=1),
    )
    script = Script(lambda text: engine.chat.tokenizer(text, add_special_tokens=False)["input_ids"])
    script.vllm_config = config  # type: ignore[attr-defined]
    modules = {
        "vllm": SimpleNamespace(
            SamplingParams=SimpleNamespace, inputs=SimpleNamespace(), envs=SimpleNamespace()
        ),
        "vllm.platforms": SimpleNamespace(current_platform=SimpleNamespace(device_type="cpu")),
        "vllm.inputs": SimpleNamespace(),
        "vllm.sampling_params": params,
        "vllm.engine": SimpleNamespace(),
        "vllm.engine.arg_utils": SimpleNamespace(AsyncEngineArgs=SimpleNamespace),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(engine_module, "start_llm", lambda *_: script)
    given = EngineSettings(engine="vllm", model=str(model), **settings)
    engine = VllmEngine(given, EngineArgs(), seed=1)
    return engine, script


def draw(engine: VllmEngine, sampling: Sampling, seed: int | None = None) -> Completion:
    request = Request("p", 0, Prompt("What is 37 + 5?"), sampling, seed)
    return asyncio.run(engine.generate(request))


def test_an_effort_is_in_the_prompt_that_vllm_gets(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for effort, due in ((None, ""), ("high", "effort high. "), ("low", "effort low. ")):
        engine, script = open_scripted(model, monkeypatch, effort=effort)
        draw(engine, Sampling(max_tokens=90, effort=effort))
        ((prompt, _),) = script.asked
        assert ("effort" in engine.fingerprint()) == (effort is not None)
        assert engine.chat.decode(prompt) == f"{due}What is 37 + 5? <think>"


def test_an_effort_that_the_template_ignores_is_refused_before_vllm_starts(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model / "chat_template.jinja").write_text(OPENS)
    with pytest.raises(UsageError, match=r"--effort high: .*does not use reasoning_effort"):
        open_scripted(model, monkeypatch, effort="high")


def test_a_budget_that_nothing_would_bound_is_refused_before_vllm_starts(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model / "chat_template.jinja").write_text(OPENS.replace("<think>", "<think></think>"))
    with pytest.raises(UsageError, match="--reasoning-budget: the chat template of"):
        open_scripted(model, monkeypatch, reasoning_budget=9)


def test_reasoning_is_cut_and_the_response_drawn_from_there(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, script = open_scripted(model, monkeypatch, reasoning_budget=9)
    whole = script.tokens(script.reasoning)
    assert len(whole) > 9
    found = draw(engine, Sampling(max_tokens=90, reasoning_budget=9))
    (first, before), (second, after) = script.asked
    end = script.tokens("</think>")
    assert second == first + whole[:9] + end
    assert (before.max_tokens, after.max_tokens) == (9, 90 - 9 - len(end))
    assert found.text == engine.chat.decode(whole[:9]) + "</think>42."
    assert found.n_reasoning_tokens == 9
    assert (
        found.n_tokens == 9 + len(end) + len(script.tokens("42.")) + 1
    )  # and the one that ends it
    assert found.finish_reason == "stop"
    assert found.n_prompt_tokens == len(first)
    assert engine.fingerprint()["reasoning_budget"].startswith("cut and continued: </think>")


def test_the_pieces_of_a_seeded_sample_have_seeds_of_their_own(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One seed for both would draw the response with the noise that drew the reasoning."""
    engine, script = open_scripted(model, monkeypatch, reasoning_budget=9)
    sampling = Sampling(k=2, temperature=1.0, max_tokens=90, reasoning_budget=9, seeded=True)
    for seed in (5, 5, 6):
        draw(engine, sampling, seed)
    seeds = [params.seed for _, params in script.asked]
    assert seeds[:2] == seeds[2:4] and seeds[::2] == [5, 5, 6]
    assert len(set(seeds)) == 4
