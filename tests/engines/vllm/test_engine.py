"""vLLM itself on the practice model: against the transformers engine, killed, resumed, seeded."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from harness.data.reasoning import split_reasoning
from harness.engines.replicas import ReplicaLost
from harness.engines.settings import EngineSettings
from harness.engines.vllm.engine import VllmEngine
from harness.engines.vllm.process import cores
from harness.engines.vllm.start import open_engine
from harness.errors import DataError, EngineError, UsageError
from harness.interfaces import Completion, Request
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer, silent
from harness.registry import tasks
from harness.sampling import Sampling
from harness.storage.run_folder import RunFolder
from harness.types import Prompt, Sample, Verdict
from harness.workflows.evaluate import evaluate
from harness.workflows.run_settings import RunSettings
from tests.support.engines import (
    VLLM_ARGS,
    Borrowed,
    Loop,
    ask,
    close_scores,
    facts,
    hold_back,
    running,
)

pytest.importorskip("vllm")
pytestmark = pytest.mark.engines

ROOT = Path(__file__).parents[3]
TASK = "practice_integer"
GREEDY = Sampling(temperature=0.0, max_tokens=120)
HOT = Sampling(k=64, temperature=2.0, max_tokens=60)  # vLLM's highest


def reasoning_tokens(loop: Loop, completion: Completion) -> int:
    """Tokens of the reasoning in a completion's text."""
    reasoning, _ = split_reasoning(completion.text, opened=True)
    return int(loop.engine.count_tokens(reasoning or ""))


@pytest.fixture(autouse=True)
def no_other_core_is_left(vllm: Loop) -> Iterator[None]:
    before = {core.pid for core in cores()}
    yield
    assert {core.pid for core in cores()} <= before


def test_greedy_equals_the_transformers_engine(
    vllm: Loop, embedded: Loop, practice_prompts: list[Prompt]
) -> None:
    requests = ask(practice_prompts[:32], GREEDY)
    ours = vllm.draw(requests)
    assert facts(ours) == facts(embedded.draw(requests))
    assert {c.finish_reason for c in ours} == {"stop"}


def test_caps_and_stop_strings_equal_the_transformers_engine(
    vllm: Loop, embedded: Loop, practice_prompts: list[Prompt]
) -> None:
    short = ask(practice_prompts[:4], replace(GREEDY, max_tokens=5))
    assert facts(vllm.draw(short)) == facts(embedded.draw(short))
    assert {(c.finish_reason, c.n_tokens) for c in vllm.draw(short)} == {("length", 5)}
    stopped = ask(practice_prompts[:4], replace(GREEDY, stop=("</think>", "never")))
    texts = [(c.text, c.finish_reason) for c in vllm.draw(stopped)]
    assert texts == [(c.text, c.finish_reason) for c in embedded.draw(stopped)]
    assert all("</think>" not in text and reason == "stop" for text, reason in texts)


def test_the_repetition_guard_cuts_where_the_transformers_engine_does(
    vllm: Loop, embedded: Loop, practice_prompts: list[Prompt]
) -> None:
    prompts = [Prompt("0" * 200), practice_prompts[0]]  # the first one has no end of zeros
    (plain, _) = vllm.draw(ask(prompts, GREEDY))
    assert (plain.finish_reason, plain.n_tokens, plain.looped) == ("length", 120, False)
    guarded = ask(prompts, replace(GREEDY, repetition_guard=4))
    cut, whole = vllm.draw(guarded)
    assert (cut.finish_reason, cut.looped) == ("length", True)
    assert (cut.n_tokens or 0) < 120 and plain.text.startswith(cut.text)
    assert (whole.finish_reason, whole.looped) == ("stop", False)
    theirs = embedded.draw(guarded)
    assert facts([cut, whole]) == facts(theirs)
    assert [c.looped for c in theirs] == [True, False]


def test_no_sample_reasons_longer_than_its_budget_and_each_has_a_response(
    vllm: Loop, embedded: Loop, practice_prompts: list[Prompt]
) -> None:
    whole = vllm.draw(ask(practice_prompts, GREEDY))
    lengths = [reasoning_tokens(vllm, c) for c in whole]
    assert min(lengths) > 20
    requests = ask(practice_prompts, replace(GREEDY, reasoning_budget=20))
    bounded = vllm.draw(requests)
    assert facts(bounded) == facts(embedded.draw(requests))
    assert {c.n_reasoning_tokens for c in bounded} == {20}
    assert {reasoning_tokens(vllm, c) for c in bounded} <= set(range(15, 21))
    for cut, plain in zip(bounded, whole, strict=True):
        reasoning, response = split_reasoning(cut.text, opened=True)
        assert response and plain.text.startswith(reasoning or "?")
    hot = vllm.draw(ask(practice_prompts * 4, replace(HOT, reasoning_budget=20)))
    assert max(c.n_reasoning_tokens or 0 for c in hot) == 20
    assert all("</think>" in c.text for c in hot if c.n_reasoning_tokens == 20)


def test_a_budget_above_all_lengths_leaves_greedy_texts_as_they_are(
    vllm: Loop, practice_prompts: list[Prompt]
) -> None:
    whole = vllm.draw(ask(practice_prompts, GREEDY))
    lengths = [reasoning_tokens(vllm, c) for c in whole]
    middle = sorted(lengths)[len(lengths) // 2]  # some are cut, some continued after their end
    for budget in (middle, max(lengths), 118):
        found = vllm.draw(ask(practice_prompts, replace(GREEDY, reasoning_budget=budget)))
        equal = [a == b for a, b in zip(facts(whole), facts(found), strict=True)]
        assert equal == [length <= budget for length in lengths]
        assert [c.n_reasoning_tokens for c in found] == [min(n, budget) for n in lengths]


def test_a_seeded_sample_under_a_budget_repeats_itself(
    vllm: Loop, practice_prompts: list[Prompt]
) -> None:
    seeded = replace(HOT, temperature=1.0, reasoning_budget=10, seeded=True)
    requests = [replace(r, seed=i) for i, r in enumerate(ask(practice_prompts[:16], seeded))]
    assert facts(vllm.draw(requests)) == facts(vllm.draw(requests[::-1])[::-1])


def test_a_loop_in_the_response_is_cut_where_it_is_without_a_budget(
    vllm: Loop, practice_prompts: list[Prompt]
) -> None:
    prompts = [Prompt("0" * 200), practice_prompts[0]]
    guarded = replace(GREEDY, repetition_guard=4)
    (plain, _) = vllm.draw(ask(prompts, guarded))
    assert plain.looped and "</think>" not in plain.text
    (cut, whole) = vllm.draw(ask(prompts, replace(guarded, reasoning_budget=20)))
    assert cut.n_reasoning_tokens == 20 and "</think>" in cut.text
    assert not whole.looped


def test_the_template_is_applied_once(
    vllm: Loop, late: str, practice_prompts: list[Prompt]
) -> None:
    from transformers import AutoTokenizer

    (prompt,) = practice_prompts[:1]
    due = f"<|user|>{prompt.user}<|assistant|><think>\n"
    tokens = AutoTokenizer.from_pretrained(late)(due, add_special_tokens=False)["input_ids"]
    (found,) = vllm.draw(ask([prompt], replace(GREEDY, max_tokens=1)))
    assert found.n_prompt_tokens == len(tokens)


def test_a_lowered_cap_is_notified_once_and_a_full_context_is_an_error(
    vllm: Loop, vllm_notices: list[str], practice_prompts: list[Prompt]
) -> None:
    vllm.draw(ask(practice_prompts[:2], replace(GREEDY, max_tokens=50)))
    assert vllm_notices == []
    vllm.draw(ask(practice_prompts[:2], replace(GREEDY, max_tokens=32768)))
    assert len(vllm_notices) == 1
    assert "max_tokens 32768" in vllm_notices[0] and "context of 4096 tokens" in vllm_notices[0]
    with pytest.raises(EngineError, match="no room for a completion"):
        vllm.draw(ask([Prompt("7" * 70_000)], GREEDY))


def test_a_temperature_that_vllm_refuses_is_a_usage_error(
    vllm: Loop, practice_prompts: list[Prompt]
) -> None:
    with pytest.raises(UsageError, match="temperature must be in"):
        vllm.draw(ask(practice_prompts[:1], replace(HOT, temperature=3.0)))


def test_the_fingerprint_names_what_the_engine_is_made_of(vllm: Loop, embedded: Loop) -> None:
    ours, theirs = vllm.engine.fingerprint(), embedded.engine.fingerprint()
    for part in ("dtype", "chat_template", "weights", "context", "opens_reasoning", "device"):
        assert ours[part] == theirs[part], part
    assert ours["engine_args"] == VLLM_ARGS
    assert ours["versions"]["vllm"]


def test_pass_at_1_agrees_with_the_transformers_engine(
    vllm: Loop, embedded: Loop, late: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name, loop in (("vllm", vllm), ("transformers", embedded)):
        engine = Borrowed(loop.engine)
        monkeypatch.setattr(
            "harness.workflows.engine_loading.make_engine", lambda given, engine=engine: engine
        )
        run = RunSettings(model=late, tasks=TASK, output=tmp_path / name, engine=name, k=8)
        (result,) = loop.run(evaluate([tasks()[TASK]], run, observe=lambda runs: silent))
        found.append(result.scores[0])
    ours, theirs = found
    assert (ours.metric, ours.k) == ("pass@1", 8)
    assert close_scores(ours, theirs)


# Engines of their own


def equal_pairs(samples: Sequence[Sample], apart: Any) -> float:
    """Share of pairs with equal text among the pairs of a problem's samples that are `apart`."""
    by_problem: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_problem[sample.problem_id].append(sample)
    pairs = [
        a.reasoning == b.reasoning and a.response == b.response
        for own in by_problem.values()
        for a, b in combinations(own, 2)
        if apart(a, b)
    ]
    return sum(pairs) / len(pairs)


class Killer:
    """Kills one of two replicas at a third of a run, and holds the run back until both are there."""

    def __init__(self, total: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.total = total
        self.sampled = self.lost = 0
        self.asked: Counter[tuple[str, int]] = Counter()
        self.engines: list[VllmEngine] = []  # in the order in which they got their first sample
        in_flight: Counter[VllmEngine] = Counter()
        generate, self.in_flight = VllmEngine.generate, in_flight

        async def counted(engine: VllmEngine, request: Request) -> Completion:
            self.asked[request.problem_id, request.index] += 1
            if engine not in self.engines:
                self.engines.append(engine)
            in_flight[engine] += 1
            try:
                return await generate(engine, request)
            finally:
                in_flight[engine] -= 1

        monkeypatch.setattr(VllmEngine, "generate", counted)
        hold_back(monkeypatch, self.go)

    def go(self, replicas: Any) -> bool:
        """Both are running; or one is lost, and the restarted one still finds its share."""
        return running(replicas) == 2 or bool(self.lost and self.sampled < self.total * 0.8)

    def observe(self, event: str, task: str, verdict: Verdict | None) -> None:
        self.sampled += event == "sampled"
        if self.sampled == self.total // 3 and not self.lost:
            self.lost = self.in_flight[self.engines[0]]
            self.engines[0].processes.running[0].kill()


def test_a_killed_replica_costs_nothing_and_no_draw_comes_twice(
    late: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = Killer(30 * 12, monkeypatch)
    run = RunSettings(
        model=late, tasks=TASK, output=tmp_path / "run", engine="vllm", replicas=2,
        engine_arg=VLLM_ARGS, k=12, limit=30, temperature=2.0, max_tokens=60, concurrency=48,
    )  # fmt: skip

    def observe(runs: Sequence[TaskRun]) -> Observer:
        return killer.observe

    (score,) = asyncio.run(evaluate([tasks()[TASK]], run, observe=observe))
    assert score.complete
    assert killer.lost > 0
    assert len(killer.engines) == 3  # the restarted one drew samples too
    # Those in flight there when its loss was noticed, and nothing else, were asked for again.
    assert killer.lost <= sum(killer.asked.values()) - 360 <= 48
    assert max(killer.asked.values()) == 2
    notices = RunFolder(run.output).manifest().starts[0].notices
    assert [n for n in notices if "engine 0 stopped and is restarted" in n]
    (folder,) = RunFolder(run.output).tasks()
    samples = list(folder.samples())
    due = {(id, index) for id in folder.problems() for index in range(12)}
    assert Counter(sample.key for sample in samples) == dict.fromkeys(due, 1)
    assert list(folder.errors()) == []

    # The same run, extended by one plain engine in another process.
    done = harness(
        "run", "--engine", "vllm", "--model", late, "--tasks", TASK, "--k", "24", "--limit", "30",
        "--temperature", "2.0", "--max-tokens", "60", "-o", str(run.output),
        *(word for item in VLLM_ARGS.items() for word in ("--engine-arg", "=".join(item))),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert TASK in done.stdout
    # Nothing but the harness's own lines: vLLM's log stays in its file.
    lines = [line for line in done.stderr.splitlines() if "is still loading" not in line]
    assert len(lines) == 1 and f"on {TASK}" in lines[0], done.stderr
    samples = list(folder.samples())
    assert len({sample.key for sample in samples}) == len(samples) == 720
    within = equal_pairs(samples, lambda a, b: (a.index < 12) == (b.index < 12))
    across = equal_pairs(samples, lambda a, b: (a.index < 12) != (b.index < 12))
    assert within < 0.5  # 0.36 is expected of this model, and once it was 0.41
    assert across <= within + 0.03  # repeated draws would add 1/12


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("late", ["max_model_length=9"], "did you mean max_model_len"),
        ("late", ["max_model_len=99999"], "max_model_len (99999)"),
        ("late", ["data_parallel_size=2"], "--replicas N"),
        ("late", ["batch_invariant=true"], "on GPUs only, and ignores it on this CPU"),
        ("nowhere/at/all", [], "there is no such model folder"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(
    model: str, arguments: list[str], message: str, practice_model: Path, tmp_path: Path
) -> None:
    options = dict(argument.split("=") for argument in arguments)
    given = EngineSettings(
        engine="vllm",
        model=str(practice_model / model) if model == "late" else model,
        options={"enforce_eager": "true", **options},
    )
    with pytest.raises((UsageError, DataError)) as error:
        open_engine(given)
    assert message in str(error.value) and "\n" not in str(error.value)


# The last test of the session's engine: it is of no use afterwards.


def test_a_core_that_is_asked_to_stop_takes_no_sample_for_failed(
    vllm: Loop, practice_prompts: list[Prompt]
) -> None:
    """It aborts what it has before it exits."""

    async def work() -> list[Completion | BaseException]:
        requests = ask(practice_prompts[:8] * 8, replace(HOT, max_tokens=2000))
        calls = [asyncio.create_task(vllm.engine.generate(request)) for request in requests]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        vllm.engine.processes.running[0].terminate()
        return await asyncio.gather(*calls, return_exceptions=True)

    found = Counter(type(end) for end in vllm.run(work()))
    assert set(found) == {Completion, ReplicaLost}
