"""The site: what each run scored and how it compares, rebuilt only where something changed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.site import site
from harness.errors import DataError, UsageError
from harness.reports.facts import clock, find_runs, stamp
from harness.reports.page.site import STATE, build_site
from tests.support.html import Text
from tests.support.run_folders import WriteRun
from tests.support.sites import BAD, GOOD, C, E, W, add, no_figures


def built(runs: Path, output: Path, **options: Any) -> int:
    return build_site(runs, output, draw=no_figures, **options)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_every_link_of_every_page_leads_to_a_file(
    runs: Path, write_run: WriteRun, tmp_path: Path
) -> None:
    add(runs, write_run, "a", GOOD, day=1)
    add(runs, write_run, "deep/er/b", GOOD, day=2, task="aime24")
    site_dir = tmp_path / "site"
    assert built(runs, site_dir) == 5  # two runs, two tasks, the index
    pages = [Text(path) for path in site_dir.rglob("*.html")]
    assert len(pages) == 5
    for page in pages:
        assert not {"link", "img", "iframe"} & set(page.tags)
        for link in page.links:
            target = (page.path.parent / link.partition("#")[0]) if link[0] != "#" else page.path
            assert target.is_file(), link
    index = Text(site_dir / "index.html")
    assert {"a", "deep/er/b"} <= set(index.words)


def test_the_policy_admits_the_style_of_the_page_and_nothing_else(
    runs: Path, write_run: WriteRun, tmp_path: Path
) -> None:
    add(runs, write_run, "a", GOOD, day=1)
    built(runs, tmp_path / "site")
    for path in (tmp_path / "site").rglob("*.html"):
        html = path.read_text()
        style = html.partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
        assert policy.startswith("default-src 'none'; ")
        assert f"'sha256-{digest}'" in policy
        assert "unsafe" not in policy


def test_a_real_drop_stands_out_and_noise_does_not(
    runs: Path, write_run: WriteRun, tmp_path: Path
) -> None:
    add(runs, write_run, "n1", GOOD, day=1)
    add(runs, write_run, "n2", [[C, C, W, C]] * 20, day=2)
    built(runs, tmp_path / "site")
    assert "Nothing: every run is complete" in Text(tmp_path / "site" / "index.html").text
    add(runs, write_run, "n3", BAD, day=3)
    built(runs, tmp_path / "site")
    index = Text(tmp_path / "site" / "index.html").text
    (text,) = re.findall(r"practice_integer: n3 is below n2: (.*?)\.? n3 small-model", index)[
        :1
    ] or [""]
    assert re.match(r"\u221250\.0 \(\u22126\d\.\d to \u22123\d\.\d\)", text)
    assert index.index("n3 small-model") < index.index("n2 small-model") < index.index("n1 small")


def test_runs_of_another_protocol_are_not_compared(
    runs: Path, write_run: WriteRun, tmp_path: Path
) -> None:
    add(runs, write_run, "warm", GOOD, day=1)
    add(runs, write_run, "cold", BAD, day=2, sampling={"temperature": 0.7})
    add(runs, write_run, "warm2", GOOD, day=3)
    built(runs, tmp_path / "site")
    page = Text(tmp_path / "site" / "tasks" / "practice-integer.html").text
    assert page.count("Below: another protocol") == 2
    assert "temperature: 0.6 against 0.7" in page
    assert page.count("0.0 \u2212") == 1  # the two warm ones, and nothing else
    assert "Marked as real changes: 0 of 1 pairs." in page
    assert "Nothing: every run is complete" in Text(tmp_path / "site" / "index.html").text


def test_the_accepted_baseline_is_marked_and_compared_with(
    runs: Path, write_run: WriteRun, tmp_path: Path
) -> None:
    for day, (name, verdicts) in enumerate((("base", GOOD), ("mid", BAD), ("new", BAD)), 1):
        add(runs, write_run, name, verdicts, day=day)
    accepted = {"run": "base", "time": "2026-11-01T09:00:00+00:00"}
    (runs / "accepted.json").write_text(json.dumps({
        "accepted": {"practice_integer": accepted},
        "history": [{"task": "practice_integer", **accepted}],
    }))  # fmt: skip
    built(runs, tmp_path / "site")
    index = Text(tmp_path / "site" / "index.html").text
    assert "new is below the accepted base: \u221250.0 (\u2212" in index
    page = Text(tmp_path / "site" / "tasks" / "practice-integer.html").text
    assert page.count("\u221250.0 \u2212") == 3  # mid against both, new against the accepted one
    # mid against base is one pair in two columns
    assert "Marked as real changes: 2 of 3 pairs." in page
    assert "accepted baseline: base" in page
    assert "base, accepted 2026-11-01 09:00" in page
    (runs / "accepted.json").write_text('{"accepted": [1]}')
    with pytest.raises(DataError, match=r"accepted\.json"):
        built(runs, tmp_path / "site")


def test_only_what_changed_is_made_again(runs: Path, write_run: WriteRun, tmp_path: Path) -> None:
    add(runs, write_run, "a", GOOD, day=1)
    b = add(runs, write_run, "b", GOOD, day=2)
    output = tmp_path / "site"
    assert built(runs, output) == 4
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.html")}
    assert built(runs, output) == 0
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*.html")} == before
    scores = b / "practice_integer" / "scores.json"
    scores.write_text(
        scores.read_text().replace('"truncated_share": 0.0', '"truncated_share": 0.5')
    )
    assert built(runs, output) == 2  # the page of b and the task's; the index shows no share
    assert built(runs, output, rebuild=True) == 2  # the pages of runs, everything else is the same
    (next((output / "runs").glob("a-*")) / "index.html").unlink()
    assert built(runs, output) == 1


def test_other_baselines_make_the_pages_of_runs_again(
    runs: Path, write_run: WriteRun, tmp_path: Path
) -> None:
    add(runs, write_run, "a", GOOD, day=1)
    built(runs, tmp_path / "site")
    own = tmp_path / "own.yaml"
    own.write_text(
        "source: ours\ntitle: Our own\nscale: percent\nprotocols: {p: {}}\n"
        "columns: {c: {task: practice_integer, metric: pass@1, protocol: p, "
        "availability: reproducible}}\n"
        "tables: [{printed: notes, columns: [c], rows: [{model: small-model, values: [50.0]}]}]\n"
    )
    assert built(runs, tmp_path / "site", baselines=(own,)) == 1
    assert built(runs, tmp_path / "site", baselines=(own,)) == 0
    (page,) = (tmp_path / "site" / "runs").glob("*/index.html")
    assert "● small-model" in page.read_text()


def test_pages_of_runs_that_are_gone_go_and_nothing_else_does(
    runs: Path, write_run: WriteRun, tmp_path: Path
) -> None:
    add(runs, write_run, "a", GOOD, day=1)
    add(runs, write_run, "b", GOOD, day=2, task="aime24")
    output = tmp_path / "site"
    built(runs, output)
    (output / "notes.txt").write_text("mine")
    (output / "runs" / "mine").mkdir()
    shutil.rmtree(runs / "b")
    built(runs, output)
    assert sorted(path.name[:2] for path in (output / "runs").iterdir()) == ["a-", "mi"]
    assert [path.name for path in (output / "tasks").iterdir()] == ["practice-integer.html"]
    assert (output / "notes.txt").read_text() == "mine"
    assert not list(output.glob(".new-*"))


def test_a_run_that_cannot_be_read_is_shown_and_stops_nothing(
    runs: Path, write_run: WriteRun, tmp_path: Path
) -> None:
    add(runs, write_run, "good", GOOD, day=1)
    torn = add(runs, write_run, "torn", GOOD, day=2)
    (torn / "practice_integer" / "protocol.json").write_text("{")
    broken = add(runs, write_run, "broken", GOOD, day=3)
    (broken / "manifest.json").write_text("[]")
    half = add(runs, write_run, "half", [[C, None, E]] * 4, day=4)
    output = tmp_path / "site"
    built(runs, output)
    index = Text(output / "index.html")
    assert index.text.count("cannot be read") == 2
    assert "torn/practice_integer/protocol.json: not valid JSON" in index.text
    assert (
        "half is not complete: practice_integer: 4 of 12 samples graded, 4 ended in error."
        in index.text
    )
    assert half.name in index.words
    assert len(list((output / "runs").iterdir())) == 2


def test_hostile_names_stay_text(runs: Path, write_run: WriteRun, tmp_path: Path) -> None:
    name = "<img src=x onerror=y>"
    add(runs, write_run, name, GOOD, day=1, model="m/<script>alert(1)</script>")
    built(runs, tmp_path / "site")
    index = Text(tmp_path / "site" / "index.html")
    assert name in index.words
    assert not {"img", "script"} & set(index.tags)


def test_another_page_is_not_overwritten(runs: Path, write_run: WriteRun, tmp_path: Path) -> None:
    add(runs, write_run, "a", GOOD, day=1)
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(UsageError, match="did not make"):
        built(runs, tmp_path)
    assert (tmp_path / "index.html").read_text() == "mine"
    with pytest.raises(UsageError, match="not a folder of runs"):
        built(tmp_path / "none", tmp_path / "site")


def test_a_site_inside_the_folder_of_runs_is_no_run(
    runs: Path, write_run: WriteRun, tmp_path: Path
) -> None:
    a = add(runs, write_run, "a", GOOD, day=1)
    shutil.copytree(a, runs / "site" / "copy")
    shutil.copytree(a, runs / ".hidden")
    assert find_runs(runs, runs / "site") == [a]


def test_a_stamp_tells_any_change_of_a_file(write_run: WriteRun) -> None:
    run = write_run(GOOD)
    before = stamp(run)
    (run / ".lock").write_text("{}")
    assert stamp(run) == before
    os.utime(run / "practice_integer" / "grades.jsonl", ns=(1, 1))
    assert stamp(run) != before


def test_times_are_shown_in_one_zone() -> None:
    assert clock("2026-11-25T23:30:00-0200") == "2026-11-26 01:30:00"
    assert clock("2026-11-25T23:30:00.25+00:00") == "2026-11-25 23:30:00"
    assert clock("yesterday") == "yesterday"


def test_the_command_says_where_to_look(runs: Path, write_run: WriteRun, tmp_path: Path) -> None:
    add(runs, write_run, "a", [[C, W]], day=1)
    result = CliRunner().invoke(site, [str(runs), "-o", str(tmp_path / "site")])
    assert result.exit_code == 0, result.output
    assert f"wrote 3 pages; open {tmp_path / 'site' / 'index.html'}" in result.output
    assert (tmp_path / "site" / STATE).is_file()
    (page,) = (tmp_path / "site" / "runs").glob("*/index.html")
    assert "<figure>" in page.read_text()
