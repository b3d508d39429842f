"""BeyondAIME: 100 new problems as hard as AIME's last five, each with an integer answer from 0 on.

ByteDance-Seed/BeyondAIME, columns `problem` and `answer` (an integer), by its card of June 2025. The rows
have no id, so a problem is known by its statement. The card gives neither prompt nor k: the prompt is
that of our other AIME tasks, and k = 8 is ours. A row, made up:

    {"problem": "What is $12 \\\\cdot 12$?", "answer": 144}
"""

import hashlib

from harness.data.datasets import HubDataset
from harness.data.fields import number, text
from harness.graders.integer import Integer
from harness.sampling import Sampling
from harness.stats.metrics import pass_at
from harness.task import Task
from harness.types import Problem, Row

from .aime import PROMPT

LARGEST = 10**100


def parse(row: Row) -> Problem:
    """One row of the hub's table."""
    statement = text(row, "problem")
    return Problem(
        id=hashlib.sha256(statement.encode()).hexdigest()[:12],
        statement=statement,
        answer=str(number(row, "answer", 0, LARGEST)),
    )


BEYOND_AIME = Task(
    name="beyond_aime",
    family="beyond_aime",
    dataset=HubDataset(
        "ByteDance-Seed/BeyondAIME",
        "data/test.parquet",
        revision="c705198ae1043810b1e1693bd879250b51a7a523",
        names=("beyond_aime", "BeyondAIME"),
    ),
    n_problems=100,
    parse=parse,
    prompt=PROMPT,
    grader=Integer(0, LARGEST),
    metrics=(pass_at(1),),
    sampling=Sampling(k=8, temperature=0.6, top_p=0.95, max_tokens=32768),
)
TASKS = (BEYOND_AIME,)
