"""CPU and memory of every command that reads a run, at 10,000, 100,000 and 1,000,000 samples.

    python benchmarks/scale.py [--sizes 10000,100000,1000000] [--against CHECKOUT] [--keep FOLDER]
                               [--only score,compare]

Writes two runs of 500 made-up problems with integer answers: samples of about 900 characters of
reasoning, the samples of several problems mixed as an engine ends them, four wrong answers beside the
right one. Each command runs in a process of its own; what counts is its CPU, user and system, its
children's included, and its peak of resident memory. `plan` is the plan of a resumed run that lacks ten
samples. `grade` is measured in the parent process, whose workers' CPU is the grader's.

--against measures another checkout beside this one, whose environment is in its .venv, on the same folders:
first the other one, then this one.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.protocol import make_protocol
from harness.registry import find_tasks
from harness.sampling import Sampling
from harness.storage.files import Appender
from harness.storage.manifest import Manifest, Start
from harness.storage.run_folder import RunWriter, TaskFolder
from harness.types import Grade, Problem, Sample, Verdict

TASK = "aime24"
PROBLEMS = 500
TEN = 10

PLAN = """
import sys
from pathlib import Path
from harness.cli.task_lookup import task_named
from harness.pipeline.pending import make_plan
from harness.workflows.regrade import stored_runs
plan = make_plan(stored_runs(Path(sys.argv[1]), task_named))
assert sum(map(len, plan.missing.values())) == 10, plan.missing
"""

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "score": ("-m", "harness", "score", "{new}"),
    "plan": ("-c", PLAN, "{short}"),
    "compare": ("-m", "harness", "compare", "{base}", "{new}"),
    "report": ("-m", "harness", "report", "{new}"),
    "watch": ("-m", "harness", "watch", "--once", "{new}"),
    "grade": ("-m", "harness", "grade", "{new}"),
    "html": ("-m", "harness", "report", "{new}", "-o", "{page}"),
}

MEASURE = """
import os, resource, subprocess, sys
own = resource.getrusage(resource.RUSAGE_CHILDREN)
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(done.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, done.stderr[-300:].replace(chr(10), " "))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took; `code` is its exit code."""

    code: int
    cpu: float
    mib: float
    said: str


def write_run(path: Path, k: int, *, seed: int, lacking: int = 0) -> None:
    """A graded run of 500 problems with k samples each, less the last few.

    Args:
        path: of the run.
        k: samples per problem.
        seed: of answers and texts.
        lacking: samples that are not there.
    """
    rng = random.Random(seed)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(2000)]
    text = " ".join(rng.choices(words, k=60_000))
    (task,) = find_tasks(TASK)
    problems = [
        Problem(f"p{i:03}", f"Find ${i}$ squared.", answer=str(i * i % 1000))
        for i in range(PROBLEMS)
    ]
    sampling = Sampling(k=k, temperature=0.6, top_p=0.95, max_tokens=32_768)
    protocol = make_protocol(task, problems, sampling)
    fingerprint = {"engine": "vllm", "tokenizer": "made up", "opens_reasoning": False}
    with RunWriter(path) as run:
        run.begin(Manifest("made-up", fingerprint), Start(command=("harness", "run")))
        folder = run.add_task(protocol, problems, k)
        _fill(folder, problems, k, lacking, rng, text)


def _fill(
    folder: TaskFolder, problems: list[Problem], k: int, lacking: int, rng: random.Random, text: str
) -> None:
    samples, grades = (Appender(folder.path / f"{name}.jsonl") for name in ("samples", "grades"))
    for batch in _batches(len(problems), k, lacking, rng):
        drawn, graded = [], []
        for number, index in batch:
            problem = problems[number]
            right = rng.random() < 0.3 + 0.5 * number / PROBLEMS
            answer = problem.answer if right else str(rng.randrange(4))
            start, length = rng.randrange(len(text) - 2000), rng.randint(300, 1500)
            tokens = length // 4
            drawn.append(Sample(problem.id, index, text[start : start + length], f"\\boxed{{{answer}}}",
                                "stop", 60, tokens, tokens + 12, seconds=1.5))  # fmt: skip
            verdict = Verdict.CORRECT if answer == problem.answer else Verdict.WRONG_ANSWER
            graded.append(Grade(problem.id, index, verdict, answer, "integer", 1e-4, "integer/1"))
        samples.append(drawn)
        grades.append(graded)
    samples.close()
    grades.close()


def _batches(n: int, k: int, lacking: int, rng: random.Random) -> Iterator[list[tuple[int, int]]]:
    """(problem, index) of all samples but the last, those of several problems mixed."""
    left = n * k - lacking
    for first in range(0, k, 20):
        batch = [
            (number, index) for index in range(first, min(k, first + 20)) for number in range(n)
        ]
        batch = batch[:left]
        left -= len(batch)
        rng.shuffle(batch)
        yield batch


def measure(checkout: Path, command: tuple[str, ...]) -> Cost:
    """Run a checkout's Python in a process of its own, with these arguments."""
    environment = {**os.environ, "COLUMNS": "120", "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every process compiles what it imports
    done = subprocess.run([sys.executable, "-c", MEASURE, checkout / ".venv/bin/python", *command],
                          capture_output=True, text=True, check=True, env=environment, cwd=checkout)  # fmt: skip
    code, cpu, mib, *said = done.stdout.split(maxsplit=3)
    return Cost(int(code), float(cpu), float(mib), said[0] if said else "")


def compare_sizes(
    folder: Path, sizes: list[int], checkouts: dict[str, Path], only: list[str]
) -> None:
    """Measure every command at every size, each line as it is known."""
    print(
        f"{'samples':>9}  {'command':8}", *(f"{name:>24}" for name in checkouts), f"{'ratio':>12}"
    )
    for size in sizes:
        runs = folder / str(size)
        for number, name in enumerate(("base", "new", "short")):
            if not (runs / name).exists():
                write_run(
                    runs / name, size // PROBLEMS, seed=number % 2, lacking=TEN * (name == "short")
                )
        places = {name: str(runs / name) for name in ("base", "new", "short")}
        for checkout in checkouts.values():  # both are scored once, for the commands that need it
            for name in ("base", "new"):
                measure(checkout, ("-m", "harness", "score", places[name]))
        for name in only:
            found = []
            for label, checkout in checkouts.items():
                page = runs / f"{label}.html"
                command = tuple(part.format(**places, page=page) if "{" in part and part != PLAN else part
                                for part in COMMANDS[name])  # fmt: skip
                found.append(measure(checkout, command))
            print(_line(size, name, found), flush=True)


def _line(size: int, name: str, found: list[Cost]) -> str:
    cells = [f"{cost.cpu:9.2f} s {cost.mib:7.0f} MiB" for cost in found]
    allowed = (0, 1, 5) if name == "compare" else (0,)
    wrong = [f"exit {cost.code}: {cost.said}" for cost in found if cost.code not in allowed]
    ratio = (
        f"{found[-1].cpu / found[0].cpu:5.2f} {found[-1].mib / found[0].mib:5.2f}"
        if len(found) > 1
        else ""
    )
    return (
        f"{size:9,}  {name:8} "
        + " ".join(f"{cell:>24}" for cell in cells)
        + f" {ratio:>12} {' '.join(wrong)}"
    )


def main() -> None:
    """Parse the arguments and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument(
        "--keep", type=Path, help="a folder for the runs; a temporary one by default"
    )
    parser.add_argument("--only", default=",".join(COMMANDS), help="of " + ",".join(COMMANDS))
    given = parser.parse_args()
    here = Path(__file__).parent.parent
    checkouts = {"before": given.against.resolve()} if given.against else {}
    folder = given.keep.resolve() if given.keep else Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        compare_sizes(folder, [int(size) for size in given.sizes.split(",")],
                      {**checkouts, "now": here}, given.only.split(","))  # fmt: skip
    finally:
        if given.keep is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
