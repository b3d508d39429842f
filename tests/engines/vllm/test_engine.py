"""vLLM itself on the practice model: against the transformers engine, killed, resumed, seeded."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from harness.data.datasets import load_problems
from harness.engines.hf.engine import TransformersEngine
from harness.engines.hf.options import Options
from harness.engines.replicas import ReplicaLost, Replicas
from harness.engines.settings import EngineSettings
from harness.engines.vllm.engine import VllmEngine
from harness.engines.vllm.process import cores
from harness.engines.vllm.start import open_engine
from harness.errors import DataError, EngineError, UsageError
from harness.interfaces import Completion, Request
from harness.pipeline.pending import TaskRun, make_plan, make_request, units
from harness.pipeline.runner import Observer, silent
from harness.protocol import make_protocol
from harness.registry import tasks
from harness.stats.seeds import derive_seed
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.types import Prompt, Sample, Sampling, Verdict
from harness.workflows import evaluate as workflow
from harness.workflows.evaluate import evaluate
from harness.workflows.run_settings import RunSettings

pytest.importorskip("vllm")
pytestmark = pytest.mark.engines

ROOT = Path(__file__).parents[3]
# The CPU build draws a seeded sample only from a prompt that is prefilled in one piece.
ARGS = {"enforce_eager": "true", "dtype": "float32", "max_num_batched_tokens": "16384"}
GREEDY = Sampling(temperature=0.0, max_tokens=120)
WILD = Sampling(k=64, temperature=2.0, max_tokens=60)  # vLLM's highest


def settings(model: str, *, seed: int = 0, told: list[str] | None = None) -> EngineSettings:
    tell = (lambda text: None) if told is None else told.append
    return EngineSettings(engine="vllm", model=model, seed=seed, options=ARGS, notify=tell)


class Loop:
    """An engine and the one event loop that it lives in."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self._runner = asyncio.Runner()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def draw(self, requests: Sequence[Request]) -> list[Completion]:
        async def work() -> list[Completion]:
            return await asyncio.gather(*(self.engine.generate(r) for r in requests))

        return list(self.run(work()))

    def close(self) -> None:
        self._runner.run(self.engine.close())
        self._runner.close()


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def vllm(late: str, told: list[str]) -> Iterator[Loop]:
    loop = Loop(VllmEngine.single(settings(late, told=told)))
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def embedded(late: str) -> Iterator[Loop]:
    loop = Loop(TransformersEngine(late, options=Options(dtype="float32", device="cpu")))
    yield loop
    loop.close()


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert cores() == []


def ask(prompts: Sequence[Prompt], sampling: Sampling, seed: int | None = None) -> list[Request]:
    return [Request(str(n), 0, prompt, sampling, seed) for n, prompt in enumerate(prompts)]


def facts(completions: Sequence[Completion]) -> list[tuple[Any, ...]]:
    return [(c.text, c.finish_reason, c.n_prompt_tokens, c.n_tokens) for c in completions]


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


def test_the_template_is_applied_once(vllm: Loop, practice_prompts: list[Prompt]) -> None:
    (prompt,) = practice_prompts[:1]
    seen: list[list[int]] = []
    generate = vllm.engine.llm.generate

    def spy(given: dict[str, list[int]], *rest: Any, **named: Any) -> Any:
        seen.append(given["prompt_token_ids"])
        return generate(given, *rest, **named)

    vllm.engine.llm.generate = spy
    try:
        vllm.draw(ask([prompt], replace(GREEDY, max_tokens=1)))
    finally:
        vllm.engine.llm.generate = generate
    assert vllm.engine.chat.decode(seen[0]) == f"<|user|>{prompt.user}<|assistant|><think>\n"


def test_a_lowered_cap_is_told_once_and_a_full_context_is_an_error(
    vllm: Loop, told: list[str], practice_prompts: list[Prompt]
) -> None:
    vllm.draw(ask(practice_prompts[:2], replace(GREEDY, max_tokens=50)))
    assert told == []
    vllm.draw(ask(practice_prompts[:2], replace(GREEDY, max_tokens=32768)))
    assert len(told) == 1
    assert "max_tokens 32768" in told[0] and "context of 4096 tokens" in told[0]
    with pytest.raises(EngineError, match="no room for a completion"):
        vllm.draw(ask([Prompt("7" * 70_000)], GREEDY))


def test_a_temperature_that_vllm_refuses_is_a_usage_error(
    vllm: Loop, practice_prompts: list[Prompt]
) -> None:
    with pytest.raises(UsageError, match="temperature must be in"):
        vllm.draw(ask(practice_prompts[:1], replace(WILD, temperature=3.0)))


def test_the_fingerprint_names_what_the_engine_is_made_of(vllm: Loop, embedded: Loop) -> None:
    ours, theirs = vllm.engine.fingerprint(), embedded.engine.fingerprint()
    for part in ("dtype", "chat_template", "weights", "context", "opens_reasoning", "device"):
        assert ours[part] == theirs[part], part
    assert ours["engine_args"] == ARGS
    assert ours["versions"]["vllm"]


def test_a_seeded_sample_does_not_depend_on_its_engine(
    vllm: Loop, late: str, practice_prompts: list[Prompt]
) -> None:
    """The second engine is another start of the process: other draws, the same seeded samples."""
    prompts = practice_prompts[:3]
    wild = [request for request in ask(prompts, WILD) for _ in range(32)]
    seeded = [
        replace(request, seed=derive_seed(number))
        for number, request in enumerate(ask(prompts * 4, replace(WILD, temperature=1.0)))
    ]
    other = Loop(VllmEngine.single(settings(late, seed=derive_seed("engine", 0, 1, 0)), replica=1))
    try:
        first, second = vllm.draw(wild), other.draw(wild)
        repeated = facts(vllm.draw(seeded)), facts(other.draw(seeded[:6]) + other.draw(seeded[6:]))
    finally:
        other.close()
    assert repeated[0] == repeated[1]
    # Request by request the two agree no more often than two draws of one engine do by chance.
    chance = sum(
        a.text == b.text for n in range(3) for a, b in combinations(first[32 * n : 32 * n + 32], 2)
    ) / (3 * 32 * 31 / 2)
    agreeing = sum(a.text == b.text for a, b in zip(first, second, strict=True)) / len(first)
    assert chance < 0.4
    assert agreeing <= chance + 0.15


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
    """Two replicas: waits for both, kills one in mid-run, and for its next life before the end."""

    def __init__(self, replicas: Replicas, total: int) -> None:
        self.replicas, self.total = replicas, total
        self.asked = self.sampled = self.lost = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.replicas, name)

    async def generate(self, request: Request) -> Completion:
        self.asked += 1
        first, second = self.replicas._replicas
        while self.asked > 1 and (first.engine is None or second.engine is None):
            if self.sampled > 1 and self.sampled < self.total * 0.8:
                break  # one of them is gone: the other goes on
            await asyncio.sleep(0.05)
        return await self.replicas.generate(request)

    def observe(self, event: str, task: str, verdict: Verdict | None) -> None:
        self.sampled += event == "sampled"
        first = self.replicas._replicas[0]
        if self.sampled == self.total // 3 and not self.lost and first.restart == 0:
            self.lost = first.in_flight
            assert self.lost
            engine = first.engine
            assert isinstance(engine, VllmEngine)
            engine.processes.running[0].kill()


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> list[Killer]:
    """Stands between the run and its two replicas."""
    made: list[Killer] = []

    def make(given: EngineSettings) -> Killer:
        made.append(Killer(open_engine(given), total=30 * 12))
        return made[-1]

    monkeypatch.setattr(workflow, "make_engine", make)
    return made


def test_a_killed_replica_costs_nothing_and_no_draw_comes_twice(
    late: str, tmp_path: Path, killer: list[Killer], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[tuple[str, int]] = Counter()
    generate = VllmEngine.generate

    async def counted(engine: VllmEngine, request: Request) -> Completion:
        asked[request.problem_id, request.index] += 1
        return await generate(engine, request)

    monkeypatch.setattr(VllmEngine, "generate", counted)
    task, others = tasks()["practice_integer"], len(cores())
    run = RunSettings(
        model=late, tasks="practice_integer", output=tmp_path / "run", engine="vllm", replicas=2,
        engine_arg=ARGS, k=12, limit=30, temperature=2.0, max_tokens=60, concurrency=48,
    )  # fmt: skip

    def observe(runs: Sequence[TaskRun]) -> Observer:
        return killer[0].observe

    (score,) = asyncio.run(evaluate([task], run, observe=observe))
    assert score.complete
    assert len(cores()) == others
    assert killer[0].replicas._replicas[0].restart == 1
    # Those in flight there when its death was noticed, and nothing else, were asked for again.
    assert killer[0].lost <= sum(asked.values()) - 360 <= 48
    assert max(asked.values()) == 2
    notices = RunFolder(run.output).manifest().starts[0].notices
    assert [n for n in notices if "engine 0 stopped and is restarted" in n]
    (folder,) = RunFolder(run.output).tasks()
    samples = list(folder.samples())
    due = {(id, index) for id in folder.problems() for index in range(12)}
    assert Counter(sample.key for sample in samples) == dict.fromkeys(due, 1)
    assert list(folder.errors()) == []

    monkeypatch.undo()  # the same run, extended by one plain engine in another process start
    more = run.model_copy(update={"k": 24, "replicas": None})
    asyncio.run(evaluate([task], more, observe=lambda runs: silent))
    samples = list(folder.samples())
    assert len({sample.key for sample in samples}) == len(samples) == 720
    within = equal_pairs(samples, lambda a, b: (a.index < 12) == (b.index < 12))
    across = equal_pairs(samples, lambda a, b: (a.index < 12) != (b.index < 12))
    assert within < 0.5  # 0.36 is expected of this model, and once it was 0.41
    assert across <= within + 0.03  # repeated draws would add 1/12


class Borrowed:
    """A fixture's engine for one run, which does not close it."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def close(self) -> None:
        pass


def test_pass_at_1_agrees_with_the_transformers_engine(
    vllm: Loop, embedded: Loop, late: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name, loop in (("vllm", vllm), ("transformers", embedded)):
        engine = Borrowed(loop.engine)
        monkeypatch.setattr(workflow, "make_engine", lambda given, engine=engine: engine)
        run = RunSettings(
            model=late, tasks="practice_integer", output=tmp_path / name, engine=name, k=8
        )
        work = evaluate([tasks()["practice_integer"]], run, observe=lambda runs: silent)
        (result,) = loop.run(work)
        found.append(result.scores[0])
    ours, theirs = found
    assert (ours.metric, ours.k) == ("pass@1", 8)
    error = (ours.se_sampling**2 + theirs.se_sampling**2) ** 0.5
    assert 0 < error < 0.05
    assert abs(ours.value - theirs.value) <= 3 * error


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)


def test_the_command_line_samples_seeded_draws_that_another_process_repeats(
    vllm: Loop, late: str, tmp_path: Path
) -> None:
    done = harness(
        "run", "--engine", "vllm", "--model", late, "--tasks", "practice_integer", "--k", "4",
        "--limit", "8", "--seeded", "-o", str(tmp_path / "run"),
        *(word for item in ARGS.items() for word in ("--engine-arg", "=".join(item))),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "practice_integer" in done.stdout
    # Nothing but the harness's own lines: vLLM's log stays in its file.
    said = [line for line in done.stderr.splitlines() if "is still loading" not in line]
    assert len(said) == 1, done.stderr
    (folder,) = RunFolder(tmp_path / "run").tasks()
    stored = {sample.key: sample for sample in folder.samples()}
    assert len(stored) == 32
    task = tasks()["practice_integer"]
    sampling = replace(task.sampling, k=4, seeded=True)
    problems = load_problems(task, None, limit=8)
    protocol = make_protocol(task, problems, sampling)
    by_id = {problem.id: problem for problem in problems}
    run = TaskRun(task, protocol, by_id, sampling, TaskFolder(tmp_path / "none"))
    requests = [make_request(unit)[0] for unit in units([run], make_plan([run]).schedule())]
    for request, completion in zip(requests, vllm.draw(requests), strict=True):
        sample = stored[request.problem_id, request.index]
        assert sample.seed == request.seed is not None
        assert f"{sample.reasoning}</think>{sample.response}" == completion.text


def test_a_core_that_is_asked_to_stop_takes_no_sample_for_failed(
    vllm: Loop, practice_prompts: list[Prompt]
) -> None:
    """It aborts what it has and lives a moment longer. The engine is of no use to later tests."""

    async def work() -> list[Completion | BaseException]:
        requests = ask(practice_prompts[:8] * 8, replace(WILD, max_tokens=2000))
        calls = [asyncio.create_task(vllm.engine.generate(request)) for request in requests]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        vllm.engine.processes.running[0].terminate()
        return await asyncio.gather(*calls, return_exceptions=True)

    found = Counter(type(end) for end in vllm.run(work()))
    assert set(found) == {Completion, ReplicaLost}


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("late", ["max_model_length=9"], "did you mean max_model_len"),
        ("late", ["max_model_len=99999"], "max_model_len (99999)"),
        ("late", ["data_parallel_size=2"], "--replicas N"),
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
