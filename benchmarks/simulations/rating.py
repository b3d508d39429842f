"""Does the rating's interval cover, and is the rating unbiased? Simulated contests, seeded.

A participation finishes after an exponential time at rate 10^(strength/400), and so does every
participant of the field: Elo's odds for every pair, exactly. The strength in a contest is the true
rating plus a normal contest effect. Participations in one contest share the strength and the
field's results, and have times of their own.

    python benchmarks/simulations/rating.py              400 drawings per cell, about a minute
    python benchmarks/simulations/rating.py --runs 2000  what docs/rating.md prints
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from harness.stats.rating import Joint, Placing, joint_rating, mean_rating

CONTESTS = (3, 5, 10, 20)
EFFECTS = (0, 150, 300)
PARTICIPATIONS = (1, 8, 64)
RATINGS = (900, 1400, 1900)
Field = tuple[float, ...]


@cache
def alike(seed: int = 0) -> tuple[Field, ...]:
    """Twenty fields of 200 participants rated N(1400, 350)."""
    draw = np.random.default_rng([seed, 1])
    return tuple(tuple(draw.normal(1400, 350, 200).round().tolist()) for _ in range(20))


@cache
def mixed(seed: int = 0) -> tuple[Field, ...]:
    """Twenty fields as divisions have them: 40 to 1,000 participants around 1000 to 2100."""
    draw = np.random.default_rng([seed, 2])
    return tuple(
        tuple(
            draw.normal(draw.uniform(1000, 2100), 300, int(40 * 25 ** draw.uniform(0, 1))).round()
        )
        for _ in range(20)
    )


def place(field: Field, strength: float, participations: int, random: np.random.Generator) -> float:
    """The mean place of participations of one strength, among the same results of the field."""
    times = np.sort(random.exponential(10 ** ((strength - np.array(field)) / 400)))
    own = random.exponential(size=participations)
    return 1 + float(np.searchsorted(times, own).mean())


@dataclass
class Cell:
    """What came out of many drawings of the same contests."""

    rating: float
    joint: list[Joint]
    mean: list[float]

    @property
    def covered(self) -> float:
        """Share of the intervals that hold the true rating; one without a bound is open there."""
        inside = [
            (joint.low is None or joint.low <= self.rating)
            and (joint.high is None or self.rating <= joint.high)
            for joint in self.joint
        ]
        return sum(inside) / len(inside)

    @property
    def bounded(self) -> float:
        """Share of the intervals with a bound on both sides."""
        return sum(None not in (j.low, j.high) for j in self.joint) / len(self.joint)

    @property
    def width(self) -> float:
        """Median width of the intervals with a bound on both sides."""
        return float(np.median([j.high - j.low for j in self.joint
                                if j.low is not None and j.high is not None]))  # fmt: skip

    def bias(self) -> tuple[float, float, float]:
        """Of the joint rating, its standard error, and of the mean of per-contest ratings."""
        joint = np.array([j.rating for j in self.joint if j.rating is not None])
        error = float(joint.std() / len(joint) ** 0.5)
        return float(joint.mean()) - self.rating, error, float(np.mean(self.mean)) - self.rating

    def effect(self) -> float:
        """Root of the mean square of the estimated contest effects."""
        return float(np.sqrt(np.mean([(j.contest_effect or 0.0) ** 2 for j in self.joint])))


def simulate(
    rating: float,
    fields: tuple[Field, ...],
    *,
    participations: int,
    effect: float,
    runs: int,
    seed: int,
) -> Cell:
    """Draw the same contests again and again.

    Args:
        rating: the true one.
        fields: of the contests.
        participations: in each contest; 0 draws 1 to 16 for each.
        effect: standard deviation of the strength over contests.
        runs: how often.
        seed: of the drawings.
    """
    random = np.random.default_rng([seed, len(fields), participations, int(rating), int(effect)])
    cell = Cell(rating, [], [])
    for _ in range(runs):
        placings = []
        for field in fields:
            n = participations or int(random.integers(1, 17))
            strength = rating + effect * random.standard_normal()
            placings.append(Placing(field, place(field, strength, n, random), n))
        cell.joint.append(joint_rating(placings))
        cell.mean.append(mean_rating(placings).rating)
    return cell


def table(runs: int, seed: int) -> list[list[str]]:
    """Coverage of the 95 % interval, a row per participations, rating and contest effect."""
    return [["participations", "rating", "effect", *(f"{n} contests" for n in CONTESTS)],
            *_rows(runs, seed)]  # fmt: skip


def _rows(runs: int, seed: int) -> Iterator[list[str]]:
    for participations in (*PARTICIPATIONS, 0):
        fields = alike(seed) if participations else mixed(seed)
        for rating in RATINGS:
            for effect in EFFECTS:
                cells = [
                    simulate(rating, fields[:n], participations=participations, effect=effect,
                             runs=runs, seed=seed)
                    for n in CONTESTS
                ]  # fmt: skip
                yield [str(participations or "1 to 16, mixed fields"), str(rating), str(effect),
                       *(f"{100 * cell.covered:.1f}" for cell in cells)]  # fmt: skip


def further(runs: int, seed: int) -> list[list[str]]:
    """Bias, width and estimated effect with ten contests, and coverage with one and two."""
    rows = [["participations", "rating", "effect", "joint, bias", "mean, bias", "median width",
             "effect found", "1 contest", "2 contests"]]  # fmt: skip
    for participations in PARTICIPATIONS:
        for rating in RATINGS:
            for effect in EFFECTS:
                cells = {
                    n: simulate(rating, alike(seed)[:n], participations=participations,
                                effect=effect, runs=runs, seed=seed)
                    for n in (1, 2, 10)
                }  # fmt: skip
                joint, error, mean = cells[10].bias()
                rows.append([
                    str(participations), str(rating), str(effect), f"{joint:+.1f} ± {error:.1f}",
                    f"{mean:+.1f}", f"{cells[10].width:.0f}", f"{cells[10].effect():.0f}",
                    *(f"{100 * cells[n].covered:.1f}" for n in (1, 2)),
                ])  # fmt: skip
    return rows


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for rows in (table(args.runs, args.seed), further(args.runs // 2, args.seed)):
        print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
        for row in rows[1:]:
            print("| " + " | ".join(row) + " |")
        print()


if __name__ == "__main__":
    main()
