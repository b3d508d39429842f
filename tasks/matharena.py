r"""Contests since 2025 as MathArena keeps them: one table each on the hub, all of one schema.

Columns, by the cards of the tables: `problem_idx` (from 1), `problem`, `answer` (a text in LaTeX; an
integer in AIME), `problem_type` (a list of subjects, in most), `source` (the contest that a problem
comes from, in Apex and its shortlist). The instruction, the numbers of problems and the days are those
of MathArena's configurations in May 2026 (github.com/eth-sri/matharena, configs/competitions), and its
runner puts the instruction before the statement; it asks a model that boxed nothing once more, which is
not done here. Its leaderboard draws k = 4; AIME has the k of the other years. An answer of several
values is a list ("2, 3"), which a response may give in any order. Apex and its shortlist share problems
with the other contests: three of Apex are SMT's, three of the shortlist BRUMO's and HMMT's. The
shortlist had 49 and 48 problems before the pinned revision's 47. A row, made up:

    {"problem_idx": 3, "problem": "What are the roots of $x^2 = 2$?",
     "answer": "\\sqrt{2}, -\\sqrt{2}", "problem_type": ["Algebra"]}
"""

from dataclasses import replace
from datetime import date
from functools import partial

from harness.data.datasets import HubDataset
from harness.data.fields import latex, number, text, texts
from harness.graders.integer import Integer
from harness.graders.math import Math
from harness.sampling import Sampling
from harness.stats.metrics import cons_at, pass_at
from harness.task import Task
from harness.types import Problem, Provenance, Row

from .aime import answer

PROMPT = "Put your final answer within \\boxed{}.\n\n{statement}"
AIME_PROMPT = """\
Put your final answer within \\boxed{}.
The answer is an integer between 0 and 999 inclusive.

{statement}"""


def parse(row: Row, *, contest: str | None, day: date) -> Problem:
    """One row; where there is no one contest, that of a problem is its `source`."""
    index = str(number(row, "problem_idx", 0, 999))
    return Problem(
        id=index,
        statement=text(row, "problem"),
        answer=latex(row, "answer"),
        provenance=Provenance(contest=contest or text(row, "source"), index=index, date=day),
        meta={"subject": " and ".join(sorted(texts(row, "problem_type"))) or None},
    )


def parse_aime(row: Row) -> Problem:
    """One row of AIME 2026: exam I, then exam II; the day is MathArena's for both."""
    part, place = divmod(number(row, "problem_idx", 1, 30) - 1, 15)
    return Problem(
        id=str(row["problem_idx"]),
        statement=text(row, "problem"),
        answer=answer(row),
        provenance=Provenance(
            contest=f"2026 AIME {'I' * (part + 1)}", index=str(place + 1), date=date(2026, 2, 6)
        ),
    )


def contest(
    name: str, table: str, revision: str, *, n: int, day: date, title: str | None = None
) -> Task:
    """The task of one contest.

    Args:
        name: of the task.
        table: of MathArena's on the hub; a user's own copy may be called so, too.
        revision: of the table.
        n: how many problems it has.
        day: by when its problems were public.
        title: of the contest; None where each row names its own.
    """
    return Task(
        name=name,
        family=name,
        dataset=HubDataset(
            f"MathArena/{table}",
            "data/train-00000-of-00001.parquet",
            revision=revision,
            names=(name, table),
        ),
        n_problems=n,
        parse=partial(parse, contest=title, day=day),
        prompt=PROMPT,
        grader=Math(),
        metrics=(pass_at(1),),
        sampling=Sampling(k=4, temperature=0.6, top_p=0.95, max_tokens=32768),
    )


AIME26 = replace(
    contest(
        "aime26", "aime_2026", "d2de22f3c656b4f56cf8981212186377d1e23bc3",
        n=30, day=date(2026, 2, 6),
    ),
    parse=parse_aime,
    prompt=AIME_PROMPT,
    grader=Integer(0, 999),
    metrics=(pass_at(1), cons_at(64)),
    sampling=Sampling(k=64, temperature=0.6, top_p=0.95, max_tokens=32768),
)  # fmt: skip
TASKS = (
    AIME26,
    contest(
        "hmmt_feb25", "hmmt_feb_2025", "6fdc4277120810ff75aa22d2d5489b91f7a262a1",
        n=30, day=date(2025, 2, 15), title="HMMT February 2025",
    ),
    contest(
        "hmmt_nov25", "hmmt_nov_2025", "118dbfb45c4c9467c672268ed55166642897aa46",
        n=30, day=date(2025, 11, 8), title="HMMT November 2025",
    ),
    contest(
        "hmmt_feb26", "hmmt_feb_2026", "02fba4f74d8e68e73e66a02d540fd979c05c274c",
        n=33, day=date(2026, 2, 14), title="HMMT February 2026",
    ),
    contest(
        "brumo25", "brumo_2025", "6de9bc0987f5710c6376ee980e1483dbeb55cfda",
        n=30, day=date(2025, 4, 8), title="BRUMO 2025",
    ),
    contest(
        "cmimc25", "cmimc_2025", "8f27517ce4ad1d05e023c0e7eca4344754ba2a04",
        n=40, day=date(2025, 7, 29), title="CMIMC 2025",
    ),
    contest(
        "smt25", "smt_2025", "d8e99d83f1583842f46d4953cd960eea5d887e45",
        n=53, day=date(2025, 12, 5), title="SMT 2025",
    ),
    contest(
        "apex", "apex_2025", "ac8a641db12cc87be39e61ea89f2e04c80c5f2e7",
        n=12, day=date(2025, 8, 18),
    ),
    contest(
        "apex_shortlist", "apex-shortlist", "f3efdf224ef665f129ddaae37699f6098c65781b",
        n=47, day=date(2025, 8, 18),
    ),
)  # fmt: skip
