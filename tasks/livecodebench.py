"""LiveCodeBench, code generation: problems of LeetCode, AtCoder and Codeforces since May 2023.

The hub's six files are read directly. A release is the first of them up to one (release_v5: 880
problems up to January 2025), v5 is the fifth alone, v4_v5 two. DeepSeek-R1 reports the window
2024-08..2025-01 (arXiv 2501.12948, section 3). The prompt is LiveCodeBench's format, word for word
(lcb_runner/prompts/code_generation.py), without a system prompt, as R1's README asks; k = 16 as
open-r1, since the paper gives none. The errata are those of LiveCodeBench's ERRATA.md as of its
newest commit (28fef95). The submission is taken by LiveCodeBench's own rule.
A row, made up; private tests may be packed, see `harness.judge.formats`:

    {"question_id": "x1_a", "question_title": "Double", "question_content": "Double the integer.",
     "platform": "atcoder", "contest_id": "x1", "contest_date": "2024-08-03T00:00:00",
     "starter_code": "", "difficulty": "easy", "metadata": "{}",
     "public_test_cases": "[{\\"input\\": \\"2\\", \\"output\\": \\"4\\", \\"testtype\\": \\"stdin\\"}]",
     "private_test_cases": "[]"}
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from harness.data.datasets import HubDataset, HubParts
from harness.data.row_place import RowTests, place_of
from harness.graders.code import Code
from harness.judge.formats import livecodebench_tests
from harness.problem_tests import INLINE_BYTES, compact
from harness.sampling import Sampling
from harness.stats.metrics import pass_at
from harness.task import Task
from harness.types import Judging, Limits, Problem, Provenance, Row, TestCase

PROMPT = "### Question:\n{statement}\n\n### Answer: (use the provided format with backticks)\n\n"
FUNCTION = """\
### Format: You will use the following starter code to write the solution to the problem and \
enclose your code within delimiters.
```python
"""
PROGRAM = """\
### Format: Read the inputs from stdin solve the problem and write the answer to stdout (do not \
directly test on the sample inputs). Enclose your code within delimiters as follows. Ensure that \
when the python program runs, it reads the inputs, runs the algorithm and writes output to STDOUT.
```python
"""
ERRATA = {
    **dict.fromkeys(
        ("abc311_c", "abc326_d", "abc327_b", "abc333_e", "abc343_a", "abc343_e", "abc362_c",
         "arc185_c", "find-words-containing-character", "find-the-peaks",
         "generate-binary-strings-without-adjacent-zeros"),
        "several outputs are right and the tests accept one",
    ),
    **dict.fromkeys(("abc337_e", "abc355_e"), "interactive"),
    **dict.fromkeys(
        ("abc350_c", "arc189_a", "apply-operations-to-make-string-empty", "most-frequent-ids"),
        "tests that are wrong",
    ),
}  # fmt: skip
"""By question id, or by title on LeetCode."""

LIMITS = Limits(cpu_seconds=6.0, memory_mib=1024)
REPO = "livecodebench/code_generation_lite"
REVISION = "0fe84c3912ea0c4d4a78037083943e8f0c4dd505"


def parse(row: Row) -> Problem:
    """One row of the hub's files; `decisive`, where a row has it, says that its tests are all."""
    id, starter = str(row["question_id"]), row["starter_code"]
    form = f"{FUNCTION}{starter}\n```" if starter else f"{PROGRAM}# YOUR CODE HERE\n```"
    title = row["question_title"]
    provenance = Provenance(
        title=title,
        platform=row["platform"],
        contest=str(contest) if (contest := row.get("contest_id")) is not None else None,
        date=date.fromisoformat(str(row["contest_date"])[:10]),  # a datetime in Parquet copies
        erratum=ERRATA.get(id) or ERRATA.get(title),
    )
    return Problem(
        id=id,
        statement=f"{row['question_content']}\n\n{form}",
        tests=_tests(id, row),
        limits=LIMITS,
        judging=Judging(decisive=bool(row.get("decisive", True))),
        provenance=provenance,
        meta={"difficulty": row["difficulty"]},
    )


def _tests(id: str, row: Row) -> Sequence[TestCase]:
    """The tests of a row: large ones are left where they are, if the row can be read again."""
    place = place_of(row)
    if place is not None and len(row.get("private_test_cases") or "") > INLINE_BYTES:
        return RowTests(id, place, livecodebench_tests)
    return compact(id, livecodebench_tests(row))


def _part(number: int) -> HubDataset:
    stem = "test" if number == 1 else f"test{number}"
    return HubDataset(
        REPO, f"{stem}.jsonl", REVISION, names=(f"livecodebench_v{number}", f"lcb_v{number}", stem)
    )


LIVECODEBENCH = Task(
    name="livecodebench",
    family="livecodebench",
    dataset=HubParts(tuple(_part(number) for number in range(1, 7)), names=("livecodebench",)),
    n_problems=1055,
    parse=parse,
    prompt=PROMPT,
    grader=Code(
        language="python", checker="lcb", prelude=True, also=("lcb-official",), rule="livecodebench"
    ),
    metrics=(pass_at(1),),
    sampling=Sampling(k=16, temperature=0.6, top_p=0.95, max_tokens=32768),
)
TASKS = (LIVECODEBENCH,)
