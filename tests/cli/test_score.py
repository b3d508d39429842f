"""`harness score` on stored runs: what their problems say of clusters."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from harness.cli import run_command
from harness.storage.files import read_lines, write_lines
from harness.storage.run_folder import RunFolder
from harness.types import Problem, Provenance
from tests.support.run_folders import C, W, WriteRun

TASK = "practice_integer"


def problems(contests: Sequence[str | None]) -> list[Problem]:
    return [Problem(f"p{i:02}", "?", answer="1", provenance=Provenance(contest=contest))
            for i, contest in enumerate(contests)]  # fmt: skip


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (4, "problems error clustered by contest, 5 clusters"),
        (10, "problems error as of independent problems: clusters by contest: 2, too few"),
        (1, None),
    ],
)
def test_the_problems_error_is_over_contests_and_says_so(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str], size: int, said: str | None
) -> None:
    contests = [f"c{i // size}" for i in range(20)]
    verdicts = [[C, C] if (i // 4) % 2 else [W, W] for i in range(20)]
    folder = RunFolder(write_run(verdicts, problems=problems(contests))).task(TASK)
    independent = folder.scores().scores[0]
    assert run_command(["score", str(folder.path.parent)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert (said in out) if said else ("clusters" not in out)
    scores = folder.scores()
    assert independent.se_problems is not None and scores.scores[0].se_problems is not None
    wider = scores.scores[0].se_problems / independent.se_problems
    assert (wider > 1.5) if size == 4 else wider == pytest.approx(1)
    assert json.loads((folder.path / "scores.json").read_bytes())["clusters"] == (
        None if said is None else {"by": "contest", "n": 20 // size, "used": size == 4}
    )


def test_problems_stored_before_there_were_passages_are_read_and_scored(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run([[C, W]] * 3, problems=problems([None] * 3))
    path = run / TASK / "problems.jsonl"
    rows = [row for _, row in read_lines(path)]
    for row in rows:
        del row["provenance"]["passage"]
    write_lines(path, rows)
    assert run_command(["score", str(run)]) == 0
    assert "clusters" not in capsys.readouterr().out
    assert [p.provenance.passage for p in RunFolder(run).task(TASK).problems().values()] == [
        None
    ] * 3
