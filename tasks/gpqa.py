"""GPQA: graduate-level questions with four choices, in three sets; gated, and masked in reports.

Diamond (198) is part of main (448), and main of extended (546): gpqa_diamond, gpqa_main and
gpqa_extended, each a file of Idavidrein/gpqa with the same columns. The prompt is simple-evals'
multiple-choice template, word for word, because DeepSeek-R1 names it as its own (arXiv 2501.12948,
section 3). simple-evals draws a new order of the choices for every repeat; here that is
`--choice-order per-sample`. k = 8 as open-r1, since the paper's first version gives none.
A row, made up:

    {"Record ID": "rec1", "Question": "Which element has atomic number 1?", "Correct Answer": "H",
     "Incorrect Answer 1": "He", "Incorrect Answer 2": "Li", "Incorrect Answer 3": "Be",
     "Subdomain": "Inorganic Chemistry", "High-level domain": "Chemistry"}
"""

from harness.data.datasets import HubDataset
from harness.data.fields import label, text
from harness.graders.choice import Choice
from harness.sampling import Sampling
from harness.stats.metrics import pass_at
from harness.task import Task
from harness.types import Problem, Row

PROMPT = """Answer the following multiple choice question. The last line of your response should \
be of the following format: 'Answer: $LETTER' (without quotes) where LETTER is one of ABCD. Think \
step by step before answering.

{statement}

{choices}"""
TEXTS = ("Question", "Correct Answer", *(f"Incorrect Answer {n}" for n in (1, 2, 3)))


def parse(row: Row) -> Problem:
    """One row of a hub's file; the right choice comes first and is shuffled when shown."""
    question, *choices = (text(row, name).strip() for name in TEXTS)
    return Problem(
        id=row["Record ID"],
        statement=question,
        answer=choices[0],
        choices=tuple(choices),
        meta={"subject": label(row, "Subdomain"), "domain": label(row, "High-level domain")},
    )


def subset(name: str, n: int) -> Task:
    """The task on one of the three sets, by the name of its file."""
    return Task(
        name=name,
        family=name,
        dataset=HubDataset(
            "Idavidrein/gpqa",
            f"{name}.csv",
            revision="633f5ee89ab8ad4522a9f850766b73f62147ffdd",
            names=(name,),
            gated=True,
        ),
        n_problems=n,
        parse=parse,
        prompt=PROMPT,
        grader=Choice(),
        metrics=(pass_at(1),),
        sampling=Sampling(k=8, temperature=0.6, top_p=0.95, max_tokens=32768),
        choice_order="per-problem",
        masked=True,
    )


GPQA_DIAMOND = subset("gpqa_diamond", 198)
TASKS = (GPQA_DIAMOND, subset("gpqa_main", 448), subset("gpqa_extended", 546))
