"""The protocol: what makes two scores comparable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from harness.data.datasets import PackagedDataset
from harness.errors import DataError
from harness.graders.choice import Choice
from harness.protocol import (
    COMPARED,
    MODEL_JUDGE,
    ModelJudge,
    Protocol,
    content_hash,
    differences,
    make_protocol,
    protocol_row,
)
from harness.sampling import Sampling
from harness.stats.metrics import pass_at
from harness.storage.rows import typed
from harness.task import Task
from harness.types import Judging, Limits, Problem, Provenance, Row, TestCase


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
PROTOCOL = make_protocol(TASK, PROBLEMS, TASK.sampling)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"statement": "The sky?"}, True),
        ({"answer": "red"}, True),
        ({"choices": ("red", "blue")}, True),
        ({"tests": (TestCase("1", "2"),)}, True),
        ({"limits": Limits(cpu_seconds=1.0)}, True),
        ({"starter_code": "def sky():"}, True),
        ({"judging": Judging(checker="print(1)")}, True),
        ({"judging": Judging(input_file="in.txt")}, True),
        ({"judging": Judging(output_file="out.txt")}, True),
        ({"judging": Judging(decisive=False)}, False),
        ({"provenance": Provenance(contest="7", erratum="unclear")}, False),
        ({"provenance": Provenance(passage="p7")}, False),
        ({"meta": {"level": 2}}, False),
        ({"id": "c"}, False),
    ],
)
def test_content_is_what_is_asked_and_how_it_is_graded(change: Any, parts: bool) -> None:
    assert (content_hash(replace(PROBLEMS[0], **change)) != content_hash(PROBLEMS[0])) is parts


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        (make_protocol(replace(TASK, prompt="{statement}!"), PROBLEMS, TASK.sampling), "prompt"),
        (make_protocol(replace(TASK, system_prompt="s"), PROBLEMS, TASK.sampling), "system_prompt"),
        (make_protocol(TASK, PROBLEMS[:1], TASK.sampling), "problems"),
        (make_protocol(TASK, PROBLEMS, replace(TASK.sampling, temperature=0.7)), "temperature"),
        (make_protocol(TASK, PROBLEMS, replace(TASK.sampling, top_p=0.9)), "top_p"),
        (make_protocol(TASK, PROBLEMS, replace(TASK.sampling, max_tokens=9)), "max_tokens"),
        (make_protocol(TASK, PROBLEMS, replace(TASK.sampling, stop=("\n",))), "stop"),
        (
            make_protocol(TASK, PROBLEMS, replace(TASK.sampling, repetition_guard=8)),
            "repetition_guard",
        ),
        (make_protocol(TASK, PROBLEMS, replace(TASK.sampling, effort="low")), "effort"),
        (
            make_protocol(TASK, PROBLEMS, replace(TASK.sampling, reasoning_budget=8)),
            "reasoning_budget",
        ),
        (replace(PROTOCOL, server_sampling="not neutral"), "server_sampling"),
        (make_protocol(TASK, PROBLEMS, TASK.sampling, thinking="no"), "thinking"),
        (make_protocol(TASK, PROBLEMS, TASK.sampling, think_end="[/T]"), "think_end"),
        (make_protocol(TASK, PROBLEMS, TASK.sampling, extract="lenient"), "extract"),
        (make_protocol(TASK, PROBLEMS, replace(TASK.sampling, choice_seed=1)), "choice_seed"),
        (replace(PROTOCOL, choice_order="per-sample"), "choice_order"),
        (replace(PROTOCOL, grader="choice/0"), "grader"),
        (replace(PROTOCOL, task="colors"), "task"),
    ],
)
def test_every_part_that_moves_a_score_changes_the_hash_and_is_named(
    changed: Protocol, part: str
) -> None:
    assert changed.hash != PROTOCOL.hash
    assert list(differences(PROTOCOL, changed)) == [part]


@pytest.mark.parametrize(
    "same",
    [
        make_protocol(TASK, PROBLEMS, replace(TASK.sampling, k=64)),
        make_protocol(TASK, PROBLEMS, replace(TASK.sampling, seeded=True)),
        make_protocol(TASK, PROBLEMS[::-1], TASK.sampling),
        make_protocol(TASK, PROBLEMS, TASK.sampling, source="another copy"),
        make_protocol(TASK, [replace(PROBLEMS[0], meta={}), PROBLEMS[1]], TASK.sampling),
        make_protocol(replace(TASK, family="x", masked=True), PROBLEMS, TASK.sampling),
    ],
    ids=["k", "seeded", "order of problems", "source", "meta", "family and masked"],
)
def test_what_moves_no_score_changes_nothing(same: Protocol) -> None:
    assert same.hash == PROTOCOL.hash
    assert differences(PROTOCOL, same) == {}


def test_every_compared_part_is_tested_above() -> None:
    assert set(COMPARED) == {
        "task", "problems", "prompt", "system_prompt", "choice_order", "choice_seed", "temperature",
        "top_p", "max_tokens", "stop", "repetition_guard", "effort", "reasoning_budget", "server_sampling",
        "thinking", "think_end", "extract", "grader",
    }  # fmt: skip


def test_a_seed_is_part_of_the_protocol_only_where_choices_are_ordered_by_it() -> None:
    plain = replace(TASK, choice_order=None)
    one, two = (
        make_protocol(plain, PROBLEMS, replace(TASK.sampling, seed=seed)) for seed in (1, 2)
    )
    assert one.hash == two.hash


def test_temperatures_1_and_1_0_are_one_protocol() -> None:
    whole, real = (
        make_protocol(TASK, PROBLEMS, replace(TASK.sampling, temperature=value))
        for value in (1, 1.0)
    )
    assert whole.hash == real.hash


def test_a_graders_own_extraction_policy_counts_unless_another_is_asked_for() -> None:
    lenient = replace(TASK, grader=Choice(extract="lenient"))
    assert make_protocol(lenient, PROBLEMS, TASK.sampling).extract == "lenient"
    assert make_protocol(lenient, PROBLEMS, TASK.sampling, extract="strict").extract == "strict"


def read(row: dict[str, Any]) -> Protocol:
    return typed(protocol_row(row), Protocol, "protocol.json")


def test_an_protocol_survives_its_file() -> None:
    protocol = make_protocol(TASK, PROBLEMS, replace(TASK.sampling, stop=("a", "b")), source="here")
    stored = orjson.loads(orjson.dumps(protocol.to_json()))
    assert stored["hash"] == protocol.hash
    assert read(stored) == protocol
    assert read(stored).hash == protocol.hash


def test_an_protocol_file_without_problems_is_refused() -> None:
    with pytest.raises(DataError, match=r"protocol\.json: .*problems"):
        read({"task": "colours", "prompt": "{statement}"})


def test_an_protocol_from_before_the_repetition_guard_reads_as_without_and_keeps_its_hash() -> None:
    stored = orjson.loads(orjson.dumps(PROTOCOL.to_json()))
    for name in ("repetition_guard", "effort", "reasoning_budget", "server_sampling"):
        del stored[name]
    old = read({**stored, "grader": "choice/1"})  # the version of then
    assert old == replace(PROTOCOL, grader="choice/1")
    assert old.hash == "2980c7f786794669"  # as it was written then
    guarded = replace(old, repetition_guard=8)
    assert differences(old, guarded) == {"repetition_guard": "repetition guard: off against 8"}
    low, high = (replace(old, effort=effort) for effort in ("low", "high"))
    assert differences(low, high) == {"effort": "effort: low against high"}
    assert differences(old, low) == {"effort": "effort: off against low"}
    own = replace(old, server_sampling="not neutral")
    words = "server sampling: neutral against not neutral"
    assert differences(old, own) == {"server_sampling": words}


def test_settings_differ_in_words() -> None:
    changed = replace(PROTOCOL, temperature=1.0, max_tokens=32768)
    assert differences(PROTOCOL, changed) == {
        "temperature": "temperature: 0.6 against 1.0",
        "max_tokens": "max tokens: None against 32768",
    }


def test_problems_differ_by_how_many_and_which() -> None:
    others = {"b": PROTOCOL.problems["a"], **{f"n{i}": "0" for i in range(5)}}
    assert differences(PROTOCOL, replace(PROTOCOL, problems=others))["problems"] == (
        "problems: 2 against 6; 1 missing (a), 5 added (n0, n1, n2, ..), 1 changed (b)"
    )


def test_long_prompts_are_shown_where_they_differ() -> None:
    old, new = (f"{'Think hard. ' * 30}Answer with {word}.{' Thanks.' * 30}" for word in "AB")
    words = differences(replace(PROTOCOL, prompt=old), replace(PROTOCOL, prompt=new))["prompt"]
    assert "Answer with A. Thanks" in words
    assert "Answer with B. Thanks" in words
    assert len(words) < 200


JUDGE = ModelJudge(model="one", prompt="Compare {reference} and {answer}.", temperature=0.0)


def test_the_judge_is_a_part_for_its_own_scoring_alone_and_leaves_the_hash() -> None:
    judged = replace(PROTOCOL, judge=JUDGE)
    assert judged.hash == PROTOCOL.hash
    assert differences(PROTOCOL, judged) == {} == differences(judged, judged, MODEL_JUDGE)
    assert differences(PROTOCOL, judged, "lcb-official") == {}
    assert differences(PROTOCOL, judged, MODEL_JUDGE) == {"judge": "judge: none against 'one'"}


@pytest.mark.parametrize(("changed", "words"), [
    ({"model": "two"}, "judge: model 'one' against 'two'"),
    ({"temperature": 1.0}, "judge: temperature 0.0 against 1.0"),
    ({"max_tokens": 9}, "judge: max tokens None against 9"),
    ({"body": {"top_k": 1}}, "judge: body {} against {'top_k': 1}"),
    ({"prompt": "Are {reference} and {answer} equal?"}, "judge: prompt "),
])  # fmt: skip
def test_every_part_of_the_judge_is_named_where_it_differs(
    changed: dict[str, Any], words: str
) -> None:
    other = replace(JUDGE, **changed)
    old, new = (replace(PROTOCOL, judge=judge) for judge in (JUDGE, other))
    assert differences(old, new, MODEL_JUDGE)["judge"].startswith(words)
    assert other.hash != JUDGE.hash


def test_the_judge_is_written_with_its_prompts_hash_and_read_back() -> None:
    judged = replace(PROTOCOL, judge=JUDGE)
    written = orjson.loads(orjson.dumps(judged.to_json()))
    assert written["judge"]["prompt_hash"] == JUDGE.prompt_hash
    assert read(written) == judged
    del written["judge"]  # written before there was one
    assert read(written) == PROTOCOL
