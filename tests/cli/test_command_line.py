"""The command line as a script sees it: output, exit codes, one clear line for each mistake."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cli import COMMANDS, run_command

LATE = "examples/practice-model/late"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("HARNESS_DATA", raising=False)


def harness(*arguments: str | Path) -> int:
    """Run a command in this process; its exit code."""
    return run_command([str(argument) for argument in arguments])


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def fails(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run a command that is a mistake; its one line. The exit code must be 2."""
    assert harness(*arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    return lines[-1]


AIME_ROWS = [{"id": n, "problem": f"What is {n}+{n}?", "answer": str(2 * n)} for n in range(30)]


def write_aime(folder: Path, *, change: dict[int, str] | None = None) -> Path:
    """A copy of an AIME-like dataset with whole lines replaced by number."""
    lines = [json.dumps(row) for row in AIME_ROWS]
    for number, line in (change or {}).items():
        lines[number - 1] = line
    (folder / "aime24.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def write_responses(path: Path, n: int = 3) -> Path:
    rows = [
        {"id": f"p{i}", "problem": f"{i}+1?", "answer": str(i + 1),
         "responses": [rf"\boxed{{{i + 1}}}", rf"\boxed{{{i}}}"]}
        for i in range(n)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_eighty_columns(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness(*command.split(), "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith("Usage: harness")
    assert max(map(len, text.splitlines())) <= 80
    assert "..." not in re.sub(r"\[[A-Z]+\]\.\.\.|COMMAND \[ARGS\]\.\.\.|[A-Z]+\.\.\.", "", text)


def test_help_imports_nothing_heavy_and_is_quick() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "harness", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    heavy = {"torch", "pandas", "sympy", "datasets", "transformers", "numpy", "pydantic", "rich"}
    assert not imported & heavy
    cpu = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-m", "harness", "--help"], capture_output=True, check=True)
        after = os.times()
        cpu.append(after.children_user + after.children_system
                   - before.children_user - before.children_system)  # fmt: skip
    assert min(cpu) < 0.3


def test_an_unknown_task_is_named_with_what_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    line = fails(capsys, "run", "--model", LATE, "--tasks", "aime2024", "-o", "nowhere")
    assert "no task 'aime2024'; did you mean aime24?" in line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--k", "0"), "k is 0"),
        (("--temperature", "0"), "k is 16 at temperature 0"),
        (("--top-p", "1.5"), "top_p is 1.5"),
        (("--limit", "0"), "--limit"),
        (("--prompt", "Hello"), "{statement}"),
        (("--engine", "warp"), "no engine 'warp'"),
        (("--engine-arg", "speed=9"), "--engine-arg speed"),
        (("--config", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_a_bad_option_is_one_line_and_writes_nothing(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    line = fails(capsys, "run", "--model", LATE, "--tasks", "practice_integer", "-o", run, *options)
    assert said in line
    assert not (run / "manifest.json").exists()


def test_a_missing_option_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "--model is needed" in fails(capsys, "run", "--tasks", "aime24", "-o", tmp_path / "r")


def test_data_mistakes_name_file_line_and_field(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = ("run", "--model", LATE, "--tasks", "aime24", "-o", tmp_path / "run", "--data")
    assert "aime24.jsonl" in fails(capsys, *run, tmp_path)
    write_aime(tmp_path, change={17: '{"id": 16, "problem": '})
    assert "aime24.jsonl, line 17: not valid JSON" in fails(capsys, *run, tmp_path)
    write_aime(tmp_path, change={4: '{"id": 3, "problem": "What?"}'})
    line = fails(capsys, *run, tmp_path)
    assert "aime24.jsonl, line 4: the field 'answer' is missing" in line
    write_aime(tmp_path, change={4: '{"id": 3, "problem": "What?", "answer": "four"}'})
    line = fails(capsys, *run, tmp_path)
    assert "aime24.jsonl, line 4: field 'answer'" in line


def test_model_mistakes_name_the_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_aime(tmp_path)
    rest = ("--tasks", "aime24", "--data", tmp_path, "-o", tmp_path / "run")
    line = fails(capsys, "run", "--model", "./no/such/model", *rest)
    assert "./no/such/model: there is no such model folder" in line
    bare = tmp_path / "bare"
    shutil.copytree(LATE, bare)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (bare / name).unlink()
    line = fails(capsys, "run", "--model", bare, *rest)
    assert "no tokenizer can be loaded" in line


def test_a_folder_that_is_no_run_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "holds no manifest.json" in fails(capsys, "score", tmp_path)
    assert "does not exist" in fails(capsys, "score", tmp_path / "nothing")
    half = tmp_path / "half"
    harness("import", write_responses(tmp_path / "r.jsonl"), "--task", "integer", "-o", half)
    capsys.readouterr()
    (half / "manifest.json").write_text('{"model": ')
    assert "manifest.json: not valid JSON" in fails(capsys, "score", half)


def test_verbose_shows_the_trace(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert harness("-v", "score", tmp_path) == 2
    assert "Traceback" in capsys.readouterr().err
    assert harness("score", "-v", tmp_path) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_wrong_answer_exits_with_one_and_not_as_a_broken_pipe(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert harness("match", "3", "4") == 1
    assert "wrong_answer" in capsys.readouterr().out
    program, tests = tmp_path / "echo.py", tmp_path / "tests.jsonl"
    program.write_text("print(input())\n")
    tests.write_text('{"input": "1", "output": "2"}\n')
    assert harness("judge", program, "--tests", tests, "--unsafe-judge") == 1
    assert "wrong_answer" in capsys.readouterr().out


def test_import_grades_and_scores(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    file = write_responses(tmp_path / "mine.jsonl")
    assert harness("import", file, "--task", "integer", "-o", run) == 0
    scores = json.loads((run / "integer" / "scores.json").read_text())
    score = scores["scores"][0]
    assert (score["metric"], score["value"], score["n"], score["k"]) == ("pass@1", 0.5, 6, 2)
    assert score["verdicts"] == {"correct": 3, "wrong_answer": 3}
    assert "pass@1 (n=2)" in capsys.readouterr().out


def test_import_mistakes_name_the_column(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write_responses(tmp_path / "mine.jsonl")
    base = ("import", file, "--task", "integer", "-o", tmp_path / "run")
    assert "no such column" in fails(capsys, *base, "--map", "answer=solution")
    assert "the fields are" in fails(capsys, *base, "--map", "reply=responses")
    assert "there is no task" in fails(
        capsys, "import", file, "--task", "integers", "-o", tmp_path / "run"
    )


def test_grading_again_changes_nothing_and_mends_a_lost_grade(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    harness("import", write_responses(tmp_path / "r.jsonl"), "--task", "integer", "-o", run)
    grades = run / "integer" / "grades.jsonl"
    whole = sorted(json.loads(line)["verdict"] for line in grades.read_text().splitlines())
    grades.write_text(
        grades.read_text().replace('"wrong_answer"', '"correct"', 1).split("\n", 1)[0] + "\n"
    )
    capsys.readouterr()
    assert harness("grade", run, "--diff") == 0
    assert "ungraded -> " in capsys.readouterr().out
    again = sorted(json.loads(line)["verdict"] for line in grades.read_text().splitlines())
    assert again == whole
    assert harness("grade", run) == 0
    assert "0 verdicts changed" in capsys.readouterr().out


def test_data_check_lists_what_differs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    write_aime(one)
    write_aime(two, change={13: '{"id": 12, "problem": "What is 12+12?", "answer": "25"}'})
    assert harness("data", "check", "aime24", "--data", one) == 0
    assert harness("data", "check", "aime24", "--data", one, "--against", two) == 1
    assert "  12: other answer" in capsys.readouterr().out


def test_a_run_samples_and_is_refused_under_another_protocol(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    base = ("run", "--model", LATE, "--tasks", "practice_integer", "--limit", "2", "-o", run)
    assert harness(*base, "--k", "2") == 0
    samples = (run / "practice_integer" / "samples.jsonl").read_bytes()
    assert samples.count(b"\n") == 4
    assert harness(*base, "--k", "2", "--temperature", "0.9") == 3
    assert "temperature: 0.6 against 0.9" in capsys.readouterr().err
    assert harness(*base, "--k", "1") == 2
    assert harness(*base, "--k", "3") == 0
    grown = (run / "practice_integer" / "samples.jsonl").read_bytes()
    assert grown.startswith(samples)
    assert grown.count(b"\n") == 6


def test_scores_of_a_run_that_was_cut_short_say_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    whole = ("run", "--model", LATE, "--tasks", "practice_integer", "--limit", "2", "--k", "2")
    assert harness(*whole, "-o", run) == 0
    assert harness("score", run) == 0
    said = capsys.readouterr().out
    assert "pass@1 (n=2)" in said
    assert "incomplete" not in said
    for name in ("samples.jsonl", "grades.jsonl"):
        path = run / "practice_integer" / name
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert harness("score", run) == 4
    said = capsys.readouterr().out
    assert "pass@1 (n≤2)" in said
    assert "practice_integer: incomplete: 1 pending; the run's own command resumes it" in said


def test_a_folder_that_cannot_be_written_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    said = fails(capsys, "export", "lm-eval-tasks", "--tasks", "aime24", "-o", tmp_path / "file/x")
    assert said.startswith(f"error: {tmp_path}/file/x/")
    assert "cannot be " in said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_resume(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = start(
        "run", "--model", LATE, "--tasks", "practice_integer", "--k", "200", "-o", run,
        "--engine-arg", "batch_size=8",
    )  # fmt: skip
    samples = run / "practice_integer" / "samples.jsonl"
    deadline = time.monotonic() + 300
    while not (samples.exists() and samples.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code, output
    assert "run the same command to resume" in output
    assert "Traceback" not in output
    lines = samples.read_bytes().splitlines(keepends=True)
    assert lines
    assert all(line.endswith(b"}\n") for line in lines)


def test_a_second_writer_is_refused_with_the_first_ones_pid(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from harness.storage.run_folder import RunWriter

    run = tmp_path / "run"
    harness("import", write_responses(tmp_path / "r.jsonl"), "--task", "integer", "-o", run)
    capsys.readouterr()
    with RunWriter(run):
        line = fails(capsys, "grade", run)
    assert f"process {os.getpid()}" in line


def test_without_a_sandbox_programs_are_refused_unless_asked_for_by_name(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    environment = {**os.environ, "PATH": str(tmp_path / "bin")}
    command = [sys.executable, "-m", "harness", "run", "--model", LATE, "--tasks", "practice_code",
               "--limit", "2", "--k", "2", "-o", str(tmp_path / "run")]  # fmt: skip
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "bubblewrap" in refused.stderr
    assert not (tmp_path / "run").exists()
    command.append("--unsafe-judge")
    subprocess.run(command, env=environment, capture_output=True, check=True)
    protocol = json.loads((tmp_path / "run" / "practice_code" / "protocol.json").read_text())
    assert protocol["grader"] == "code/2+unsafe-judge"
    scores = json.loads((tmp_path / "run" / "practice_code" / "scores.json").read_text())
    assert scores["complete"]
    # What the folder says is no permission: it may be anybody's.
    again = [sys.executable, "-m", "harness", "grade", str(tmp_path / "run")]
    refused = subprocess.run(again, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "bubblewrap" in refused.stderr
    subprocess.run([*again, "--unsafe-judge"], env=environment, capture_output=True, check=True)
