"""The embedded engine on the practice model, and its draws against the distribution asked for."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.data.datasets import load_problems
from harness.data.prompts import render
from harness.engines.checkpoint import load_tokenizer
from harness.engines.hf.decoding import add_noise
from harness.engines.hf.engine import TransformersEngine
from harness.engines.hf.options import Batching, Options
from harness.errors import EngineError
from harness.interfaces import Completion, Request
from harness.pipeline.pending import make_sample
from harness.protocol import make_protocol
from harness.registry import tasks
from harness.sampling import Sampling
from harness.types import Prompt

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

GREEDY = Sampling(temperature=0.0, max_tokens=120)
WARM = Sampling(k=2, temperature=0.6, top_p=0.95, max_tokens=120)


@pytest.fixture(scope="module")
def late(practice_model: Path) -> str:
    return str(practice_model / "late")


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    task = tasks()["practice_integer"]
    return [render(task.prompt, problem) for problem in load_problems(task, None, limit=6)]


def generate(
    model: str,
    requests: Sequence[Request],
    *,
    seed: int = 0,
    batch_size: int = 64,
    batching: Batching | None = None,
) -> list[Completion]:
    async def work() -> list[Completion]:
        options = Options(batch_size=batch_size, batching=batching)
        engine = TransformersEngine(model, seed=seed, options=options)
        try:
            return await asyncio.gather(*(engine.generate(request) for request in requests))
        finally:
            await engine.close()

    return asyncio.run(work())


def ask(
    prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[int | None] | None = None
) -> list[Request]:
    seeds = seeds or [None] * len(prompts)
    pairs = enumerate(zip(prompts, seeds, strict=True))
    return [Request(str(n), 0, prompt, sampling, seed) for n, (prompt, seed) in pairs]


def test_greedy_equals_plain_generate_in_any_batch(late: str, prompts: list[Prompt]) -> None:
    ours = generate(late, ask(prompts, GREEDY))
    assert [c.text for c in generate(late, ask(prompts, GREEDY), batch_size=1)] == [
        c.text for c in ours
    ]
    model = transformers.AutoModelForCausalLM.from_pretrained(late, dtype="float32")
    tokenizer = load_tokenizer(late, None)
    for prompt, completion in zip(prompts, ours, strict=True):
        chat = [{"role": "user", "content": prompt.user}]
        ids = tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_tensors="pt", return_dict=False
        )
        output = model.generate(ids, do_sample=False, max_new_tokens=120)[0, ids.shape[1] :]
        assert tokenizer.decode(output, skip_special_tokens=True) == completion.text
        assert completion.n_prompt_tokens == ids.shape[1]
        assert completion.n_tokens == len(output)
        assert completion.finish_reason == "stop"


def test_the_checkpoints_own_settings_play_no_part(
    late: str, prompts: list[Prompt], tmp_path: Path
) -> None:
    """Temperature and top_p are the protocol's; a repetition penalty is nobody's."""
    shutil.copytree(late, tmp_path / "model")
    path = tmp_path / "model" / "generation_config.json"
    own = {"repetition_penalty": 5.0, "no_repeat_ngram_size": 2, "do_sample": True, "top_k": 1}
    path.write_text(json.dumps({**json.loads(path.read_text()), **own}))
    for sampling in (GREEDY, WARM):
        plain, penalised = (
            [c.text for c in generate(model, ask(prompts, sampling), batching="fixed")]
            for model in (late, str(tmp_path / "model"))
        )
        assert plain == penalised


def test_a_seeded_sample_does_not_depend_on_its_batch(late: str, prompts: list[Prompt]) -> None:
    seeds = list(range(len(prompts)))
    together = generate(late, ask(prompts, WARM, seeds), seed=1, batching="fixed")
    alone = generate(late, ask(prompts, WARM, seeds), seed=2, batch_size=1, batching="fixed")
    assert [c.text for c in together] == [c.text for c in alone]


def test_another_engine_seed_draws_other_samples(late: str, prompts: list[Prompt]) -> None:
    requests = ask([prompts[0]] * 24, replace(WARM, temperature=5.0, top_p=1.0))
    first, again, other = (
        generate(late, requests, seed=seed, batching="fixed") for seed in (7, 7, 8)
    )
    assert [c.text for c in first] == [c.text for c in again]
    assert not {c.text for c in first} & {c.text for c in other}


def test_the_cap_ends_a_completion_as_length(late: str, prompts: list[Prompt]) -> None:
    short, longer = generate(
        late, ask(prompts[:1], replace(GREEDY, max_tokens=5)) + ask(prompts[:1], GREEDY)
    )
    assert (short.finish_reason, short.n_tokens) == ("length", 5)
    assert longer.finish_reason == "stop"
    assert longer.text.startswith(short.text)


def test_a_stop_string_ends_the_text_before_it(late: str, prompts: list[Prompt]) -> None:
    (completion,) = generate(late, ask(prompts[:1], replace(GREEDY, stop=("</think>",))))
    assert "</think>" not in completion.text
    assert completion.finish_reason == "stop"


def test_a_prompt_beyond_the_context_is_an_error(late: str) -> None:
    with pytest.raises(EngineError, match="no room for a completion"):
        generate(late, ask([Prompt("7" * 70_000)], GREEDY))


def test_the_template_opens_the_reasoning(late: str, prompts: list[Prompt]) -> None:
    engine = TransformersEngine(late)
    assert engine.opens_reasoning
    task = tasks()["practice_integer"]
    problems = load_problems(task, None, limit=1)
    protocol = make_protocol(task, problems, GREEDY)
    request = ask(prompts[:1], GREEDY)[0]
    cut = make_sample(request, Completion("so far", "length", 9, 3), None, protocol, engine)
    assert (cut.reasoning, cut.response) == ("so far", None)


def test_the_fingerprint_tells_checkpoints_apart(practice_model: Path) -> None:
    prints = [TransformersEngine(str(practice_model / c)).fingerprint() for c in ("early", "late")]
    assert prints[0]["weights"] != prints[1]["weights"]
    assert prints[0]["chat_template"] == prints[1]["chat_template"]
    assert prints[0]["dtype"] == ("bfloat16" if torch.cuda.is_available() else "float32")


def test_noise_draws_from_the_softmax() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0, float("-inf")]])
    draws = 20_000
    processor = add_noise(torch.Generator().manual_seed(0), [None], "cpu")
    counts = Counter(processor(None, logits.expand(draws, -1)).argmax(-1).tolist())
    expected = torch.softmax(logits, -1)[0] * draws
    chi_square = sum((counts[i] - float(expected[i])) ** 2 / float(expected[i]) for i in range(4))
    assert counts[4] == 0
    assert chi_square < 16.27  # the 99.9 % point of chi-square with 3 degrees of freedom
