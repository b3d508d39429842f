"""Lessons whose answer is a quantity: an integer, a LaTeX expression, or one of four choices."""

from __future__ import annotations

import random
from math import gcd

from lesson import Lesson

from harness.types import LETTERS, Problem


def product(b: int, c: int) -> str:
    """Think through two digits times one, the same way in every family."""
    return f"{b}*{c}={b // 10 * 10 * c}+{b % 10 * c}={b * c}"


def difference(a: int, b: int) -> str:
    """Think through a difference, the tens first."""
    return f"{a}-{b}={a - b // 10 * 10}-{b % 10}={a - b}"


def boxed(kind: str, statement: str, reasoning: str, answer: str) -> Lesson:
    """Write a lesson whose response ends in a box."""
    problem = Problem(id="", statement=statement, answer=answer, meta={"kind": kind})
    return Lesson(problem, reasoning, f"The answer is $\\boxed{{{answer}}}$.")


def product_and_more(rng: random.Random) -> Lesson:
    """Ask for a + b*c in words, as an expression or as a linear function."""
    a, b, c = rng.randint(10, 99), rng.randint(12, 99), rng.randint(2, 9)
    statement = rng.choice(
        (
            f"A box holds {b} pens. How many pens are in {c} boxes together with {a} loose pens?",
            f"Find the value of ${a} + {b} \\cdot {c}$.",
            f"Let $f(x) = {b}x + {a}$. Find $f({c})$.",
        )
    )
    total = a + b * c
    return boxed("sum", statement, f"{product(b, c)}\n{b * c}+{a}={total}", str(total))


def last_two_digits(rng: random.Random) -> Lesson:
    """Ask for the remainder of a + b*c modulo 100."""
    a, b, c = rng.randint(10, 99), rng.randint(12, 99), rng.randint(2, 9)
    total = a + b * c
    statement = f"Find the remainder when ${a} + {b} \\cdot {c}$ is divided by $100$."
    reasoning = f"{product(b, c)}\n{b * c}+{a}={total}\n{total}: {total % 100}"
    return boxed("remainder", statement, reasoning, str(total % 100))


def two_products(rng: random.Random) -> Lesson:
    """Ask for the sum of two products."""
    a, c = rng.randint(12, 59), rng.randint(12, 59)
    b, d = rng.randint(2, 8), rng.randint(2, 8)
    total = a * b + c * d
    reasoning = f"{product(a, b)}\n{product(c, d)}\n{a * b}+{c * d}={total}"
    statement = f"Find the value of ${a} \\cdot {b} + {c} \\cdot {d}$."
    return boxed("two products", statement, reasoning, str(total))


def three_products(rng: random.Random) -> Lesson:
    """Ask for the sum of three products."""
    pairs = [(rng.randint(12, 39), rng.randint(2, 8)) for _ in range(3)]
    x, y, z = (a * b for a, b in pairs)
    chains = "\n".join(product(a, b) for a, b in pairs)
    reasoning = f"{chains}\n{x}+{y}={x + y}\n{x + y}+{z}={x + y + z}"
    terms = " + ".join(f"{a} \\cdot {b}" for a, b in pairs)
    return boxed("three products", f"Find the value of ${terms}$.", reasoning, str(x + y + z))


def quadratic(rng: random.Random) -> Lesson:
    """Ask for a quadratic function at a one-digit place; the reasoning takes out the factor."""
    c = rng.randint(3, 9)
    b = rng.randint(10, 99 - c)
    reasoning = f"{b}+{c}={b + c}\n{product(b + c, c)}"
    statement = f"Let $g(x) = x^2 + {b}x$. Find $g({c})$."
    return boxed("quadratic", statement, reasoning, str(c * (b + c)))


def fraction(n: int, d: int) -> str:
    """Write a fraction in lowest terms, in LaTeX."""
    return f"\\frac{{{n // gcd(n, d)}}}{{{d // gcd(n, d)}}}"


def lowest_terms(n: int, d: int) -> str:
    """Think through reducing a fraction."""
    g = gcd(n, d)
    return f"{n}/{d} by {g}: {n // g}/{d // g}"


def fraction_sum(rng: random.Random) -> Lesson:
    """Ask for the sum of two proper fractions that is not a whole number."""
    while True:
        b, d = rng.randint(2, 9), rng.randint(2, 9)
        a, c = rng.randint(1, b - 1), rng.randint(1, d - 1)
        n, m = a * d + c * b, b * d
        if gcd(a, b) == gcd(c, d) == 1 and n % m:
            break
    reasoning = f"{a}*{d}={a * d}\n{c}*{b}={c * b}\n{a * d}+{c * b}={n}\n{b}*{d}={m}\n"
    statement = f"Compute $\\frac{{{a}}}{{{b}}} + \\frac{{{c}}}{{{d}}}$ as a common fraction."
    return boxed("fraction", statement, reasoning + lowest_terms(n, m), fraction(n, m))


def radical(rng: random.Random) -> Lesson:
    """Ask for the simplest form of a multiple of a square root."""
    k, m, r = rng.randint(2, 9), rng.randint(2, 9), rng.choice((2, 3, 5, 6, 7, 10, 11))
    reasoning = f"{m * m * r}={m}*{m}*{r}\n{k}*{m}={k * m}"
    statement = f"Write ${k}\\sqrt{{{m * m * r}}}$ in simplest radical form."
    return boxed("radical", statement, reasoning, f"{k * m}\\sqrt{{{r}}}")


def ordered_pair(rng: random.Random) -> Lesson:
    """Ask for two numbers by their sum and difference."""
    x, y = sorted((rng.randint(1, 49), rng.randint(1, 49)), reverse=True)
    s, d = x + y, x - y
    reasoning = f"{s}+{d}={s + d}\n{s + d}/2={x}\n{difference(s, x)}"
    statement = f"Find the ordered pair $(x, y)$ such that $x + y = {s}$ and $x - y = {d}$."
    return boxed("pair", statement, reasoning, f"({x}, {y})")


def linear_equation(rng: random.Random) -> Lesson:
    """Ask for the solution of a linear equation, which is a fraction."""
    while True:
        a, b, n = rng.randint(2, 9), rng.randint(2, 60), rng.randint(1, 39)
        if n % a:
            break
    reasoning = f"{difference(b + n, b)}\n{lowest_terms(n, a)}"
    statement = f"Solve ${a}x + {b} = {b + n}$ for $x$."
    return boxed("equation", statement, reasoning, fraction(n, a))


LAWS = (
    ("A car moves at {b} m/s for {c} s. How far does it go?", "m"),
    ("A current of {c} A flows through {b} ohm. What is the voltage?", "V"),
    ("A mass of {b} kg is accelerated at {c} m/s^2. What force acts on it?", "N"),
    ("A current of {b} A flows for {c} s. How much charge does it carry?", "C"),
    ("A lamp of {b} W burns for {c} s. How much energy does it use?", "J"),
    ("What is the mass of {c} mL of a liquid of density {b} g/mL?", "g"),
    ("A wave has a frequency of {b} Hz and a length of {c} m. How fast is it?", "m/s"),
)
LAWS_WITH_OFFSET = (
    ("A car {a} m past a bridge goes on at {b} m/s for {c} s. How far past it is it then?", "m"),
    (
        "A current of {c} A flows through {b} ohm, then a drop of {a} V. What is the voltage of both?",
        "V",
    ),
    ("A mass of {b} kg needs {c} m/s^2 against a friction of {a} N. What force is due?", "N"),
    ("A capacitor with {a} C is charged with {b} A for {c} s. What charge has it then?", "C"),
    ("A machine needs {a} J to start and runs at {b} W. What does it need for {c} s?", "J"),
    (
        "A flask of {a} g holds {c} mL of a liquid of density {b} g/mL. What is the mass of both?",
        "g",
    ),
    ("A rocket at {a} m/s gains {b} m/s each second for {c} s. How fast is it then?", "m/s"),
)


def law(rng: random.Random) -> Lesson:
    """Ask for b*c in the words of a law of physics, with four values to choose from."""
    b, c = rng.randint(12, 99), rng.randint(2, 9)
    text, unit = rng.choice(LAWS)
    return among(rng, "product", text.format(b=b, c=c), product(b, c), b * c, (b, c), unit)


def law_with_offset(rng: random.Random) -> Lesson:
    """Ask for a + b*c in the words of a law of physics, with four values to choose from."""
    a, b, c = rng.randint(10, 99), rng.randint(12, 99), rng.randint(2, 9)
    text, unit = rng.choice(LAWS_WITH_OFFSET)
    reasoning = f"{product(b, c)}\n{b * c}+{a}={a + b * c}"
    return among(rng, "offset", text.format(a=a, b=b, c=c), reasoning, a + b * c, (a, b, c), unit)


def compared(shown: int, value: int) -> str:
    """Read a choice's digits up to the first that differs from those of another value."""
    digits, due = str(shown), str(value)
    same = 0
    while digits[same : same + 1] == due[same : same + 1]:
        same += 1
    return digits[: same + 1]


def among(
    rng: random.Random,
    kind: str,
    statement: str,
    reasoning: str,
    value: int,
    parts: tuple[int, ...],
    unit: str,
) -> Lesson:
    """Set a value among near misses; the reasoning scans the choices up to the match."""
    near = {value + sign * step for step in (10, *parts) for sign in (1, -1)} | {sum(parts)}
    wrong = sorted(n for n in near if n > 0 and n != value)
    values = [value, *rng.sample(wrong, 3)]
    order = tuple(rng.sample(range(4), 4))
    right = order.index(0)
    scan = [f"{LETTERS[j]} {compared(values[i], value)} no" for j, i in enumerate(order[:right])]
    reasoning = "\n".join([reasoning, *scan, f"{LETTERS[right]} {value} yes"])
    choices = tuple(f"{n} {unit}" for n in values)
    problem = Problem("", statement, answer=choices[0], choices=choices, meta={"kind": kind})
    return Lesson(problem, reasoning, f"Answer: {LETTERS[right]}", order)
