"""What a paper's table is: its headings, its models and where its figures stand.

A table is a YAML file (`harness.reports.paper.table_file`); the figures themselves are baselines.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.reports.baselines.metrics import read_metric
from harness.reports.baselines.schema import Kind
from harness.reports.baselines.yaml_document import YamlDocument

Selection = tuple[tuple[str, object], ...]
"""Parts of a stated protocol and the values that select a figure: (("effort", "low"),)."""


def our_metric(name: str) -> str | None:
    """What we call a metric of a run that a source names (avg@32 is pass@1); None for another one."""
    try:
        return read_metric(name).name
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Heading:
    """A benchmark and metric as a paper heads them.

    Args:
        task: the benchmark.
        metric: as the baselines name it.
        group: the benchmark as the paper prints it.
        label: what the paper prints below it, such as the metric.
        area: what the paper prints before a row, such as Math.
        protocol: what the figures must state, where a model has several.
        subset: the properties of the problems that it is about; none for all of them.
        kind: of the figures, where one place holds several kinds.
        beside: the metric of a run that stands in its place.
        not_comparable: why no run is held against the figures; None where runs are.
    """

    task: str
    metric: str
    group: str
    label: str
    area: str = ""
    protocol: Selection = ()
    subset: tuple[tuple[str, str], ...] = ()
    kind: Kind | None = None
    beside: str | None = None
    not_comparable: str | None = None

    @property
    def text(self) -> str:
        """On one line: AIME 2024 pass@1, or LiveCodeBench pass@1 (easy)."""
        part = self.label if self.protocol or self.subset else ""
        return f"{self.group} {self.metric}" + f" ({part})" * bool(part)

    @property
    def ours(self) -> str:
        """The metric of a run that is shown: the heading's own unless another is named."""
        return self.beside or self.metric

    @property
    def obstacle(self) -> str | None:
        """Why a run's score and the figures cannot be compared; None where they can."""
        if self.not_comparable or self.ours != self.metric:
            return self.not_comparable or f"{self.metric} is not {self.ours}"
        return None if our_metric(self.metric) else f"{self.metric} is no metric of a run"


@dataclass(frozen=True, slots=True)
class Row:
    """A model as a paper lists it; `protocol` tells several lines of one model apart.

    `label` is empty for the name that the source prints. `group` is what the paper prints above
    several of them.
    """

    model: str
    label: str = ""
    group: str = ""
    protocol: Selection = ()

    @property
    def name(self) -> str:
        """The line's name where a row stands for a model: gpt-oss-20b, high."""
        return ", ".join(filter(None, (self.group, self.label or self.model)))


@dataclass(frozen=True, slots=True)
class Layout:
    """One table of a paper. `transposed`: a row per benchmark and a column per model.

    `printed` are the places of the source that the figures stand at. `fallback` (source, printed)
    gives those that these do not hold. Without `rows` the table has every model of its places.
    `margin` is in points, and `document` the file that all this was read from.
    """

    name: str
    title: str
    caption: str
    source: str
    printed: tuple[str, ...]
    headings: tuple[Heading, ...]
    document: YamlDocument = field(repr=False, compare=False)
    rows: tuple[Row, ...] = ()
    transposed: bool = False
    fallback: tuple[str, str] | None = None
    footnotes: tuple[str, ...] = ()
    margin: float | None = None

    @property
    def places(self) -> str:
        """Where the figures stand: r1-paper table 2."""
        return f"{self.source} {', '.join(self.printed)}"

    @property
    def line_names(self) -> set[str]:
        """What a run may be said to reproduce beside the models: the lines by their names."""
        return {row.name for row in self.rows}
