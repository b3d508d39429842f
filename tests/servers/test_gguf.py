"""A practice checkpoint as GGUF is the same model: prompts in tokens, and greedy texts."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from harness.data.datasets import load_problems
from harness.data.prompts import render
from harness.engines import make_engine
from harness.engines.settings import EngineSettings
from harness.registry import tasks
from harness.sampling import Sampling
from harness.types import Prompt
from tests.support.engines import Loop, ask, facts
from tests.support.servers import MODELS, RealServer

pytestmark = pytest.mark.servers

FAMILIES = ("practice_integer", "practice_math", "practice_choice", "practice_code")
GREEDY = Sampling(k=1, temperature=0.0, max_tokens=300)


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    """All prompts of the practice tasks."""
    found = [tasks()[name] for name in FAMILIES]
    return [render(task.prompt, p) for task in found for p in load_problems(task, None)]


@pytest.mark.parametrize("server", ["llamacpp"], indirect=True)
def test_prompts_have_the_same_token_ids(server: RealServer, prompts: list[Prompt]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(MODELS / "late")
    further = ["1234567", "x²+½ 12 ½", "  two\n\n\tlines ", "naïve ☃ 💥", "<think>7</think>"]
    for text in [*(prompt.user for prompt in prompts), *further]:
        whole = f"<|user|>{text}<|assistant|><think>\n"
        sent = {"content": whole, "parse_special": True}
        _, answer = server.post(sent, "/../tokenize")
        due = tokenizer(whole, add_special_tokens=False)["input_ids"]
        assert answer["tokens"] == due, text


@pytest.mark.parametrize("server", ["llamacpp"], indirect=True)
def test_greedy_texts_are_those_of_the_engine_in_this_process(
    server: RealServer, prompts: list[Prompt]
) -> None:
    """Equal but for a tie that rounding decides: the two add up in another order."""
    found = []
    for given in (
        EngineSettings(engine="openai", model=server.model, base_url=server.url),
        EngineSettings(engine="transformers", model=str(MODELS / "late")),
    ):
        loop = Loop(make_engine(given))
        found.append(facts(loop.draw(ask(prompts, GREEDY))))
        loop.close()
    equal = sum(a == b for a, b in zip(*found, strict=True))
    assert equal >= 0.99 * len(prompts)
