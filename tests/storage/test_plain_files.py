"""Links, pipes and folders in place of stored files, what a kill leaves, and files that go away."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from harness.cli import run_command
from harness.errors import DataError, UsageError
from harness.storage.files import Appender, write_json, write_lines
from harness.storage.lock import FolderLock, holder
from harness.storage.plain_files import part_of
from harness.storage.rows import read_row, read_rows
from harness.storage.run_folder import RunFolder, RunWriter
from harness.types import Grade, Verdict
from tests.support.run_folders import C, W, WriteRun

Put = Callable[[Path], object]


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def a_socket(path: Path) -> None:
    with chdir(path.parent), socket.socket(socket.AF_UNIX) as found:
        found.bind(path.name)  # which must be short


@pytest.fixture
def run(write_run: WriteRun) -> Path:
    return write_run([[C, W], [C, C]])


KINDS = {"a pipe": pipe, "a folder": folder, "a socket": a_socket}


@pytest.mark.parametrize("put", KINDS.values(), ids=list(KINDS))
@pytest.mark.parametrize(
    "name",
    [
        "practice_integer/samples.jsonl",
        "practice_integer/grades.jsonl",
        "practice_integer/errors.jsonl",
        "practice_integer/protocol.json",
        "practice_integer/problems.jsonl",
        "practice_integer/stopping.json",
        "practice_integer/scores.json",
        "manifest.json",
        ".lock",
    ],
)
def test_what_is_no_file_is_refused_by_every_reader_and_writer(
    run: Path, name: str, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / name).unlink(missing_ok=True)
    put(run / name)
    for command in ("score", "grade", "report", "watch"):
        words = [command, str(run), *(["--once"] if command == "watch" else [])]
        code, told = run_command(words), capsys.readouterr().err
        assert code in (0, 2), told
        assert code == 0 or re.search(r"pipe|folder|socket|device|cannot be read", told), told
    assert run_command(["score", str(run)]) == 2, name


def test_no_link_is_followed_on_writing(run: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("precious\n")
    task = run / "practice_integer"
    for path in (run / ".lock", task / "samples.jsonl", task / "errors.jsonl"):
        path.unlink(missing_ok=True)
        path.symlink_to(mine)
    with pytest.raises(UsageError, match=r"\.lock: it is a symbolic link"):
        FolderLock(run)
    with pytest.raises(DataError, match=r"samples\.jsonl: it is a symbolic link"):
        Appender(task / "samples.jsonl")
    (task / "scores.json").unlink()
    (task / "scores.json").symlink_to(mine)
    write_json(task / "scores.json", {})  # replaces the link itself
    assert not (task / "scores.json").is_symlink()
    assert mine.read_text() == "precious\n"


def test_a_task_that_lies_elsewhere_is_not_written_to(run: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (run / "practice_integer").rename(elsewhere)
    (run / "practice_integer").symlink_to(elsewhere)
    before = {path: path.read_bytes() for path in elsewhere.iterdir()}
    assert run_command(["score", str(run)]) == 2
    assert {path: path.read_bytes() for path in elsewhere.iterdir()} == before
    assert run_command(["report", str(run)]) in (0, 4), "reading follows links"


def test_the_folder_that_the_user_names_may_be_a_link(run: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(run)
    assert run_command(["score", str(tmp_path / "latest")]) == 0
    with RunWriter(tmp_path / "latest") as writer:
        writer.write_manifest(replace(RunFolder(run).manifest(), harness="9"))
    assert RunFolder(run).manifest().harness == "9"
    assert (tmp_path / "latest").is_symlink()


@pytest.mark.parametrize("pid", [0, -1, 1 << 40, "x", None, True, [1]])
def test_a_lock_names_a_process_or_none(tmp_path: Path, pid: object) -> None:
    (tmp_path / ".lock").write_bytes(orjson.dumps({"pid": pid, "host": "there"}))
    found = holder(tmp_path)
    assert found is not None and found.pid is (pid if pid is True else None)


def test_a_sample_of_a_problem_that_is_not_there_is_named(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run / "practice_integer" / "samples.jsonl"
    path.write_text(path.read_text().replace('"p00"', '"p77"', 1))
    assert run_command(["grade", str(run)]) == 2
    assert "samples.jsonl: a sample is of problem 'p77'" in capsys.readouterr().err
    problems = run / "practice_integer" / "problems.jsonl"
    problems.write_text("".join(problems.read_text().splitlines(keepends=True)[1:]))
    assert run_command(["grade", str(run)]) == 2
    assert (
        "problems.jsonl: 1 of the protocol's problems are missing (p00)" in capsys.readouterr().err
    )


# What a kill leaves


def test_what_a_killed_writer_left_goes_with_the_next_one(run: Path) -> None:
    task = run / "practice_integer"
    left = [
        part_of(run / "manifest.json"),
        part_of(task / "grades.jsonl"),
        task / ".scores.json.ab12cd_9",
    ]
    kept = [run / ".notes.harness", task / ".scores.json.swp", task / ".mine.json.ab12cd_9"]
    for path in (*left, *kept):
        path.write_text("{")
    assert run_command(["report", str(run)]) == 0
    assert all(path.exists() for path in left), "a reader removes nothing"
    assert run_command(["score", str(run)]) == 0
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_nothing_is_removed_while_another_process_writes(run: Path) -> None:
    path = part_of(run / "manifest.json")
    with RunWriter(run):
        path.write_text("{")
        with pytest.raises(UsageError, match="is being written by process"):
            RunWriter(run)
        assert path.exists()


def test_a_failed_replacement_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_lines(path, [{"n": 1}])

    def rows() -> object:
        yield {"n": 2}
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DataError, match=r"rows\.jsonl: .*No space left.*there is unchanged"):
        write_lines(path, rows())  # type: ignore[arg-type]
    assert path.read_bytes() == b'{"n":1}\n'
    assert list(tmp_path.iterdir()) == [path]


# Files that go away while they are written


def test_a_file_removed_while_it_is_written_is_put_back_and_told(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    appender = Appender(path)
    appender.append([{"n": 1}, {"n": 2}])
    path.unlink()
    with pytest.raises(DataError, match=r"samples\.jsonl: it was removed .* run the same command"):
        appender.append([{"n": 3}])
    assert path.read_bytes() == b'{"n":1}\n{"n":2}\n'


def test_a_file_replaced_while_it_is_written_loses_no_row(tmp_path: Path) -> None:
    path, other = tmp_path / "samples.jsonl", tmp_path / "other"
    appender = Appender(path)
    appender.append([{"n": 1}])
    other.write_bytes(b'{"n":9}\n')
    os.link(path, tmp_path / "copy")  # so that the open file has a name still
    other.replace(path)
    appender.append([{"n": 2}])
    with pytest.raises(DataError, match=r"replaced by another .* in .*samples\.jsonl\.replaced"):
        appender.close()
    assert path.read_bytes() == b'{"n":9}\n'
    assert (tmp_path / "samples.jsonl.replaced").read_bytes() == b'{"n":1}\n{"n":2}\n'


def test_a_folder_removed_while_it_is_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    appender = Appender(tmp_path / "run" / "samples.jsonl")
    appender.append([{"n": 1}])
    (tmp_path / "run" / "samples.jsonl").unlink()
    (tmp_path / "run").rmdir()
    with pytest.raises(DataError, match=r"samples\.jsonl: its folder was removed"):
        appender.close()


def test_an_appender_that_replaces_its_file_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "grades.jsonl"
    appender = Appender(path)
    grade = Grade("a", 0, Verdict.CORRECT)
    appender.append([grade])
    appender.replace([grade, replace(grade, index=1)])
    appender.append([replace(grade, index=2)])
    appender.close()
    assert [row.index for row in read_rows(path, Grade)] == [0, 1, 2]
    with pytest.raises(DataError, match=r"grades\.jsonl: not valid JSON"):
        read_row(path, Grade)
