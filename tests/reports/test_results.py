"""What a report reads from run folders, and how it names what is missing there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import DataError, UsageError
from harness.reports.results import Rate, read_results, scores_json
from harness.stats.metrics import tallies
from harness.stats.sample_outcomes import outcomes
from harness.stats.scores import SkippedMetric, mean_length
from harness.storage.files import Appender
from harness.storage.run_folder import RunFolder
from harness.types import Grade, Verdict

C, W, E = Verdict.CORRECT, Verdict.WRONG_ANSWER, Verdict.ERROR
WriteRun = Callable[..., Path]


def test_a_complete_run(write_run: WriteRun) -> None:
    (result,) = read_results([write_run([[C, W], [C, C]])])
    assert (result.run, result.task, result.model) == ("late", "practice_integer", "small-model")
    assert result.status == "complete"
    assert result.rates == {"p00": Rate(1, 2), "p01": Rate(2, 2)}
    assert result.scored is not None
    assert result.scored.scores[0].value == 0.75
    assert mean_length(result.scored.tokens.reasoning) == 100
    assert mean_length(result.scored.tokens.response) == 30
    assert result.scored.skipped == (
        SkippedMetric("cons@4", "needs 4 samples per problem, there are 2"),
    )


def test_json_has_one_row_a_metric_with_the_documented_keys(write_run: WriteRun) -> None:
    rows = scores_json(read_results([write_run([[C, W, W, C], [C, C, W, C]])]))["scores"]
    assert [row["metric"] for row in rows] == ["pass@1", "cons@4"]
    assert set(rows[0]) == {
        *("run", "task", "metric", "scoring", "value", "se_sampling", "se_problems"),
        *("n_problems", "n", "k", "verdicts", "complete", "interval_sampling"),
        *("interval_problems", "of_problems", "ragged", "n_range"),
    }
    first = rows[0]
    assert (first["value"], first["n"], first["k"], first["n_problems"]) == (0.625, 8, 4, 2)
    assert first["scoring"] == "integer"
    assert sum(first["verdicts"].values()) == first["n"]
    p = [0.5, 0.75]  # sampling variance: the sum of p(1-p)/(n-1) over the problems, by m squared
    assert first["se_sampling"] == pytest.approx((sum(x * (1 - x) / 3 for x in p) / 4) ** 0.5)


def test_a_sample_that_was_graded_twice_counts_once_everywhere(write_run: WriteRun) -> None:
    """With its last grade, and never with an internal error after it."""
    path = write_run([[C, W], [C, C]])
    folder = RunFolder(path).task("practice_integer")
    again = Appender(folder.path / "grades.jsonl")
    again.append([Grade("p00", 1, C, answer="1"), Grade("p01", 0, W, answer="2")])
    again.append([Grade("p01", 1, E, detail="the grader died")])
    again.close()
    (result,) = read_results([path])
    assert result.rates == {"p00": Rate(2, 2), "p01": Rate(1, 2)}
    counted = {id: Rate(t.correct, t.n) for id, t in tallies(folder.grades()).items()}
    assert counted == result.rates
    drawn = outcomes(folder.samples(), folder.grades())
    assert {id: Rate(t.correct, t.n) for id, t in tallies(drawn).items()} == result.rates


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([[C, None], [C, C]], "incomplete: 1 pending; the run's own command resumes it"),
        ([[C, E], [C, C]], "incomplete: 1 ended in error; the run's own command resumes it"),
        ([[C, E], [None, C]], "incomplete: 1 pending, 1 ended in error; the run's own"),
    ],
)
def test_an_incomplete_run_says_what_is_missing(
    write_run: WriteRun, verdicts: list[list[Verdict | None]], status: str
) -> None:
    (result,) = read_results([write_run(verdicts)])
    assert result.status.startswith(status)
    assert not result.complete


def test_open_faults_are_told_and_mended_ones_are_not(write_run: WriteRun) -> None:
    run = write_run([[C, E], [C, E]])
    (before,) = read_results([run])
    assert before.internal_errors == {"server gone": 2}
    grades = Appender(run / "practice_integer" / "grades.jsonl")
    grades.append([Grade("p00", 1, C, "0")])
    grades.close()
    (after,) = read_results([run])
    assert after.internal_errors == {"server gone": 1}
    assert after.status.startswith("scored before the last samples were graded: run harness score")


def test_an_unscored_run_names_the_command(write_run: WriteRun) -> None:
    run = write_run([[C, W]], scored=False)
    (result,) = read_results([run])
    assert result.status == (
        f"not scored: run harness score {run}, or the run's own command to complete it"
    )
    assert scores_json([result]) == {"scores": []}


def test_scores_of_another_protocol_are_not_passed_off(write_run: WriteRun) -> None:
    run = write_run([[C, W]])
    path = run / "practice_integer" / "scores.json"
    path.write_text(path.read_text().replace('"protocol": "', '"protocol": "0'))
    (result,) = read_results([run])
    assert result.status == f"scored under another protocol: run harness score {run}"


def test_runs_of_one_name_are_told_apart(write_run: WriteRun) -> None:
    runs = [write_run([[C, W]], name=f"{night}/late") for night in ("monday", "tuesday")]
    assert [result.run for result in read_results(runs)] == [str(run) for run in runs]


def test_the_same_run_twice_is_refused(write_run: WriteRun) -> None:
    run = write_run([[C, W]])
    with pytest.raises(UsageError, match="given twice"):
        read_results([run, run.parent / "." / run.name])


def test_a_run_without_tasks_is_refused(write_run: WriteRun, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    manifest = (write_run([[C]]) / "manifest.json").read_bytes()
    (tmp_path / "empty" / "manifest.json").write_bytes(manifest)
    with pytest.raises(UsageError, match="empty holds no task yet"):
        read_results([tmp_path / "empty"])


@pytest.mark.parametrize("content", ["{}", '{"scores": [{"metric": "pass@1"}]}', '{"scores": 3}'])
def test_damaged_scores_name_the_file_and_the_command(write_run: WriteRun, content: str) -> None:
    run = write_run([[C]])
    (run / "practice_integer" / "scores.json").write_text(content)
    with pytest.raises(DataError, match=r"scores.json: not what .*run: harness score"):
        read_results([run])


def test_a_run_of_nothing_but_errors_is_not_complete(write_run: WriteRun) -> None:
    (result,) = read_results([write_run([[E, E]])])
    assert result.scored is not None
    assert result.scored.scores == ()
    assert result.status.startswith("incomplete: 2 ended in error")
