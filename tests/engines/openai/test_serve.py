"""`vllm serve` on the practice checkpoint, started by the harness, against the other engines."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.data.datasets import load_problems
from harness.data.prompts import render
from harness.engines import make_engine
from harness.engines.repetition import SHORTEST
from harness.engines.settings import EngineSettings
from harness.interfaces import Completion, Request
from harness.pipeline.pending import make_sample
from harness.protocol import make_protocol
from harness.registry import tasks
from harness.storage.run_folder import RunFolder
from harness.types import Sampling

pytestmark = pytest.mark.engines

ROOT = Path(__file__).parents[3]
MODEL = "examples/practice-model/late"
# float32 for equal tokens; few sequences at once, for the cache of a small machine.
SERVE = {
    "serve.dtype": "float32",
    "serve.enforce_eager": "true",
    "serve.max_model_len": "512",
    "serve.max_num_seqs": "64",
    "serve.reasoning_parser": "deepseek_r1",
}
GUARD = 4
GREEDY = Sampling(temperature=0.0, max_tokens=200)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """vLLM on a small machine without a network, and nothing of it left afterwards."""
    for name, value in {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(ROOT)
    yield
    assert [text for _, text in processes()] == []


def processes() -> Iterator[tuple[Path, str]]:
    """What this test has started and is still there: its /proc folder and command line."""
    test = os.environ["PYTEST_CURRENT_TEST"].split(" ")[0]
    for path in Path("/proc").glob("[0-9]*"):
        try:
            ours = f"PYTEST_CURRENT_TEST={test}".encode() in (path / "environ").read_bytes()
            text = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if ours and int(path.name) != os.getpid():
            yield path, text


def draw(
    settings: EngineSettings, requests: Sequence[Request], *beside: EngineSettings
) -> list[list[Completion]]:
    """The completions of an engine, and those that others draw from the server that it started."""
    engines = [make_engine(settings)]
    for other in beside:
        engines.append(make_engine(replace(other, base_url=engines[0].served.url)))  # type: ignore[attr-defined]

    async def work() -> list[list[Completion]]:
        try:
            return [
                await asyncio.gather(*(engine.generate(guarded(r, given)) for r in requests))
                for engine, given in zip(engines, (settings, *beside), strict=True)
            ]
        finally:
            for engine in reversed(engines):
                await engine.close()

    return asyncio.run(work())


def guarded(request: Request, given: EngineSettings) -> Request:
    guard = given.repetition_guard
    return replace(request, sampling=replace(request.sampling, repetition_guard=guard))


def test_greedy_outputs_and_prompt_tokens_equal_those_of_transformers() -> None:
    task = tasks()["practice_integer"]
    problems = load_problems(task, None, limit=32)
    requests = [Request(p.id, 0, render(task.prompt, p), GREEDY) for p in problems]
    protocol = make_protocol(task, problems, GREEDY)
    engine_settings = {
        "openai": EngineSettings(engine="openai", model=MODEL, serve=True, options=SERVE),
        "transformers": EngineSettings(engine="transformers", model=MODEL),
    }
    # It goes on after its response, and comes to repeat itself.
    endless = EngineSettings(engine="openai", model=MODEL, options={"body.ignore_eos": "true"})
    beside: dict[str, list[EngineSettings]] = {
        "openai": [endless, replace(endless, repetition_guard=GUARD)],
        "transformers": [],
    }
    samples = {}
    for name, settings in engine_settings.items():
        engine = make_engine(replace(settings, engine="transformers", serve=False, options={}))
        completions, *others = draw(settings, requests, *beside[name])
        if others:
            check_guard(*others)
        samples[name] = [
            make_sample(request, completion, None, protocol, engine)
            for request, completion in zip(requests, completions, strict=True)
        ]
        asyncio.run(engine.close())
    assert len(samples["openai"]) == 32
    for served, ours in zip(samples["openai"], samples["transformers"], strict=True):
        assert served.n_prompt_tokens == ours.n_prompt_tokens  # no second start token
        assert (served.reasoning or "").strip() == (ours.reasoning or "").strip()
        assert (served.response or "").strip() == (ours.response or "").strip()
        assert served.finish_reason == ours.finish_reason == "stop"
        assert served.n_tokens == ours.n_tokens


def check_guard(whole: Sequence[Completion], cut: Sequence[Completion]) -> None:
    """Loops end where they are whole, as long as the shortest at least, and nothing else is cut."""
    assert {(c.finish_reason, c.looped, c.n_tokens) for c in whole} == {("length", False, 200)}
    assert {c.finish_reason for c in cut} == {"length"}
    assert any(c.looped for c in cut)
    for short, long in zip(cut, whole, strict=True):
        assert short.looped is ((short.n_tokens or 0) < 200)
        assert (short.n_tokens or 0) >= GUARD * SHORTEST
        assert (long.reasoning or "").startswith(short.reasoning or "")
        assert long.text.startswith(short.text)


def run(output: Path, *more: str) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "harness", "run", "--model", MODEL, "--tasks", "practice_integer",
        "--k", "16", "-o", str(output), *more,
    ]  # fmt: skip
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def serve_arguments() -> list[str]:
    return [part for name, value in SERVE.items() for part in ("--engine-arg", f"{name}={value}")]


def score(output: Path) -> dict[str, float]:
    scores = RunFolder(output).task("practice_integer").scores().scores
    return next(row for row in scores if row.metric == "pass@1")


def test_a_served_run_agrees_with_transformers_though_its_server_is_killed(tmp_path: Path) -> None:
    served, plain = tmp_path / "served", tmp_path / "plain"
    process = run(served, "--engine", "openai", "--serve", *serve_arguments())
    samples = served / "practice_integer" / "samples.jsonl"
    deadline = time.monotonic() + 300
    while not samples.exists() or samples.read_bytes().count(b"\n") < 100:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)
    killed = kill_server()
    out, said = process.communicate(timeout=400)
    assert process.returncode == 0, (out, said)
    assert killed and "is restarted with another seed" in said
    folder = RunFolder(served).task("practice_integer")
    keys = [sample.key for sample in folder.samples()]
    assert len(keys) == len(set(keys)) == 16 * len(folder.problems())
    assert folder.errors() == []
    finished = run(plain)
    assert finished.communicate(timeout=400) and finished.returncode == 0
    ours, theirs = score(served), score(plain)
    allowed = 3 * (ours.se_sampling**2 + theirs.se_sampling**2) ** 0.5
    assert abs(ours.value - theirs.value) <= allowed, (ours, theirs)
    fingerprint = RunFolder(served).manifest().fingerprint
    assert fingerprint["versions"]["vllm"] and fingerprint["max_model_len"] == 512


def kill_server() -> bool:
    """SIGKILL the `vllm serve` of this test's run, which is its guardian's only child."""
    for path, text in processes():
        if "guardian.py" in text:
            (child,) = (path / "task" / path.name / "children").read_text().split()
            os.kill(int(child), signal.SIGKILL)
            return True
    return False
