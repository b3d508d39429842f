"""`harness rating`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.output import terminal
from harness.waiting import waiting_for

if TYPE_CHECKING:
    from rich.table import Table

    from harness.stats.rating import Joint
    from harness.workflows.rating import Rated


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--standings", envvar="HARNESS_STANDINGS", metavar="DIR",
              type=click.Path(path_type=Path, file_okay=False),
              help="Standings and rating changes of the contests, as `harness data fetch "
              "codeforces-standings` saves them; by default RUN/standings. Also "
              "HARNESS_STANDINGS.")  # fmt: skip
@click.option("--population", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Ratings to compute the percentile among: a JSON list, or the API's reply to "
              "user.ratedList.")  # fmt: skip
@click.option("--attempts", type=int, default=1, show_default=True, metavar="N",
              help="Samples that a participation may submit per problem until one is accepted, "
              "up to 8; failed ones cost points or minutes.")  # fmt: skip
@click.option("--json", "output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the result as JSON as well.")  # fmt: skip
@waiting_for("the rating to be computed")
def rating(
    run: Path, standings: Path | None, population: Path | None, attempts: int, output: Path | None
) -> None:
    """Place a run in the real standings of its contests and compute its rating.

    The first rating is the one under which the ratings of the contests have the mean that they have,
    with a 95 % interval; from three contests on it counts in how much the model's strength differs by
    contest. CodeElo's mean of per-contest ratings follows. Exits with 4 where samples of the run are
    pending or ended in an internal error.
    """
    from harness.cli.incomplete import check_complete
    from harness.storage.files import write_json
    from harness.storage.run_folder import RunFolder
    from harness.workflows.rating import rate

    folder = standings or run / "standings"
    rated = rate(run, folder, attempts=attempts, population=population)
    if output is not None:
        write_json(output, rated.to_json())
    console = terminal(highlight=False)
    console.print(_contests(rated))
    for line in lines(rated):
        console.print(line)
    check_complete(run, [task.scores() for task in RunFolder(run).tasks() if task.has_scores()])


def _contests(rated: Rated) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("contest", no_wrap=True)
    for name in ("judged", "participations", "place", "of", "rating"):
        table.add_column(name, justify="right")
    for placed in rated.contests:
        table.add_row(
            placed.contest,
            f"{placed.judged}/{placed.problems}",
            str(placed.participations),
            f"{placed.place:.1f}",
            f"{placed.entrants + 1:,}",
            f"{placed.rating:.0f}",
        )
    return table


def lines(rated: Rated) -> list[str]:
    """The ratings and how they were computed, line by line."""
    mean, contests = rated.mean, rated.contests
    found = [
        f"rating {_joint(rated.joint)}",
        _contest_effect(rated.joint, len(contests)),
        f"CodeElo's mean of per-contest ratings: {mean.rating:.0f}"
        + (f" ({mean.clamped} first or last places moved by half a place)" * bool(mean.clamped)),
    ]
    if rated.percentile is not None:
        found.append(f"percentile {rated.percentile:.1f} among {rated.population}")
    elif rated.population:
        found.append("no percentile: the rating has no bound on one side")
    policy = "a single attempt" if rated.attempts == 1 else f"up to {rated.attempts} attempts"
    cost = "" if rated.attempts == 1 else ", failed ones at 50 points or 10 minutes"
    found.append(
        f"attempts: {policy} per problem{cost}; submission time counts as 0; a tie counts "
        "half a place"
    )
    missing = sum(placed.problems - placed.judged for placed in contests)
    if missing:
        found.append(f"problems of these contests that are not in the run, not solved: {missing}")
    newcomers = sum(placed.newcomers for placed in contests)
    if newcomers:
        found.append(f"participants without a rating, left out of the fields: {newcomers:,}")
    return found


def _joint(joint: Joint) -> str:
    low, high = (
        "no bound" if limit is None else f"{limit:.0f}" for limit in (joint.low, joint.high)
    )
    if joint.rating is not None:
        return f"{joint.rating:.0f} (95 % interval {low} to {high})"
    if joint.high is None:
        return f"above {low} (95 %; first in every contest)"
    return f"below {high} (95 %; last in every contest)"


def _contest_effect(joint: Joint, contests: int) -> str:
    """What the interval says about other contests."""
    from harness.stats.rating import LEAST_CONTESTS

    if joint.contest_effect is not None:
        return (
            f"contest effect: strength differs by contest with a standard deviation of "
            f"{joint.contest_effect:.0f}; the interval holds for other contests like these"
        )
    number = "one contest" if contests == 1 else f"{contests} contests"
    why = (
        f"{number}, and it takes {LEAST_CONTESTS}"
        if contests < LEAST_CONTESTS
        else "no place inside the field"
    )
    return (
        f"contest effect: not estimated ({why}); the interval leaves it out and holds for these "
        "contests alone"
    )
