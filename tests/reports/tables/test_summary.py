"""The rows and lines of a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.reports.baselines.loader import load
from harness.reports.format import value_text
from harness.reports.results import Result, by_task, read_results
from harness.reports.tables.model import Table
from harness.reports.tables.protocol import protocol_table, runs_table
from harness.reports.tables.published import beside, conflict_text
from harness.reports.tables.summary import outcomes, problems, summary
from harness.storage.run_folder import RunFolder
from harness.types import Problem, Verdict
from tests.support.published_scores import few_scores

C, W, T, U, E = (
    Verdict.CORRECT,
    Verdict.WRONG_ANSWER,
    Verdict.TRUNCATED,
    Verdict.UNDECIDED,
    Verdict.ERROR,
)
WriteRun = Callable[..., Path]


def column(table: Table, head: str) -> list[str]:
    number = [column.head for column in table.columns].index(head)
    return [row.cells[number] for row in table.rows]


def summarise(results: Sequence[Result]) -> Table:
    return summary(by_task(results))


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("pass@1", 0.798, "79.8"),
        ("cons@64", 1.0, "100.0"),
        ("rating", 2029.0, "2029"),
        ("percentile", 96.3, "96.3"),
    ],
)
def test_values_are_printed_as_papers_do(metric: str, value: float, text: str) -> None:
    assert value_text(metric, value) == text


def test_summary_prints_errors_n_and_shares(write_run: WriteRun) -> None:
    run = write_run([[C, W, C, T], [C, C, U, C]])
    table = summarise(read_results([run]))
    assert column(table, "Metric") == ["pass@1 (n=4)", "cons@4 (n=4)"]
    assert column(table, "Score")[0] == "62.5"
    (score, *_) = RunFolder(run).task("practice_integer").scores().scores
    for name, ends in (
        ("95 %", score.interval_sampling),
        ("95 % by problems", score.interval_problems),
    ):
        assert column(table, name)[0] == " to ".join(f"{100 * end:.1f}" for end in ends)
    assert column(table, "Truncated") == ["12.5%", ""]
    assert column(table, "Undecided") == ["1", ""]
    assert column(table, "Reasoning") == ["100", ""]
    assert table.alerts == ()


def test_one_sample_a_problem_has_no_sampling_error(write_run: WriteRun) -> None:
    table = summarise(read_results([write_run([[C], [W]])]))
    assert column(table, "Score") == ["50.0"]
    assert (
        "practice_integer, late, pass@1: no sampling error: one sample per problem; its interval is "
        "the widest that any rates allow."
    ) in table.alerts


def test_summary_of_an_incomplete_run_says_so(write_run: WriteRun) -> None:
    table = summarise(read_results([write_run([[C, W], [E, None]])]))
    assert column(table, "Metric") == ["pass@1 (n≤2)"]
    assert column(table, "Errors") == ["1"]
    assert table.alerts[0] == (
        "practice_integer, late: incomplete: 1 pending, 1 ended in error; "
        "the run's own command resumes it."
    )


def test_summary_of_an_unscored_run_has_no_number(write_run: WriteRun) -> None:
    table = summarise(read_results([write_run([[C, W]], scored=False)]))
    assert column(table, "Metric") == ["no score"]
    assert column(table, "Score") == [""]
    assert table.alerts[0].startswith("practice_integer, late: not scored: run harness score")


def test_repeated_samples_are_told(write_run: WriteRun) -> None:
    problem = Problem("p", "What?", answer="1")
    run = write_run([[C, C, W]], problems=[problem], reasoning="x" * 300)
    (result,) = read_results([run])
    assert result.scored is not None
    assert result.scored.duplicates == 0  # the fixture numbers each reasoning
    path = run / "practice_integer" / "scores.json"
    path.write_text(path.read_text().replace('"duplicates": 0', '"duplicates": 2'))
    results = read_results([run])
    assert "2 samples repeat another one" in " ".join(summarise(results).alerts)
    assert column(outcomes(results), "late")[-1] == "2"


def test_outcomes_add_up_and_leave_out_what_did_not_happen(write_run: WriteRun) -> None:
    table = outcomes(read_results([write_run([[C, W, T, E], [C, U, W, None]])]))
    assert column(table, "Outcome") == [
        *("Samples", "Correct", "Wrong answer", "Truncated", "Undecided", "Error", "Pending"),
    ]
    counts = [int(text.partition(" ")[0]) for text in column(table, "late")]
    assert counts == [7, 2, 2, 1, 1, 1, 1]
    assert counts[0] == sum(counts[1:-1])
    assert table.alerts == ("late: server gone (samples: 1)",)


def test_hardest_problems_come_first(write_run: WriteRun) -> None:
    table = problems(read_results([write_run([[C, C], [W, W], [C, W]])]), show_masked=False)
    assert column(table, "Problem") == ["p01", "p02", "p00"]
    assert column(table, "late") == ["0/2", "1/2", "2/2"]
    assert column(table, "Reference answer") == ["2", "4", "0"]


def test_masked_tasks_hide_statements_and_answers(write_run: WriteRun) -> None:
    secret = [Problem("q1", "A secret question", answer="hidden gold")]
    results = read_results([write_run([[W, C]], masked=True, problems=secret)])
    hidden, shown = (problems(results, show_masked=show) for show in (False, True))
    assert "secret" not in repr(hidden)
    assert "hidden gold" not in repr(hidden)
    assert "--show-masked" in " ".join(hidden.notes)
    assert column(shown, "Statement") == ["A secret question"]
    assert column(shown, "Reference answer") == ["hidden gold"]


def test_long_statements_are_cut_to_one_line(write_run: WriteRun) -> None:
    long = [Problem("p", "word\n" * 200, answer="1")]
    (text,) = column(
        problems(read_results([write_run([[C]], problems=long)]), show_masked=False), "Statement"
    )
    assert len(text) < 170
    assert "\n" not in text
    assert text.endswith(" …")


def test_different_protocols_are_called_so(write_run: WriteRun) -> None:
    runs = [
        write_run([[C, W]], name="a", sampling={"max_tokens": 256}),
        write_run([[C, W]], name="b"),
    ]
    table = protocol_table(read_results(runs))
    settings = {row.cells[0]: row for row in table.rows}
    assert settings["Token cap"].cells[1] == "a: 256\nb: 32,768"
    assert settings["Token cap"].kind == "differs"
    assert settings["Temperature"].cells[1] == "0.6"
    assert settings["Source"].cells[1] == "problems of the test"
    assert table.alerts == (
        "Not the same protocol, so these scores do not compare: a and b differ in "
        "max tokens: 256 against 32768.",
    )
    same = protocol_table(read_results(runs[:1]))
    assert same.alerts == ()


def test_a_repetition_guard_and_what_it_cut_are_told(write_run: WriteRun) -> None:
    runs = [
        write_run([[C, W]], name="a", sampling={"repetition_guard": 8}),
        write_run([[C, W]], name="b"),
    ]
    path = runs[0] / "practice_integer" / "scores.json"
    path.write_text(path.read_text().replace('"looped": 0', '"looped": 3'))
    results = read_results(runs)
    settings = {row.cells[0]: row.cells[1] for row in protocol_table(results).rows}
    assert settings["Repetition guard"] == "a: 8 repeats\nb: off"
    alerts = " ".join(summarise(results).alerts)
    assert "a: 3 samples were cut by the repetition guard" in alerts
    assert "b: 3 samples" not in alerts


def test_runs_table_holds_the_whole_manifest(write_run: WriteRun) -> None:
    table = runs_table(read_results([write_run([[C]])]))
    assert {row.cells[0]: row.cells[1] for row in table.rows} == {
        "model": "some/where/small-model",
        "engine": "transformers",
        "dtype": "bfloat16",
        "versions.torch": "2.13.0",
        "harness": "0.1.0",
        "starts": "number 0, command harness run",
    }


def test_a_run_stands_among_the_published_scores_by_value(write_run: WriteRun) -> None:
    run = write_run([[C, C, C, W]] * 30, task="aime24", model="deepseek-ai/DeepSeek-R1")
    table = beside(read_results([run]), few_scores())
    models = column(table, "Model")
    place = models.index("late\nDeepSeek-R1")
    assert models[place - 1] == "o1-1217"  # 79.2 above 75.0
    assert models[place + 1] == "o1-0912"  # 74.4 below it
    (score, *_) = RunFolder(run).task("aime24").scores().scores
    low, high = (100 * end for end in score.interval_sampling)
    assert column(table, "pass@1")[place] == f"75.0\n{low:.1f} to {high:.1f}"
    assert column(table, "Source")[place] == "this report"
    assert table.rows[models.index("● DeepSeek-R1")].kind == "same"
    assert [row.kind for row in table.rows].count("run") == 1


def test_conflicts_are_marked_beside_a_run_and_never_averaged(write_run: WriteRun) -> None:
    table = beside(read_results([write_run([[C, W]], task="aime24")]), few_scores())
    values = {
        (model, source): value
        for model, source, value in zip(
            column(table, "Model"), column(table, "Source"), column(table, "pass@1"), strict=True
        )
    }
    llama, qwq = "DeepSeek-R1-Distill-Llama-8B", "QwQ-32B-Preview"
    assert values[qwq, "r1-paper tables 5, 6"] == "50.0 †"
    assert values[qwq, "r1-readme distilled models"] == "44.0 †"
    assert values[llama, "open-r1 README, quoted"] == "41.7 †"
    assert values[llama, "open-r1 README, measured again"] == "43.9"
    quoted = [key for key in values if key[1].endswith("quoted")]
    assert quoted == [(llama, "open-r1 README, quoted")]  # quotations that agree are left out
    assert any(alert.startswith(f"† Sources disagree on {qwq}") for alert in table.alerts)


def test_what_differs_from_a_stated_protocol_is_told(write_run: WriteRun) -> None:
    run = write_run([[C, W]] * 5, task="aime24", sampling={"temperature": 1.0, "max_tokens": 512})
    table = beside(read_results([run]), few_scores())
    assert table.alerts[0] == (
        "late is not under the protocol of open-r1, r1-paper, r1-readme: temperature 1.0 against 0.6, "
        "cap 512 against 32,768, problems 5 against 30."
    )
    equal = write_run([[C, W]] * 30, name="equal", task="aime24")
    assert not [a for a in beside(read_results([equal]), few_scores()).alerts if "equal" in a]


def test_a_task_without_baselines_says_so_in_a_line(write_run: WriteRun) -> None:
    table = beside(read_results([write_run([[C, W]])]), load().scores)
    assert table.rows == ()
    assert table.notes == ("There are no published scores for practice_integer.",)


def test_an_unscored_run_stands_last_without_a_value(write_run: WriteRun) -> None:
    run = write_run([[C, W]], task="aime24", scored=False)
    table = beside(read_results([run]), load().scores)
    assert table.rows[-1].cells[:2] == ("late\nsmall-model", "")
    assert table.rows[-1].cells[-1] == "not scored"


def test_conflict_text_names_every_place() -> None:
    from harness.reports.baselines.conflicts import conflicts

    texts = [conflict_text(group) for group in conflicts(few_scores())]
    assert (
        "DeepSeek-R1-Distill-Llama-8B, aime24 pass@1: 50.4 (r1-paper table 5, r1-readme distilled "
        "models); 41.7 (open-r1 README, quoted)" in texts
    )


def test_many_different_faults_show_the_most_frequent(write_run: WriteRun) -> None:
    run = write_run([[E] * 9, [C] * 9])
    path = run / "practice_integer" / "errors.jsonl"
    lines = path.read_text().splitlines()
    changed = [line.replace("gone", f"gone {i}") for i, line in enumerate(lines[:6])]
    path.write_text("\n".join([*changed, *lines[6:]]) + "\n")
    alerts = outcomes(read_results([run])).alerts
    assert len(alerts) == 5
    assert alerts[0] == "late: server gone (samples: 3)"
