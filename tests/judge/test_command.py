from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import run_command
from harness.cli.judge import judge as command
from harness.errors import DataError, UsageError
from harness.judge import Judge
from harness.judge.sandbox import JudgeUnavailable

SUM = "print(sum(map(int, input().split())))\n"


@pytest.fixture(scope="module")
def sandbox() -> None:
    try:
        with Judge():
            pass
    except JudgeUnavailable as reason:
        pytest.skip(f"no sandbox here: {reason}")


def run(*arguments: object) -> int:
    """The exit code of the command, as the command line gives it."""
    return run_command(["judge", *map(str, arguments)])


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.usefixtures("sandbox")
def test_one_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "sum.py"
    program.write_text(SUM)
    tests = write(tmp_path / "tests.jsonl", {"input": "1 2\n", "output": "3"})
    assert run(program, "--tests", tests) == 0
    assert capsys.readouterr().out.startswith("correct (")
    write(tests, {"input": "1 2\n", "output": "3"}, {"input": "1\n", "output": "2"})
    assert run(program, "--tests", tests) == 1
    assert capsys.readouterr().out.startswith("wrong_answer (test 2; ")
    assert run(program, "--tests", tests, "--unsafe-judge") == 1
    assert "WITHOUT A SANDBOX" in capsys.readouterr().out


@pytest.mark.usefixtures("sandbox")
def test_a_batch_keeps_the_order_and_names_the_scoring(tmp_path: Path) -> None:
    lcb = {
        "question_id": "q1",
        "public_test_cases": json.dumps([{"input": "1 2", "output": "3", "testtype": "stdin"}]),
        "private_test_cases": "[]",
        "metadata": "{}",
        "response": f"Here:\n```python\n{SUM}```",
    }
    plain = {"name": "a", "language": "python", "source": "x", "stdin": "", "expected_output": ""}
    batch = write(tmp_path / "b.jsonl", plain, lcb, {**lcb, "response": "none"})
    out = tmp_path / "out.jsonl"
    for scoring in ("process", "lcb-official"):
        assert run("--batch", batch, "-o", out, "--scoring", scoring) == 0
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert [row["id"] for row in rows] == ["a", "q1", "q1"]
        assert [row["verdict"] for row in rows] == ["runtime_error", "correct", "no_answer"]
        assert {row["scoring"] for row in rows} == {scoring}
        assert rows[1]["cpu_ms"] > 0 and rows[1]["wall_ms"] > 0 and rows[1]["peak_kib"] > 1000
    assert run("--batch", write(batch, {**plain, "language": "cobol"}), "-o", out) == 4


@pytest.mark.usefixtures("sandbox")
def test_a_scoring_of_livecodebench_takes_programs_by_its_rule(tmp_path: Path) -> None:
    row = {
        "question_id": "q1",
        "public_test_cases": json.dumps([{"input": "1 2", "output": "3", "testtype": "stdin"}]),
    }
    code = "```python\nprint(3)\n```"
    responses = {
        "1. So:\n   ```python\n   print(3)\n   ```": ("correct", "compile_error"),
        f"{code}\n```text\n3\n```": ("correct", "wrong_answer"),
        f"{code}\n```python\nprint(": ("correct", "no_answer"),
        code: ("correct", "correct"),
    }
    batch = write(tmp_path / "b.jsonl", *({**row, "response": text} for text in responses))
    out = tmp_path / "out.jsonl"
    for scoring, position in (("process", 0), ("lcb-official", 1), ("lcb-official-2025-05", 1)):
        assert run("--batch", batch, "-o", out, "--scoring", scoring) == 0
        found = [json.loads(line)["verdict"] for line in out.read_text().splitlines()]
        assert found == [due[position] for due in responses.values()]


def test_bad_input_is_named(tmp_path: Path) -> None:
    program = tmp_path / "p.txt"
    program.write_text(SUM)
    tests = write(tmp_path / "t.jsonl", {"input": "1"})
    batch = write(tmp_path / "b.jsonl", {"id": 1})
    out = tmp_path / "o.jsonl"
    for arguments, kind, message in (
        ((), UsageError, "needs PROGRAM and --tests"),
        ((program, "--tests", tests), UsageError, "give --language"),
        (
            (program, "--language", "python", "--tests", tests),
            DataError,
            r"t\.jsonl:1 needs strings",
        ),
        (("--batch", batch), UsageError, "needs -o"),
        (("--batch", batch, "-o", out, program), UsageError, "give one of the two"),
        (("--batch", batch, "-o", out), DataError, r"b\.jsonl:1: the row has neither"),
        (("--batch", batch, "-o", out, "--checker", "x"), UsageError, "checker 'x'"),
    ):
        with pytest.raises(kind, match=message):
            command.main([str(argument) for argument in arguments], standalone_mode=False)


@pytest.mark.parametrize("scoring", ["lcb-official", "lcb-official-2025-05"])
def test_a_runner_of_python_is_refused_for_other_languages(tmp_path: Path, scoring: str) -> None:
    program, python = tmp_path / "p.cpp", tmp_path / "p.py"
    program.write_text("int main() { return 0; }\n")
    python.write_text(SUM)
    tests = write(tmp_path / "t.jsonl", {"input": "1", "output": "1"})
    batch, out = write(tmp_path / "b.jsonl", {"source": SUM}), tmp_path / "o.jsonl"
    for arguments in (
        (program, "--tests", tests),
        (python, "--language", "cpp", "--tests", tests),
        ("--batch", batch, "-o", out, "--language", "cpp"),
    ):
        with pytest.raises(UsageError, match=f"--scoring {scoring}.*Python"):
            command.main([*map(str, arguments), "--scoring", scoring], standalone_mode=False)
    assert not out.exists()


@pytest.mark.usefixtures("sandbox")
def test_a_row_of_another_language_ends_in_error_under_a_runner_of_python(tmp_path: Path) -> None:
    rows = [{"source": "print(3)", "expected_output": "3"},
            {"source": "int main() { }", "language": "cpp"}]  # fmt: skip
    batch, out = write(tmp_path / "b.jsonl", *rows), tmp_path / "o.jsonl"
    assert run("--batch", batch, "-o", out, "--scoring", "lcb-official") == 4
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["verdict"] for row in found] == ["correct", "error"]
    assert "Python" in found[1]["detail"]


def test_the_help_says_that_a_batch_needs_an_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    assert "needs -o" in " ".join(capsys.readouterr().out.split())
