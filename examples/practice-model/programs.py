"""Lessons whose answer is a program: a few steps on a line of integers, then something to print."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from lesson import Lesson

from harness.types import Problem, TestCase

N_TESTS = 5

Numbers = list[int]


@dataclass(frozen=True, slots=True)
class Step:
    """A sentence, the Python expression that does it and, written otherwise, what is due."""

    sentence: str
    code: str
    apply: Callable[[Numbers], Numbers]
    filters: bool = False

    @property
    def line(self) -> str:
        """The line of the program."""
        return (
            f"a = [x for x in a if {self.code}]"
            if self.filters
            else f"a = [{self.code} for x in a]"
        )


def keep(rng: random.Random) -> Step:
    """Draw a step that keeps some of the numbers."""
    n, k = rng.randint(2, 29), rng.randint(3, 9)
    steps = (
        ("Keep the even ones.", "x % 2 == 0", lambda a: [x for x in a if not x & 1]),
        ("Keep the odd ones.", "x % 2 == 1", lambda a: [x for x in a if x & 1]),
        (f"Keep those above {n}.", f"x > {n}", lambda a: [x for x in a if x >= n + 1]),
        (f"Keep those below {n}.", f"x < {n}", lambda a: [x for x in a if x <= n - 1]),
        (f"Drop the multiples of {k}.", f"x % {k} != 0", lambda a: [x for x in a if x % k]),
    )
    return Step(*rng.choice(steps), filters=True)


def change(rng: random.Random) -> Step:
    """Draw a step that changes every number."""
    n, k = rng.randint(2, 29), rng.randint(2, 9)
    steps = (
        (f"Add {n} to each.", f"x + {n}", lambda a: [n + x for x in a]),
        (f"Subtract {n} from each.", f"x - {n}", lambda a: [-(n - x) for x in a]),
        (f"Multiply each by {k}.", f"x * {k}", lambda a: [sum([x] * k) for x in a]),
        ("Square each.", "x * x", lambda a: [x**2 for x in a]),
        ("Make each positive.", "abs(x)", lambda a: [max(x, -x) for x in a]),
    )
    return Step(*rng.choice(steps))


OUTPUTS: tuple[tuple[str, str, Callable[[Numbers], str]], ...] = (
    ("Print their sum.", "sum(a)", lambda a: str(sum(a))),
    ("Print the largest.", "max(a)", lambda a: str(sorted(a)[-1])),
    ("Print the smallest.", "min(a)", lambda a: str(sorted(a)[0])),
    ("Print how many there are.", "len(a)", lambda a: str(sum(1 for _ in a))),
    ("Print them in ascending order.", "*sorted(a)", lambda a: " ".join(map(str, sorted(a)))),
    ("Print them in reverse order.", "*a[::-1]", lambda a: " ".join(map(str, reversed(a)))),
)


def program(rng: random.Random) -> Lesson:
    """Ask for a program of one to four steps on a line of integers."""
    tests: list[TestCase] = []
    while len(tests) < N_TESTS:
        steps = [rng.choice((keep, change))(rng) for _ in range(rng.randint(1, 4))]
        output, printed, show = rng.choice(OUTPUTS)
        tests = [test for _ in range(2 * N_TESTS) if (test := _test(rng, steps, show))]
    statement = " ".join(["Input: one line of integers.", *(s.sentence for s in steps), output])
    lines = ["a = [int(x) for x in input().split()]", *(s.line for s in steps), f"print({printed})"]
    source = "\n".join(lines)
    reasoning = "\n".join([*(s.code for s in steps), printed])
    meta = {"kind": f"{len(steps)} step{'s' * (len(steps) > 1)}"}
    problem = Problem("", statement, tests=tuple(tests[:N_TESTS]), meta=meta)
    return Lesson(problem, reasoning, f"```python\n{source}\n```")


def _test(rng: random.Random, steps: list[Step], show: Callable[[Numbers], str]) -> TestCase | None:
    """Draw a test case; None where no number is left to print."""
    numbers = [rng.randint(-30, 60) for _ in range(rng.randint(6, 12))]
    line = " ".join(map(str, numbers)) + "\n"
    for step in steps:
        numbers = step.apply(numbers)
    return TestCase(line, show(numbers) + "\n") if numbers else None
