r"""AMO-Bench: 50 new problems of IMO level; the 39 whose answers a rule can decide are asked.

meituan-longcat/AMO-Bench, columns by its card: `question_id`, `prompt` (the statement with the authors'
instruction for the answer, so it is sent as it is), `answer` (boxed) and `answer_type`. Numbers (34),
sets (3) and formulas in variables (2) are graded here as mathematics; the authors' parser takes decimals
from four places on, ours from six. A model decides their 11 descriptions (five votes of o4-mini): those
are left out and counted, which leaves the subset that the authors call AMO-Bench-P (arXiv 2510.26768).
k = 8 is ours. A row, made up:

    {"question_id": 1, "prompt": "What is the largest root of $x^2 = 2$?\nAnswer in a box.",
     "answer": "$\\boxed{\\sqrt{2}}$", "answer_type": "number"}
"""

from harness.data.datasets import HubDataset
from harness.data.fields import number, text
from harness.graders.extraction.boxes import boxed
from harness.graders.math import Math
from harness.sampling import Sampling
from harness.stats.metrics import pass_at
from harness.task import Task
from harness.types import Judging, Problem, Row

BY_MODEL = Judging(not_judged="a model decides descriptions")


def parse(row: Row) -> Problem:
    """One row of the hub's table."""
    id, statement, answer = (
        str(number(row, "question_id", 0, 9999)), text(row, "prompt"), text(row, "answer"),
    )  # fmt: skip
    kind = row["answer_type"]
    if kind not in ("number", "set", "variable", "description"):
        raise ValueError(f"{kind!r}: number, set, variable and description are known")
    judging = BY_MODEL if kind == "description" else Judging()
    return Problem(id, statement, boxed(answer) or answer, judging=judging, meta={"kind": kind})


AMO_BENCH = Task(
    name="amo_bench",
    family="amo_bench",
    dataset=HubDataset(
        "meituan-longcat/AMO-Bench",
        "data/test-00000-of-00001.parquet",
        revision="2f422616c25d862984408fbbfaed63a961e8e025",
        names=("amo_bench", "AMO-Bench"),
    ),
    n_problems=50,
    parse=parse,
    prompt="{statement}",
    grader=Math(),
    metrics=(pass_at(1),),
    sampling=Sampling(k=8, temperature=0.6, top_p=0.95, max_tokens=32768),
)
TASKS = (AMO_BENCH,)
