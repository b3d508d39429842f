"""The run folder: torn lines, locks, full disks, what is refused and what survives."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cli import run_command
from harness.errors import DataError, ProtocolMismatch, UsageError
from harness.protocol import Protocol, content_hash
from harness.storage.files import Appender, read_lines, write_json, write_lines
from harness.storage.manifest import Manifest, Start
from harness.storage.run_folder import RunFolder, RunWriter, TaskFolder
from harness.types import Grade, Judging, Limits, Problem, Provenance, Sample, TestCase, Verdict
from tests.support.run_folders import WriteRun

PROBLEMS = [
    Problem("a", "Add 1 and 1.", "2", meta={"level": 1}),
    Problem("b", "Pick.", "x", choices=("x", "y")),
    Problem(
        "c",
        "Echo.",
        tests=(TestCase("1\n", "1\n"),),
        limits=Limits(cpu_seconds=2.0),
        starter_code="def echo():",
        judging=Judging(checker="print(1)", input_file="in.txt", decisive=False),
        provenance=Provenance(contest="9", index="A", date=date(2024, 8, 31), erratum="unclear"),
        meta={"tags": ["strings"], "rating": 800},
    ),
]
PROTOCOL = Protocol(
    task="sums",
    problems={problem.id: content_hash(problem) for problem in PROBLEMS},
    prompt="{statement}",
    temperature=0.6,
)
MODEL = Manifest(model="tiny", fingerprint={"engine": "fake", "dtype": "float32"})


def sample(index: int, response: str = "2") -> Sample:
    return Sample("a", index, "hm", response, "stop", n_tokens=3, choice_order=(1, 0))


def make(path: Path, *, k: int = 4, protocol: Protocol = PROTOCOL) -> TaskFolder:
    with RunWriter(path) as writer:
        writer.begin(MODEL, Start(host="here"))
        return writer.add_task(protocol, PROBLEMS, k)


def append(path: Path, *rows: object) -> None:
    appender = Appender(path)
    appender.append(rows)
    appender.close()


# Lines


def test_everything_comes_back_as_it_was_written(tmp_path: Path) -> None:
    folder = make(tmp_path)
    grades = [Grade("a", 0, Verdict.CORRECT, "2", "integer", 0.1, "integer/1")]
    append(folder.path / "samples.jsonl", sample(0), replace(sample(1), response=None, seed=7))
    append(folder.path / "grades.jsonl", *grades)
    assert list(folder.samples()) == [sample(0), replace(sample(1), response=None, seed=7)]
    assert list(folder.grades()) == grades
    assert folder.problems() == {problem.id: problem for problem in PROBLEMS}
    assert folder.protocol() == PROTOCOL


def test_a_torn_last_line_is_skipped_by_readers_and_cut_by_the_next_writer(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    append(path, {"n": 1}, {"n": 2})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"n": 3, "text": "unfini')
    assert [row for _, row in read_lines(path)] == [{"n": 1}, {"n": 2}]
    append(path, {"n": 4})
    assert path.read_bytes() == whole + b'{"n":4}\n'


@pytest.mark.parametrize("torn", [1, 70_000, 200_000])
def test_a_torn_line_of_any_length_is_cut(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(b'{"n":1}\n' + b"x" * torn)
    Appender(path).close()
    assert path.read_bytes() == b'{"n":1}\n'
    path.write_bytes(b"x" * torn)
    Appender(path).close()
    assert path.read_bytes() == b""


@given(cut=st.integers(0, 200))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_cut_anywhere_keeps_every_line_before_the_cut(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "samples.jsonl"
    write_lines(path, [{"n": n, "text": "ab" * n} for n in range(8)])
    data = path.read_bytes()[:cut]
    path.write_bytes(data)
    append(path, {"n": "next"})
    rows = [row["n"] for _, row in read_lines(path)]
    assert rows == [*range(data.count(b"\n")), "next"]


def test_a_broken_line_in_the_middle_is_named_by_file_and_line(tmp_path: Path) -> None:
    folder = make(tmp_path)
    path = folder.path / "samples.jsonl"
    append(path, sample(0), sample(1))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"problem_id": "a", "ind\n' + lines[1])
    with pytest.raises(DataError, match=r"sums/samples\.jsonl, line 2: not valid JSON"):
        list(folder.samples())


@pytest.mark.parametrize(
    "row", [{"problem_id": "a"}, ["a"], "a", {**orjson.loads(orjson.dumps(sample(0))), "more": 1}]
)
def test_a_line_of_another_kind_is_named_by_file_and_line(tmp_path: Path, row: object) -> None:
    folder = make(tmp_path)
    append(folder.path / "samples.jsonl", sample(0), row)
    with pytest.raises(DataError, match=r"samples\.jsonl, line 2: not what the harness writes"):
        list(folder.samples())


def test_an_unknown_verdict_is_named_by_file_and_line(tmp_path: Path) -> None:
    folder = make(tmp_path)
    append(folder.path / "grades.jsonl", {"problem_id": "a", "index": 0, "verdict": "fine"})
    with pytest.raises(DataError, match=r"grades\.jsonl, line 1: .*'fine'"):
        list(folder.grades())


def test_text_that_is_no_unicode_is_stored_with_its_broken_parts_replaced(tmp_path: Path) -> None:
    folder = make(tmp_path)
    append(folder.path / "samples.jsonl", sample(0, "half of \ud83d an emoji, 𝒳 and \x00"))
    assert [s.response for s in folder.samples()] == ["half of ? an emoji, 𝒳 and \x00"]
    write_json(tmp_path / "odd.json", {"command": ["--model", "caf\udce9"]})
    assert orjson.loads((tmp_path / "odd.json").read_bytes())["command"][1] == "caf?"


def test_lines_are_separated_by_newlines_alone(tmp_path: Path) -> None:
    folder = make(tmp_path)
    append(folder.path / "samples.jsonl", *(sample(i, "a\u2028b\r\n\x85c") for i in range(3)))
    assert [s.response for s in folder.samples()] == ["a\u2028b\r\n\x85c"] * 3


# Full disks


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, which writers see as they see a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_whole_lines_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    appender = Appender(path)
    appender.append([sample(0)])
    line = path.stat().st_size
    with (
        room_for(line + 20),
        pytest.raises(DataError, match=r"samples\.jsonl: .*make room and run"),
    ):
        appender.append([sample(1)])
    assert path.stat().st_size == line
    appender.append([sample(2)])
    appender.close()
    assert [row["index"] for _, row in read_lines(path)] == [0, 2]


def test_a_full_disk_leaves_the_old_file_where_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_json(path, {"old": True})
    with room_for(100), pytest.raises(DataError, match=r"scores\.json: cannot be written"):
        write_json(path, {"new": "x" * 10_000})
    assert orjson.loads(path.read_bytes()) == {"old": True}
    assert [file.name for file in tmp_path.iterdir()] == ["scores.json"]


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere/samples\.jsonl: cannot be written"):
        Appender(tmp_path / "nowhere" / "samples.jsonl")
    with pytest.raises(DataError, match=r"nowhere/x\.json: cannot be written"):
        write_json(tmp_path / "nowhere" / "x.json", Start())


# Locks

HOLD = """
import sys, time
from pathlib import Path
from harness.storage.run_folder import RunWriter
with RunWriter(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the folder open for writing."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_second_writer_is_refused_with_pid_and_host_and_a_dead_one_is_taken_over(
    tmp_path: Path,
) -> None:
    make(tmp_path)
    with holder(tmp_path) as process:
        words = rf"process {process.pid} on host {socket.gethostname()}"
        for take_over in (False, True):
            with pytest.raises(UsageError, match=words):
                RunWriter(tmp_path, take_over=take_over)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with RunWriter(tmp_path):
            assert orjson.loads((tmp_path / ".lock").read_bytes())["pid"] == os.getpid()
    assert (tmp_path / ".lock").read_bytes() == b""


def test_a_folder_that_nothing_came_of_is_not_left_behind(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run"):
        assert (tmp_path / "run" / ".lock").exists()
    assert not (tmp_path / "run").exists()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("kept")
    with RunWriter(tmp_path / "notes"):
        pass
    assert [file.name for file in (tmp_path / "notes").iterdir()] == ["mine.txt"]


def test_one_process_cannot_open_a_folder_twice_and_can_do_so_again_later(tmp_path: Path) -> None:
    with RunWriter(tmp_path), pytest.raises(UsageError, match=f"process {os.getpid()} on host"):
        RunWriter(tmp_path)
    with RunWriter(tmp_path):
        pass


def test_a_lock_file_that_its_last_holder_took_away_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder leaves between our opening the file and our locking it."""
    monkeypatch.setattr("fcntl.flock", lambda *_: (tmp_path / ".lock").unlink())
    with pytest.raises(UsageError, match="released this moment"):
        RunWriter(tmp_path)


def test_a_file_system_without_locks_is_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(UsageError, match=r"does not support locks \(No locks available\)"):
        RunWriter(tmp_path)


def test_another_hosts_lock_is_refused_unless_taken_over(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    lock.write_bytes(orjson.dumps({"pid": 42, "host": "node7", "since": 0}))
    with pytest.raises(UsageError, match=r"process 42 on host node7.*--take-over"):
        RunWriter(tmp_path)
    assert orjson.loads(lock.read_bytes())["host"] == "node7"
    with RunWriter(tmp_path, take_over=True):
        assert orjson.loads(lock.read_bytes())["host"] == socket.gethostname()


@pytest.mark.parametrize("damage", [b"{", b"[]", b"null", b"\x00\x00"])
def test_a_damaged_lock_of_nobody_is_taken_over(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / ".lock").write_bytes(damage)
    with RunWriter(tmp_path):
        assert orjson.loads((tmp_path / ".lock").read_bytes())["pid"] == os.getpid()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file/run: cannot be written"):
        RunWriter(tmp_path / "file" / "run")


# What a run folder takes and refuses


def test_starts_are_added_up_and_the_first_manifest_stays(tmp_path: Path) -> None:
    make(tmp_path)
    make(tmp_path)
    manifest = RunFolder(tmp_path).manifest()
    assert [start.number for start in manifest.starts] == [0, 1]
    assert (manifest.model, manifest.k) == ("tiny", {"sums": 4})


def test_a_larger_k_extends_and_a_smaller_one_is_refused(tmp_path: Path) -> None:
    make(tmp_path, k=4)
    make(tmp_path, k=8)
    assert RunFolder(tmp_path).manifest().k == {"sums": 8}
    with pytest.raises(
        UsageError, match=r"already holds k=8, more than the 4 asked for; use --k 8"
    ):
        make(tmp_path, k=4)
    assert RunFolder(tmp_path).manifest().k == {"sums": 8}


def test_another_protocol_is_refused_in_words_and_nothing_changes(tmp_path: Path) -> None:
    folder = make(tmp_path)
    before = (folder.path / "protocol.json").read_bytes()
    with pytest.raises(
        ProtocolMismatch, match=r"temperature: 0\.6 against 1\.0; top p: None against"
    ):
        make(tmp_path, protocol=replace(PROTOCOL, temperature=1.0, top_p=0.9))
    with pytest.raises(ProtocolMismatch, match=r"problems: 3 against 0; 3 missing \(a, b, c\)"):
        make(tmp_path, protocol=replace(PROTOCOL, problems={}))
    assert (folder.path / "protocol.json").read_bytes() == before


def test_a_task_is_checked_before_anything_is_drawn(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer:
        assert writer.check_task(PROTOCOL, 4) is False
    make(tmp_path)
    with RunWriter(tmp_path) as writer:
        assert writer.check_task(PROTOCOL, 4) is True
        with pytest.raises(
            ProtocolMismatch, match=r"grader: '' against 'math/2'\); grade it again"
        ):
            writer.check_task(replace(PROTOCOL, grader="math/2"), 4)


def test_a_start_does_not_change_the_manifest_that_it_was_given(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer:
        begun = writer.begin(MODEL, Start(host="here"))
    assert begun == Start(number=0, host="here")
    assert MODEL.starts == ()


def test_another_model_is_refused_and_another_library_version_is_not(tmp_path: Path) -> None:
    make(tmp_path)
    with RunWriter(tmp_path) as writer:
        with pytest.raises(ProtocolMismatch, match="model: tiny against large"):
            writer.begin(replace(MODEL, model="large"), Start())
        with pytest.raises(ProtocolMismatch, match="dtype: float32 against bfloat16"):
            writer.begin(
                replace(MODEL, fingerprint={"engine": "fake", "dtype": "bfloat16"}), Start()
            )
        with pytest.raises(ProtocolMismatch, match="lm_eval_model: None against hf"):
            writer.begin(
                replace(MODEL, fingerprint={**MODEL.fingerprint, "lm_eval_model": "hf"}), Start()
            )
        writer.begin(
            replace(MODEL, fingerprint={**MODEL.fingerprint, "versions": {"t": "2"}}), Start()
        )


def test_samples_of_an_protocol_that_is_gone_are_not_taken_for_those_of_another(
    tmp_path: Path,
) -> None:
    folder = make(tmp_path)
    append(folder.path / "samples.jsonl", sample(0))
    (folder.path / "protocol.json").unlink()
    with pytest.raises(DataError, match=r"sums holds samples and no protocol\.json"):
        make(tmp_path, protocol=replace(PROTOCOL, prompt="another"))


def test_tasks_come_in_the_order_in_which_they_were_added(tmp_path: Path) -> None:
    for name in ("zebra", "ant"):
        make(tmp_path, protocol=replace(PROTOCOL, task=name))
    assert [task.name for task in RunFolder(tmp_path).tasks()] == ["zebra", "ant"]


def test_a_folder_that_is_no_run_says_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"it holds no manifest\.json"):
        RunFolder(tmp_path)
    with pytest.raises(DataError, match="it does not exist"):
        RunFolder(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", [b"", b'{"model": "x"', b"[]", b'{"model": "x", "more": 1}'])
def test_a_damaged_manifest_or_protocol_is_named(tmp_path: Path, damage: bytes) -> None:
    folder = make(tmp_path)
    for name in ("manifest.json", "sums/protocol.json"):
        (tmp_path / name).write_bytes(damage)
    with pytest.raises(DataError, match=r"manifest\.json: not"):
        RunFolder(tmp_path).manifest()
    with pytest.raises(DataError, match=r"protocol\.json: not"):
        folder.protocol()


def test_a_task_without_scores_says_so(tmp_path: Path) -> None:
    folder = make(tmp_path)
    assert not folder.has_scores()
    with pytest.raises(DataError, match=r"scores\.json is missing"):
        folder.scores()


def test_a_replaced_file_is_readable_by_others(tmp_path: Path) -> None:
    write_json(tmp_path / "scores.json", Start())
    assert (tmp_path / "scores.json").stat().st_mode & 0o777 == 0o644


def test_a_folder_cannot_name_another_task_than_its_own(write_run: WriteRun) -> None:
    """A name such as lm_eval:PATH leads to code; a folder that somebody else made has no say in it."""
    run = write_run([[Verdict.CORRECT]])
    (folder,) = RunFolder(run).tasks()
    path = folder.path / "protocol.json"
    path.write_text(
        path.read_text().replace(f'"task": "{folder.name}"', '"task": "lm_eval:./own/x"')
    )
    for command in (["score"], ["grade"], ["report"], ["compare", str(run)], ["watch", "--once"]):
        with pytest.raises(DataError, match="its folder is not called so"):
            folder.protocol()
        assert run_command([*command, str(run)]) == 2
    with pytest.raises(UsageError, match="no task's name"):
        RunFolder(run).task("../other")
