"""Stored files changed in one place each: every command ends with one clear line, never with 70.

5,000 changes (`python -m pytest -m "slow or exhaustive" tests/fuzz`); some of them run with the other tests.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import FrameType

import pytest

from harness.cli import run_command
from tests.support.checkpoints import Trained, save
from tests.support.fakes import InlinePool
from tests.support.mutations import mutate

NIGHT = """\
checkpoints: out/*
run: {tasks: practice_integer, k: 4, limit: 6}
"""
DECIDED = NIGHT + "until: decided\n"
SWEEP = """\
base: {model: out/step-1, tasks: practice_integer, k: 4, limit: 4, max_tokens: 100, temperature: 0.6}
vary: {temperature: [0.2]}
"""
PROGRAM = "```python\nprint(int(input()) * 2)\n```"
IMPORTED = {
    "integer": {"statement": "1+1?", "answer": "2"},
    "choice": {"statement": "Which?", "answer": "A", "choices": ["red", "blue", "green"]},
}
_LONGEST = 60  # seconds that a command may take, far more than any needs

READING = (
    "report {run}", "report {run} -o out.html", "report {run} -o out.json", "report {run} -o out.md",
    "compare {run} runs/step-1", "compare runs/step-1 {run}", "compare {run} {run}", "watch {run} --once",
    "site runs -o site", "accept --list --runs runs", "nightly night.yaml --dry-run", "plan --tasks practice_integer --from {run}",
    "rating {run}",
)  # fmt: skip
WRITING = (
    "score {run}", "grade {run}", "accept {run} --runs runs", "nightly night.yaml", "nightly decided.yaml",
    "run --model out/step-2 --tasks practice_integer --k 4 --limit 6 -o {run}",
    "sweep sweep.yaml -o sweep2 --beside sweep",
)  # fmt: skip
_SLOW = ("report {run} -o out.html", "site runs -o site")  # these draw figures: a second each


def _too_long(signum: int, frame: FrameType | None) -> None:
    raise TimeoutError("the command does not end")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs of every kind: nights, one of which stopped early, a sweep, imported ones, a site."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.workflows.engine_loading.make_engine", lambda s: Trained(s.model))
        for module in ("evaluate", "regrade", "import_responses", "sweep"):
            patch.setattr(f"harness.workflows.{module}.GradingPool", InlinePool, raising=False)
        patch.chdir(folder)
        patch.setenv("COLUMNS", "100")
        for name, text in (("night", NIGHT), ("decided", DECIDED), ("sweep", SWEEP)):
            Path(f"{name}.yaml").write_text(text)
        _fill()
        previous = signal.signal(signal.SIGALRM, _too_long)
        yield folder
        signal.signal(signal.SIGALRM, previous)


def _fill() -> None:
    save("step-1", 0.9)
    assert harness("nightly night.yaml") == 0
    assert harness("accept runs/step-1") == 0
    for step in (2, 3):
        save(f"step-{step}", 0.85)
        assert harness("nightly night.yaml") in (0, 1, 5)
    save("step-4", 0.1, chat_template="wrong")
    assert harness("nightly decided.yaml") == 1
    assert Path("runs/step-4/practice_integer/stopping.json").exists()
    assert harness("sweep sweep.yaml -o sweep") == 0
    for kind, problem in IMPORTED.items():
        answers = ("\\boxed{2}", "\\boxed{3}", "Answer: A", "Answer: B")
        rows = [{"id": id, **problem, "response": text} for id in "abc" for text in answers]
        Path(f"{kind}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert harness(f"import {kind}.jsonl --task {kind} --model m -o runs/imported") == 0
    _write_code()
    assert harness("site runs -o site") == 0


def _write_code() -> None:
    """A run of programs with their grades, as it is stored: nothing is judged here."""
    from dataclasses import replace

    from harness.protocol import make_protocol
    from harness.registry import find_tasks
    from harness.storage.files import write_lines
    from harness.storage.manifest import Manifest, Start
    from harness.storage.run_folder import RunWriter
    from harness.types import Grade, Judging, Limits, Problem, Provenance, Sample, TestCase, Verdict

    problems = [
        Problem(id, "Double.", tests=(TestCase("1\n", "2\n"),), limits=Limits(), judging=Judging(decisive=id != "b"),
                provenance=Provenance(contest="9", index="A"), meta={"tags": ["math"], "rating": 800})
        for id in "ab"
    ]  # fmt: skip
    (task,) = find_tasks("codeforces")
    protocol = make_protocol(task, problems, replace(task.sampling, k=2))
    with RunWriter(Path("runs/programs")) as writer:
        writer.begin(Manifest("m", {"engine": "recorded"}), Start())
        folder = writer.add_task(protocol, problems, 2).path
    samples = [Sample(id, i, None, PROGRAM, "stop", n_tokens=9) for id in "ab" for i in range(2)]
    write_lines(folder / "samples.jsonl", samples)
    grades = [Grade(s.problem_id, s.index, Verdict.CORRECT, "x", grader=task.grader.version,
                    also={"lcb-official": "correct"}) for s in samples]  # fmt: skip
    write_lines(folder / "grades.jsonl", grades)
    assert harness("score runs/programs") == 0


def harness(line: str) -> int:
    signal.alarm(_LONGEST)
    try:
        return run_command(line.split())
    finally:
        signal.alarm(0)


def stored(folder: Path) -> dict[str, str]:
    """Every file of the runs with a digest of its content."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for name in ("runs", "sweep")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file() and path.name not in (".lock", "out")
    }


def attack(
    world: Path, folder: Path, count: int, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Change one stored file at a time and run a command on it."""
    random, failures = Random(seed), []
    names = [
        path.relative_to(world)
        for part in ("runs", "sweep", "site")
        for path in sorted((world / part).rglob("*"))
        if path.suffix in (".json", ".jsonl") and "chunks" not in path.parts
    ]
    with pytest.MonkeyPatch.context() as patch:
        for number in range(count):
            here = folder / str(number)
            shutil.copytree(world, here)
            patch.chdir(here)
            name = random.choice(names)
            data, change = mutate((here / name).read_bytes(), random)
            (here / name).write_bytes(data)
            for line in _commands(name, random):
                command = line.format(run=_run(name))
                before = stored(here)
                code = harness(command)
                output = capsys.readouterr()
                told = f"{number}: {name}, {change}: harness {command}: {code}\n{output.err[-600:]}"
                if code not in range(6) or "Traceback" in output.err + output.out:
                    failures.append(told)
                if changed := _changed(before, stored(here), command):
                    failures.append(f"{told}\nchanged {changed}")
            patch.chdir(world)
            shutil.rmtree(here)
    assert not failures, f"{len(failures)} of {count}\n" + "\n".join(failures)


def _changed(before: dict[str, str], after: dict[str, str], command: str) -> list[str]:
    """The stored files that a command has changed and must not: all, or samples where it grades."""
    word = command.split()[0]
    changed = [path for path in before if before[path] != after.get(path)]
    if word in ("score", "grade", "accept"):
        return [path for path in changed if path.endswith("samples.jsonl")]
    reads = "--dry-run" in command or word not in ("nightly", "run", "sweep")
    return changed if reads else []


def _commands(name: Path, random: Random) -> list[str]:
    """Two commands that read a changed file, or one beside it, and one that writes there."""
    if name.parts[0] == "site":
        return ["site runs -o site"]
    reading = [line for line in READING if line not in _SLOW or random.random() < 0.3]
    writing = list(WRITING)
    if name.parts[0] == "sweep":
        reading = [line for line in reading if "runs" not in line]
        writing = [line for line in writing if "runs" not in line] + ["sweep sweep.yaml -o sweep"]
    if "programs" in name.parts:
        writing.remove("grade {run}")  # which would start the judge
    return [*random.sample(reading, 2), random.choice(writing)]


def _run(name: Path) -> str:
    """The run that a file is of; one beside it for the files of a folder of runs."""
    if name.parts[0] == "runs":
        return "runs/step-2" if len(name.parts) == 2 else "/".join(name.parts[:2])
    return "sweep/base" if len(name.parts) < 3 else "/".join(name.parts[:2])


def test_some_changes(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attack(world, tmp_path, 30, 1, capsys)


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, marks=pytest.mark.slow if seed == 100 else pytest.mark.exhaustive)
        for seed in range(100, 120)
    ],
)
def test_many_changes(
    seed: int, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attack(world, tmp_path, 250, seed, capsys)
