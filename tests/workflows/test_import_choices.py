"""Published responses to tasks with choices: the order in which the model saw them."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, UsageError
from harness.registry import tasks
from harness.storage.run_folder import RunFolder
from harness.tasks.kinds import KINDS
from harness.workflows.import_responses import import_responses

RIGHT, *WRONG = ("blue [1]", "red", "green  light", "-5")
ROW = {
    "Record ID": "rec1", "Question": "Which?", "Correct Answer": RIGHT, "Incorrect Answer 1": WRONG[0],
    "Incorrect Answer 2": WRONG[1], "Incorrect Answer 3": WRONG[2], "Subdomain": "s",
    "High-level domain": "d", "responses": ["Answer: C", "Answer: A"],
}  # fmt: skip
SHOWN = ["green light", "red", RIGHT, "-5"]  # the right one is C
ORDER = [2, 1, 0, 3]
PROMPT = "Answer the question: Which?\n\nA) green light\nB) red\nC) blue [1]\nD) -5\n\nThink."


def run_import(
    out: Path, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str] | None = None,
    *, dataset_order: bool = False, task: str = "gpqa_diamond",
) -> list[tuple[str, str, tuple[int, ...] | None]]:  # fmt: skip
    """The verdict, extracted answer and order of each sample."""
    path = out / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return import_file(path, columns, dataset_order=dataset_order, task=task)


def import_file(
    path: Path, columns: Mapping[str, str] | None = None, *, dataset_order: bool = False,
    task: str = "gpqa_diamond",
) -> list[tuple[str, str, tuple[int, ...] | None]]:  # fmt: skip
    out = path.parent / "run"
    work = import_responses(
        path, KINDS.get(task) or tasks()[task], columns or {}, out, model="m",
        observe=lambda _: lambda *_: None, dataset_order=dataset_order,
    )  # fmt: skip
    asyncio.run(work)
    folder = RunFolder(out).task(task)
    orders = {sample.key: sample.choice_order for sample in folder.samples()}
    grades = sorted(folder.grades(), key=lambda grade: grade.key)
    return [(str(g.verdict), g.answer or "", orders[g.key]) for g in grades]


C_IS_RIGHT = [("correct", RIGHT, (2, 1, 0, 3)), ("wrong_answer", "green  light", (2, 1, 0, 3))]


@pytest.mark.parametrize(
    "column",
    [
        {"choice_order": ORDER},
        {"choice_order": "2,1,0,3"},
        {"choice_order": "[2, 1, 0, 3]"},
        {"permutation": ORDER},
        {"choice_order": SHOWN},
        {"choice_order": dict(zip("ABCD", SHOWN, strict=True))},
        {"choice_order": [ORDER, ORDER]},
        {"choices": SHOWN},
        {"choices": ["(A) green light", "(B) red", "(C) blue [1]", "(D) -5"]},
        {"options": dict(zip("ABCD", SHOWN, strict=True))},
        {"shuffled_choices": json.dumps(SHOWN)},
        {f"choice{number}": text for number, text in enumerate(SHOWN, 1)},
        dict(zip("ABCD", SHOWN, strict=True)),
        {"doc": {**ROW, "choices": SHOWN, "answer": "(C)"}},
        {"doc": {**ROW, "choice1": "green light", "choice2": "red", "choice3": "blue ", "choice4": "-5"}},
        {"prompt": PROMPT},
        {"full_prompt": PROMPT},
        {"prompt": [{"role": "system", "content": "A) x"}, {"role": "user", "content": PROMPT}]},
        {"prompt": json.dumps([{"role": "user", "content": PROMPT}])},
        {"arguments": {"gen_args_0": {"arg_0": PROMPT, "arg_1": {"until": ["</s>"]}}}},
        {"prompt": "A) 1\nB) 2\nC) 3\nD) 4\nAnswer: A\n\n" + PROMPT},
        {"prompt": "Which? (A) green light (B) red (C) blue [1] (D) -5"},
        {"prompt": PROMPT, "choices": SHOWN, "answer_letter": "C", "gold_index": 2},
        {"prompt": "Which?", "choices": SHOWN},
    ],
)  # fmt: skip
def test_the_order_comes_from_the_file(column: dict[str, Any], tmp_path: Path) -> None:
    assert run_import(tmp_path, [{**ROW, **column}]) == C_IS_RIGHT


@pytest.mark.parametrize(
    "column",
    [
        {"answer_letter": "C"}, {"answer": "(C)"}, {"target": "C."}, {"gold": "C"}, {"gold_index": 2},
        {"gold_index": 2.0}, {"answer_index": "2"}, {"correct_letter": " C "}, {"choice_order": "C"},
        {"choice_order": ["C", "C"]}, {"choices": list("ABCD"), "gold_index": 2},
    ],
)  # fmt: skip
def test_the_letter_of_the_right_choice_is_enough(column: dict[str, Any], tmp_path: Path) -> None:
    right, wrong = run_import(tmp_path, [{**ROW, **column}])
    assert (right[:2], wrong[0], right[2]) == (("correct", RIGHT), "wrong_answer", (1, 2, 0, 3))


def test_each_response_may_have_its_own_order(tmp_path: Path) -> None:
    row = {**ROW, "seen": [ORDER, [0, 1, 2, 3]]}
    found = run_import(tmp_path, [row], {"choice_order": "seen"})
    assert [(verdict, answer) for verdict, answer, _ in found] == [("correct", RIGHT)] * 2
    one = {key: value for key, value in ROW.items() if key != "responses"}
    rows = [{**one, "response": "Answer: C", "permutation": ORDER},
            {**one, "response": "Answer: A", "permutation": [0, 1, 2, 3]}]  # fmt: skip
    (tmp_path / "rows").mkdir()
    assert [found[0] for found in run_import(tmp_path / "rows", rows)] == ["correct"] * 2


def test_a_column_may_lie_in_an_object(tmp_path: Path) -> None:
    row = {**ROW, "meta": {"shown": ORDER, "texts": ROW["responses"]}}
    del row["responses"]
    columns = {"choice_order": "meta.shown", "responses": "meta.texts"}
    assert run_import(tmp_path, [row], columns) == C_IS_RIGHT


def test_csv_holds_the_order_as_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        row = {**ROW, "response": "Answer: C", "choice_order": "2 1 0 3"}
        del row["responses"]
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    assert import_file(path) == C_IS_RIGHT[:1]


def test_letters_may_refer_to_the_datasets_own_order(tmp_path: Path) -> None:
    found = run_import(tmp_path, [ROW], dataset_order=True)
    assert [verdict for verdict, *_ in found] == ["wrong_answer", "correct"]
    protocol = RunFolder(tmp_path / "run").task("gpqa_diamond").protocol()
    assert (protocol.choice_order, protocol.choice_seed) == ("published", None)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({}, "nothing says in which order.*--map choice_order=COLUMN.*--choice-order dataset"),
        ({"prompt": "Which?"}, "nothing says in which order"),
        ({"answer": RIGHT}, "nothing says in which order"),
        ({"choice_order": [0, 1, 2]}, "'choice_order'.*no order of the 4 choices"),
        ({"choice_order": [1, 2, 3, 4]}, "no order of the 4 choices"),
        ({"choice_order": "E"}, "no order of the 4 choices"),
        ({"choice_order": None}, "no order of the 4 choices"),
        ({"choice_order": ["a", "b", "c", "d"]}, "no order of the 4 choices"),
        ({"prompt": "A) x\nB) y\nC) z\nD) w"}, "lists other choices"),
        ({"prompt": PROMPT, "choice_order": [0, 1, 2, 3]}, "different orders.* A in one and C"),
        (
            {"prompt": PROMPT, "answer": "A"},
            "the prompt .* and the column 'answer'.* C in one and A",
        ),
        ({"choices": SHOWN, "gold_index": 0}, "'choices' and the column 'gold_index'"),
    ],
)
def test_a_row_without_one_order_is_an_error(
    column: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        run_import(tmp_path, [{**ROW, **column}])
    assert "rows.jsonl, line 1" in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("column", [{"prompt": PROMPT}, {"answer": "C"}])
def test_the_statement_about_the_order_is_checked(column: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--choice-order dataset and the .*different orders"):
        run_import(tmp_path, [{**ROW, **column}], dataset_order=True)


@pytest.mark.parametrize("column", [{"target": "A"}, {"choices": [RIGHT, *WRONG]}])
def test_columns_that_always_show_the_datasets_order_tell_nothing(
    column: dict[str, Any], tmp_path: Path
) -> None:
    rows = [{**ROW, **column, "Record ID": f"rec{number}"} for number in range(5)]
    with pytest.raises(DataError, match=r"in all of its rows.*--choice-order dataset"):
        run_import(tmp_path, rows)
    if "choices" in column:
        with pytest.raises(DataError, match=r"in all of its rows"):
            run_import(tmp_path, rows[:1])
    found = run_import(tmp_path, rows, dataset_order=True)
    assert found[1][0] == "correct"


def test_the_order_is_stated_once_and_only_of_choices(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give one of them"):
        run_import(tmp_path, [ROW], {"choice_order": "x"}, dataset_order=True)
    row = {"id": "a", "problem": "A) 1 B) 2", "answer": "B", "responses": ["B"]}
    with pytest.raises(UsageError, match="have no choices"):
        run_import(tmp_path, [row], dataset_order=True, task="choice")


INVERSE = [1, 2, 0, 3]  # of [2, 0, 1, 3]: by it the right choice is C


@pytest.mark.parametrize(
    "column",
    [{"answer_letter": "B"}, {"gold_index": 1}, {"gold_index": "1"}, {"target": "(B)"},
     {"choices": [WRONG[0], RIGHT, WRONG[1], WRONG[2]]},
     {"options": dict(zip("ABCD", [WRONG[0], RIGHT, WRONG[1], WRONG[2]], strict=True))},
     {"prompt": f"- A) red\n- B) {RIGHT}\n- C) green light\n- D) -5"},
     {"prompt": f"A)red\nB){RIGHT}\nC)green light\nD)-5"},
     {"prompt": f"a) red\nb) {RIGHT}\nc) green light\nd) -5"}],
)  # fmt: skip
@pytest.mark.parametrize("order", [INVERSE, "C", "2", 2, [INVERSE, INVERSE], ["C", "C"]])
def test_a_stated_order_is_checked_against_every_sign(
    order: object, column: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"the column 'choice_order' and the .* C in one and B"):
        run_import(tmp_path, [{**ROW, **column, "choice_order": order}])


def test_the_datasets_own_list_says_nothing_against_an_order(tmp_path: Path) -> None:
    row = {**ROW, "choice_order": ORDER, "choices": [RIGHT, *WRONG], "answer_letter": "C"}
    assert run_import(tmp_path, [row]) == C_IS_RIGHT


def test_a_letter_of_the_row_says_nothing_where_each_response_has_its_own_order(
    tmp_path: Path,
) -> None:
    row = {**ROW, "choice_order": [ORDER, [0, 1, 2, 3]], "answer_letter": "C"}
    assert [found[0] for found in run_import(tmp_path, [row])] == ["correct", "correct"]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({"target": "c"}, "the column 'target' holds 'c', which is no letter from A to D"),
        ({"target": "E"}, "the column 'target' holds 'E', which is no letter from A to D"),
        ({"gold_index": 4}, "the column 'gold_index' holds '4', which is no number from 0 to 3"),
        (
            {"choices": ["x", *SHOWN[1:]]},
            r"the column 'choices' holds .*, which is no list of the 4",
        ),
    ],
)
def test_what_was_seen_and_not_understood_is_named(
    column: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(
        DataError, match=rf"nothing says in which order.*{said}.*--map choice_order"
    ):
        run_import(tmp_path, [{**ROW, **column}])


@pytest.mark.parametrize("column", [{"prompt": PROMPT}, {"answer": "C"}, {"choices": SHOWN}])
def test_a_wrong_statement_is_not_advised_again(column: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Leave --choice-order dataset out") as caught:
        run_import(tmp_path, [{**ROW, **column}], dataset_order=True)
    assert "or state with" not in str(caught.value)


def test_csv_holds_an_index_as_text(tmp_path: Path) -> None:
    for name, text in (("choice_order", "2"), ("gi", " 2 "), ("gold_index", "2")):
        folder = tmp_path / name
        folder.mkdir()
        path = folder / "rows.csv"
        with path.open("w", newline="") as file:
            row = {**ROW, "response": "Answer: C", name: text}
            del row["responses"]
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerow(row)
        found = import_file(path, {"choice_order": name} if name == "gi" else None)
        assert found[0][:2] == ("correct", RIGHT)


def test_a_problem_with_choices_may_have_no_response(tmp_path: Path) -> None:
    other = {**ROW, "Record ID": "rec2", "choice_order": ORDER, "responses": []}
    assert run_import(tmp_path, [{**ROW, "choice_order": ORDER}, other]) == C_IS_RIGHT
