"""A run folder of LiveCodeBench: its size, and CPU and memory of what reads and grades it.

    python benchmarks/livecodebench_size.py [--problems 1055] [--megabytes 400] [--graded 60]
                                            [--against CHECKOUT]

Writes made-up problems in the published form to a temporary folder: 40 tests each of lines of random numbers, a
tenth of the problems with nine tenths of the text, packed by pickle, zlib and base64. Each command
runs in a process of its own: its CPU, user and system, with that of its children, its peak of resident
memory, and that of the largest process below it (graders; at least what the process held that started it). `plan` loads the problems, `start` also
hashes and stores them, `check` is `harness data check`. `grade` judges one program for each of the first problems: one in two
passes every test, the others fail the first.

--against measures another checkout as well, whose environment is in its .venv, each on a folder of its own.
"""

from __future__ import annotations

import argparse
import base64
import json
import pickle
import random
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from harness.storage.files import Appender, write_lines
from harness.types import Sample

_LINES = 20  # of one test's input, which its output repeats the first of
_TESTS = 40
HERE = Path(__file__).resolve().parents[1]

PLAN = """
import sys
from pathlib import Path
from harness.data.datasets import load_problems
from harness.tasks.livecodebench import LIVECODEBENCH
problems = load_problems(LIVECODEBENCH, Path(sys.argv[1]))
"""
START = (
    PLAN
    + """
from harness.protocol import make_protocol
from harness.sampling import Sampling
from harness.storage.manifest import Manifest, Start
from harness.storage.run_folder import RunWriter
protocol = make_protocol(LIVECODEBENCH, problems, Sampling(k=1, temperature=0.6))
with RunWriter(Path(sys.argv[2])) as writer:
    writer.begin(Manifest(model="m", fingerprint={"engine": "made up"}), Start(host="here"))
    writer.add_task(protocol, problems, 1)
"""
)
MEASURED = """
import resource, runpy, sys
sys.argv = sys.argv[1:]
try:
    if sys.argv[0] == "-m":
        sys.argv = sys.argv[1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        code, sys.argv = sys.argv[1], ["-c", *sys.argv[2:]]
        exec(code, {})
except SystemExit as end:
    assert end.code in (0, 1, 4, None), end.code
own, below = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
cpu = sum(use.ru_utime + use.ru_stime for use in (own, below))
# ru_maxrss begins with what the process that started this one held.
with open("/proc/self/status") as lines:
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
print(f"measured {cpu:.1f} {peak >> 10} {below.ru_maxrss >> 10}")
"""
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "plan": ("-c", PLAN),
    "check": ("-m", "harness", "data", "check", "livecodebench", "--data", "{data}"),
    "start": ("-c", START),
    "grade": ("-m", "harness", "grade", "{run}"),
    "score": ("-m", "harness", "score", "{run}"),
    "report": ("-m", "harness", "report", "{run}"),
    "html": ("-m", "harness", "report", "{run}", "-o", "{run}.html"),
}


def write_published(data: Path, problems: int, size: int) -> int:
    """Write one file of rows whose tests take about `size` bytes; the exact number."""
    rng = random.Random(18)
    pool = " ".join(str(rng.randrange(10**9)) for _ in range(400_000))
    written = 0

    def row(number: int) -> dict[str, object]:
        nonlocal written
        large = number % 10 == 0
        share = size * (0.9 if large else 0.1) / (problems * (0.1 if large else 0.9))
        text = json.dumps([_test(rng, pool, int(share / _TESTS)) for _ in range(_TESTS)])
        written += len(text)
        packed = base64.b64encode(zlib.compress(pickle.dumps(text))).decode()
        return {"question_id": f"q{number}", "question_title": f"T{number}", "platform": "atcoder",
                "question_content": "Print the first line.", "contest_id": f"c{number // 5}",
                "contest_date": "2024-08-03T00:00:00", "starter_code": "", "difficulty": "easy",
                "metadata": "{}", "public_test_cases": "[]", "private_test_cases": packed}  # fmt: skip

    write_lines(data / "livecodebench.jsonl", (row(number) for number in range(problems)))
    return written


def _test(rng: random.Random, pool: str, size: int) -> dict[str, str]:
    """A test of about `size` characters, whose output is its first line."""
    each = max(4, size // (_LINES + 1))
    lines = []
    for _ in range(_LINES):
        start = rng.randrange(len(pool) - each)
        lines.append(pool[start : start + each].strip())
    return {"input": "\n".join(lines) + "\n", "output": f"{lines[0]}\n", "testtype": "stdin"}


def write_samples(run: Path, graded: int) -> None:
    """One response for each of the first problems: one in two is right."""
    appender = Appender(run / "livecodebench" / "samples.jsonl")
    for number in range(graded):
        program = "print(input())" if number % 2 else "print(0)"
        response = f"```python\n{program}\n```"
        appender.append([Sample(f"q{number}", 0, None, response, "stop", n_tokens=9)])
    appender.close()


def measured(checkout: Path, name: str, data: Path, run: Path) -> str:
    """CPU seconds, MiB of the process and MiB of the largest below it."""
    places = {"data": str(data), "run": str(run)}
    command = [part if "\n" in part else part.format(**places) for part in COMMANDS[name]]
    if command[0] == "-c":
        command += [str(data), str(run)]
    python = sys.executable if checkout == HERE else checkout / ".venv" / "bin" / "python"
    done = subprocess.run(
        [str(python), "-c", MEASURED, *command], capture_output=True, text=True, cwd="/"
    )
    last = done.stdout.strip().splitlines()[-1:] or [""]
    if not last[0].startswith("measured"):
        raise SystemExit(f"{name}: {done.stdout[-500:]} {done.stderr[-2000:]}")
    cpu, own, below = last[0].split()[1:]
    return f"{cpu:>8} {own:>8} {below:>8}"


def check_grades(run: Path, graded: int) -> None:
    """Stop where a program was not judged as it must be."""
    rows = (run / "livecodebench" / "grades.jsonl").read_text().splitlines()
    verdicts = {json.loads(row)["problem_id"]: json.loads(row)["verdict"] for row in rows}
    due = {f"q{n}": "correct" if n % 2 else "wrong_answer" for n in range(graded)}
    if verdicts != due:
        raise SystemExit(f"not the verdicts that are due: {verdicts}")


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=1055)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--graded", type=int, default=60)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    checkouts = [*([options.against.resolve()] if options.against else []), HERE]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        text = write_published(data, options.problems, options.megabytes * 10**6)
        published = size_of(data)
        print(f"{options.problems:,} problems: {text / 1e6:,.1f} MB of tests, published as "
              f"{published / 1e6:,.1f} MB; {options.graded} programs graded")  # fmt: skip
        for number, checkout in enumerate(checkouts):
            run = Path(folder) / f"run{number}"
            print(f"\n{'this checkout' if checkout == HERE else 'the other one'}\n"
                  f"{'':10} {'CPU s':>8} {'MiB':>8} {'below':>8}")  # fmt: skip
            for name in COMMANDS:
                print(f"{name:10} {measured(checkout, name, data, run)}", flush=True)
                if name == "start":
                    stored = size_of(run)
                    print(f"{'':10} the run folder takes {stored / 1e6:,.1f} MB, "
                          f"{stored / published:.2f} of what is published")  # fmt: skip
                    write_samples(run, options.graded)
                if name == "grade":
                    check_grades(run, options.graded)


if __name__ == "__main__":
    main()
