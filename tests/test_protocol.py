"""The exam: what makes two scores comparable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from harness.data.datasets import PackagedDataset
from harness.graders.choice import Choice
from harness.protocol import COMPARED, Exam, content_hash, differences, make_exam
from harness.stats.metrics import pass_at
from harness.types import Limits, Problem, Row, Sampling, Task, TestCase


def parse(row: Row) -> Problem:
    raise NotImplementedError


TASK = Task(
    name="colours",
    dataset=PackagedDataset("colours.jsonl"),
    parse=parse,
    prompt="{statement}",
    grader=Choice(),
    metrics=(pass_at(1),),
    sampling=Sampling(k=4, temperature=0.6),
    choice_order="per-problem",
)
PROBLEMS = [
    Problem("a", "Sky?", "blue", ("blue", "red"), meta={"level": 1}),
    Problem("b", "Grass?", "green", ("green", "red")),
]
EXAM = make_exam(TASK, PROBLEMS, TASK.sampling)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"statement": "The sky?"}, True),
        ({"answer": "red"}, True),
        ({"choices": ("red", "blue")}, True),
        ({"tests": (TestCase("1", "2"),)}, True),
        ({"limits": Limits(cpu_seconds=1.0)}, True),
        ({"meta": {"level": 2}}, False),
        ({"id": "c"}, False),
    ],
)
def test_content_is_what_is_asked_and_how_it_is_graded(change: Any, parts: bool) -> None:
    assert (content_hash(replace(PROBLEMS[0], **change)) != content_hash(PROBLEMS[0])) is parts


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        (make_exam(replace(TASK, prompt="{statement}!"), PROBLEMS, TASK.sampling), "prompt"),
        (make_exam(replace(TASK, system_prompt="s"), PROBLEMS, TASK.sampling), "system_prompt"),
        (make_exam(TASK, PROBLEMS[:1], TASK.sampling), "problems"),
        (make_exam(TASK, PROBLEMS, replace(TASK.sampling, temperature=0.7)), "temperature"),
        (make_exam(TASK, PROBLEMS, replace(TASK.sampling, top_p=0.9)), "top_p"),
        (make_exam(TASK, PROBLEMS, replace(TASK.sampling, max_tokens=9)), "max_tokens"),
        (make_exam(TASK, PROBLEMS, replace(TASK.sampling, stop=("\n",))), "stop"),
        (make_exam(TASK, PROBLEMS, replace(TASK.sampling, repetition_guard=8)), "repetition_guard"),
        (make_exam(TASK, PROBLEMS, TASK.sampling, thinking="no"), "thinking"),
        (make_exam(TASK, PROBLEMS, TASK.sampling, think_end="[/T]"), "think_end"),
        (make_exam(TASK, PROBLEMS, TASK.sampling, extract="lenient"), "extract"),
        (make_exam(TASK, PROBLEMS, replace(TASK.sampling, choice_seed=1)), "choice_seed"),
        (replace(EXAM, choice_order="per-sample"), "choice_order"),
        (replace(EXAM, grader="choice/0"), "grader"),
        (replace(EXAM, task="colors"), "task"),
    ],
)
def test_every_part_that_moves_a_score_changes_the_hash_and_is_named(
    changed: Exam, part: str
) -> None:
    assert changed.hash != EXAM.hash
    assert list(differences(EXAM, changed)) == [part]


@pytest.mark.parametrize(
    "same",
    [
        make_exam(TASK, PROBLEMS, replace(TASK.sampling, k=64)),
        make_exam(TASK, PROBLEMS, replace(TASK.sampling, seeded=True)),
        make_exam(TASK, PROBLEMS[::-1], TASK.sampling),
        make_exam(TASK, PROBLEMS, TASK.sampling, source="another copy"),
        make_exam(TASK, [replace(PROBLEMS[0], meta={}), PROBLEMS[1]], TASK.sampling),
        make_exam(replace(TASK, family="x", masked=True), PROBLEMS, TASK.sampling),
    ],
    ids=["k", "seeded", "order of problems", "source", "meta", "family and masked"],
)
def test_what_moves_no_score_changes_nothing(same: Exam) -> None:
    assert same.hash == EXAM.hash
    assert differences(EXAM, same) == {}


def test_every_compared_part_is_tested_above() -> None:
    assert set(COMPARED) == {
        "task", "problems", "prompt", "system_prompt", "choice_order", "choice_seed", "temperature",
        "top_p", "max_tokens", "stop", "repetition_guard", "thinking", "think_end", "extract", "grader",
    }  # fmt: skip


def test_a_seed_is_part_of_the_exam_only_where_choices_are_ordered_by_it() -> None:
    plain = replace(TASK, choice_order=None)
    one, two = (make_exam(plain, PROBLEMS, replace(TASK.sampling, seed=seed)) for seed in (1, 2))
    assert one.hash == two.hash


def test_temperatures_1_and_1_0_are_one_exam() -> None:
    whole, real = (
        make_exam(TASK, PROBLEMS, replace(TASK.sampling, temperature=value)) for value in (1, 1.0)
    )
    assert whole.hash == real.hash


def test_a_graders_own_extraction_policy_counts_unless_another_is_asked_for() -> None:
    lenient = replace(TASK, grader=Choice(extract="lenient"))
    assert make_exam(lenient, PROBLEMS, TASK.sampling).extract == "lenient"
    assert make_exam(lenient, PROBLEMS, TASK.sampling, extract="strict").extract == "strict"


def test_an_exam_survives_its_file() -> None:
    exam = make_exam(TASK, PROBLEMS, replace(TASK.sampling, stop=("a", "b")), source="here")
    stored = orjson.loads(orjson.dumps(exam.to_json()))
    assert stored["hash"] == exam.hash
    assert Exam.from_json(stored) == exam
    assert Exam.from_json(stored).hash == exam.hash


def test_an_exam_file_without_problems_is_refused() -> None:
    with pytest.raises(TypeError, match="problems"):
        Exam.from_json({"task": "colours", "prompt": "{statement}"})


def test_an_exam_from_before_the_repetition_guard_reads_as_without_and_keeps_its_hash() -> None:
    stored = orjson.loads(orjson.dumps(EXAM.to_json()))
    del stored["repetition_guard"]
    old = Exam.from_json(stored)
    assert old == EXAM
    assert old.hash == "2980c7f786794669"  # as it was written then
    guarded = replace(old, repetition_guard=8)
    assert differences(old, guarded) == {"repetition_guard": "repetition guard: off against 8"}


def test_settings_differ_in_words() -> None:
    changed = replace(EXAM, temperature=1.0, max_tokens=32768)
    assert differences(EXAM, changed) == {
        "temperature": "temperature: 0.6 against 1.0",
        "max_tokens": "max tokens: None against 32768",
    }


def test_problems_differ_by_how_many_and_which() -> None:
    others = {"b": EXAM.problems["a"], **{f"n{i}": "0" for i in range(5)}}
    assert differences(EXAM, replace(EXAM, problems=others))["problems"] == (
        "problems: 2 against 6; 1 missing (a), 5 added (n0, n1, n2, ..), 1 changed (b)"
    )


def test_long_prompts_are_shown_where_they_differ() -> None:
    old, new = (f"{'Think hard. ' * 30}Answer with {word}.{' Thanks.' * 30}" for word in "AB")
    words = differences(replace(EXAM, prompt=old), replace(EXAM, prompt=new))["prompt"]
    assert "Answer with A. Thanks" in words
    assert "Answer with B. Thanks" in words
    assert len(words) < 200
