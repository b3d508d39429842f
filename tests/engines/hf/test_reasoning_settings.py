"""Effort and reasoning budget of the transformers engine, on the practice model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.data.datasets import load_problems
from harness.engines import make_engine
from harness.engines.chat import Chat
from harness.engines.hf.decoding import draw_tokens
from harness.engines.hf.rows import Row
from harness.engines.settings import EngineSettings
from harness.errors import EngineDown, UsageError
from harness.interfaces import Completion
from harness.pipeline.pending import make_sample
from harness.protocol import make_protocol
from harness.registry import tasks
from harness.sampling import Sampling
from harness.types import FinishReason, Prompt, Sample
from tests.engines.hf.test_engine import ask
from tests.support.engines import Loop

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

GREEDY = Sampling(temperature=0.0, max_tokens=200)
WARM = Sampling(k=2, temperature=0.6, top_p=0.95, max_tokens=200)
ABOVE_ALL = 190  # the longest reasoning of these prompts is below 100 tokens
EFFORT = """{% for m in messages %}{{ m.content }}{% endfor %}
Reasoning: {{ reasoning_effort | default('medium') }}<|assistant|><think>
"""


def opened(model: str, *, seed: int = 0, **options: str) -> Loop:
    return Loop(make_engine(EngineSettings(
        engine="transformers", model=model, seed=seed, reasoning_budget=1,
        options={"dtype": "float32", "device": "cpu", **options},
    )))  # fmt: skip


@pytest.fixture(scope="module", params=["continuous", "fixed"])
def engine(late: str, request: pytest.FixtureRequest) -> Iterator[Loop]:
    loop = opened(late, batching=request.param)
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def prompts(practice_prompts: list[Prompt]) -> list[Prompt]:
    return practice_prompts[:8]


@pytest.fixture
def with_template(late: str, tmp_path: Path) -> Any:
    """A checkpoint like `late` whose chat template is another."""

    def make(template: str) -> str:
        folder = tmp_path / "model"
        shutil.copytree(late, folder, dirs_exist_ok=True)
        (folder / "chat_template.jinja").write_text(template)
        return str(folder)

    return make


def samples(
    prompts: Sequence[Prompt], sampling: Sampling, found: Sequence[Completion], engine: Loop
) -> list[Sample]:
    task = tasks()["practice_integer"]
    protocol = make_protocol(task, load_problems(task, None, limit=1), sampling)
    pairs = zip(ask(prompts, sampling), found, strict=True)
    return [make_sample(r, c, None, protocol, engine.engine) for r, c in pairs]


@pytest.mark.parametrize("sampling", [GREEDY, WARM], ids=["greedy", "drawn"])
@pytest.mark.parametrize("budget", [1, 20])
def test_reasoning_ends_at_the_budget_and_a_response_follows(
    engine: Loop, prompts: list[Prompt], sampling: Sampling, budget: int
) -> None:
    bounded = replace(sampling, reasoning_budget=budget)
    found = engine.draw(ask(prompts, bounded))
    for sample in samples(prompts, bounded, found, engine):
        assert sample.n_reasoning_tokens == budget  # each of them reasons longer without one
        assert sample.response
        assert engine.engine.count_tokens(sample.reasoning) == budget
        assert sample.finish_reason == "stop"


def test_a_budget_above_every_length_changes_nothing(late: str, prompts: list[Prompt]) -> None:
    for sampling, seeds in ((GREEDY, None), (WARM, None), (WARM, range(len(prompts)))):
        texts = []
        for budget in (None, ABOVE_ALL):
            loop = opened(late, seed=5)
            found = loop.draw(ask(prompts, replace(sampling, reasoning_budget=budget), seeds))
            loop.close()
            texts.append([(c.text, c.n_tokens, c.finish_reason) for c in found])
        assert texts[0] == texts[1]


def test_greedy_text_is_the_plain_one_up_to_the_budget(engine: Loop, prompts: list[Prompt]) -> None:
    plain = engine.draw(ask(prompts, GREEDY))
    cut = engine.draw(ask(prompts, replace(GREEDY, reasoning_budget=20)))
    for before, after in zip(plain, cut, strict=True):
        reasoning, _, _ = after.text.partition("</think>")
        assert before.text.startswith(reasoning)


def test_the_response_is_the_models_own_after_the_tag(engine: Loop, prompts: list[Prompt]) -> None:
    """What follows equals a plain greedy continuation of prompt, reasoning and tag."""
    (found,) = engine.draw(ask(prompts[:1], replace(GREEDY, reasoning_budget=20)))
    inner = engine.engine
    start = inner._chat.tokens(prompts[0])
    reasoning, tag, response = found.text.partition("</think>")
    tokens = inner._chat.tokenizer(reasoning + tag, add_special_tokens=False)["input_ids"]
    assert len(tokens) == 21
    ids = torch.tensor([[*start, *tokens]])
    output = inner._model.generate(ids, do_sample=False, max_new_tokens=100)[0, ids.shape[1] :]
    assert inner._chat.tokenizer.decode(output, skip_special_tokens=True) == response
    assert found.n_tokens == 21 + len(output)  # the tag counts, as one that the model writes does


def test_rows_of_a_batch_are_cut_each_by_itself(engine: Loop, prompts: list[Prompt]) -> None:
    """Prompts of other lengths, other caps, and reasoning that ends before the budget."""
    lengths = [c.n_reasoning_tokens or 0 for c in
               engine.draw(ask(prompts, replace(GREEDY, reasoning_budget=ABOVE_ALL)))]  # fmt: skip
    assert len(set(lengths)) > 3
    middle = sorted(lengths)[len(lengths) // 2]
    bounded = replace(GREEDY, reasoning_budget=middle)
    together = engine.draw(ask(prompts, bounded))
    alone = [engine.draw(ask([prompt], bounded))[0] for prompt in prompts]
    assert [c.text for c in together] == [c.text for c in alone]
    assert [c.n_reasoning_tokens for c in together] == [min(n, middle) for n in lengths]


def test_seeded_rows_keep_their_draws(engine: Loop, prompts: list[Prompt]) -> None:
    bounded = replace(WARM, reasoning_budget=12)
    seeds = list(range(len(prompts)))
    together = engine.draw(ask(prompts, bounded, seeds))
    alone = [engine.draw(ask([p], bounded, [s]))[0] for p, s in zip(prompts, seeds, strict=True)]
    assert [c.text for c in together] == [c.text for c in alone]


@pytest.mark.parametrize(("cap", "n_reasoning", "reason"), [
    (10, 10, "length"), (20, 20, "length"), (21, 20, "length"), (200, 20, "stop"),
])  # fmt: skip
def test_the_cap_holds_for_the_whole(
    engine: Loop, prompts: list[Prompt], cap: int, n_reasoning: int, reason: FinishReason
) -> None:
    asked = ask(prompts[:1], Sampling(temperature=0.0, reasoning_budget=20))
    # A cap at or below the budget comes from the context; `Sampling` itself refuses it.
    object.__setattr__(asked[0].sampling, "max_tokens", cap)
    (found,) = engine.draw(asked)
    assert (found.n_reasoning_tokens, found.finish_reason) == (n_reasoning, reason)
    assert (found.n_tokens or 0) <= cap


def test_stop_strings_and_the_repetition_guard_work_beside_it(
    engine: Loop, prompts: list[Prompt]
) -> None:
    bounded = replace(GREEDY, reasoning_budget=20, repetition_guard=8)
    plain = engine.draw(ask(prompts, bounded))
    stopped = engine.draw(ask(prompts, replace(bounded, stop=("boxed",))))
    for found, cut in zip(plain, stopped, strict=True):
        assert cut.text == found.text.partition("boxed")[0]
        assert (cut.finish_reason, cut.n_reasoning_tokens, cut.looped) == ("stop", 20, False)


@pytest.mark.parametrize("batching", ["continuous", "fixed"])
def test_a_model_that_writes_the_opening_tag(
    with_template: Any, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch, batching: str
) -> None:
    """The opening tag is none of the tokens of reasoning."""
    path = with_template("<|user|>{{ messages[-1].content }}<|assistant|>")
    opening = (1022, 198)  # <think> and the line break after it
    own_forced = Row.next_forced

    class Opens:
        def __init__(self) -> None:
            self.left = list(opening)

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            if self.left:
                scores[:] = -float("inf")
                scores[:, self.left.pop(0)] = 0.0
            return scores

    def processors(*args: Any) -> Any:
        return [*draw_tokens(*args), Opens()]

    def forced(row: Row) -> int | None:
        n = len(row.tokens)
        return opening[n] if n < len(opening) else own_forced(row)

    monkeypatch.setattr("harness.engines.hf.fixed.draw_tokens", processors)
    loop = opened(path, batching=batching)
    monkeypatch.setattr(Row, "next_forced", forced)  # after the trial, which forces nothing
    bounded = replace(GREEDY, reasoning_budget=7)
    found = loop.draw(ask(prompts[:3], bounded))
    loop.close()
    assert not loop.engine.opens_reasoning
    for sample in samples(prompts[:3], bounded, found, loop):
        assert (sample.reasoning or "").startswith("<think>")
        assert sample.n_reasoning_tokens == 7  # the line break is one of them
        assert sample.response


def test_reasoning_that_nothing_opens_stops_the_run(
    with_template: Any, prompts: list[Prompt]
) -> None:
    path = with_template("<|user|>{{ messages[-1].content }}<|assistant|>")
    loop = opened(path)
    with pytest.raises(
        EngineDown, match=r"--reasoning-budget 5: .* no opening tag; with --thinking"
    ):
        loop.draw(ask(prompts[:4], replace(GREEDY, reasoning_budget=5)))
    loop.close()


@pytest.mark.parametrize(("template", "think_end", "why"), [
    ("{{ messages[-1].content }}", "</thought>", "nothing says that it reasons"),
    ("{{ messages[-1].content }}<think>\n\n</think>\n\n", "</think>", "ends the reasoning before"),
])  # fmt: skip
def test_a_budget_without_reasoning_is_refused(
    with_template: Any, template: str, think_end: str, why: str
) -> None:
    settings = EngineSettings(
        engine="transformers", model=with_template(template), think_end=think_end,
        reasoning_budget=20,
    )  # fmt: skip
    with pytest.raises(UsageError, match=f"--reasoning-budget: .*{why}"):
        make_engine(settings)


def test_the_fingerprint_states_how(with_template: Any) -> None:
    def made(**settings: Any) -> Any:
        return make_engine(
            EngineSettings(engine="transformers", model=with_template(EFFORT), **settings)
        ).fingerprint()

    both = made(effort="high", reasoning_budget=20)
    assert both["effort"] == "variable reasoning_effort of the chat template"
    assert both["reasoning_budget"] == "</think> forced at the budget, then the response drawn"
    assert not {"effort", "reasoning_budget"} & set(made())


def test_effort_reaches_the_rendered_prompt(with_template: Any) -> None:
    path = with_template(EFFORT)
    texts = {}
    for effort in (None, "low", "high", "as much as it takes"):
        chat = Chat(path, None, "</think>", effort=effort)
        texts[effort] = chat.decode(chat.tokens(Prompt("2+2?")))
    assert "Reasoning: medium<" in texts[None]
    assert "Reasoning: high<" in texts["high"]
    assert "Reasoning: as much as it takes<" in texts["as much as it takes"]
    assert texts["low"] != texts["high"]


@pytest.mark.parametrize(("template", "effort", "why"), [
    ("{{ messages[-1].content }}", "high", "does not use reasoning_effort; leave --effort out$"),
    ("{{ messages[-1].content }}{% if enable_thinking %}<think>{% endif %}{# reasoning_effort #}",
     "high", "does not use reasoning_effort; its own variables are enable_thinking; leave --effort out$"),
    ("{{ messages[-1].content }}{% if reasoning_effort == 'high' %}!{% endif %}", "turbo",
     "renders it as it does any text that it does not know"),
    ("{{ messages[-1].content }}{% if reasoning_effort == 'high' %}!{% endif %}", "low",
     "renders it as it does any text that it does not know"),
    ("{{ messages[-1].content }}{% if reasoning_effort not in ('low', 'high') %}"
     "{{ raise_exception('low or high, please') }}{% endif %}", "turbo", "low or high, please"),
])  # fmt: skip
def test_an_effort_that_makes_no_difference_is_refused(
    with_template: Any, template: str, effort: str, why: str
) -> None:
    settings = EngineSettings(engine="transformers", model=with_template(template), effort=effort)
    with pytest.raises(UsageError, match=f"--effort {effort}: .*{why}"):
        make_engine(settings)


def test_a_default_of_the_template_may_be_asked_for(with_template: Any) -> None:
    template = "{{ messages[-1].content }}{{ {'low': 1, 'high': 3}.get(reasoning_effort, 2) }}"
    chat = Chat(with_template(template), None, "</think>", effort="medium")
    assert chat.decode(chat.tokens(Prompt("x"))) == "x2"
