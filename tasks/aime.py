"""AIME: thirty integer-answer problems a year (papers I and II), answers 000 to 999.

2024 as HuggingFaceH4/aime_2024 ("025" is 25; `url` names the exam), 2025 as math-ai/aime25 (`id` from
0 to 29: exam I, then exam II). AIME 2026 is in matharena.py. Prompt and k = 64 as DeepSeek-R1 (arXiv
2501.12948, section 3; its README for the wording). The days are those printed on the exams. A row,
made up:

    {"id": 60, "problem": "How many positive divisors has $36$?", "answer": "009",
     "url": "https://wiki.example/2024_AIME_I_Problems/Problem_1"}
"""

import re
from dataclasses import replace
from datetime import date

from harness.data.datasets import HubDataset
from harness.data.fields import text
from harness.graders.integer import Integer, integer_of
from harness.sampling import Sampling
from harness.stats.metrics import cons_at, pass_at
from harness.task import Task
from harness.types import Problem, Provenance, Row

PROMPT = "{statement}\n\nPlease reason step by step, and put your final answer within \\boxed{}."
DAYS = {
    "2024 AIME I": date(2024, 1, 31),
    "2024 AIME II": date(2024, 2, 7),
    "2025 AIME I": date(2025, 2, 6),
    "2025 AIME II": date(2025, 2, 12),
}
# Digits, also in a box and as mathematics: a reference is copied from there, and never computed.
_DIGITS = re.compile(r"(?:\\boxed|[\s$({\[\\])*[+-]?\d+(?:\.0*)?[\s$)}\]\\]*")
_EXAM = re.compile(r"/(\d{4}_AIME_I{1,2})_Problems/(?:Problem_(\d+))?")
_PAPER = re.compile(r"(I{1,2})-(\d+)")


def answer(row: Row) -> str:
    """The answer of a row: an integer from 0 to 999, or a text of one ("025", "70.0").

    Raises:
        ValueError: it is something else.
    """
    given = row["answer"]
    found = integer_of(str(given)) if _DIGITS.fullmatch(str(given)) else None
    if not isinstance(found, int) or not 0 <= found <= 999:
        raise ValueError(
            f"{given!r} is no answer of an AIME problem: those are integers from 0 to 999"
        )
    return str(found)


def exam(contest: str, index: str | None) -> Provenance:
    """Where a problem comes from: the exam ("2025 AIME II"), the problem's number, the day."""
    return Provenance(contest=contest, index=index, date=DAYS.get(contest))


def parse(row: Row) -> Problem:
    """One row of 2024's table, or of a copy in its columns; without its `url` the exam is not known."""
    found = _EXAM.search(row.get("url") or "")
    origin = exam(found[1].replace("_", " "), found[2]) if found else Provenance()
    return Problem(str(row["id"]), text(row, "problem"), answer(row), provenance=origin)


def parse_2025(row: Row) -> Problem:
    """One row of 2025's table; the exam is known by an `id` from 0 to 29, or one such as II-3."""
    id = str(row["id"])
    paper = _PAPER.fullmatch(id)
    if paper is None and id.isdecimal() and int(id) < 30:
        part, place = divmod(int(id), 15)
        paper = _PAPER.fullmatch(f"{'I' * (part + 1)}-{place + 1}")
    origin = exam(f"2025 AIME {paper[1]}", paper[2]) if paper else Provenance()
    return Problem(id, text(row, "problem"), answer(row), provenance=origin)


AIME24 = Task(
    name="aime24",
    family="aime24",
    dataset=HubDataset(
        "HuggingFaceH4/aime_2024",
        "data/train-00000-of-00001.parquet",
        revision="2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
        names=("aime24", "aime_2024"),
    ),
    n_problems=30,
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
    parse=parse_2025,
)
TASKS = (AIME24, AIME25)
