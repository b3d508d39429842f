"""Which published figure stands at a table's model and heading. Pure.

A table that asks for what no source prints, or for what is several figures, is refused with the file,
the line and the field that says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isclose

from harness.reports.baselines.near import near
from harness.reports.baselines.scores import PublishedScore
from harness.reports.baselines.yaml_document import Field

from .layouts import Heading, Layout, Row, Selection

_Misfit = tuple[Field, str]


@dataclass(frozen=True, slots=True)
class Figure:
    """A published figure where a table prints it; `borrowed` where it comes from the fallback."""

    score: PublishedScore
    borrowed: bool = False

    @property
    def text(self) -> str:
        """The value as it is printed; in percent where the source prints fractions."""
        cell = self.score
        whole = cell.unit == "share" and not isclose(float(cell.printed_value), 100 * cell.value)
        return cell.text if whole else cell.printed_value


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model of a table, and its figure, or None, under each heading."""

    row: Row
    figures: tuple[Figure | None, ...]


def model_lines(layout: Layout, published: Iterable[PublishedScore]) -> list[ModelLine]:
    """A table's models in its order, with their figures.

    Args:
        layout: the table.
        published: every baseline there is.

    Raises:
        DataError: what the table names is not among the baselines, or a model has several figures
            under a heading: with the file, the line, the field and what it could be instead.
    """
    published = list(published)
    own = _standing(published, layout.source, layout.printed)
    others = (
        _standing(published, layout.fallback[0], layout.fallback[1:]) if layout.fallback else []
    )
    for place, message in _misfits(layout, published, own, others):
        raise layout.document.error(place, message)
    lines = []
    for number, row in enumerate(layout.rows or _models_of(layout, own)):
        field: Field = ("models", number) if layout.rows else ("headings",)
        figures = []
        for heading in layout.headings:
            found = _of(row, heading, own)
            borrowed = not found
            found = found or _of(row, heading, others)
            if len(found) > 1:
                raise layout.document.error(field, _several(row, heading, found))
            figures.append(Figure(found[0], borrowed) if found else None)
        if not any(figures):
            message = f"no figure of {row.model} stands under any heading"
            raise layout.document.error(field, message)
        lines.append(ModelLine(_named(row, figures), tuple(figures)))
    return lines


def _standing(
    published: Iterable[PublishedScore], source: str, places: Sequence[str]
) -> list[PublishedScore]:
    """The figures that a source prints at these places, in the order of the places and there."""
    found = [
        (number, cell.position(place), cell)
        for cell in published
        if cell.source == source
        for number, place in enumerate(places)
        if cell.stands_in(place)
    ]
    cells = {id(cell): cell for *_, cell in sorted(found, key=lambda at: at[:2])}
    return list(cells.values())


def _models_of(layout: Layout, own: Sequence[PublishedScore]) -> list[Row]:
    """Every model of the table's places that has a figure under one of its headings."""
    subjects = {(heading.task, heading.metric) for heading in layout.headings}
    models = dict.fromkeys(cell.model for cell in own if (cell.task, cell.metric) in subjects)
    return [Row(model) for model in models]


def _of(row: Row, heading: Heading, cells: Iterable[PublishedScore]) -> list[PublishedScore]:
    wanted = (*row.protocol, *heading.protocol)
    return [
        cell
        for cell in cells
        if (cell.task, cell.metric) == (heading.task, heading.metric)
        and _is_called(cell, row.model)
        and tuple(sorted(cell.subset.items())) == heading.subset
        and heading.kind in (None, cell.kind)
        and _states(cell, wanted)
    ]


def _is_called(cell: PublishedScore, model: str) -> bool:
    return model.lower() in (cell.model.lower(), cell.label.lower())


def _states(cell: PublishedScore, wanted: Selection) -> bool:
    return all(getattr(cell.protocol, name) == value for name, value in wanted)


def _named(row: Row, figures: Iterable[Figure | None]) -> Row:
    """The row by its canonical name, labelled as the source prints it where the table does not say."""
    cell = next(figure.score for figure in figures if figure)
    return replace(row, model=cell.model, label=row.label or cell.label or cell.model)


def _several(row: Row, heading: Heading, found: Sequence[PublishedScore]) -> str:
    """That a model has several figures under a heading, and what tells them apart."""
    stated = {
        f"protocol: {name}": list(dict.fromkeys(str(getattr(c.protocol, name)) for c in found))
        for name in type(found[0].protocol).model_fields
    }
    stated["kind"] = list(dict.fromkeys(cell.kind for cell in found))
    apart = "; ".join(
        f"{name} ({', '.join(values)})" for name, values in stated.items() if len(values) > 1
    )
    return (
        f"{row.model} has {len(found)} figures under {heading.text}; tell them apart by "
        f"{apart or 'the place that is printed'}"
    )


def _misfits(
    layout: Layout,
    published: Sequence[PublishedScore],
    own: Sequence[PublishedScore],
    others: Sequence[PublishedScore],
) -> Iterator[_Misfit]:
    """What the table names and no baseline has: (field, message)."""
    yield from _missing_places(layout, published)
    cells = [*own, *others]
    for number, heading in enumerate(layout.headings):
        yield from _missing_heading(heading, ("headings", number), published, cells)
    names = dict.fromkeys(cell.model for cell in cells)
    for number, row in enumerate(layout.rows):
        of_model = [cell for cell in cells if _is_called(cell, row.model)]
        if not of_model:
            where = f"no model of {layout.places} is called {row.model!r}"
            yield ("models", number, "model"), f"{where}; {near(row.model, names)}"
        yield from _missing_protocol(row.protocol, ("models", number, "protocol"), of_model)


def _missing_places(layout: Layout, published: Sequence[PublishedScore]) -> Iterator[_Misfit]:
    printed: dict[str, dict[str, None]] = {}
    for cell in published:
        printed.setdefault(cell.source, {}).update(dict.fromkeys(cell.places))
    named: list[tuple[Field, str, str]] = [
        (("printed",), layout.source, place) for place in layout.printed
    ]
    if layout.fallback is not None:
        named.append((("fallback", "printed"), *layout.fallback))
    for field, source, place in named:
        if source not in printed:
            where = (*field[:-1], "source")
            yield where, f"no source is called {source!r}; {near(source, printed)}"
        elif place not in printed[source]:
            places = near(place, printed[source])
            yield field, f"{source} has no figures printed at {place!r}; {places}"


def _missing_heading(
    heading: Heading,
    place: Field,
    published: Sequence[PublishedScore],
    cells: Sequence[PublishedScore],
) -> Iterator[_Misfit]:
    """What of a heading no figure of the table's places has."""
    of_task = [cell for cell in cells if cell.task == heading.task]
    if not of_task:
        known = {cell.task for cell in published}
        there = sorted({cell.task for cell in cells} if heading.task in known else known)
        where = "no figure of the table's places" if heading.task in known else "no published score"
        yield (*place, "task"), f"{where} is of {heading.task!r}; {near(heading.task, there)}"
        return
    of_metric = [cell for cell in of_task if cell.metric == heading.metric]
    if not of_metric:
        metrics = dict.fromkeys(cell.metric for cell in of_task)
        message = f"no figure of {heading.task} there is a {heading.metric!r}"
        yield (*place, "metric"), f"{message}; {near(heading.metric, metrics)}"
        return
    of_subset = [c for c in of_metric if tuple(sorted(c.subset.items())) == heading.subset]
    if not of_subset:
        subsets = dict.fromkeys(
            str(dict(cell.subset)) if cell.subset else "all" for cell in of_metric
        )
        yield (
            (*place, "subset"),
            f"no figure is over these problems; there are {', '.join(subsets)}",
        )
        return
    yield from _missing_protocol(heading.protocol, (*place, "protocol"), of_subset)
    kinds = dict.fromkeys(cell.kind for cell in of_subset)
    if heading.kind is not None and heading.kind not in kinds:
        yield (*place, "kind"), f"no figure is {heading.kind}; there are {', '.join(kinds)}"


def _missing_protocol(
    wanted: Selection, place: Field, cells: Sequence[PublishedScore]
) -> Iterator[_Misfit]:
    for name, value in wanted:
        stated = dict.fromkeys(getattr(cell.protocol, name) for cell in cells)
        if cells and value not in stated:
            values = ", ".join("none stated" if v is None else str(v) for v in stated)
            yield (*place, name), f"no figure states {value!r}; there are {values}"
