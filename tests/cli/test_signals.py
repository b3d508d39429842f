"""Ctrl-C and SIGTERM at every stage: how soon a command ends or says what it waits for, and what it leaves."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import signals_watch
from harness.cli.signals_watch import Watch
from harness.storage.run_folder import RunFolder
from harness.waiting import NOTHING, Wait, telling, waiting_for
from tests.support.processes import wait_for

ROOT = Path(__file__).parents[2]
LINE = 2.0  # seconds from the signal to a line, or to the end
END = 5.0  # to the end; on a busy machine
LOADING = "harness.workflows.engine_loading.make_engine"
READING = "harness.workflows.evaluate.prepare"
PLANNING = "harness.workflows.evaluate._lay_out"
REPORT = "harness.reports.results.read_results"
SITE = "harness.reports.page.site.build_site"


def run_arguments(run: Path, k: int = 2) -> list[str]:
    return ["run", "--model", "examples/practice-model/late", "--tasks", "practice_integer",
            "--k", str(k), "-o", str(run)]  # fmt: skip


class Command:
    """A command in a session of its own, so that all of its processes can be found."""

    def __init__(self, output: Path, *arguments: str, code: str | None = None) -> None:
        self.output = output
        what = ["-m", *arguments] if code is None else ["-c", code]
        with output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, *what], cwd=ROOT, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip

    def stop(self, number: int = signal.SIGINT, *, again: float | None = None) -> tuple[str, float]:
        """Send the signal, perhaps again after so many seconds; the output and the seconds to the end."""
        begun = time.monotonic()
        self.process.send_signal(number)
        if again is not None:
            time.sleep(again)
            self.process.send_signal(number)
        self.process.wait(60)
        seconds = time.monotonic() - begun
        wait_for(lambda: not self.left(), 15)
        return self.output.read_text(), seconds

    def left(self) -> list[str]:
        """Processes of the command's session that are still there, and what watched it."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                line = (path / "cmdline").read_bytes().decode(errors="replace")
                session = int((path / "stat").read_text().rpartition(")")[2].split()[3])
            except OSError:
                continue
            watcher = line.rstrip("\0").endswith(f"signals_watch.py\0{self.process.pid}")
            if line and (session == self.process.pid or watcher):
                found.append(line)
        return found


def blocked(tmp_path: Path, place: str, how: str, *arguments: str) -> Command:
    """A command that has come to the step that blocks it."""
    started = tmp_path / "started"
    command = Command(
        tmp_path / "out", "tests.support.blocked", place, how, str(started), *arguments
    )
    wait_for(lambda: started.exists() or command.process.poll() is not None)
    assert command.process.poll() is None, command.output.read_text()
    time.sleep(0.2)
    return command


def ended_by(process: subprocess.Popen[bytes], number: int) -> bool:
    """Whether a shell sees 128 and the number."""
    return process.returncode in (128 + number, -number)


def test_waits_are_told_the_innermost_one_first() -> None:
    told: list[Wait] = []
    with waiting_for("a"), telling(told.append), waiting_for("b", droppable=False):
        pass
    a, b = Wait("a", droppable=True), Wait("b", droppable=False)
    assert told == [a, b, a]
    with telling(told.append):
        assert told[-1] is NOTHING


def test_signal_numbers_are_told_from_lines_wherever_they_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signals_watch, "locks_of", lambda _: set())
    for number in (signal.SIGINT, signal.SIGTERM):
        whole = b"+the model to load\n the eng" + bytes([number]) + b"ine to end\n"
        for cut in range(len(whole)):
            watch = Watch(1)
            watch.read(whole[:cut])
            watch.read(whole[cut:])
            assert (watch.number, watch.what, watch.droppable) == (
                number,
                "the engine to end",
                False,
            )
            assert watch.due() is not None


@pytest.mark.parametrize(
    ("place", "how"),
    [
        (LOADING, "held"),
        pytest.param(LOADING, "sleeps", marks=pytest.mark.slow),
        pytest.param(LOADING, "computes", marks=pytest.mark.slow),
        pytest.param(LOADING, "released", marks=pytest.mark.slow),
        pytest.param(READING, "sleeps", marks=pytest.mark.slow),
        pytest.param(READING, "computes", marks=pytest.mark.slow),
        pytest.param(READING, "released", marks=pytest.mark.slow),
    ],
)
def test_a_step_before_anything_is_written_ends_at_once(
    place: str, how: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    command = blocked(tmp_path, place, how, *run_arguments(run))
    said, seconds = command.stop()
    assert ended_by(command.process, signal.SIGINT), said
    assert seconds < LINE
    assert "interrupted" in said or "stopping: waiting for" in said
    assert "Traceback" not in said
    assert not run.exists(), "neither a lock nor a folder is left"


def test_a_second_signal_ends_what_holds_everything_up(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = blocked(tmp_path, LOADING, "held", *run_arguments(run))
    said, seconds = command.stop(signal.SIGTERM, again=0.5)
    assert ended_by(command.process, signal.SIGTERM), said
    assert seconds < signals_watch.LINE_SECONDS
    assert not run.exists()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["sleeps", "computes", "released"])
@pytest.mark.parametrize(
    ("place", "command", "what"),
    [(REPORT, "report", "the report to be made"), (SITE, "site", "the site to be built")],
)
def test_a_report_ends_within_the_time(
    place: str, command: str, what: str, how: str, tmp_path: Path
) -> None:
    page = tmp_path / ("page" if command == "site" else "page.html")
    held = blocked(tmp_path, place, how, command, str(ROOT / "examples"), "-o", str(page))
    said, seconds = held.stop()
    assert ended_by(held.process, signal.SIGINT), said
    assert seconds < LINE
    assert ("interrupted: run the same command again" if how == "sleeps" else what) in said


@pytest.mark.slow
def test_what_must_end_in_order_is_named_and_a_second_signal_does_not_wait_for_it(
    tmp_path: Path,
) -> None:
    """An engine that takes long to end: the first signal waits for it, and says so."""
    run = tmp_path / "run"
    code = (
        "import asyncio, harness.workflows.engine_loading as loading\n"
        "from tests.support.fakes import FakeEngine, answer\n"
        "class Slow(FakeEngine):\n"
        "    async def close(self):\n"
        "        await asyncio.sleep(30)\n"
        "loading.make_engine = lambda settings: Slow(lambda _: answer('1'), seconds=0.5)\n"
        "from harness.cli import main\n"
        f"main({run_arguments(run, 100)!r})\n"
    )
    command = Command(tmp_path / "out", code=code)
    samples = run / "practice_integer" / "samples.jsonl"
    wait_for(lambda: samples.exists() and samples.stat().st_size)
    command.process.send_signal(signal.SIGINT)
    wait_for(lambda: "stopping: waiting for" in command.output.read_text(), LINE)
    assert "the engine to end (Ctrl-C again ends at once" in command.output.read_text()
    assert command.process.poll() is None
    said, seconds = command.stop()
    assert command.process.returncode == 130, said
    assert seconds < 1
    assert (run / ".lock").read_bytes() == b"", "released, also for another host"


def torch_is_loading(process: subprocess.Popen[bytes]) -> bool:
    return "libtorch" in Path(f"/proc/{process.pid}/maps").read_text()


@pytest.mark.slow
def test_a_run_interrupted_at_every_stage_is_completed_by_the_same_command(tmp_path: Path) -> None:
    run = tmp_path / "run"
    samples, scores = (run / "practice_integer" / name for name in ("samples.jsonl", "scores.json"))
    stages: dict[str, Callable[[subprocess.Popen[bytes]], object]] = {
        "start": lambda _: True,
        "lock": lambda _: (run / ".lock").exists(),
        "torch": torch_is_loading,
        "sampling": lambda _: samples.exists() and samples.stat().st_size > 0,
    }
    for number in (signal.SIGINT, signal.SIGTERM):
        for stage, reached in stages.items():
            command = Command(tmp_path / "out", "harness", *run_arguments(run, 40))
            time.sleep(0.3)
            while not reached(command.process):
                assert command.process.poll() is None, (stage, command.output.read_text())
                time.sleep(0.05)
            said, seconds = command.stop(number)
            assert ended_by(command.process, number), (stage, said)
            assert seconds < END, stage
            assert "Traceback" not in said, stage
    assert not scores.exists(), "or the stages were passed too fast"
    stored = samples.read_bytes()
    last = subprocess.run([sys.executable, "-m", "harness", *run_arguments(run, 40)],
                          cwd=ROOT, check=False)  # fmt: skip
    assert last.returncode == 0
    assert samples.read_bytes().startswith(stored)
    keys = [sample.key for sample in RunFolder(run).task("practice_integer").samples()]
    assert len(keys) == len(set(keys))
    assert RunFolder(run).task("practice_integer").scores().complete


def test_a_signal_in_a_forked_child_does_what_it_did_before(tmp_path: Path) -> None:
    code = (
        "import os, signal, time\n"
        "from harness.cli.signals import handled\n"
        "with handled():\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        time.sleep(30)\n"
        "        os._exit(0)\n"
        "    time.sleep(0.3)\n"
        "    os.kill(child, signal.SIGTERM)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(-signal.SIGTERM)
