"""How long a run takes by the order in which its samples are drawn: a simulation.

    python benchmarks/makespan.py [--quick]

The orders: at random; as tasks list their problems; longest expected first by what the run itself
shows (recorded), by the mean of 4 or of 64 samples per problem of an earlier run (known 4, known 64);
and by each sample's own length (oracle), which nobody knows beforehand. Recorded and known go
through `harness.pipeline.schedule`, as a run's own samples do. Given is the time of the whole run as a
share of the random order's, median over seeds, and what no order can go below (bound): all tokens
at full speed, or the longest sample alone.

The machine: each replica holds up to 128 samples and makes a token for each in 10 ms + 0.07 ms per
sample held, so that one sample runs at 99 tokens per second and 128 at 53 each (6,800 in all), as an
8-billion-parameter model does on one large GPU: a step reads all weights whatever the batch, and
each sample adds its own work. A sample goes to the least busy replica.

The lengths:
  math        real responses to 100 problems of MATH, 8 each (math_responses_100x8.jsonl of
              HARNESS_TEST_DATA), characters / 4; 64 samples per problem drawn from its 8.
  reasoning   assumed: the r1-paper protocol, 60 problems of AIME x 64, 500 of MATH x 4, 198 of GPQA x
              8, 279 of LiveCodeBench x 16, with mean reasoning of 10,000, 4,000, 7,000 and 10,000
              tokens, cut at 32,768. Each problem has a median of its own, lognormal around its
              task's, and its samples are lognormal around that. The logarithms of the real
              responses above spread by 0.34 between problems and 0.19 within one; reasoning varies
              about twice as much: 0.6 and 0.4.
  heavier     the same with 0.9 and 0.6.
  steadier    the same with 0.9 and 0.2: hard problems differ, samples of one do not.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import os
import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.pipeline.schedule import Lengths, Schedule

LANES = 128
REPLICAS = (1, 4, 32)
CAP = 32_768
EARLIER = 64  # samples per problem of the earlier run
SUITE = ((60, 64, 10_000), (500, 4, 4_000), (198, 8, 7_000), (279, 16, 10_000))

Suite = list[list[int]]
"""By problem, the length of each of its samples."""
Take = Callable[[], tuple[int, int] | None]
Record = Callable[[int, int], None]


def step(held: int) -> float:
    """Seconds in which a replica makes one token for each sample that it holds."""
    return 0.010 + 0.00007 * held


class Replica:
    """Samples that advance together, a token per step."""

    def __init__(self) -> None:
        self.now = self.tokens = 0.0  # tokens that a sample held from the start would have
        self.held: list[tuple[float, int, int]] = []

    def add(self, problem: int, index: int, length: int) -> None:
        """Begin a sample."""
        heapq.heappush(self.held, (self.tokens + length, problem, index))

    def next_end(self) -> float:
        """When its shortest sample ends; never, where it holds none."""
        if not self.held:
            return math.inf
        return self.now + (self.held[0][0] - self.tokens) * step(len(self.held))

    def finish(self) -> tuple[int, int]:
        """Go on to that moment, and give that sample back."""
        self.now = self.next_end()
        self.tokens, problem, index = heapq.heappop(self.held)
        return problem, index


def makespan(suite: Suite, n: int, take: Take, record: Record) -> float:
    """Seconds until the last sample has ended. A freed place is the least busy replica's."""
    replicas = [Replica() for _ in range(n)]
    for place in range(n * LANES):
        if (unit := take()) is None:
            break
        replicas[place % n].add(*unit, suite[unit[0]][unit[1]])
    ends = [(replica.next_end(), number) for number, replica in enumerate(replicas)]
    heapq.heapify(ends)
    last = 0.0
    while ends[0][0] < math.inf:
        last, number = ends[0]
        problem, index = replicas[number].finish()
        record(problem, suite[problem][index])
        if (unit := take()) is not None:
            replicas[number].add(*unit, suite[unit[0]][unit[1]])
        heapq.heapreplace(ends, (replicas[number].next_end(), number))
    return last


def in_order(units: Sequence[tuple[int, int]]) -> tuple[Take, Record]:
    """A fixed order."""
    waiting = iter(units)
    return lambda: next(waiting, None), lambda problem, tokens: None


def scheduled(suite: Suite, earlier: dict[int, float] | None = None) -> tuple[Take, Record]:
    """The harness's own order."""
    missing = {problem: range(len(lengths)) for problem, lengths in enumerate(suite)}
    lengths: Lengths[int] = Lengths()
    lengths.assume(earlier or {})
    schedule = Schedule(missing, lengths)
    return schedule.take, schedule.record


def bound(suite: Suite, n: int) -> float:
    """Seconds that no order goes below."""
    tokens = sum(map(sum, suite))
    return max(tokens / (n * LANES) * step(LANES), max(map(max, suite)) * step(1))


def reasoning(between: float, within: float) -> Callable[[random.Random], Suite]:
    """Draws lengths: the last `EARLIER` of each problem are an earlier run's."""

    def draw(rng: random.Random) -> Suite:
        suite = []
        for problems, k, typical in SUITE:
            centre = math.log(typical) - (between**2 + within**2) / 2
            for _ in range(problems):
                median = rng.gauss(centre, between)
                lengths = (math.exp(rng.gauss(median, within)) for _ in range(k + EARLIER))
                suite.append([min(CAP, round(length)) for length in lengths])
        return suite

    return draw


def real(path: Path) -> Callable[[random.Random], Suite]:
    """Draws from each problem's own responses."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lengths = [[max(1, len(text) // 4) for text in row["responses"]] for row in rows]
    return lambda rng: [rng.choices(own, k=64 + EARLIER) for own in lengths]


def compare(drawn: Suite, n: int, rng: random.Random) -> list[float]:
    """Each order's time and the bound, as shares of the random order's time."""
    suite = [lengths[:-EARLIER] for lengths in drawn]
    known4, known64 = (
        {problem: statistics.mean(row[-n:]) for problem, row in enumerate(drawn)} for n in (4, 64)
    )
    listed = [(p, index) for p, lengths in enumerate(suite) for index in range(len(lengths))]
    orders = [
        in_order(rng.sample(listed, len(listed))),
        in_order(listed),
        scheduled(suite),
        scheduled(suite, known4),
        scheduled(suite, known64),
        in_order(sorted(listed, key=lambda unit: -suite[unit[0]][unit[1]])),
    ]
    times = [makespan(suite, n, *order) for order in orders] + [bound(suite, n)]
    return [time / times[0] for time in times[1:]]


def orders(seeds: int) -> None:
    """Print the table of orders."""
    data = Path(os.environ.get("HARNESS_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    suites = {"reasoning": reasoning(0.6, 0.4), "heavier": reasoning(0.9, 0.6),
              "steadier": reasoning(0.9, 0.2)}  # fmt: skip
    responses = data / "math_responses_100x8.jsonl"
    if responses.is_file():
        suites = {"math": real(responses), **suites}
    else:
        print(f"math is left out: {data} (HARNESS_TEST_DATA) does not hold {responses.name}")
    names = ("tasks", "recorded", "known 4", "known 64", "oracle", "bound")
    print(f"{'lengths':10} {'replicas':>8}" + "".join(f"{name:>10}" for name in names))
    for name, draw in suites.items():
        for n in REPLICAS:
            found = []
            for seed in range(seeds):
                rng = random.Random(seed)
                found.append(compare(draw(rng), n, rng))
            medians = [statistics.median(column) for column in zip(*found, strict=True)]
            print(f"{name:10} {n:8}" + "".join(f"{median:10.2f}" for median in medians))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="5 by default")
    parser.add_argument("--quick", action="store_true", help="2 seeds")
    options = parser.parse_args()
    orders(2 if options.quick else options.seeds)


if __name__ == "__main__":
    main()
