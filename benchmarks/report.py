"""A report over many long samples: seconds and memory to build it, seconds until it opens.

    python benchmarks/report.py [--problems 500] [--k 64] [--bytes 20000] [--keep FOLDER]
                                [--against CHECKOUT [--pairs 5]]

Writes a run of made-up samples, builds its page on one core with `harness report`, and, where
Playwright and Chromium are installed, opens the page, its list of samples, and one sample.

--against measures another checkout beside this one, whose environment is in its .venv: each writes
the same samples with its own code, and the two build their pages by turns, in the order new, old,
old, new. What counts is the CPU, user and system, and the bytes that are written.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.data.datasets import PackagedDataset
from harness.graders.integer import Integer
from harness.pipeline.scoring import SampleStatistics, score_task
from harness.protocol import make_protocol
from harness.sampling import Sampling
from harness.stats.decisions import Decisions
from harness.stats.metrics import pass_at
from harness.storage.files import Appender
from harness.storage.manifest import Manifest, Start
from harness.storage.run_folder import RunWriter
from harness.storage.scores import write_scores
from harness.task import Task
from harness.types import Grade, Problem, Sample, Verdict

BARS = {"build": 40.0, "memory": 1000.0, "open": 2.0}


def corpus(rng: random.Random, size: int) -> str:
    """Text of made-up words, numbers and formulas, about as compressible as reasoning."""
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(6000)]
    words += [f"{rng.randint(0, 9999)}" for _ in range(600)]
    words += [f"$x_{{{i}}}^2 + {i}$" for i in range(300)]
    words += ["so\n", "Wait,", "Let me check.\n\n"] * 60
    rng.shuffle(words)
    often = [1 / rank for rank in range(1, len(words) + 1)]  # as in any language
    return " ".join(rng.choices(words, often, k=size // 4))


def write_run(path: Path, n_problems: int, k: int, n_bytes: int) -> None:
    """A graded and scored run, as the harness writes it."""
    rng = random.Random(0)
    text = corpus(rng, max(4_000_000, 3 * n_bytes))
    grader, metrics = Integer(0, 999), (pass_at(1),)
    problems = [
        Problem(f"p{i:04}", f"Find ${i} + {i}^2$ as an integer.", answer=str((i + i * i) % 1000))
        for i in range(n_problems)
    ]
    task = Task(name="made_up", dataset=PackagedDataset("none.jsonl", package="none"),
                parse=lambda row: problems[0], prompt="{statement}", grader=grader,
                metrics=metrics, sampling=Sampling(k=k, temperature=0.6))  # fmt: skip
    statistics, grades = SampleStatistics(), []

    def samples() -> Iterator[Sample]:
        # As an engine ends them: the samples of several problems mixed.
        keys = [(problem, index) for problem in problems for index in range(k)]
        for at in range(0, len(keys), 512):
            batch = keys[at : at + 512]
            rng.shuffle(batch)
            for problem, index in batch:
                start = rng.randrange(len(text) - n_bytes)
                right = rng.random() < 0.6
                answer = problem.answer if right else "7"
                verdict = Verdict.CORRECT if right else Verdict.WRONG_ANSWER
                grades.append(Grade(problem.id, index, verdict, answer, "integer"))
                reasoning = text[start : start + n_bytes - 30]
                yield Sample(problem.id, index, reasoning, f"So \\boxed{{{answer}}}.", "stop",
                             n_prompt_tokens=20, n_reasoning_tokens=n_bytes // 4,
                             n_tokens=n_bytes // 4 + 8, seconds=60.0)  # fmt: skip

    with RunWriter(path) as run:
        run.begin(Manifest("made-up-model", {"engine": "recorded"}, harness="0"), Start())
        protocol = make_protocol(task, problems, task.sampling, source="made up")
        folder = run.add_task(protocol, problems, k)
        file = Appender(folder.path / "samples.jsonl")
        for sample in samples():
            statistics.add(sample)
            file.append([sample])
        file.close()
        file = Appender(folder.path / "grades.jsonl")
        file.append(grades)
        file.close()
        write_scores(
            folder.path,
            score_task(
                protocol,
                k,
                grader,
                metrics,
                decisions=Decisions(protocol.problems, grades),
                failed=set(),
                samples=statistics,
            ),
        )


@dataclass(frozen=True)
class Cost:
    """What one build took, and the bytes of its page with the files beside it."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    written: int


def build(python: Path, run: Path, page: Path) -> Cost:
    """The cost of `harness report` on one core, by the package that `python` has installed."""
    command = [str(python), "-m", "harness", "report", str(run), "-o", str(page)]
    core = {min(os.sched_getaffinity(0))}
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=page.parent,
                               preexec_fn=lambda: os.sched_setaffinity(0, core))  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    files = [page, *page.with_name(f"{page.stem}_files").glob("*.js")]
    size = sum(path.stat().st_size for path in files)
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6, size)


def compare(folder: Path, checkout: Path, options: argparse.Namespace) -> None:
    """Build by turns with this checkout and another one, and print each pair and the medians."""
    pythons = {"new": Path(sys.executable), "old": checkout / ".venv" / "bin" / "python"}
    pages = {name: folder / name / "report.html" for name in pythons}
    pages["old"].parent.mkdir(parents=True, exist_ok=True)
    if not (run := folder / "old" / "run").exists():
        write = "from pathlib import Path; import report; report.write_run(Path({!r}), {}, {}, {})"
        code = write.format(str(run), options.problems, options.k, options.bytes)
        subprocess.run([pythons["old"], "-c", code], cwd=checkout / "benchmarks", check=True)
    costs: dict[str, list[Cost]] = {"new": [], "old": []}
    for pair in range(options.pairs):
        for name in ("new", "old") if pair % 2 == 0 else ("old", "new"):
            costs[name].append(build(pythons[name], pages[name].with_name("run"), pages[name]))
        new, old = costs["new"][-1], costs["old"][-1]
        print(f"CPU: new {new.cpu_seconds:.2f} s, old {old.cpu_seconds:.2f} s, "
              f"new over old {new.cpu_seconds / old.cpu_seconds:.3f}", flush=True)  # fmt: skip
    ratios = [n.cpu_seconds / o.cpu_seconds for n, o in zip(*costs.values(), strict=True)]
    for name, found in costs.items():
        print(f"{name}: median CPU {median(c.cpu_seconds for c in found):.2f} s, peak memory "
              f"{max(c.peak_mb for c in found):,.0f} MB, {found[-1].written / 1e6:,.1f} MB written")  # fmt: skip
    print(f"new over old, median: {median(ratios):.3f}")


def opened(page: Path) -> dict[str, float] | None:
    """Seconds until the page, its list and one sample can be read; None without a browser."""
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if chromium is None:
        return None
    seconds = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        for name, address, seen in (
            ("the page", "", "main h2"),
            ("its list of samples", "#b", "#samples a"),
            ("one sample", "#s/run/made_up/p0003/5", "details.reasoning"),
        ):
            tab.goto("about:blank")
            started = time.perf_counter()
            tab.goto(f"{page.as_uri()}{address}")
            tab.wait_for_selector(seen)
            seconds[name] = time.perf_counter() - started
        browser.close()
    return seconds


def main() -> None:
    """Measure, print, and fail where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--k", type=int, default=64)
    parser.add_argument("--bytes", type=int, default=20_000)
    parser.add_argument("--keep", type=Path, help="keep the run and its page in this folder")
    parser.add_argument("--against", type=Path, help="a checkout to measure beside this one")
    parser.add_argument("--pairs", type=int, default=5, help="with --against: builds of each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        run, page = folder / "new" / "run", folder / "new" / "report.html"
        run.parent.mkdir(parents=True, exist_ok=True)
        if not run.exists():
            write_run(run, options.problems, options.k, options.bytes)
        total = (run / "made_up" / "samples.jsonl").stat().st_size
        print(f"{options.problems * options.k:,} samples, {total / 1e6:,.0f} MB", flush=True)
        if options.against:
            compare(folder, options.against.resolve(), options)
            return
        cost = build(Path(sys.executable), run, page)
        print(f"built in {cost.seconds:.1f} s on one core ({cost.cpu_seconds:.1f} s of CPU), "
              f"peak memory {cost.peak_mb:,.0f} MB")  # fmt: skip
        beside = len(list(page.with_name("report_files").glob("*.js")))
        print(f"{cost.written / 1e6:,.1f} MB: a page and {beside} files beside it")
        times = opened(page)
        for name, value in (times or {}).items():
            print(f"{name} opens in {value:.2f} s in Chromium")
        if times is None:
            print("no browser: Playwright or Chromium is missing")
    missed = [cost.seconds > BARS["build"], cost.peak_mb > BARS["memory"],
              max((times or {"": 0}).values()) > BARS["open"]]  # fmt: skip
    sys.exit(int(any(missed)))


if __name__ == "__main__":
    main()
