"""`harness match`: single texts, batches, exit codes."""

import json

import pytest
from click.testing import CliRunner

from harness.cli.match import match
from harness.errors import DataError, Incomplete, UsageError


def run(*args):
    return CliRunner().invoke(match, [str(arg) for arg in args])


@pytest.mark.parametrize(
    ("args", "exit_code", "said"),
    [
        (("1/2", "0.5"), 0, "correct (stage: rational; extracted: 0.5)"),
        (("1/2", "so \\boxed{\\frac12}"), 0, "extracted: \\frac12"),
        (("-5", "-5"), 0, "correct"),
        (("-x^2", "-vx^2"), 1, "wrong_answer"),
        (("5", "-5"), 1, "wrong_answer"),
        (("5", "<think>\\boxed{5}</think> I do not know."), 1, "no_answer"),
        (("5", "<think>\\boxed{5}"), 1, "no_answer"),
        (("5", "So $x=5$.", "--extract", "strict"), 1, "no_answer"),
        (("25", "m+n = 025", "--kind", "integer"), 0, "correct"),
        (("B", "Answer: **B**", "--kind=choice"), 0, "correct"),
    ],
)
def test_single(args, exit_code, said):
    result = run(*args)
    assert result.exit_code == exit_code, result.output
    assert said in result.output


ROWS = [
    {"id": "a", "gold": "7", "prediction": "\\boxed{7}", "task_kind": "aime"},
    {"id": "b", "gold": "C", "prediction": "Answer: D", "task_kind": "letter"},
    {"name": "c", "gold": "\\sqrt{8}", "prediction": "2\\sqrt2", "form": "answer"},
    {"id": "d", "gold": "\\sqrt{8}", "prediction": " ", "form": "answer"},
    {"question_id": "e", "gold": "5", "prediction": "\\boxed{5 ?? $#}"},
]


def test_batch(tmp_path):
    batch, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    batch.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n", encoding="utf-8")
    result = run("--batch", batch, "-o", out)
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == ["a", "b", "c", "d", "e"]
    assert [row["verdict"] for row in rows] == [
        "correct", "wrong_answer", "correct", "no_answer", "undecided",
    ]  # fmt: skip
    assert rows[2]["stage"] == "reading"
    assert rows[2]["extracted"] == "2\\sqrt2"
    assert all(row["wall_ms"] >= 0 and row["cpu_ms"] >= 0 for row in rows)


def test_a_row_that_ends_in_error_ends_the_batch_with_4(tmp_path):
    batch, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    bad = {"id": "x", "gold": "not an integer", "prediction": "5", "task_kind": "aime"}
    batch.write_text("\n".join(json.dumps(row) for row in (bad, ROWS[0])), encoding="utf-8")
    result = run("--batch", batch, "-o", out)
    assert isinstance(result.exception, Incomplete)
    assert result.exception.exit_code == 4
    verdicts = [json.loads(line)["verdict"] for line in out.read_text().splitlines()]
    assert verdicts == ["error", "correct"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "rows.jsonl:1 is not valid JSON"),
        ('{"gold": "1"}', "rows.jsonl:1 has no string in its field prediction"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path, content, said):
    batch = tmp_path / "rows.jsonl"
    batch.write_text(content, encoding="utf-8")
    result = run("--batch", batch, "-o", tmp_path / "out.jsonl")
    assert isinstance(result.exception, DataError)
    assert said in str(result.exception)


@pytest.mark.parametrize("args", [(), ("5",)])
def test_too_few_texts(args):
    assert isinstance(run(*args).exception, UsageError)


def test_a_batch_needs_an_output_and_no_texts(tmp_path):
    batch = tmp_path / "rows.jsonl"
    batch.write_text("", encoding="utf-8")
    assert isinstance(run("--batch", batch).exception, UsageError)
    assert isinstance(run("5", "5", "--batch", batch, "-o", batch).exception, UsageError)


EMPTY = ["", " ", "\n", "$$", "$ $", r"\boxed{}", r"$\boxed{ }$"]


@pytest.mark.parametrize("kind", ["math", "integer", "choice"])
@pytest.mark.parametrize("gold", EMPTY)
def test_a_reference_that_states_nothing_is_refused(tmp_path, gold, kind):
    found = run(gold, "12", "--kind", kind).exception
    assert isinstance(found, UsageError)
    assert "GOLD" in str(found)
    batch, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    for form in ("response", "answer"):
        row = {"id": 1, "gold": gold, "prediction": "12", "task_kind": kind, "form": form}
        batch.write_text(json.dumps(row), encoding="utf-8")
        assert isinstance(run("--batch", batch, "-o", out).exception, Incomplete)
        line = json.loads(out.read_text(encoding="utf-8"))
        assert line["verdict"] == "error"
        assert "gold states no answer" in line["stage"]


@pytest.mark.parametrize("gold", ["0", r"\emptyset", r"\{\}", "()", "{}", r"\text{a}", "-"])
def test_a_short_reference_is_no_empty_one(gold):
    result = run(gold, f"\\boxed{{{gold}}}")
    assert not isinstance(result.exception, UsageError)


def test_the_help_says_that_a_batch_needs_an_output():
    text = " ".join(run("--help").output.split())
    assert "needs -o" in text
