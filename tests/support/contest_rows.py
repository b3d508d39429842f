"""Rows of our own in the schemas of contest tables: no benchmark's statements, no benchmark's answers."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

CONTESTS = ("hmmt_feb25", "hmmt_nov25", "hmmt_feb26", "brumo25", "cmimc25", "smt25")
APEX = ("apex", "apex_shortlist")

ANSWERS = (
    "42", r"\frac{7}{12}", r"3\sqrt{5}-2", r"2^{10}\cdot 7!", r"\frac{1+\sqrt{13}}{2}, \frac{1-\sqrt{13}}{2}",
    r"(3, -4)", r"\left\{2, 5, 11\right\}", r"\left[0, \frac{1}{3}\right)", "n^2+3n", r"\frac{\pi}{4}",
)  # fmt: skip
"""One of each form that the contests' answers have."""

IMO_ANSWERS = (
    "$12$", "17", r"$2^{v-3}$", r"$h(x)=3x+1, h(x)=-x$", r"$(-\infty,1)\cup\{\frac{3}{2}\}$",
    "2, 9", r"$\left\lfloor \log_{3}b\right\rfloor +2$", r"$-\frac{5}{7},0,\frac{5}{7}$",
)  # fmt: skip


def contest_rows(task: str) -> list[Row]:
    """Rows of a table of MathArena's."""
    rows: list[Row] = []
    for n, answer in enumerate(ANSWERS, 1):
        row = {"problem_idx": n, "problem": f"Find the {n}th of our values.", "answer": answer}
        if task in APEX:
            rows.append({**row, "source": f"Own Contest {n % 4}"})
        else:
            rows.append({**row, "problem_type": ["Algebra", "Geometry"][: 1 + n % 2]})
    return rows


ROWS: Mapping[str, Sequence[Row]] = {
    "aime26": [
        {"problem_idx": n, "problem": f"What is ${n} \\cdot 9$?", "answer": 9 * n}
        for n in range(1, 31)
    ],
    **{task: contest_rows(task) for task in (*CONTESTS, *APEX)},
    "beyond_aime": [
        {"problem": f"What is $7^{{{n}}}$?", "answer": 7**n} for n in range(15)
    ],
    "amo_bench": [
        {"question_id": n, "prompt": f"Find our value {n}.\nAnswer: $\\boxed{{<your answer>}}$",
         "solution": "Look.", "answer": f"$\\boxed{{{answer}}}$", "answer_type": kind}
        for n, (answer, kind) in enumerate(
            [("8", "number"), (r"\frac{9}{4}\sqrt{2}", "number"), (r"\{3, 6\}", "set"),
             ("n^2-n+1", "variable"), ("Those with an even sum.", "description")], 1)
    ],
    "imo_answerbench": [
        {"Problem ID": f"imo-bench-algebra-9{n:02}", "Problem": f"Find, with $a<b$,\n\\[x_{n}\\]\n",
         "Short Answer": answer, "Category": "Algebra", "Subcategory": "Equation",
         "Source": f"Own Contest {n % 3}"}
        for n, answer in enumerate(IMO_ANSWERS)
    ],
}  # fmt: skip
"""By task, rows that it reads."""


def write_rows(folder: Path, task: str, rows: Sequence[Row] | None = None) -> Path:
    """Write a user's own copy of a task's dataset, as CSV where its publisher's file is one."""
    rows = ROWS[task] if rows is None else rows
    if task == "imo_answerbench":
        path = folder / f"{task}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return path
    path = folder / f"{task}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
