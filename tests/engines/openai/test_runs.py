"""Whole runs over an endpoint: failures, kills and resumes, keys, and a server of the run's own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.data.datasets import load_problems
from harness.engines import make_engine
from harness.engines.openai.serve import VllmServer, reserve_port
from harness.engines.settings import EngineSettings
from harness.errors import EngineDown, UsageError
from harness.interfaces import Completion, Request
from harness.pipeline.grading_pool import GradingPool
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Runner
from harness.protocol import make_protocol
from harness.registry import tasks
from harness.sampling import Sampling
from harness.storage.manifest import Manifest, Start
from harness.storage.run_folder import RunFolder, RunWriter
from harness.types import Prompt
from tests.support.endpoint import quicken
from tests.support.mock_server import Answers, Running, Script, task_answers

ROOT = Path(__file__).parents[3]
PYTHON = sys.executable
KEY = "sk-never-written-anywhere"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


def integer_run(path: Path, *, problems: int = 30, k: int = 16) -> TaskRun:
    task = tasks()["practice_integer"]
    found = load_problems(task, None, limit=problems)
    sampling = replace(task.sampling, k=k)
    protocol = make_protocol(task, found, sampling)
    with RunWriter(path) as writer:
        writer.begin(Manifest(model="mock", fingerprint={"engine": "openai"}), Start())
        folder = writer.add_task(protocol, found, k)
    return TaskRun(task, protocol, {p.id: p for p in found}, sampling, folder)


def test_with_ten_percent_failures_and_one_percent_drops_none_is_counted_as_wrong(
    tmp_path: Path,
) -> None:
    run = integer_run(tmp_path)
    failures = {"500": 0.05, "429": 0.05, "drop": 0.01}
    script = Script(
        reply=Answers(task_answers("practice_integer"), 1.0, 300), failures=failures, seed=5
    )
    with Running(script) as server:
        engine = make_engine(EngineSettings(engine="openai", model="mock", base_url=server.url))
        (result,) = asyncio.run(drawn(Runner([run], engine, GradingPool(1)), engine))
        failed = sum(server.mock.outcomes[name] for name in failures)
    assert failed > 20
    assert result.scores[0].verdicts == {"correct": 480}
    assert result.complete is True
    assert run.folder.errors() == []


def test_samples_that_fail_for_good_are_errors_and_the_next_start_completes_them(
    tmp_path: Path,
) -> None:
    run = integer_run(tmp_path, problems=4, k=4)
    script = Script(
        reply=Answers(task_answers("practice_integer"), 1.0, 300), failures={"500": 0.6}
    )
    with Running(script) as server:
        given = EngineSettings(
            engine="openai", model="mock", base_url=server.url, options={"tries": "1"}
        )
        engine = make_engine(given)
        (result,) = asyncio.run(drawn(Runner([run], engine, GradingPool(1)), engine))
        verdicts = result.scores[0].verdicts
        assert set(verdicts) == {"correct", "error"} and sum(verdicts.values()) == 16
        server.mock.script.failures = {}
        engine = make_engine(given)
        (result,) = asyncio.run(drawn(Runner([run], engine, GradingPool(1)), engine))
    assert result.scores[0].verdicts == {"correct": 16}


async def drawn(runner: Runner, engine: object) -> list[dict[str, object]]:
    try:
        return await runner.run()
    finally:
        await engine.close()  # type: ignore[attr-defined]


def command(url: str, output: Path, *more: str) -> list[str]:
    return [
        PYTHON, "-m", "harness", "run", "--engine", "openai", "--model", "mock",
        "--base-url", url, "--tasks", "practice_integer", "--limit", "20", "--k", "16",
        "-o", str(output), *more,
    ]  # fmt: skip


def start(arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.slow
def test_killed_at_half_and_resumed_only_what_was_in_flight_is_asked_again(tmp_path: Path) -> None:
    in_flight = 24
    answers = Answers(task_answers("practice_integer"), 1.0, 300)
    with Running(Script(reply=answers, mean=0.2, key=KEY)) as server:
        arguments = command(
            server.url, tmp_path / "run", "--concurrency", str(in_flight),
            "--engine-arg", f"header.X-Token={KEY}",
        )  # fmt: skip
        first = start(arguments, OPENAI_API_KEY=KEY)
        while server.mock.answered.total() < 160:
            assert first.poll() is None, first.communicate()
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        said = first.communicate()
        second = start(arguments, OPENAI_API_KEY=KEY)
        said += second.communicate(timeout=120)
        assert second.returncode == 0, said
        answered = Counter(server.mock.answered)
    assert 320 <= answered.total() <= 320 + in_flight
    assert len(answered) == 20
    folder = RunFolder(tmp_path / "run").task("practice_integer")
    stored = [sample.key for sample in folder.samples()]
    assert len(stored) == len(set(stored)) == 320
    assert KEY not in "".join(said)
    for path in (tmp_path / "run").rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


@pytest.mark.slow
def test_an_interrupted_run_says_how_to_go_on_and_a_server_on_another_port_may(
    tmp_path: Path,
) -> None:
    answers = Answers(task_answers("practice_integer"), 1.0, 300)
    with Running(Script(reply=answers, mean=0.5)) as server, Running(Script(answers)) as other:
        first = start(command(server.url, tmp_path / "run", "--concurrency", "16"))
        while server.mock.answered.total() < 40:
            assert first.poll() is None, first.communicate()
            time.sleep(0.01)
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=30)
        assert first.returncode == 130 and "run the same command to resume" in said
        second = start(command(other.url, tmp_path / "run"))
        out, said = second.communicate(timeout=120)
        assert second.returncode == 0, (out, said)


# --serve, with a stand-in for vLLM

FAKE_VLLM = """#!{python}
import os, sys
sys.path.insert(0, {root!r})
assert sys.argv[1] == "serve"
options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
with open({record!r}, "a") as file:
    file.write(" ".join([str(os.getpid()), *sys.argv[1:]]) + "\\n")
print("loading the weights", flush=True)
if "--fail" in options:
    sys.exit("no memory for the weights")
os.fork() or os.execlp("sleep", "sleep", "600")  # as vLLM's own worker processes
sys.argv = ["mock", "--port", options["--port"], "--task", "practice_integer", "--mean", "0.2",
            "--model", sys.argv[2]]
from tests.support.endpoint import quicken
from tests.support.mock_server import main
main()
"""


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A `vllm` on the PATH; the file says how it was called. Nothing of it may be left."""
    record, folder = tmp_path / "calls", tmp_path / "bin"
    folder.mkdir()
    program = folder / "vllm"
    program.write_text(FAKE_VLLM.format(python=PYTHON, root=str(ROOT), record=str(record)))
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setattr("sys.executable", str(folder / "python"))
    (folder / "python").symlink_to(PYTHON)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("harness.engines.openai.start.load_chat", lambda settings, options: None)
    yield record
    assert groups(record) == {}


def calls(record: Path) -> list[list[str]]:
    return [line.split() for line in record.read_text().splitlines()]


def groups(record: Path) -> dict[int, str]:
    """Running processes of the process groups that the calls led."""
    leaders = {int(call[0]) for call in calls(record)}
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) in leaders and fields[0] != "Z":
                found[int(path.name)] = (path / "cmdline").read_text()
        except (OSError, ValueError):
            continue
    return found


def serving(notices: list[str], **options: str) -> EngineSettings:
    return EngineSettings(
        engine="openai",
        model="some/model",
        serve=True,
        seed=3,
        options=options,
        notify=notices.append,
    )


def test_a_server_of_its_own_is_started_with_what_is_asked_for_and_stopped(record: Path) -> None:
    notices: list[str] = []
    given = {"serve.reasoning_parser": "deepseek_r1", "serve.enforce_eager": "true"}
    settings = serving(notices, **given)
    engine = make_engine(settings)
    (call,) = calls(record)
    assert call[1:3] == ["serve", "some/model"]
    text = " ".join(call)
    assert "--reasoning-parser deepseek_r1 --enforce-eager" in text
    assert text.endswith(f"--seed {settings.draw_seed(0, 0)}")
    assert len(groups(record)) == 2
    assert engine.fingerprint()["servers"] == "started for the run"

    async def work() -> Completion:
        try:
            return await engine.generate(ask(0))
        finally:
            await engine.close()

    assert asyncio.run(work()).finish_reason == "stop"
    assert "starting vllm serve for some/model" in notices[0] and "is ready" in notices[1]
    assert not list(record.parent.glob("*.log"))


def ask(index: int) -> Request:
    return Request("p", index, Prompt("x"), Sampling(k=64, temperature=0.6, max_tokens=50))


def test_a_server_that_exits_is_restarted_with_another_seed(record: Path) -> None:
    notices: list[str] = []
    settings = serving(notices)
    engine = make_engine(settings)

    async def work() -> list[Completion | BaseException]:
        try:
            tasks = [asyncio.create_task(engine.generate(ask(index))) for index in range(40)]
            await asyncio.sleep(0.1)
            os.kill(int(calls(record)[0][0]), signal.SIGKILL)
            return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
        finally:
            await engine.close()

    found = asyncio.run(work())
    assert all(isinstance(completion, Completion) for completion in found), found
    seeds = [call[-1] for call in calls(record)]
    assert seeds == [str(settings.draw_seed(0, restart)) for restart in (0, 1)]
    assert any("is restarted with another seed" in text for text in notices)


def test_a_server_is_started_in_the_batch_invariant_mode(
    record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.engines.openai.start.check_batch_invariant", lambda: None)
    engine = make_engine(serving([], batch_invariant="true"))
    (call,) = calls(record)
    environment = Path(f"/proc/{call[0]}/environ").read_bytes().split(b"\0")
    assert b"VLLM_BATCH_INVARIANT=1" in environment
    assert engine.fingerprint()["batch_invariant"] is True
    asyncio.run(engine.close())


def test_a_server_that_does_not_start_shows_the_end_of_its_log(record: Path) -> None:
    with pytest.raises(EngineDown, match="exited while it started") as caught:
        make_engine(serving([], **{"serve.fail": "now"}))
    assert "no memory for the weights" in str(caught.value)


def test_the_port_of_a_server_is_kept_for_it_while_it_starts() -> None:
    with reserve_port() as holder, socket.socket() as stranger, socket.socket() as server:
        with pytest.raises(OSError, match="in use"):
            stranger.bind(holder.getsockname())
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as every HTTP server does
        server.bind(holder.getsockname())
        server.listen()


def test_a_server_that_was_stopped_is_not_started_again(record: Path) -> None:
    """A probe may still be restarting the server when the run is interrupted."""
    given = serving([])
    server = VllmServer(given, [], 60.0)
    server.wait_until_ready()
    server.stop()
    server.restart_if_exited()
    try:
        assert not server.running
    finally:
        server.stop()


def test_an_interrupted_start_stops_the_server(record: Path) -> None:
    settings = replace(serving([]), stopped=lambda: record.exists())
    with pytest.raises(EngineDown, match="was stopped while it started"):
        make_engine(settings)


def test_a_killed_run_leaves_no_server_behind(record: Path) -> None:
    code = (
        "import os; from tests.engines.openai.test_runs import serving, make_engine\n"
        "import harness.engines.openai.start as start\n"
        "start.load_chat = lambda settings, options: None\n"
        "make_engine(serving([])); print('up', flush=True); os.kill(os.getpid(), 9)"
    )
    result = subprocess.run(
        [PYTHON, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.stdout == "up\n", result.stderr
    deadline = time.monotonic() + 15
    while groups(record) and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"serve.seed": "1"}, "sets this one itself"),
        ({"serve.data_parallel_size": "2"}, "add --seeded"),
    ],
)
def test_options_that_would_repeat_draws_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_engine(serving([], **options))


def test_one_server_or_the_other() -> None:
    with pytest.raises(UsageError, match="one server or the other"):
        make_engine(replace(serving([]), base_url="http://127.0.0.1:9/v1"))


def test_without_vllm_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("harness.engines.openai.start.load_chat", lambda settings, options: None)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"pip install 'reasoning-harness\[vllm\]'"):
        make_engine(serving([]))
