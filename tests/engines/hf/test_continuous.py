"""Continuous batching in the transformers engine: the same samples as fixed batches, each by itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.engines import make_engine
from harness.engines.hf.continuous import ContinuousBatches
from harness.engines.hf.draws import Step, nucleus
from harness.engines.hf.engine import TransformersEngine
from harness.engines.hf.options import Options, parse_options
from harness.engines.settings import EngineSettings
from harness.errors import EngineDown, EngineError, UsageError
from harness.interfaces import Completion, Request
from harness.sampling import Sampling
from harness.types import Prompt
from tests.support.engines import Loop, need_continuous_batching

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

GREEDY = Sampling(temperature=0.0, max_tokens=120)
WARM = Sampling(k=2, temperature=0.8, top_p=0.95, max_tokens=60)
DYNAMIC = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
SLIDING, FULL = "sliding_attention", "full_attention"


def opened(model: str, **options: Any) -> Loop:
    if options.get("batching") == "continuous":
        need_continuous_batching()
    return Loop(TransformersEngine(model, options=Options(device="cpu", **options)))


@pytest.fixture(scope="module")
def continuous(late: str) -> Iterator[Loop]:
    loop = opened(late, batching="continuous")
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def fixed(late: str) -> Iterator[Loop]:
    loop = opened(late, batching="fixed")
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def prompts(practice_prompts: list[Prompt]) -> list[Prompt]:
    return practice_prompts[:10]


def requests(
    prompts: Sequence[Prompt], samplings: Sampling | Sequence[Sampling], seed: int | None = None
) -> list[Request]:
    each = [samplings] * len(prompts) if isinstance(samplings, Sampling) else samplings
    pairs = enumerate(zip(prompts, each, strict=True))
    return [Request(str(n), 0, prompt, sampling, seed) for n, (prompt, sampling) in pairs]


def facts(found: Sequence[Completion]) -> list[tuple[Any, ...]]:
    return [
        (c.text, c.finish_reason, c.n_prompt_tokens, c.n_tokens, c.n_reasoning_tokens, c.looped)
        for c in found
    ]


def test_settings_of_all_kinds_in_one_step_give_what_fixed_batches_give(
    continuous: Loop, fixed: Loop, prompts: list[Prompt]
) -> None:
    caps = [replace(GREEDY, max_tokens=n) for n in (1, 5, 17, 120)]
    others = [
        replace(GREEDY, stop=("</think>",)),
        replace(GREEDY, stop=("boxed", "never")),
        replace(GREEDY, reasoning_budget=12),
        replace(GREEDY, repetition_guard=4),
        replace(GREEDY, top_p=0.5),
        replace(GREEDY, temperature=0.6, top_p=1e-6),  # the likeliest token alone
    ]
    asked = requests(prompts, [*caps, *others])
    apart = [fixed.draw([request])[0] for request in asked]
    assert facts(continuous.draw(asked)) == facts(apart)


def test_what_is_drawn_beside_a_greedy_sample_does_not_change_it(
    continuous: Loop, prompts: list[Prompt]
) -> None:
    alone = continuous.draw(requests(prompts, GREEDY))
    warm = requests(prompts, replace(WARM, temperature=3.0, top_p=1.0))
    together = continuous.draw([*warm, *requests(prompts, GREEDY)])
    assert facts(together[len(prompts) :]) == facts(alone)
    assert len({c.text for c in together[: len(prompts)]}) == len(prompts)


def test_a_seeded_sample_is_its_own_draw(continuous: Loop, prompts: list[Prompt]) -> None:
    one, two = (continuous.draw(requests(prompts[:3], WARM, seed=5)) for _ in range(2))
    assert facts(one) == facts(two)
    assert facts(one) != facts(continuous.draw(requests(prompts[:3], WARM, seed=6)))


def test_the_global_random_state_stays(late: str, prompts: list[Prompt]) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    loop = opened(late, batching="continuous")
    loop.draw(requests(prompts[:2], WARM))
    loop.close()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_tiny_cache_takes_blocks_back_and_loses_nothing(
    late: str, fixed: Loop, practice_prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    need_continuous_batching()
    from transformers.generation.continuous_batching.offloading_manager import OffloadingManager

    taken = []
    own = OffloadingManager.offload_requests

    def offload(manager: Any) -> bool:
        before = set(manager.scheduler.active_requests)
        done = own(manager)
        taken.extend(before - set(manager.scheduler.active_requests))
        return done

    monkeypatch.setattr(OffloadingManager, "offload_requests", offload)
    monkeypatch.setattr("harness.engines.hf.memory._PAGE", 16)
    loop = opened(late, batching="continuous", kv_mib=1)
    bounded = replace(GREEDY, reasoning_budget=40)
    found = loop.draw(requests(practice_prompts[:24], bounded))
    loop.close()
    assert loop.engine.fingerprint()["kv_blocks"] == 32
    assert taken
    assert facts(found) == facts(fixed.draw(requests(practice_prompts[:24], bounded)))


def test_a_cache_too_small_for_one_sample_says_how_large_it_has_to_be(
    late: str, prompts: list[Prompt]
) -> None:
    loop = opened(late, batching="continuous", kv_mib=1)
    with pytest.raises(EngineDown, match=r"the cache has 8: --engine-arg kv_mib=2, or a smaller"):
        loop.draw(requests(prompts[:1], replace(GREEDY, max_tokens=700)))
    assert loop.draw(requests(prompts[:1], GREEDY))[0].finish_reason == "stop"
    loop.close()


def test_a_cancelled_sample_makes_room(late: str, prompts: list[Prompt]) -> None:
    loop = opened(late, batching="continuous", batch_size=1)

    async def work() -> Completion:
        long = replace(WARM, temperature=50.0, top_p=1.0, max_tokens=3000)
        first = asyncio.create_task(loop.engine.generate(requests(prompts[:1], long)[0]))
        await asyncio.sleep(0.2)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        return await loop.engine.generate(requests(prompts[:1], GREEDY)[0])

    assert loop.run(asyncio.wait_for(work(), 30)).finish_reason == "stop"
    assert not loop.engine._batches._rows
    loop.close()


def never_end(loop: Loop) -> None:
    """Let no token end a sample of an engine that has drawn nothing yet."""
    batches = loop.engine._batches
    batches._completions = replace(batches._completions, end_tokens=(-1,))


def test_closing_does_not_wait_for_samples(late: str, prompts: list[Prompt]) -> None:
    loop = opened(late, batching="continuous")
    never_end(loop)
    endless = replace(WARM, temperature=50.0, top_p=1.0, max_tokens=3000)

    async def work() -> tuple[float, list[Any]]:
        drawing = [asyncio.create_task(loop.engine.generate(r)) for r in requests(prompts, endless)]
        await asyncio.sleep(0.3)
        started = time.monotonic()
        await loop.engine.close()
        seconds = time.monotonic() - started
        return seconds, await asyncio.gather(*drawing, return_exceptions=True)

    seconds, ends = loop.run(work())
    loop.close()
    assert seconds < 1.0
    assert {type(end) for end in ends} == {EngineDown}


@pytest.mark.parametrize("failures", [1, 9])
def test_a_manager_that_fails_is_replaced_and_its_samples_go_on(
    late: str, fixed: Loop, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    loop = opened(late, batching="continuous")
    own, steps = Step.apply, iter(range(1000))
    fails = range(20, 20 + failures)

    def apply(step: Step, scores: Any) -> Any:
        if next(steps) in fails:
            raise RuntimeError("a kernel failed")
        return own(step, scores)

    monkeypatch.setattr(Step, "apply", apply)
    asked = requests(prompts, replace(GREEDY, reasoning_budget=40))
    if failures == 1:
        assert facts(loop.draw(asked)) == facts(fixed.draw(asked))
    else:
        with pytest.raises(EngineError, match="transformers failed: a kernel failed"):
            loop.draw(asked)
    loop.close()


def refuse(_: Any) -> None:
    raise RuntimeError("out of memory\nand a trace")


@pytest.mark.parametrize("again", [False, True], ids=["at the start", "after a failure"])
def test_a_manager_that_cannot_be_started_ends_all_samples(
    late: str, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    loop = opened(late, batching="continuous")
    steps = iter(range(1000))

    def apply(step: Step, scores: Any) -> Any:
        if next(steps) < 5:
            return scores
        monkeypatch.setattr(ContinuousBatches, "_start", refuse)
        raise RuntimeError("a kernel failed")

    if again:
        monkeypatch.setattr(Step, "apply", apply)
    else:
        monkeypatch.setattr(ContinuousBatches, "_start", refuse)

    async def work() -> list[Any]:
        drawing = [loop.engine.generate(r) for r in requests(prompts, GREEDY)]
        return await asyncio.wait_for(asyncio.gather(*drawing, return_exceptions=True), 20)

    ends = loop.run(work())
    loop.close()
    assert {type(end) for end in ends} == {EngineDown}
    assert {str(end) for end in ends} == {
        "transformers cannot start continuous batching: out of memory; --engine-arg kv_mib=N makes its "
        "cache smaller, batching=fixed draws without it"
    }


def test_two_engines_draw_side_by_side_and_leave_no_thread(
    late: str, practice_model: Path, prompts: list[Prompt]
) -> None:
    before, n_threads = set(threading.enumerate()), torch.get_num_threads()
    names = [late, str(practice_model / "early")]
    alone = []
    for name in names:
        loop = opened(name, batching="continuous")
        alone.append(facts(loop.draw(requests(prompts, GREEDY))))
        loop.close()

    async def work() -> list[list[Completion]]:
        options = Options(device="cpu", batch_size=4)  # fewer than there are prompts
        engines = [TransformersEngine(name, options=options) for name in names]

        async def draw(engine: TransformersEngine) -> list[Completion]:
            return await asyncio.gather(*map(engine.generate, requests(prompts, GREEDY)))

        found = await asyncio.gather(*map(draw, engines))
        for engine in engines:
            await engine.close()
        return found

    assert [facts(found) for found in asyncio.run(work())] == alone
    assert set(threading.enumerate()) == before
    assert torch.get_num_threads() == n_threads


def tiny(folder: Path, late: str, **settings: Any) -> str:
    """A random model with the practice model's tokenizer."""
    import shutil

    shape = {"vocab_size": 1024, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
             "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "eos_token_id": 1,
             "pad_token_id": 0, "bos_token_id": None, "max_position_embeddings": 512}  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.AutoConfig.for_model(**{**shape, **settings})
        model = transformers.AutoModelForCausalLM.from_config(config).float()
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.data.normal_(0, 0.15)
    model.save_pretrained(folder)
    for path in Path(late).glob("*"):
        if "token" in path.name or "chat" in path.name:
            shutil.copy(path, folder)
    return str(folder)


@pytest.mark.parametrize("settings", [
    {"model_type": "qwen3"},
    {"model_type": "mistral", "sliding_window": 16},
    {"model_type": "gemma3_text", "sliding_window": 16, "query_pre_attn_scalar": 16},
], ids=lambda settings: settings["model_type"])  # fmt: skip
def test_models_with_keys_and_values_are_served(
    tmp_path: Path, late: str, prompts: list[Prompt], settings: dict[str, Any]
) -> None:
    """Windows that are shorter than the prompt among them."""
    need_continuous_batching()
    model = tiny(tmp_path, late, **settings)
    asked = requests(prompts[:6], replace(GREEDY, max_tokens=40))
    found = []
    for batching in (None, "fixed"):
        loop = opened(model, batching=batching)
        found.append(facts(loop.draw(asked)))
        assert loop.engine.fingerprint()["batching"] == (batching or "continuous")
        loop.close()
    assert found[0] == found[1]


@pytest.mark.parametrize(("settings", "why"), [
    ({"model_type": "mamba"}, "keeps a state that is not made of keys and values"),
    ({"model_type": "gpt2"}, "failed on a trial of it"),
    # Its layers put the window, longer than the prompt of the trial, into their masks alone.
    ({"model_type": "qwen2_moe", "use_sliding_window": True, "sliding_window": 200, "num_experts": 2,
      "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16, "num_experts_per_tok": 1},
     "a layer has a window of 200 tokens and attends to None"),
    ({"model_type": "llama", "rope_parameters": DYNAMIC}, "the longest sample of a step"),
], ids=["mamba", "gpt2", "qwen2_moe", "dynamic"])  # fmt: skip
def test_a_model_that_cannot_is_drawn_in_fixed_batches(
    tmp_path: Path, late: str, prompts: list[Prompt], settings: dict[str, Any], why: str
) -> None:
    need_continuous_batching()
    model = tiny(tmp_path, late, **settings)
    loop = opened(model)
    stated = loop.engine.fingerprint()
    assert stated["batching"] == "fixed" and why in stated["batching_why"]
    assert len(loop.draw(requests(prompts[:2], replace(GREEDY, max_tokens=4)))) == 2
    loop.close()
    with pytest.raises(UsageError, match=f"--engine-arg batching=continuous: .*{why}"):
        TransformersEngine(model, options=Options(batching="continuous"))


def test_layers_of_two_kinds_have_room_for_a_sample_that_fills_the_context(
    tmp_path: Path, late: str, prompts: list[Prompt]
) -> None:
    """The cache goes to each kind in whole sectors, of which either may leave a part unused."""
    kinds = [SLIDING, FULL, SLIDING, FULL, SLIDING, FULL, SLIDING]
    model = tiny(
        tmp_path, late, model_type="qwen3", num_hidden_layers=7, layer_types=kinds,
        use_sliding_window=True, sliding_window=320, max_position_embeddings=320, eos_token_id=0,
    )  # fmt: skip
    loop = opened(model, batching="continuous", batch_size=1)
    never_end(loop)
    (found,) = loop.draw(requests(prompts[:1], replace(GREEDY, max_tokens=1000)))
    loop.close()
    assert found.n_prompt_tokens + found.n_tokens == 320


def test_a_transformers_without_it_draws_in_fixed_batches(
    late: str, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.engines.hf.support.library_can", lambda: False)
    loop = opened(late)
    why = loop.engine.fingerprint()["batching_why"]
    assert why == f"transformers {transformers.__version__} lacks what it takes; 5.19 has it"
    assert loop.draw(requests(prompts[:1], GREEDY))[0].finish_reason == "stop"
    loop.close()


def test_seeded_runs_take_fixed_batches(late: str) -> None:
    engine = make_engine(EngineSettings(engine="transformers", model=late, seeded=True))
    assert engine.fingerprint()["batching"] == "fixed"
    assert "seeded" in engine.fingerprint()["batching_why"]


@pytest.mark.parametrize(("given", "why"), [
    ({"batching": "both"}, "batching=both: continuous or fixed"),
    ({"kv_mib": "-1"}, "kv_mib=-1: a number from 1 on"),
    ({"kv_mib": "8", "batching": "fixed"}, "kv_mib=8: fixed batches have no such cache; leave it out"),
])  # fmt: skip
def test_options_that_cannot_be_honoured(given: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_options(given)


def test_the_nucleus_is_that_of_transformers() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(200, 100, generator=generator) * 3
    for top_p in (0.05, 0.5, 0.95, 0.99):
        expected = transformers.TopPLogitsWarper(top_p)(None, scores.clone())
        found = nucleus(scores, torch.full((200, 1), top_p))
        other = found.isinf() != expected.isinf()  # a token at the edge, by rounding
        assert int(other.sum()) <= 2
        assert torch.equal(found[~other], expected[~other])
    mixed = torch.tensor([[0.5], [1.0]]).repeat(100, 1)
    assert torch.equal(nucleus(scores, mixed)[1::2], scores[1::2])
