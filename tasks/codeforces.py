"""Codeforces problems as open-r1/codeforces has them: 468 of late 2024 and early 2025 (its test split).

A problem is judged with its own limits on the official tests, and on the generated ones where
the official tests are cut; a generated checker decides where several outputs are right, and case
does not matter where the statement lets letters be printed in any. What
cannot be judged (interactive problems, those without whole tests) is left out and counted. The
language's fence tells Python from C++; both have the limits of the problem, as on Codeforces, and
C++ is compiled with ONLINE_JUDGE defined, as there.
The editorial is never read. `harness rating` turns a run into a rating. A row, made up, without the
parts of its statement that are not read here:

    {"id": "9999/A", "contest_id": 9999, "index": "A", "title": "Double", "contest_start": 1730000000,
     "time_limit": 2.0, "memory_limit": 256.0, "description": "Double the integer.",
     "input_format": "One integer.", "output_format": "One integer.", "interaction_format": null,
     "note": null, "examples": [{"input": "2", "output": "4"}], "rating": 800, "tags": ["math"],
     "official_tests": [{"input": "2", "output": "4"}], "official_tests_complete": true,
     "input_mode": "stdio", "generated_checker": null, "executable": true, "generated_tests": 0}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from harness.data.datasets import HubDataset
from harness.data.fields import positive, test_cases
from harness.graders.code import Code
from harness.problem_tests import compact
from harness.sampling import Sampling
from harness.stats.metrics import pass_at
from harness.task import Task
from harness.types import Judging, Limits, Problem, Provenance, Row

PROMPT = """\
{statement}

Solve this problem with a program in C++17 or Python 3 that keeps within the limits. Put the whole \
program in one ```cpp or ```python block."""
CASELESS = """\
import sys
due, found = (open(path).read().lower().split() for path in sys.argv[2:4])
print(int(due == found))
"""
"""The checker where letters may be printed in any case, as most statements with YES and NO say."""

_ANY_CASE = re.compile(
    r"\b(?:print|output)\b[^.\n]{1,80}\bin any (?:case|register)\b", re.IGNORECASE
)
REPO = "open-r1/codeforces"
REVISION = "fbe3f6e903ee854eec2e69e9d96d0306cde59baf"


@dataclass(frozen=True, slots=True)
class WithGeneratedTests:
    """The problems' rows; one whose official tests are cut gains those generated for it.

    They lie in a file a contest: `generated_tests/test_cases_2046.parquet`, on the hub as in a
    user's folder.
    """

    problems: HubDataset

    def source(self, data_dir: Path | None) -> str:
        """The problems' repository and revision, or name and hash of the user's copy."""
        return self.problems.source(data_dir)

    def rows(self, data_dir: Path | None) -> Iterator[tuple[str, Row]]:
        """Yield (place, row)."""
        for place, row in self.problems.rows(data_dir):
            if not _completed(row):
                yield place, row
            else:
                generated = _generated(int(row["contest_id"]), data_dir).get(row["id"], [])
                yield place, {**row, "generated": generated}

    def hub_files(self) -> tuple[HubDataset, ...]:
        """The files that `harness data fetch` copies: the problems, then one per contest."""
        rows = [row for _, row in self.problems.rows(None)]
        contests = sorted({int(row["contest_id"]) for row in rows if _completed(row)})
        return (self.problems, *(_file(contest) for contest in contests))


def _completed(row: Row) -> bool:
    """Whether generated tests are added to those of the row."""
    return not (row["official_tests_complete"] or unjudged(row))


def _file(contest: int) -> HubDataset:
    name = f"generated_tests/test_cases_{contest:04d}"
    return HubDataset(REPO, f"{name}.parquet", REVISION, names=(name,))


@lru_cache(maxsize=4)
def _generated(contest: int, data_dir: Path | None) -> dict[str, list[dict[str, str]]]:
    """The generated tests of a contest by problem, in their order."""
    tests: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for _, row in _file(contest).rows(data_dir):
        test = {"input": row["input"], "output": row["output"]}
        tests.setdefault(row["problem_id"], []).append((int(row["test_i"]), test))
    return {id: [test for _, test in sorted(found, key=lambda pair: pair[0])]
            for id, found in tests.items()}  # fmt: skip


def unjudged(row: Row) -> str | None:
    """Why nothing here can judge a problem; None where something can."""
    if row["interaction_format"]:
        return "interactive"
    if not row["executable"]:
        return "no known solution passes its tests"
    if not row["official_tests_complete"] and not row["generated_tests"]:
        return "its tests are cut"
    return None


def parse(row: Row) -> Problem:
    """One row. A problem that cannot be judged says why and has no tests."""
    provenance = Provenance(
        title=row["title"],
        platform="codeforces",
        contest=str(row["contest_id"]),
        index=row["index"],
        date=datetime.fromtimestamp(row["contest_start"], UTC).date(),
    )
    meta = {"rating": row["rating"], "tags": list(row["tags"] or ())}
    if reason := unjudged(row):
        judging = Judging(not_judged=reason)
        return Problem(row["id"], row["title"], judging=judging, provenance=provenance, meta=meta)
    tests = [*(row["official_tests"] or ()), *row.get("generated", ())]
    if not tests:
        raise ValueError("there are no tests for a problem that says it has some")
    return Problem(
        id=row["id"],
        statement=statement(row),
        tests=compact(row["id"], test_cases(tests)),
        limits=Limits(
            positive(row, "time_limit", 3600), int(positive(row, "memory_limit", 1 << 20))
        ),
        judging=_judging(row),
        provenance=provenance,
        meta=meta,
    )


def _judging(row: Row) -> Judging:
    checker = row["generated_checker"] or (CASELESS if _in_any_case(row) else None)
    mode = row["input_mode"]
    if mode == "file":
        return Judging(checker=checker, input_file="input.txt", output_file="output.txt")
    if mode != "stdio":
        raise ValueError(f"{mode!r}: stdio or file is known")
    return Judging(checker=checker)


def _in_any_case(row: Row) -> bool:
    """Whether the statement lets a program print letters in any case."""
    parts = (row["description"], row["output_format"], row["note"])
    return any(_ANY_CASE.search(part) for part in parts if part)


def statement(row: Row) -> str:
    """What a participant reads, as Markdown: never the editorial."""
    files = "input.txt and output.txt" if row["input_mode"] == "file" else "standard streams"
    limits = f"{row['time_limit']:g} s, {row['memory_limit']:g} MB; {files}"
    parts = [f"# {row['title']}", f"Limits: {limits}", row["description"]]
    for head, name in (("Input", "input_format"), ("Output", "output_format")):
        parts += [f"## {head}\n\n{row[name]}"] if row[name] else []
    for example in row["examples"] or ():
        shown = (example["input"].rstrip("\n"), example["output"].rstrip("\n"))
        parts.append("## Example\n\n```\n{}\n```\n\ngives\n\n```\n{}\n```".format(*shown))
    parts += [f"## Note\n\n{row['note']}"] if row["note"] else []
    return "\n\n".join(parts)


CODEFORCES = Task(
    name="codeforces",
    family="codeforces",
    dataset=WithGeneratedTests(
        HubDataset(REPO, "data/test-00000-of-00001.parquet", REVISION, names=("codeforces",))
    ),
    n_problems=468,
    parse=parse,
    prompt=PROMPT,
    grader=Code(
        language=None,
        checker="tokens",
        factors={"cpp": 1.0, "python": 1.0},
        defines=("ONLINE_JUDGE",),
    ),
    metrics=(pass_at(1),),
    sampling=Sampling(k=8, temperature=0.6, top_p=0.95, max_tokens=32768),
)
TASKS = (CODEFORCES,)
