"""The practice tasks: one small family per real one, on problems that the project wrote itself.

They exist so that the whole pipeline runs on any machine in minutes; the practice model in
examples/practice-model learns them. The problems are written by problems.py there. A row of the
integer family:

    {"id": "integer-1", "kind": "remainder", "statement": "What is 2*3+1?", "answer": "7"}
"""

from __future__ import annotations

from harness.data.datasets import PackagedDataset
from harness.data.fields import test_cases
from harness.graders.choice import Choice
from harness.graders.code import Code
from harness.graders.integer import Integer
from harness.graders.math import Math
from harness.interfaces import Grader
from harness.sampling import Sampling
from harness.stats.metrics import cons_at, pass_at
from harness.task import Task
from harness.types import Limits, Problem, Row

BOXED = "{statement}\n\nPlease reason step by step, and put your final answer within \\boxed{}."
CHOICE = """\
Answer the following multiple choice question. Think step by step before answering; the last \
line of your response has the form 'Answer: $LETTER', where LETTER is one of ABCD.

{statement}

{choices}"""
CODE = """\
{statement}

Write a Python program that reads standard input and writes to standard output. Put it in a \
```python block."""
PROMPTS = {"integer": BOXED, "math": BOXED, "choice": CHOICE, "code": CODE}
LIMITS = Limits(cpu_seconds=2.0, memory_mib=256)


def parse(row: Row) -> Problem:
    """One row; which of answer, choices and tests it has depends on the family."""
    tests = test_cases(row.get("tests", ()))
    return Problem(
        id=row["id"],
        statement=row["statement"],
        answer=None if tests else row["answer"],
        choices=tuple(row.get("choices", ())),
        tests=tests,
        limits=LIMITS if tests else None,
        meta={"kind": row["kind"]},
    )


def practice(family: str, grader: Grader) -> Task:
    """The task on the problems of one family: integer, math, choice or code."""
    return Task(
        name=f"practice_{family}",
        dataset=PackagedDataset(f"practice_{family}.jsonl"),
        n_problems=40,
        parse=parse,
        prompt=PROMPTS[family],
        grader=grader,
        metrics=(pass_at(1), cons_at(16)),
        sampling=Sampling(k=16, temperature=0.6, top_p=0.95, max_tokens=128),
        choice_order="per-problem" if family == "choice" else None,
        family="practice",
    )


TASKS = (
    practice("integer", Integer(0, 999)),
    practice("math", Math()),
    practice("choice", Choice()),
    practice("code", Code()),
)
