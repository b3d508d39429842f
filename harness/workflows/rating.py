"""Rate a run on Codeforces problems by its places in the real standings of their contests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.data.codeforces_api import read_contests, read_places, read_population
from harness.errors import DataError, UsageError
from harness.stats.elo import Contest, place, result_of
from harness.stats.rating import (
    Joint,
    MeanRating,
    Placing,
    joint_rating,
    mean_rating,
    percentile,
)
from harness.stats.verdict_table import VerdictTable
from harness.storage.projections import VerdictRow
from harness.storage.run_folder import RunFolder
from harness.types import Problem, Verdict

MOST_ATTEMPTS = 8

Samples = Mapping[str, Sequence[bool]]
"""By problem index, whether each graded sample is correct, in the order of the samples."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A contest and the model's place in it.

    `place` is the mean over `participations`, each with samples of its own. `judged` of the
    contest's `problems` are in the run; the rest count as not solved.
    """

    contest: str
    name: str
    scoring: str
    judged: int
    problems: int
    participations: int
    place: float
    entrants: int
    newcomers: int
    rating: float


@dataclass(frozen=True, slots=True)
class Rated:
    """What `harness rating` prints. `percentile` is None without a population."""

    run: str
    attempts: int
    joint: Joint
    mean: MeanRating
    contests: tuple[Placed, ...]
    population: str | None = None
    percentile: float | None = None

    def to_json(self) -> dict[str, object]:
        """The same as plain values."""
        return asdict(self)


def rate(
    path: Path, standings: Path, *, attempts: int = 1, population: Path | None = None
) -> Rated:
    """Place a run in the contests of its problems and compute its rating.

    Args:
        path: the run folder.
        standings: folder of standings and rating changes, see `harness.data.codeforces_api`.
        attempts: how many samples a participation may submit for a problem, in order, until one is
            accepted; failed ones cost points or minutes as in the contest.
        population: file of ratings to compute the percentile among.

    Raises:
        UsageError: no problem of the run belongs to a contest of the folder, or a problem has
            fewer graded samples than `attempts`.
        DataError: a file that cannot be read.
    """
    if not 1 <= attempts <= MOST_ATTEMPTS:
        raise UsageError(f"--attempts {attempts}: give a number from 1 to {MOST_ATTEMPTS}")
    contests = read_contests(standings)
    samples = contest_samples(path, read_places(standings))
    placed, placings = [], []
    for id, contest in contests.items():
        if id in samples:
            found = _placed(contest, samples[id], attempts)
            placed.append(found)
            field = [entrant.rating for entrant in contest.entrants]
            placings.append(Placing(field, found.place, found.participations))
    if not placed:
        raise UsageError(f"{path}: none of its problems belongs to a contest of {standings} "
                         f"({', '.join(contests)}); see docs/rating.md")  # fmt: skip
    joint = joint_rating(placings)
    known = read_population(population) if population else None
    share = percentile(joint.rating, known) if known and joint.rating is not None else None
    return Rated(
        run=RunFolder(path).name,
        attempts=attempts,
        joint=joint,
        mean=mean_rating(placings),
        contests=tuple(placed),
        population=f"{population.name}, {len(known):,} ratings" if population and known else None,
        percentile=share,
    )


def contest_samples(
    path: Path, places: Mapping[str, tuple[str, str]]
) -> dict[str, dict[str, list[bool]]]:
    """By contest and problem index, whether each graded sample of a run is correct.

    Args:
        path: the run folder.
        places: (contest, index) by problem id, for problems that do not say it themselves.

    Raises:
        DataError: two problems have one place.
    """
    found: dict[str, dict[str, list[bool]]] = {}
    for folder in RunFolder(path).tasks():
        verdicts = VerdictTable(folder.read("grades.jsonl", VerdictRow))
        for problem in folder.problems().values():
            at = places.get(problem.id) or _stated_place(problem)
            if at is None:
                continue
            contest, index = at
            if index in found.setdefault(contest, {}):
                raise DataError(f"{folder.path}: two problems are both {contest}/{index}")
            found[contest][index] = [
                verdict is Verdict.CORRECT
                for verdict in verdicts.of(problem.id)
                if verdict is not Verdict.ERROR
            ]
    return found


def _stated_place(problem: Problem) -> tuple[str, str] | None:
    contest, index = problem.provenance.contest, problem.provenance.index
    return None if contest is None or index is None else (contest, index)


def _placed(contest: Contest, samples: Samples, attempts: int) -> Placed:
    """The model's mean place in one contest, over as many participations as its samples allow."""
    judged = {index: samples[index] for index in contest.problems if index in samples}
    unknown = sorted(samples.keys() - contest.problems.keys())
    if unknown:
        raise DataError(f"contest {contest.id} has no problem {unknown[0]} in its standings")
    participations = min(len(found) // attempts for found in judged.values())
    if not participations:
        least = min(judged, key=lambda index: len(judged[index]))
        raise UsageError(
            f"problem {contest.id}/{least} has {len(judged[least])} graded samples, and "
            f"--attempts {attempts} needs {attempts}; complete the run, or use fewer attempts"
        )
    results = Counter(
        result_of(
            contest,
            {
                index: found[number * attempts : (number + 1) * attempts]
                for index, found in judged.items()
            },
        )
        for number in range(participations)
    )  # few results differ, and placing one among many entrants is slow
    total = sum(count * place(contest, result) for result, count in results.items())
    mean_place = total / participations
    alone = mean_rating([Placing([entrant.rating for entrant in contest.entrants], mean_place)])
    return Placed(
        contest=contest.id,
        name=contest.name,
        scoring=contest.scoring,
        judged=len(judged),
        problems=len(contest.problems),
        participations=participations,
        place=mean_place,
        entrants=len(contest.entrants),
        newcomers=contest.newcomers,
        rating=alone.rating,
    )
