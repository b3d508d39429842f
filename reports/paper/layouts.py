"""Which rows and columns the tables of the DeepSeek-R1 paper have, in the paper's own order.

They are numbered as in arXiv 2501.12948v1; benchmarks that the harness does not know are left out.
The figures themselves are baselines.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A benchmark and metric as the paper heads them; `area` is table 4's first column."""

    task: str
    metric: str
    group: str
    label: str
    area: str = ""

    @property
    def text(self) -> str:
        """On one line: AIME 2024 pass@1."""
        return f"{self.group} {self.metric}"


@dataclass(frozen=True, slots=True)
class Layout:
    """One table of the paper. `transposed`: a row per benchmark and a column per model.

    `fallback` (source, printed) gives the scores that the paper's own file does not hold.
    """

    name: str
    caption: str
    printed: str
    headings: tuple[Heading, ...]
    transposed: bool = False
    fallback: tuple[str, str] | None = None
    source: str = "r1-paper"

    @property
    def title(self) -> str:
        """Where the table stands."""
        return f"DeepSeek-R1, {self.printed}"


_COLUMNS = (
    Heading("aime24", "pass@1", "AIME 2024", "pass@1"),
    Heading("aime24", "cons@64", "AIME 2024", "cons@64"),
    Heading("math500", "pass@1", "MATH-500", "pass@1"),
    Heading("gpqa_diamond", "pass@1", "GPQA Diamond", "pass@1"),
    Heading("livecodebench", "pass@1", "LiveCodeBench", "pass@1"),
    Heading("codeforces", "rating", "Codeforces", "rating"),
)
_ROWS = (
    Heading("gpqa_diamond", "pass@1", "GPQA Diamond", "Pass@1", "English"),
    Heading("livecodebench", "pass@1", "LiveCodeBench", "Pass@1-COT", "Code"),
    Heading("codeforces", "percentile", "Codeforces", "Percentile", "Code"),
    Heading("codeforces", "rating", "Codeforces", "Rating", "Code"),
    Heading("aime24", "pass@1", "AIME 2024", "Pass@1", "Math"),
    Heading("math500", "pass@1", "MATH-500", "Pass@1", "Math"),
    Heading("cnmo24", "pass@1", "CNMO 2024", "Pass@1", "Math"),
)
LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("r1-table2", "DeepSeek-R1-Zero and OpenAI's o1 models on reasoning benchmarks.",
               "table 2", _COLUMNS),
        Layout("r1-table4", "DeepSeek-R1 and other representative models.", "table 4", _ROWS,
               transposed=True, fallback=("r1-readme", "main table")),
        Layout("r1-table5", "The distilled models and comparable ones on reasoning benchmarks.",
               "table 5", _COLUMNS),
        Layout("r1-table6", "Distilled and reinforcement-learned models on reasoning benchmarks.",
               "table 6", _COLUMNS[:5]),
    )
}  # fmt: skip
