"""Large test cases: packed beside problems.jsonl, decoded one problem at a time, the same hashes."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import pickle
import subprocess
import sys
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import pandas as pd
import pytest

from harness.data.datasets import load_problems
from harness.errors import DataError
from harness.pipeline.grading_pool import GradingPool
from harness.pipeline.pending import TaskRun
from harness.problem_tests import INLINE_BYTES, LazyTests, compact, pack, portable
from harness.protocol import content_hash, make_protocol
from harness.sampling import Sampling
from harness.storage.files import write_lines
from harness.storage.problem_tests import LineTests, StoredTests, check_tests, with_stored_tests
from harness.storage.run_folder import RunWriter, TaskFolder
from harness.tasks.livecodebench import LIVECODEBENCH
from harness.types import Limits, Problem, TestCase
from tests.storage.test_run_folder import MODEL, Start

TASK = LIVECODEBENCH
SMALL = Problem("small", "s", tests=(TestCase("1\n", "2\n"),), limits=Limits(2.0))
LARGE = Problem("large", "l", tests=tuple(TestCase(f"{n}\né\n" * 900, f"{n}") for n in range(9)))
OTHER = Problem("other", "o", tests=(TestCase("[1]" * 9000, "1", "f"),), meta={"level": 1})
PROBLEMS = (SMALL, LARGE, OTHER)


def write(path: Path, problems: Sequence[Problem] = PROBLEMS) -> TaskFolder:
    protocol = make_protocol(TASK, problems, Sampling(k=1))
    with RunWriter(path) as writer:
        writer.begin(MODEL, Start())
        return writer.add_task(protocol, problems, 1)


def plain_hash(problem: Problem) -> str:
    """The content hash of a problem without a checker or files, over one piece of JSON."""
    names = ("statement", "answer", "choices", "tests", "limits")
    value = {name: getattr(problem, name) for name in names}
    data = orjson.dumps({**value, "tests": tuple(problem.tests)}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(data).hexdigest()[:16]


# The run folder


def test_small_tests_stay_in_their_line_and_large_ones_come_back_packed(tmp_path: Path) -> None:
    folder = write(tmp_path)
    found = folder.problems()
    assert found == {problem.id: problem for problem in PROBLEMS}
    assert [type(p.tests) for p in found.values()] == [tuple, StoredTests, StoredTests]
    assert [len(p.tests) for p in found.values()] == [1, 9, 1]
    assert found["large"].tests[8] == LARGE.tests[8] == found["large"].tests[-1]
    assert found["large"].tests[2:4] == LARGE.tests[2:4]
    with pytest.raises(IndexError):
        found["large"].tests[9]
    assert found["large"] != replace(LARGE, tests=LARGE.tests[:-1])
    assert found["other"] != replace(OTHER, tests=(*OTHER.tests, TestCase("", "")))


def test_both_files_are_plain(tmp_path: Path) -> None:
    folder = write(tmp_path)
    rows = [json.loads(line) for line in (folder.path / "problems.jsonl").read_text().splitlines()]
    assert rows[0]["tests"] == [{"input": "1\n", "output": "2\n", "function": None}]
    table = pd.read_json(folder.path / "tests.jsonl.gz", lines=True, dtype=False)
    assert list(table.problem_id) == ["large"] * 9 + ["other"]
    assert list(table.input) == [test.input for p in (LARGE, OTHER) for test in p.tests]
    place = rows[2]["tests"]
    data = (folder.path / "tests.jsonl.gz").read_bytes()[place["offset"] :][: place["size"]]
    assert json.loads(gzip.decompress(data))["function"] == "f"


def test_there_is_no_second_file_where_all_tests_are_small(tmp_path: Path) -> None:
    assert not (write(tmp_path, [SMALL]).path / "tests.jsonl.gz").exists()


def test_a_folder_of_an_earlier_version_is_read_line_by_line(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder.path / "tests.jsonl.gz").unlink()
    huge = replace(LARGE, tests=LARGE.tests * 20)
    write_lines(folder.path / "problems.jsonl", [SMALL, huge, OTHER])
    found = folder.problems()
    assert found == {"small": SMALL, "large": huge, "other": OTHER}
    assert [type(p.tests) for p in found.values()] == [tuple, LineTests, tuple]
    assert portable(found["large"]) == huge
    write_lines(folder.path / "problems.jsonl", [OTHER, huge, SMALL])
    with pytest.raises(DataError, match=r"problems\.jsonl was changed while"):
        list(found["large"].tests)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_hashes_are_those_of_the_whole_whatever_holds_the_tests(
    problem: Problem, tmp_path: Path
) -> None:
    stored = write(tmp_path).problems()[problem.id]
    forms = (problem.tests, compact(problem.id, problem.tests), pack(problem.id, problem.tests))
    hashes = {content_hash(replace(problem, tests=tests)) for tests in forms}
    assert hashes == {content_hash(stored)} == {plain_hash(problem)}


def test_another_process_reads_the_file_and_another_machine_gets_the_tests(tmp_path: Path) -> None:
    problem = write(tmp_path).problems()["large"]
    assert len(pickle.dumps(problem)) < 1000
    moved = pickle.dumps(portable(problem))
    code = (
        "import pickle, sys; print(sum(len(t.input) for t in pickle.load(sys.stdin.buffer).tests))"
    )
    size = sum(len(test.input) for test in LARGE.tests)
    for data in (pickle.dumps(problem), moved):
        done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True)
        assert int(done.stdout) == size, done.stderr
    (tmp_path / TASK.name / "tests.jsonl.gz").unlink()
    assert pickle.loads(moved) == LARGE


def test_a_run_reads_its_own_files_once_it_has_begun(tmp_path: Path) -> None:
    packed = replace(LARGE, tests=pack("large", LARGE.tests))
    folder = write(tmp_path, [SMALL, packed])
    found = with_stored_tests(folder.path, [SMALL, packed])
    assert isinstance(found[1].tests, StoredTests)
    assert found == [SMALL, LARGE]
    assert with_stored_tests(tmp_path / "none", [packed]) == [packed]


# Damage


def damaged(folder: TaskFolder, change: str) -> None:
    path = folder.path / "tests.jsonl.gz"
    data = path.read_bytes()
    if change == "missing":
        path.unlink()
    elif change == "cut":
        path.write_bytes(data[:-1])
    elif change == "byte":
        path.write_bytes(data[:300] + bytes([data[300] ^ 1]) + data[301:])
    else:
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize("change", ["missing", "cut", "byte", "folder"])
def test_damage_is_named_before_anything_is_graded(change: str, tmp_path: Path) -> None:
    folder = write(tmp_path)
    damaged(folder, change)
    problems = folder.problems()  # a table of scores needs no tests
    run = TaskRun(TASK, folder.protocol(), problems, Sampling(k=1), folder)
    from harness.workflows.regrade import grade_again

    async def grade() -> None:
        await grade_again(run, GradingPool())

    with pytest.raises(DataError, match=r"livecodebench/tests\.jsonl\.gz"):
        asyncio.run(grade())
    with pytest.raises(DataError, match=r"livecodebench/tests\.jsonl\.gz"):
        check_tests(problems.values())
    with pytest.raises(DataError, match=r"livecodebench/tests\.jsonl\.gz"):
        [list(problem.tests) for problem in problems.values()]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (b'{"problem_id": "x", "input": "", "output": ""}\n', "tests of problem 'x', not 'large'"),
        (b'{"problem_id": "large", "input": 5, "output": ""}\n', "test 1: not a test case"),
        (b'{"problem_id": "large", "input": "", "output": ""}\n', "other than the 9 tests"),
        (b'{"problem_id": "large", "input": "", "output": ""}\n' * 10, "other than the 9 tests"),
        (b'{"problem_id": "large"', "ends within a test"),
        (b"\n", "test 1: not a test case"),
    ],
)
def test_a_member_that_holds_something_else_is_an_error(
    lines: bytes, message: str, tmp_path: Path
) -> None:
    stored = write(tmp_path).problems()["large"].tests
    assert isinstance(stored, StoredTests)
    data = gzip.compress(lines)
    stored.path.write_bytes(data)
    member = replace(stored.member, offset=0, size=len(data), crc32=zlib.crc32(data))
    with pytest.raises(DataError, match=message):
        list(replace(stored, member=member))


def test_what_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = write(tmp_path).problems()["large"].tests
    monkeypatch.setattr("harness.problem_tests.MAX_BYTES", 1000)
    with pytest.raises(DataError, match="more than 1,000 bytes"):
        list(stored)
    with pytest.raises(DataError, match="more than 1,000 bytes"):
        pack("large", LARGE.tests)


def test_a_place_beyond_every_file_is_refused_before_it_is_reserved(tmp_path: Path) -> None:
    folder = write(tmp_path)
    path = folder.path / "problems.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[1]["tests"]["size"] = 1 << 50
    write_lines(path, rows)
    with pytest.raises(DataError, match=r"tests\.jsonl\.gz: it ends before byte"):
        check_tests(folder.problems().values())
    rows[1]["tests"]["offset"] = -1
    write_lines(path, rows)
    with pytest.raises(DataError, match=r"problems\.jsonl, line 2: .*offset"):
        folder.problems()


# The published file


def published(path: Path, *problems: Problem) -> Path:
    """A file of LiveCodeBench's form in a folder of its own."""
    path.mkdir(exist_ok=True)
    rows = []
    for problem in problems:
        tests = [{"input": t.input, "output": t.output, "testtype": "stdin"} for t in problem.tests]
        payload = zlib.compress(pickle.dumps(json.dumps(tests)))
        rows.append({"question_id": problem.id, "question_title": "T", "platform": "atcoder",
                     "question_content": "Q", "contest_id": "c", "starter_code": "",
                     "contest_date": "2024-08-03T00:00:00", "difficulty": "easy", "metadata": "{}",
                     "public_test_cases": "[]",
                     "private_test_cases": base64.b64encode(payload).decode()})  # fmt: skip
    write_lines(path / "livecodebench.jsonl", rows)
    return path


def noisy(id: str) -> Problem:
    """A problem whose tests stay large when they are packed."""
    digits = "".join(hashlib.sha256(f"{id}{n}".encode()).hexdigest() for n in range(300))
    return Problem(id, "", tests=(TestCase(digits, "1"), TestCase(digits[::-1], "2")))


def test_large_tests_stay_in_the_published_file_until_they_are_stored(tmp_path: Path) -> None:
    data = published(tmp_path / "data", SMALL, noisy("n"))
    small, large = load_problems(LIVECODEBENCH, data)
    assert isinstance(small.tests, tuple)
    assert isinstance(large.tests, LazyTests) and len(pickle.dumps(large)) < 2 * INLINE_BYTES
    assert (small.tests, large.tests) == (SMALL.tests, noisy("n").tests)
    assert len(large.tests) == 2
    assert plain_hash(large) == content_hash(large)
    folder = write(tmp_path / "run", [small, large])
    (data / "livecodebench.jsonl").unlink()
    assert folder.problems()["n"].tests == noisy("n").tests
    with pytest.raises(DataError, match=r"livecodebench\.jsonl"):
        list(large.tests)


def test_a_published_file_that_changes_under_a_run_is_noticed(tmp_path: Path) -> None:
    data = published(tmp_path / "data", SMALL, noisy("n"))
    large = load_problems(LIVECODEBENCH, data)[1]
    published(data, SMALL, noisy("m"), SMALL)
    with pytest.raises(DataError, match="was changed while it was in use"):
        check_tests([large])
    with pytest.raises(DataError, match="was changed while it was in use"):
        content_hash(large)


def test_data_check_decodes_every_test_and_names_the_bad_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.cli.test_command_line import harness

    data = published(tmp_path / "data", SMALL, noisy("n"))
    path = data / "livecodebench.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[1]["private_test_cases"] = rows[1]["private_test_cases"][:-400]
    write_lines(path, rows)
    load_problems(LIVECODEBENCH, data)  # nothing is unpacked for a plan
    assert harness("data", "check", "livecodebench", "--data", data) == 2
    error = capsys.readouterr().err
    assert "problem n, private_test_cases cannot be decoded: it is cut" in error
    assert len(error.strip().splitlines()) == 1
