"""One pass over the samples of a task: what it finds, and that figures and page share it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError
from harness.reports import observations
from harness.reports.figures.scores import figures
from harness.reports.graded import VERDICTS
from harness.reports.page.build import build
from harness.reports.page.chunks import Chunks
from harness.reports.page.html import render_html
from harness.reports.page.sample_index import gather
from harness.reports.results import read_results
from harness.reports.sample_lines import Lines
from harness.types import Verdict

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER
WriteRun = Callable[..., Path]


def test_figures_and_page_share_one_pass(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[Path] = []
    read = observations.read_lines

    def count(path: Path, *others: Any) -> Lines:
        passes.append(path)
        return read(path, *others)

    monkeypatch.setattr(observations, "read_lines", count)
    results = read_results([write_run([[C, W], [C, C]])])
    drawn = figures(results, ())
    html = render_html(build(results, (), figures=drawn))
    assert drawn["practice_integer"]
    assert 'id="chunk-0"' in html
    assert len(passes) == 1


def test_the_last_line_of_a_sample_counts(write_run: WriteRun) -> None:
    run = write_run([[C, W]])
    path = run / "practice_integer" / "samples.jsonl"
    again = json.loads(path.read_text().splitlines()[0]) | {"n_tokens": 7}
    with path.open("a") as file:
        file.write(json.dumps(again) + "\n")
    seen = read_results([run])[0].observed()
    assert seen.lengths.tokens.tolist() == [7, 130]
    assert seen.lines.numbers.tolist() == [3, 2]


def test_only_the_fields_of_a_sample_reach_the_page(write_run: WriteRun) -> None:
    run = write_run([[C, W]])
    path = run / "practice_integer" / "samples.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(json.dumps(json.loads(first) | {"note": "PRIVATE"}) + f"\n{second}\n")
    chunks = Chunks()
    chunks.add = lambda raw: added.append(raw)  # type: ignore[method-assign]
    added: list[bytes] = []
    gather(read_results([run]), chunks)
    rows = json.loads(added[0])
    assert [row["response"] for row in rows] == ["\\boxed{1}", "\\boxed{1}"]
    assert b"PRIVATE" not in added[0]


def test_an_internal_error_replaces_no_grade(write_run: WriteRun) -> None:
    run = write_run([[C, W]])
    path = run / "practice_integer" / "grades.jsonl"
    later = json.loads(path.read_text().splitlines()[0]) | {"verdict": "error"}
    with path.open("a") as file:
        file.write(json.dumps(later) + "\n")
    (result,) = read_results([run])
    assert result.graded is not None
    assert [VERDICTS[verdict] for verdict in result.graded.verdicts] == [C, W]
    assert (result.rates["p00"].correct, result.rates["p00"].graded) == (1, 2)


@pytest.mark.parametrize("line", ["[1]", '{"index": 1}', "7"])
def test_a_line_that_is_no_sample_is_named(write_run: WriteRun, line: str) -> None:
    run = write_run([[C, W]])
    path = run / "practice_integer" / "samples.jsonl"
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(DataError, match=r"samples\.jsonl, line 3: not what the harness writes"):
        read_results([run])[0].observed()
