r"""IMO-AnswerBench: 400 olympiad problems, reworded by their publisher, with short answers in LaTeX.

The second version, of 2026-02-12 (google-deepmind/superhuman, imobench/answerbench_v2.csv); the first,
which Hwilner/imo-answerbench copies, is deprecated for wrong answers. Columns `Problem ID`, `Problem`,
`Short Answer`, `Category`, `Subcategory`, `Source` (the contest). Three things of that file:

- imo-bench-algebra-036 lacks a closing quote. Readers that do not mind shift its columns: its answer
  ends up in the statement, and "Algebra" becomes the reference. Here the quote is added, and a copy
  whose columns are shifted is refused (the repository's issue 13).
- imo-bench-geometry-004 has 45752 for an answer, a spreadsheet's number for the date 4/5; the first
  version has "4, 5". It is graded as it stands; `--skip-errata` leaves it out (issue 14).
- the direction of an inequality in the answer of imo-bench-number_theory-048 is disputed there as well.

The authors ask a model whether two answers agree (arXiv 2511.01846, section 2.3). Here they are
compared as mathematics: numbers, formulas, sets, lists and functions are decided. About one reference in
eight is in words ("all powers of 2"); the same in other words or in symbols is undecided or wrong here.
A second opinion (`harness grade RUN --judge-model`) asks a model about those. The authors publish no
prompt and no k: the prompt is that of our MATH-500, and so is k = 4. A row, made up:

    {"Problem ID": "imo-bench-algebra-900", "Problem": "Find all real roots of $x^2=4$.",
     "Short Answer": "$x=2, x=-2$", "Category": "Algebra", "Subcategory": "Equation",
     "Source": "Own Contest 2020"}
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.data.fields import label, latex, text
from harness.data.github_file import GitHubFile
from harness.data.readers import read_rows
from harness.graders.math import Math
from harness.sampling import Sampling
from harness.stats.metrics import pass_at
from harness.task import Task
from harness.types import Problem, Provenance, Row

from .math500 import PROMPT

CATEGORIES = ("algebra", "combinatorics", "geometry", "number theory")
SPREADSHEET = {("imo-bench-geometry-004", "45752"): "a spreadsheet made a date of the answer 4, 5"}
"""By problem and reference answer, what is wrong with it."""

_OPEN = re.compile(r'^,(?="(?!"))')


@dataclass(frozen=True, slots=True)
class WithClosedQuote:
    """The file's rows, with the quote that one of its fields lacks.

    The field ends with a line, so that the separator and the next quote begin one: where fields are
    quoted as they should be, no line begins with a comma and a single quote, since no id is empty.
    """

    file: GitHubFile

    def source(self, data_dir: Path | None) -> str:
        """The repository and commit, or the name and hash of the user's copy."""
        return self.file.source(data_dir)

    def rows(self, data_dir: Path | None) -> Iterator[tuple[str, Row]]:
        """Yield (place, row)."""
        return read_rows(self.file.path(data_dir), mend=lambda line: _OPEN.sub('",', line))

    def hub_files(self) -> tuple[GitHubFile, ...]:
        """The files that `harness data fetch` copies."""
        return (self.file,)


def parse(row: Row) -> Problem:
    """One row of the file."""
    id, statement, answer = (
        text(row, "Problem ID"),
        text(row, "Problem"),
        latex(row, "Short Answer"),
    )
    contest, topic, category = (label(row, f) for f in ("Source", "Subcategory", "Category"))
    if str(category).lower() not in CATEGORIES:
        raise ValueError(f"{category!r} is none of {', '.join(CATEGORIES)}: are columns shifted?")
    return Problem(
        id=id,
        statement=statement,
        answer=answer,
        provenance=Provenance(contest=contest, erratum=SPREADSHEET.get((id, answer))),
        meta={"subject": category, "topic": topic},
    )


IMO_ANSWERBENCH = Task(
    name="imo_answerbench",
    family="imo_answerbench",
    dataset=WithClosedQuote(
        GitHubFile(
            "google-deepmind/superhuman",
            commit="80b2527a0b4e4bfc6a8b28825fadbdcfdd6048a1",
            file="imobench/answerbench_v2.csv",
            sha256="275877a9d988d85278fad3a5f8a41d7f83393a60bf259531ec0a5161e6b21cf9",
            names=("imo_answerbench", "answerbench_v2"),
        )
    ),
    n_problems=400,
    parse=parse,
    prompt=PROMPT,
    grader=Math(),
    metrics=(pass_at(1),),
    sampling=Sampling(k=4, temperature=0.6, top_p=0.95, max_tokens=32768),
)
TASKS = (IMO_ANSWERBENCH,)
