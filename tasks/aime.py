"""AIME: thirty integer-answer problems a year (papers I and II), answers 000 to 999.

2024 as HuggingFaceH4/aime_2024 ("025" is 25), 2025 as math-ai/aime25. Prompt and k = 64 as
DeepSeek-R1 (arXiv 2501.12948, section 3; its README for the wording). A row, made up:

    {"id": 60, "problem": "How many positive divisors has $36$?", "answer": "009",
     "url": "https://wiki.example/2024_AIME_I_Problems/Problem_1"}
"""

import re
from dataclasses import replace

from harness.data.datasets import HubDataset
from harness.graders.integer import Integer, integer_of
from harness.stats.metrics import cons_at, pass_at
from harness.task import Task
from harness.types import Problem, Provenance, Row, Sampling

# Digits, also in a box and as mathematics: a reference is copied from there, and never computed.
_DIGITS = re.compile(r"(?:\\boxed|[\s$({\[\\])*[+-]?\d+(?:\.0*)?[\s$)}\]\\]*")
_EXAM = re.compile(r"/(\d{4})_(AIME_I{1,2})_Problems/")
PROMPT = "{statement}\n\nPlease reason step by step, and put your final answer within \\boxed{}."


def parse(row: Row) -> Problem:
    """One row of either hub table; the answer is an integer from 0 to 999, or a text of one ("70.0")."""
    given = row["answer"]
    text = str(given)
    answer = integer_of(text) if _DIGITS.fullmatch(text) else None
    if not isinstance(answer, int) or not 0 <= answer <= 999:
        raise ValueError(
            f"{given!r} is no answer of an AIME problem: those are integers from 0 to 999"
        )
    exam = _EXAM.search(row.get("url") or "")
    provenance = Provenance(contest=" ".join(exam.groups()).replace("_", " ") if exam else None)
    return Problem(
        id=str(row["id"]), statement=row["problem"], answer=str(answer), provenance=provenance
    )


AIME24 = Task(
    name="aime24",
    family="aime24",
    dataset=HubDataset(
        "HuggingFaceH4/aime_2024",
        "data/train-00000-of-00001.parquet",
        revision="2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
        names=("aime24", "aime_2024"),
    ),
    parse=parse,
    prompt=PROMPT,
    grader=Integer(0, 999),
    metrics=(pass_at(1), cons_at(64)),
    sampling=Sampling(k=64, temperature=0.6, top_p=0.95, max_tokens=32768),
)
AIME25 = replace(
    AIME24,
    name="aime25",
    family="aime25",
    dataset=HubDataset(
        "math-ai/aime25",
        "test.jsonl",
        revision="563bb8404243c5f09de6ec262f2db674fe5bce9b",
        names=("aime25", "aime_2025"),
    ),
)
TASKS = (AIME24, AIME25)
