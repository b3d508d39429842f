"""The practice tasks: every reference answer is worked out again from the statement."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import isqrt

import pytest

from harness.data.datasets import load_problems
from harness.data.prompts import choice_order, fields, render
from harness.task import Task
from harness.tasks.practice import LIMITS, PROMPTS, TASKS
from harness.types import Problem, Sample, Verdict

ALL = {task.name.removeprefix("practice_"): task for task in TASKS}
PROBLEMS = {family: load_problems(task, None) for family, task in ALL.items()}
EVERY = [pytest.param(f, p, id=p.id) for f, problems in PROBLEMS.items() for p in problems]
FRACTION = re.compile(r"\\frac\{(\d+)\}\{(\d+)\}")


def numbers(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"\d+", text)]


def integer_answer(statement: str) -> int:
    if statement.startswith("A box"):
        per_box, boxes, loose = numbers(statement)
        return per_box * boxes + loose
    if linear := re.search(r"f\(x\) = (\d+)x \+ (\d+).*f\((\d+)\)", statement):
        slope, offset, x = map(int, linear.groups())
        return slope * x + offset
    if square := re.search(r"g\(x\) = x\^2 \+ (\d+)x.*g\((\d+)\)", statement):
        slope, x = map(int, square.groups())
        return x**2 + slope * x
    found = re.search(r"\$([\d +]+(?:\\cdot[\d +]+)+)\$", statement)
    assert found, statement
    total = 0
    for term in found[1].split("+"):
        value = 1
        for factor in term.split("\\cdot"):
            value *= int(factor)
        total += value
    return total % 100 if "remainder" in statement else total


def math_answer(statement: str) -> str:
    if radical := re.search(r"\$(\d+)\\sqrt\{(\d+)\}\$", statement):
        factor, inside = map(int, radical.groups())
        square = max(n for n in range(1, isqrt(inside) + 1) if inside % (n * n) == 0)
        return f"{factor * square}\\sqrt{{{inside // square**2}}}"
    if line := re.search(r"\$(\d+)x \+ (\d+) = (\d+)\$", statement):
        slope, offset, value = map(int, line.groups())
        return latex(Fraction(value - offset, slope))
    if pair := re.search(r"x \+ y = (\d+)\$ and \$x - y = (\d+)\$", statement):
        total, gap = map(int, pair.groups())
        return f"({(total + gap) // 2}, {(total - gap) // 2})"
    return latex(
        sum((Fraction(int(a), int(b)) for a, b in FRACTION.findall(statement)), Fraction())
    )


def latex(value: Fraction) -> str:
    return f"\\frac{{{value.numerator}}}{{{value.denominator}}}"


def choice_answer(statement: str, unit: str) -> int:
    """The product of two quantities; a third one in the answer's own unit is added to it."""
    quantities = re.findall(r"(\d+) (m/s each second|m/s\^2|m/s|g/mL|[A-Za-z]+)", statement)
    values = {amount_unit: int(amount) for amount, amount_unit in quantities}
    offset = values.pop(unit) if len(quantities) == 3 else 0
    first, second = values.values()
    return first * second + offset


@pytest.mark.parametrize(("family", "problem"), EVERY)
def test_reference_answer_follows_from_the_statement(family: str, problem: Problem) -> None:
    if family == "integer":
        assert problem.answer == str(integer_answer(problem.statement))
        assert 0 <= int(problem.answer) <= 999
    elif family == "math":
        assert problem.answer == math_answer(problem.statement)
    elif family == "choice":
        assert problem.answer is not None
        value, unit = problem.answer.split(" ", 1)
        assert int(value) == choice_answer(problem.statement, unit)
        assert problem.choices.count(problem.answer) == 1
        assert len(set(problem.choices)) == 4
        assert all(choice.endswith(" " + unit) for choice in problem.choices)
    else:
        assert all(test.output == run(problem.statement, test.input) for test in problem.tests)
        assert len({test.output for test in problem.tests}) > 1, "one constant would pass"
        assert problem.limits == LIMITS


def run(statement: str, line: str) -> str:
    """What the sentences of a code statement ask for."""
    values = [int(word) for word in line.split()]
    _, *sentences = re.findall(r"[^.]+", statement)
    for sentence in sentences:
        n = (numbers(sentence) or [0])[0]
        words = " ".join(word for word in sentence.split() if not word.isdigit())
        values = SENTENCES[words](values, n)
    return " ".join(map(str, values)) + "\n"


SENTENCES: dict[str, Callable[[list[int], int], list[int]]] = {
    "Keep the even ones": lambda a, _: [x for x in a if x % 2 == 0],
    "Keep the odd ones": lambda a, _: [x for x in a if x % 2 == 1],
    "Keep those above": lambda a, n: [x for x in a if x > n],
    "Keep those below": lambda a, n: [x for x in a if x < n],
    "Drop the multiples of": lambda a, n: [x for x in a if x % n],
    "Add to each": lambda a, n: [x + n for x in a],
    "Subtract from each": lambda a, n: [x - n for x in a],
    "Multiply each by": lambda a, n: [x * n for x in a],
    "Square each": lambda a, _: [x * x for x in a],
    "Make each positive": lambda a, _: [abs(x) for x in a],
    "Print their sum": lambda a, _: [sum(a)],
    "Print the largest": lambda a, _: [max(a)],
    "Print the smallest": lambda a, _: [min(a)],
    "Print how many there are": lambda a, _: [len(a)],
    "Print them in ascending order": lambda a, _: sorted(a),
    "Print them in reverse order": lambda a, _: a[::-1],
}


@pytest.mark.parametrize("family", ALL)
def test_forty_problems_with_prompts_that_are_filled(family: str) -> None:
    task = ALL[family]
    assert len(PROBLEMS[family]) == 40
    assert fields(task.prompt) == {"statement"} | ({"choices"} if family == "choice" else set())
    for problem in PROBLEMS[family]:
        prompt = render(task.prompt, problem).user
        assert problem.statement in prompt
        assert all(choice in prompt for choice in problem.choices)
        assert not fields(prompt)


@pytest.mark.parametrize("task", [ALL[f] for f in ALL if f != "code"], ids=lambda t: t.name)
def test_grader_accepts_the_reference_answer_and_no_other(task: Task) -> None:
    family = task.name.removeprefix("practice_")
    problems = PROBLEMS[family]
    for problem, other in zip(problems, problems[1:] + problems[:1], strict=True):
        assert verdict(family, problem, problem.answer) is Verdict.CORRECT
        wrong = problem.choices[1] if problem.choices else other.answer
        expected = Verdict.CORRECT if wrong == problem.answer else Verdict.WRONG_ANSWER
        assert verdict(family, problem, wrong) is expected


def verdict(family: str, problem: Problem, answer: str | None) -> Verdict:
    sample = Sample(problem.id, 0, "reasoning", f"\\boxed{{{answer}}}", "stop")
    if family == "choice":
        order = choice_order(4, "per-problem", seed=0, problem_id=problem.id, index=0)
        letter = "ABCD"[[problem.choices[i] for i in order].index(str(answer))]
        sample = replace(sample, response=f"Answer: {letter}", choice_order=order)
    return ALL[family].grader.grade(problem, sample).verdict


def test_prompts_are_worded_as_the_real_families_are() -> None:
    from harness.tasks import aime, math500

    assert PROMPTS["integer"] == aime.PROMPT
    assert PROMPTS["math"] == math500.PROMPT
