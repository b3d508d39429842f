"""MATH-500: 500 problems of the MATH test set with LaTeX answers (prm800k's split).

Prompt as DeepSeek-R1's README; k = 4 as open-r1, since the paper gives none. A row, made up:

    {"unique_id": "test/algebra/1.json", "problem": "What is $1+1$?", "answer": "2",
     "subject": "Algebra", "level": 1}
"""

from harness.data.datasets import HubDataset
from harness.graders.math import Math
from harness.sampling import Sampling
from harness.stats.metrics import pass_at
from harness.task import Task
from harness.types import Problem, Row

PROMPT = "{statement}\n\nPlease reason step by step, and put your final answer within \\boxed{}."


def parse(row: Row) -> Problem:
    """One row of the hub's table; the reference is `answer`, not the worked solution."""
    return Problem(
        id=row["unique_id"],
        statement=row["problem"],
        answer=row["answer"],
        meta={"subject": row["subject"], "level": int(row["level"])},
    )


MATH500 = Task(
    name="math500",
    family="math500",
    dataset=HubDataset(
        "HuggingFaceH4/MATH-500",
        "test.jsonl",
        revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
        names=("math500", "math_500"),
    ),
    n_problems=500,
    parse=parse,
    prompt=PROMPT,
    grader=Math(),
    metrics=(pass_at(1),),
    sampling=Sampling(k=4, temperature=0.6, top_p=0.95, max_tokens=32768),
)
TASKS = (MATH500,)
