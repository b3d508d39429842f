"""`harness watch`: what a run folder says while another process writes there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from harness.cli import run_command
from harness.cli.watch import line, view, watch
from harness.errors import DataError
from harness.storage.files import Appender, write_json
from harness.storage.follow import RunProgress, Tail
from harness.storage.manifest import Manifest, Start
from harness.types import Grade, Sample, Verdict

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER


class FakeRun:
    """A run folder that a test writes to as the runner does."""

    def __init__(self, path: Path, problems: int = 2, k: int = 4) -> None:
        self.path, self.task = path, path / "aime24"
        self.task.mkdir(parents=True)
        start = Start(time=time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        manifest = Manifest("x/small", {"engine": "vllm"}, {"aime24": k}, (start,))
        write_json(path / "manifest.json", manifest)
        hashes = {f"p{i}": "0" for i in range(problems)}
        write_json(
            self.task / "protocol.json", {"task": "aime24", "problems": hashes, "prompt": ""}
        )
        self.files = {
            n: Appender(self.task / f"{n}.jsonl") for n in ("samples", "grades", "errors")
        }

    def add(self, problem: str, index: int, verdict: Verdict, *, cut: bool = False) -> None:
        reason = "length" if cut else "stop"
        self.files["samples"].append([Sample(problem, index, "t", "r", reason, n_tokens=100)])  # type: ignore[arg-type]
        self.files["grades"].append([Grade(problem, index, verdict, "1")])

    def lock(self, pid: int, host: str | None = None) -> None:
        write_json(self.path / ".lock", {"pid": pid, "host": host or socket.gethostname()})


@pytest.fixture
def run(tmp_path: Path) -> Iterator[FakeRun]:
    fake = FakeRun(tmp_path / "night")
    yield fake
    for file in fake.files.values():
        file.close()


def shown(progress: RunProgress, width: int = 120) -> str:
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(view(progress, width))
    return capture.get()


def test_each_look_reads_what_was_added_since(run: FakeRun) -> None:
    progress = RunProgress(run.path)
    run.add("p0", 0, C)
    progress.update(now=0.0)
    run.add("p0", 1, W, cut=True)
    run.add("p1", 0, C)
    progress.update(now=4.0)
    (task,) = progress.tasks.values()
    assert (task.sampled, task.asked, task.capped, task.tokens) == (3, 8, 1, 300)
    assert task.verdicts == {"correct": 2, "wrong_answer": 1}
    assert task.correct == {"p0": (1, 2), "p1": (1, 1)}
    assert not progress.complete


def test_the_score_is_a_mean_over_problems_with_the_error_that_can_be_known(run: FakeRun) -> None:
    progress = RunProgress(run.path)
    progress.update(now=0.0)
    (task,) = progress.tasks.values()
    assert task.score() is None
    for index in range(3):
        run.add("p0", index, C)
    run.add("p1", 0, W)
    progress.update(now=1.0)
    assert task.score() == (0.5, 0.5, False)  # p1 has one sample: the error is over problems
    assert "50.0 ±50.0*" in shown(progress)
    run.add("p1", 1, C)
    progress.update(now=2.0)
    value, error, sampling = task.score() or (0, 0, False)
    assert (value, sampling) == (0.75, True)
    assert error == pytest.approx((0.25 / 1) ** 0.5 / 2)


def test_the_rate_is_that_of_the_last_minute(run: FakeRun) -> None:
    progress = RunProgress(run.path)
    progress.update(now=1000.0)
    (task,) = progress.tasks.values()
    task._past.popleft()  # what was known of the time before
    for second, problem in enumerate(("p0", "p1"), 1):
        for index in range(2):
            run.add(problem, index, C)
        progress.update(now=1000.0 + second)
    assert task.rate() == (2.0, 200.0)
    progress.update(now=1200.0)
    progress.update(now=1300.0)
    assert task.rate() == (0.0, 0.0)


class One(msgspec.Struct):
    a: int


def test_a_torn_last_line_waits_and_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    tail = Tail(path)
    assert list(tail.rows(One)) == []
    path.write_bytes(b'{"a": 1}\n{"a": ')
    assert list(tail.rows(One)) == [One(1)]
    with path.open("ab") as file:
        file.write(b"2}\n")
    assert list(tail.rows(One)) == [One(2)]
    assert not tail.restarted()
    (tmp_path / "new").write_bytes(b'{"a": 3}\n' * 9)
    (tmp_path / "new").replace(path)
    assert tail.restarted()
    path.write_bytes(b"no\n")
    tail.reset()
    with pytest.raises(DataError, match="not valid JSON"):
        list(tail.rows(One))
    path.write_bytes(b'{"a": "x"}\n')
    tail.reset()
    with pytest.raises(DataError, match=r"a: expected int, got str"):
        list(tail.rows(One))


def test_a_run_that_is_graded_again_is_counted_once(run: FakeRun) -> None:
    progress = RunProgress(run.path)
    run.add("p0", 0, W)
    progress.update(now=0.0)
    run.files["grades"].replace([Grade("p0", 0, C, "1")])
    progress.update(now=1.0)
    (task,) = progress.tasks.values()
    assert (task.sampled, task.graded, dict(task.verdicts)) == (1, 1, {"correct": 1})


def test_an_error_counts_until_its_sample_is_graded(run: FakeRun) -> None:
    progress = RunProgress(run.path)
    run.files["errors"].append([{"problem_id": "p0", "index": 0, "message": "server gone"}])
    progress.update(now=0.0)
    (task,) = progress.tasks.values()
    assert task.errors == 1
    assert "1 errors" in line(progress)
    run.add("p0", 0, C)
    progress.update(now=1.0)
    assert task.errors == 0


def test_a_writer_is_one_that_lives_or_cannot_be_seen(run: FakeRun) -> None:
    progress = RunProgress(run.path)
    assert progress.writer() is None
    run.lock(os.getpid())
    assert progress.writer() == f"process {os.getpid()}"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run.lock(gone.pid)
    assert progress.writer() is None
    run.lock(gone.pid, "elsewhere")
    assert progress.writer() == f"process {gone.pid} on elsewhere"
    (run.path / ".lock").write_text("")
    assert progress.writer() is None


def test_the_view_fits_80_columns_and_names_what_was_finished_last(run: FakeRun) -> None:
    run.lock(os.getpid())
    for index in range(4):
        run.add("p1", index, C if index else W, cut=not index)
    progress = RunProgress(run.path)
    progress.update()
    text = shown(progress)
    assert f"night  small  vllm  sampled by process {os.getpid()}" in text
    assert "50% of 8 samples" in text
    assert "4/8" in text
    assert "75.0 ±25.0" in text
    assert "25.0%" in text  # truncated
    assert "correct 3 (75.0%), wrong answer 1 (25.0%)" in text
    assert "last finished: p1 3/4" in text
    assert max(map(len, shown(progress, 80).splitlines())) <= 80


def test_a_finished_run_is_shown_once_and_ends_with_0(run: FakeRun) -> None:
    for problem in ("p0", "p1"):
        for index in range(4):
            run.add(problem, index, C)
    before = sorted((p.name, p.stat().st_mtime_ns) for p in run.path.rglob("*"))
    result = CliRunner().invoke(watch, [str(run.path)])
    assert result.exit_code == 0
    assert result.output == "aime24 8/8 pass@1 100.0 ±0.0\n"
    assert sorted((p.name, p.stat().st_mtime_ns) for p in run.path.rglob("*")) == before


def test_a_run_that_no_process_writes_ends_with_4_and_once_with_0(
    run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run.add("p0", 0, C)
    assert run_command(["watch", str(run.path)]) == 4
    assert "the command that started it resumes it" in capsys.readouterr().err
    assert run_command(["watch", "--once", str(run.path)]) == 0
    assert "not being sampled" in capsys.readouterr().out
    assert run_command(["watch", str(run.path / "aime24")]) == 2


def test_watching_ends_when_the_writer_does(run: FakeRun) -> None:
    writer = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"],
                              stdin=subprocess.PIPE)  # fmt: skip
    run.lock(writer.pid)

    def work() -> None:
        for problem in ("p0", "p1"):
            for index in range(4):
                run.add(problem, index, C)
        writer.communicate()

    later = threading.Timer(0.3, work)
    later.start()
    result = CliRunner().invoke(watch, [str(run.path), "--every", "0.1"])
    later.join()
    assert result.exit_code == 0, result.output
    assert result.output == "aime24 8/8 pass@1 100.0 ±0.0\n"


def test_ctrl_c_ends_watching_with_0(run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run.lock(os.getpid())

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    assert CliRunner().invoke(watch, [str(run.path)]).exit_code == 0


def test_a_live_writer_is_followed_in_a_terminal(run: FakeRun) -> None:
    """Through a pseudo terminal, as a person sees it."""
    import pty

    for index in range(4):
        run.add("p0", index, C)
        run.add("p1", index, W)
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "harness", "watch", str(run.path)]
    process = subprocess.Popen(command, stdout=child, stderr=child, stdin=child)
    os.close(child)
    seen = b""
    try:
        while data := os.read(parent, 4096):
            seen += data
    except OSError:  # the other end is closed
        pass
    os.close(parent)
    assert process.wait() == 0
    assert "complete" in seen.decode()
    assert json.dumps("50.0 ±0.0", ensure_ascii=False).strip('"') in seen.decode()
