"""How often does a nightly job cry wolf, and how soon does it find a fall? Simulated months, seeded.

Every night draws k samples per problem at rates that are known, and is judged by the calls that
`harness nightly` makes: the exact test against the accepted run with the correction for the
baseline's luck, and the test over nights, each at its part of one false alarm a month. The
baseline is never moved, moved every seventh night, moved to every night without an alarm, or
moved every tenth night to the best of the last ten runs. A falling score falls by one shift of all
log-odds.

    python -m benchmarks.simulations.nights                     a quick look, under 90 s
    python -m benchmarks.simulations.nights --runs 200 --write  the tables of docs/gate.md, 20 minutes
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median

import numpy as np

from benchmarks.simulations.populations import fallen, tallies
from harness.stats import nights
from harness.stats.multiplicity import holm
from harness.stats.paired_test import stratified
from harness.stats.power import ALPHA

STATED = 1.0  # false alarms per month
LEVELS = nights.Levels.of(STATED)
MONTHS = (30, 100)  # nights
LONGEST = 40  # nights that a change is followed for
PAGE = Path(__file__).parents[2] / "docs" / "gate.md"
FROM = "<!-- nights: python -m benchmarks.simulations.nights --write -->"
TO = "<!-- end of nights -->"

_SURELY_NOT = 1.4  # standard errors: at p > 0.08 neither rule alarms, and no exact test is needed


@dataclass(frozen=True)
class Population:
    """A benchmark: m problems, k samples each, rates from a Beta distribution."""

    name: str
    m: int
    k: int
    a: float
    b: float


AIME = Population("AIME 30 x 64", 30, 64, 0.9, 0.5)
MATH = Population("MATH-500 500 x 4", 500, 4, 3.0, 0.25)
GPQA = Population("GPQA 198 x 8", 198, 8, 1.2, 0.8)
CODE = Population("LiveCodeBench 280 x 16", 280, 16, 0.6, 0.5)
JOBS: Mapping[str, tuple[Population, ...]] = {
    **{job.name: (job,) for job in (AIME, MATH, GPQA, CODE)},
    "all four in one job": (AIME, MATH, GPQA, CODE),
}
EFFECTS: Mapping[str, Callable[[int], float]] = {
    "0.25 points a night": lambda night: 0.0025 * night,
    "0.1 points a night": lambda night: 0.001 * night,
    "3 points on night 8": lambda night: 0.03 * (night >= 8),
}


class Series:
    """One task over the nights: what was drawn, and the p-values of the harness's tests."""

    def __init__(
        self, job: Population, drops: Sequence[float], random: np.random.Generator
    ) -> None:
        rates = random.beta(job.a, job.b, job.m)
        most = float(rates.mean()) - 0.02
        at = {drop: fallen(rates, min(drop, most)) if drop else rates for drop in set(drops)}
        self.tallies = [tallies(at[drop], job.k, random) for drop in drops]
        self.nights = [nights.Night.of(str(i), drawn) for i, drawn in enumerate(self.tallies)]
        self._against: dict[tuple[int, int], float] = {}
        self._over: dict[tuple[int, int], float] = {}

    def against(self, base: int, new: int) -> float:
        """The p-value of a night against its base, 1 where it is far from significant."""
        if (base, new) not in self._against:
            pair = self.nights[base], self.nights[new]
            error = sum(nights.variances(pair)) ** 0.5
            near = pair[0].score - pair[1].score > _SURELY_NOT * error
            found = stratified(self.tallies[base], self.tallies[new])[0] if near else 1.0
            self._against[base, new] = found
        return self._against[base, new]

    def over(self, begin: int, new: int) -> float:
        """The p-value of the test over the nights from `begin` to `new`, 1 where it is no alarm."""
        if (begin, new) not in self._over:
            found = nights.over_nights({"": self.nights[begin : new + 1]}, 1.0)
            alarm = bool(found) and found[""].alarm
            self._over[begin, new] = found[""].p if alarm else 1.0
        return self._over[begin, new]


@dataclass
class Baseline:
    """The accepted run of a task, the nights it was chosen from, and where its test over nights begins."""

    run: int = 0
    candidates: tuple[int, ...] = (0,)
    begin: int = 0
    alarms: list[bool] = field(default_factory=lambda: [False])


Choose = Callable[[Series, int, bool], tuple[int, ...]]
"""Which nights a baseline is chosen from after a night, () to leave it: the series, the night, its alarm."""

POLICIES: Mapping[str, Choose] = {
    "never": lambda series, night, alarm: (),
    "weekly": lambda series, night, alarm: (night,) if night % 7 == 0 else (),
    "after every green night": lambda series, night, alarm: () if alarm else (night,),
    "to the best of ten": lambda series, night, alarm: (
        tuple(range(night - 9, night + 1)) if night % 10 == 0 else ()
    ),
}


@dataclass(frozen=True)
class Alarms:
    """One night's alarms: of either test, and of a test of the night alone at 5 %."""

    night: bool
    over: bool
    before: bool

    @property
    def fails(self) -> bool:
        """Whether the job exits with 1."""
        return self.night or self.over


def month(series: Sequence[Series], choose: Choose, length: int) -> Iterator[Alarms]:
    """What the job says on nights 1 to `length`."""
    bases = [Baseline() for _ in series]
    for night in range(1, length + 1):
        own, luck, over = [], [], []
        for task, base in zip(series, bases, strict=True):
            candidates = [task.nights[i] for i in base.candidates]
            own.append(task.against(base.run, night))
            luck.append(nights.p_drop(candidates, str(base.run), task.nights[night]))
            over.append(task.over(base.begin, night))
        fails = [
            p <= LEVELS.night for p in holm([max(pair) for pair in zip(own, luck, strict=True)])
        ]
        falls = [p <= LEVELS.over_nights for p in holm(over)]
        yield Alarms(any(fails), any(falls), min(holm(own)) <= ALPHA)
        for task, base, fail, falling in zip(series, bases, fails, falls, strict=True):
            base.alarms.append(fail or falling)
            chosen = choose(task, night, any(fails) or any(falls))
            if not chosen:
                continue
            # A weekly baseline is chosen from all nights since the one before, as accept records it.
            base.candidates = tuple(range(max(base.candidates) + 1, night + 1))
            base.run = max(chosen, key=lambda i: task.nights[i].score)
            base.begin = nights.begin_after(base.alarms, base.run, base.begin)


def drawn(
    job: Sequence[Population],
    drop: Callable[[int], float],
    length: int,
    random: np.random.Generator,
) -> list[Series]:
    """The tasks of a job over nights 0 to `length`; night 0 is the first baseline."""
    return [Series(task, [drop(night) for night in range(length + 1)], random) for task in job]


def distinct(alarms: Sequence[bool]) -> int:
    """Unbroken series of nights that failed."""
    return sum(now and not before for before, now in zip([False, *alarms], alarms, strict=False))


def unchanged(runs: int, seed: int) -> dict[tuple[str, str], list[list[Alarms]]]:
    """By job and policy, months in which nothing changed."""
    found: dict[tuple[str, str], list[list[Alarms]]] = {}
    for name, job in JOBS.items():
        random = np.random.default_rng(seed)
        for _ in range(runs):
            series = drawn(job, lambda _: 0.0, max(MONTHS), random)
            for policy, choose in POLICIES.items():
                found.setdefault((name, policy), []).append(
                    list(month(series, choose, max(MONTHS)))
                )
    return found


def delays(runs: int, seed: int) -> dict[tuple[str, str, str], list[int]]:
    """By job, effect and policy, the first night that failed, one more than `LONGEST` where none did."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for name, job in JOBS.items():
        for effect, drop in EFFECTS.items():
            random = np.random.default_rng(seed)
            for _ in range(runs):
                series = drawn(job, drop, LONGEST, random)
                for policy, choose in POLICIES.items():
                    nights_until = enumerate(month(series, choose, LONGEST), 1)
                    first = next((night for night, said in nights_until if said.fails), LONGEST + 1)
                    found.setdefault((name, effect, policy), []).append(first)
    return found


def false_alarm_rows(months: Mapping[tuple[str, str], list[list[Alarms]]]) -> Iterator[list[str]]:
    """Per policy and length: nights that failed, of those stated; months with any, now and before."""
    for policy in POLICIES:
        for length in MONTHS:
            row = [policy, str(length)]
            stated = STATED * length / nights.NIGHTS_PER_MONTH
            for job in JOBS:
                cut = [said[:length] for said in months[job, policy]]
                failed = [[night.fails for night in said] for said in cut]
                rate = fmean(sum(said) for said in failed) / stated
                apart = fmean(distinct(said) for said in failed) / stated
                any_now = 100 * fmean(any(said) for said in failed)
                any_before = 100 * fmean(any(night.before for night in said) for said in cut)
                row.append(f"{rate:.2f}, {apart:.2f}, {any_now:.0f} % ({any_before:.0f} %)")
            yield row


def delay_rows(firsts: Mapping[tuple[str, str, str], list[int]]) -> Iterator[list[str]]:
    """Per change and policy: the median night that found it, and the 90 % quantile."""
    for effect in EFFECTS:
        for policy in POLICIES:
            row = [effect, policy]
            for job in JOBS:
                found = firsts[job, effect, policy]
                row.append(f"{median(found):.0f} ({np.quantile(found, 0.9):.0f})")
            yield row


def table(runs: int, seed: int) -> list[list[str]]:
    """Both tables, one below the other, each with its head."""
    jobs = list(JOBS)
    return [
        ["baseline moved", "nights", *jobs],
        *false_alarm_rows(unchanged(runs, seed)),
        ["change", "baseline moved", *jobs],
        *delay_rows(delays(runs, seed + 1)),
    ]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The two tables as Markdown."""
    lines = []
    for row in rows:
        head = row[2] == next(iter(JOBS))
        lines += ([""] if head and lines else []) + [f"| {' | '.join(row)} |"]
        if head:
            lines.append("|" + "---|" * len(row))
    return "\n".join(lines)


def main() -> None:
    """Print the tables, and write them into docs/gate.md where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4, help="months per job, and per change")
    parser.add_argument("--seed", type=int, default=20_260)
    parser.add_argument("--write", action="store_true", help="into docs/gate.md")
    given = parser.parse_args()
    text = f"{markdown(table(given.runs, given.seed))}\n\n{given.runs} series per column, seed {given.seed}."
    print(text)
    if given.write:
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split(FROM)
        after = rest.split(TO)[1]
        PAGE.write_text(f"{before}{FROM}\n\n{text}\n\n{TO}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
