"""`harness baselines`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.listings import print_listings
from harness.cli.output import echo
from harness.cli.report import own_baselines
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.reports.baselines.nearness import Neighbourhood
    from harness.reports.baselines.scores import Baselines, PublishedScore

_NEAREST = 10  # published scores per score of a run, without --all
_MOST_DISPUTED = 10  # scores below a list, without --disagreements


@click.command()
@click.option("--model", "models", metavar="NAME", multiple=True,
              help="Only models whose name contains this; =NAME is that model alone.")  # fmt: skip
@click.option("--task", "tasks", metavar="T", multiple=True,
              help="Only this task, such as aime24.")  # fmt: skip
@click.option("--metric", "metrics", metavar="M", multiple=True,
              help="Only this metric, such as cons@64 or the source's maj@64.")  # fmt: skip
@click.option("--source", "sources", metavar="NAME", multiple=True,
              help="Only this source, such as r1-paper.")  # fmt: skip
@click.option("--since", metavar="DATE",
              help="Only sources of YYYY, YYYY-MM or YYYY-MM-DD, or later.")  # fmt: skip
@click.option("--measured-only", is_flag=True, help="No score that its source only quotes.")
@click.option("--disagreements", is_flag=True,
              help="Only scores that sources disagree on, side by side.")  # fmt: skip
@click.option("--all", "every", is_flag=True,
              help="List every score: without a filter, in place of an overview; with --nearest, "
              "beyond the first ten.")  # fmt: skip
@click.option("--nearest", "run", metavar="RUN", type=click.Path(path_type=Path),
              help="List the scores whose protocol is nearest to that of this run, with the parts "
              "that differ.")  # fmt: skip
@click.option("--as", "claims", metavar="MODEL", multiple=True,
              help="With --nearest: the published model that the run is of, if its name "
              "differs.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with every detail.")
@click.option("--csv", "as_csv", is_flag=True, help="Print one row per score as CSV.")
@own_baselines
def baselines(
    *,
    disagreements: bool,
    every: bool,
    run: Path | None,
    claims: tuple[str, ...],
    as_json: bool,
    as_csv: bool,
    extra: tuple[Path, ...],
    **wanted: Any,
) -> None:
    """List published scores with their sources, the newest first.

    Without a filter by name or time it says how many there are by task and source. A
    filter may be repeated: a score passes with any of its values. † marks scores that sources
    disagree on; they stand side by side below the list. In a pipe each score is one
    line; --json and --csv have every detail.

    \b
    harness baselines --task aime24 --metric cons@64 --since 2025-06
    harness baselines --nearest runs/NAME --measured-only
    """
    from harness.reports.baselines import export
    from harness.reports.baselines.conflicts import conflicts
    from harness.reports.baselines.filters import Filters, select, undated
    from harness.reports.baselines.loader import load
    from harness.reports.baselines.records import document

    if as_json and as_csv:
        raise UsageError("--json and --csv: choose one of the two")
    if claims and run is None:
        raise UsageError("--as goes with --nearest RUN")
    known, filters = load(extra), Filters(**wanted)
    chosen = select(known, filters)
    if without_date := undated(known, filters):
        echo(f"--since leaves out, as without a date: {', '.join(without_date)}", err=True)
    groups = conflicts(known.scores)
    disputed = {cell for group in groups for cell in group}
    if disagreements:
        chosen = [cell for cell in chosen if cell in disputed]
    found = [] if run is None else _neighbourhoods(run, claims, known, chosen)
    if as_json:
        _print_json(
            document(known, chosen)
            if run is None
            else export.nearest_as_json(known, found, disputed)
        )
    elif as_csv:
        text = (
            export.as_csv(known, chosen, disputed)
            if run is None
            else export.nearest_as_csv(known, found, disputed)
        )
        echo(text, nl=False)
    elif run is not None:
        _print_nearest(known, found, None if every else _NEAREST, len(chosen) < len(known.scores))
    elif disagreements:
        _print_disagreements(known, chosen, groups)
    else:
        _print_scores(known, chosen, groups, overview=not (every or filters.narrow))


def _neighbourhoods(
    run: Path, claims: Sequence[str], known: Baselines, chosen: Sequence[PublishedScore]
) -> list[Neighbourhood]:
    from harness.reports.baselines.claims import stand_for
    from harness.reports.baselines.nearness import neighbourhoods
    from harness.reports.results import read_results

    results = stand_for(read_results([run]), claims, {cell.model for cell in known.scores})
    return neighbourhoods(results, chosen)


def _print_json(document: dict[str, Any]) -> None:
    import orjson

    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def _print_nearest(
    known: Baselines, found: Sequence[Neighbourhood], most: int | None, filtered: bool
) -> None:
    from harness.reports.tables.nearest import nearest_listing, without_neighbours

    print_listings([nearest_listing(known, one, most) for one in found if one.neighbours])
    for line in without_neighbours(found, filtered=filtered):
        echo(line)


def _print_scores(
    known: Baselines,
    chosen: Sequence[PublishedScore],
    groups: Sequence[Sequence[PublishedScore]],
    *,
    overview: bool,
) -> None:
    """Scores, and below them those that sources disagree on; or how many there are."""
    from harness.reports.tables import published_list as tables
    from harness.reports.tables.disagreements import disagreements

    if overview:
        print_listings(tables.overview(known, chosen, groups))
        return
    among = disagreements(known, chosen, groups, _MOST_DISPUTED)
    print_listings([tables.listing(known, chosen, groups), *[among] * bool(among.blocks)])


def _print_disagreements(
    known: Baselines, chosen: Sequence[PublishedScore], groups: Sequence[Sequence[PublishedScore]]
) -> None:
    from harness.reports.tables.disagreements import disagreements

    if chosen:
        print_listings([disagreements(known, chosen, groups)])
    else:
        echo(
            "Sources disagree on none of these scores. One that is measured again, by others than "
            "the model's makers, is another measurement and no disagreement."
        )
