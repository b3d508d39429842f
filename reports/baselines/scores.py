"""Published scores and their sources: what each figure is, and where it stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.reports.format import value_text

from .metrics import Unit
from .schema import Availability, Kind, StatedProtocol

UNSTATED_K = (1, 64)
"""The samples per problem that a figure may have whose source says nothing of them."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from.

    `date` is YYYY, YYYY-MM or YYYY-MM-DD, which sort as text. `read_from` says what was read: the
    original, a copy of it, or a figure by eye.
    """

    name: str
    title: str
    url: str | None
    date: str | None
    read_from: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """One published figure, wherever its source prints it.

    Args:
        model: its name here, one for all spellings (see `aliases`).
        task: the benchmark.
        metric: one of ours where it is one, else the source's own name.
        value: 0 to 1 where `unit` is share, else as printed.
        source: who states it.
        places: where it stands there: table 2, table 4.
        kind: the source's own, a measurement of another group's model, or passed on.
        availability: what stands between a reader and the same measurement.
        protocol: what the source states of how it measured.
        label: the model as the source prints it.
        printed_metric: the metric as the source names it.
        printed_value: the value as the source prints it.
        unit: what the value counts.
        n: number of problems, None where not stated.
        k: samples per problem, None where not stated.
        subset: which part of the benchmark, such as {difficulty: easy}; empty for the whole.
        note: what else there is to say.
        positions: for each place, where in the order of the source's figures.
    """

    model: str
    task: str
    metric: str
    value: float
    source: str
    places: tuple[str, ...]
    kind: Kind
    availability: Availability
    protocol: StatedProtocol
    label: str
    printed_metric: str
    printed_value: str
    unit: Unit
    n: int | None = None
    k: int | None = None
    subset: Mapping[str, str] = field(default_factory=dict, hash=False)
    note: str | None = None
    positions: tuple[int, ...] = ()

    @property
    def subject(self) -> tuple[str, str, str]:
        """What the figure is about: (model, task, metric)."""
        return self.model, self.task, self.metric

    @property
    def printed(self) -> str:
        """Where it stands, in words: table 2; tables 2, 4."""
        return places_text(self.places)

    @property
    def text(self) -> str:
        """The value as papers print it: shares in percent with one decimal, ratings whole."""
        return value_text("pass@1" if self.unit == "share" else self.metric, self.value)

    def stands_in(self, place: str) -> bool:
        """Whether the source prints it there."""
        return place in self.places

    def position(self, place: str) -> int:
        """Where in the order of the source's figures it stands there; it must stand there."""
        return self.positions[self.places.index(place)]

    @property
    def ks(self) -> tuple[int, int]:
        """The least and the greatest number of samples per problem behind the figure.

        They are equal where it is stated, or a vote's. A metric of K samples has at least K.
        """
        kind, _, needed = self.metric.partition("@")
        least = int(needed) if needed else 1
        if self.k or kind == "cons":
            return (self.k or least,) * 2
        low, high = self.protocol.k or UNSTATED_K
        return max(low, least), max(high, least)


@dataclass(frozen=True, slots=True)
class Baselines:
    """The sources read and all of their scores, in the order of the files."""

    sources: dict[str, Source] = field(default_factory=dict)
    scores: tuple[PublishedScore, ...] = ()


def places_text(places: Sequence[str]) -> str:
    """Several places in words: tables 2, 4."""
    numbers = [place.removeprefix("table ") for place in places]
    if len(places) > 1 and all(number.isdecimal() for number in numbers):
        return f"tables {', '.join(numbers)}"
    return ", ".join(places)
