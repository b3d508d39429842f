"""Math answers: what is equal, what is not, and what a grade says about it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.graders.latex.grammar.parser import read
from harness.graders.math import Math, reading
from harness.types import Problem, Sample, Verdict

CORPORA = Path(__file__).parents[1] / "corpora"


def pairs(name):
    for line in (CORPORA / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            reference, _, answer = line.partition("\t")
            yield reference, answer.replace("\\x00", "\0")


def grade(reference, response, *, finish="stop", policy="strict"):
    problem = Problem("p", "statement", reference)
    return Math(policy).grade(problem, Sample("p", 3, None, response, finish))


@pytest.mark.parametrize(("reference", "answer"), pairs("math_equal.txt"))
def test_equal_either_way_round(reference, answer):
    assert Math().settle(reference, answer)[0] is Verdict.CORRECT
    assert Math().settle(answer, reference)[0] is Verdict.CORRECT


@pytest.mark.parametrize(("reference", "answer"), pairs("math_different.txt"))
def test_different_either_way_round(reference, answer):
    assert Math().settle(reference, answer)[0] is not Verdict.CORRECT
    if "=" not in reference:  # "x+1" answers a question for y, "y = x+1" no question for x+1
        assert Math().settle(answer, reference)[0] is not Verdict.CORRECT


@pytest.mark.parametrize(
    ("reference", "answer", "stage"),
    [
        ("\\frac{1}{2}", "\\frac{1}{2}", "identical"),
        ("7", "007", "integer"),
        ("\\left(1,2\\right)", "(1,2)", "normalised"),
        ("\\frac{1}{2}", "0.5", "rational"),
        ("\\sqrt{8}", "2\\sqrt{2}", "reading"),
        ("\\sum_{k=1}^{10} k", "55", "symbolic"),
        ("10^{10^{10^{10}}}", "$#", "undecided"),
    ],
)
def test_a_grade_names_its_stage(reference, answer, stage):
    assert Math().settle(reference, answer)[1] == stage


def test_a_grade_holds_answer_version_and_index():
    graded = grade("\\frac12", "so \\boxed{0.5}")
    assert (graded.verdict, graded.answer, graded.index) == (Verdict.CORRECT, "0.5", 3)
    assert graded.grader == "math/3+symbolic-0.6s-256mib"
    assert graded.seconds > 0


@pytest.mark.parametrize(
    ("response", "finish", "verdict"),
    [
        (None, "length", Verdict.TRUNCATED),
        (None, "stop", Verdict.NO_ANSWER),
        ("no idea", "length", Verdict.TRUNCATED),
        ("no idea", "stop", Verdict.NO_ANSWER),
        ("\\boxed{x y ? $#}", "length", Verdict.UNDECIDED),
        ("\\boxed{4}", "length", Verdict.WRONG_ANSWER),
    ],
)
def test_verdicts_without_a_readable_answer(response, finish, verdict):
    assert grade("5", response, finish=finish).verdict is verdict


def test_extraction_policy_decides_what_counts():
    assert grade("5", "So $x=5$.").verdict is Verdict.NO_ANSWER
    assert grade("5", "So $x=5$.", policy="lenient").verdict is Verdict.CORRECT


def test_exact_stages_import_nothing_heavy():
    code = (
        "import sys\n"
        "from harness.graders.math import Math\n"
        "print(Math().settle('3\\\\sqrt{13}', '\\\\sqrt{117}'), 'sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "CORRECT" in done.stdout
    assert done.stdout.strip().endswith("False")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "\\frac{1}{2",
        "1-",
        "\\begin{pmatrix} 1 & 2 \\\\ 3",
        "2 3",
        "1 + \\text{or so}",
        "x^",
        "5 ?",
    ],
)
def test_whole_input_or_nothing(text):
    assert read(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "(" * 500 + "1" + ")" * 500,
        "\\sqrt{" * 60 + "2" + "}" * 60,
        "2^" * 200 + "2",
        "1+" * 4000 + "1",
    ],
)
def test_depth_and_length_are_capped(text):
    assert read(text) is None


def test_shared_pairs(test_data):
    wrong, missed, total = [], [], 0
    from harness.cli.match import match_row

    for line in (test_data / "math_pairs.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        verdict = match_row(row, kind="math", extract="lenient").verdict
        total += 1
        if (verdict == "correct") != row["expected"]:
            (missed if row["expected"] else wrong).append(row["id"])
    assert wrong == []
    assert len(missed) <= 0.005 * total


# Where our verdict is not the publisher's, decided by hand: (id, index): why ours is right.
DECIDED = {
    ("72", 7): "the reference groups its thousands with a comma in braces: 10{,}000 is 10000",
}


def test_published_responses(test_data):
    differ = {}
    path = test_data / "math_responses_100x8.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        problem = Problem(str(row["id"]), "", row["answer"])
        for index, response in enumerate(row["responses"]):
            sample = Sample(problem.id, index, None, response, "unknown")
            verdict = Math().grade(problem, sample).verdict
            if (verdict is Verdict.CORRECT) != bool(row["published_verdicts"][index]):
                differ[problem.id, index] = verdict
    assert differ.keys() == DECIDED.keys()
    assert differ["72", 7] is Verdict.CORRECT


def test_every_reference_answer_of_math_500_is_read(test_data):
    for line in (test_data / "math_500.jsonl").read_text(encoding="utf-8").splitlines():
        answer = json.loads(line)["answer"]
        assert read(answer) is not None, answer
        assert reading(answer, f"${answer}$.") is True
