"""`harness nightly` and `harness accept` as a script sees them: exit codes, output, files."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.cli import run_command
from harness.errors import Interrupted
from tests.support.checkpoints import Trained, save

CONFIG = """\
checkpoints: out/*
run: {tasks: practice_integer, k: 4, limit: 8}
"""


@pytest.fixture(autouse=True)
def _night(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        "harness.workflows.engine_loading.make_engine", lambda settings: Trained(settings.model)
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("night.yaml").write_text(CONFIG)


def harness(*arguments: str) -> int:
    return run_command(list(arguments))


Captured = pytest.CaptureFixture[str]


def test_a_regression_exits_1_and_every_report_says_what_changed(capsys: Captured) -> None:
    save("step-1", 0.95)
    assert harness("nightly", "night.yaml") == 0
    assert (
        "no baseline yet for practice_integer: harness accept runs/step-1"
        in capsys.readouterr().out
    )
    assert harness("accept", "runs/step-1", "--note", "a good one") == 0
    assert "practice_integer: accepted step-1" in capsys.readouterr().out
    save("step-2", 0.1, chat_template="wrong")
    reports = ("--json", "n.json", "--markdown", "n.md", "--junit", "n.xml")
    assert harness("nightly", "night.yaml", *reports) == 1
    out = capsys.readouterr().out
    told = "made in another way: chat_template plain against wrong"
    assert "step-2: regression against step-1" in out
    assert told in out
    assert "pass@1 in points, n=4 against n=4" in out
    document = json.loads(Path("n.json").read_text())
    assert document["exit_code"] == 1
    (night,) = document["checkpoints"]
    assert night["fingerprint"]["chat_template"] == ["plain", "wrong"]
    assert len(night["comparison"]["tasks"][0]["problems"]) == 8
    markdown = Path("n.md").read_text()
    assert "### step-2: regression against step-1" in markdown
    assert told.replace("_", "\\_") in markdown or told in markdown
    suites = ElementTree.parse("n.xml").getroot()
    (suite,) = suites
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("step-2", "1", "1")
    assert (suite[0].get("name"), suite[0][0].tag) == ("practice_integer", "failure")


def test_a_report_that_cannot_be_written_does_not_hide_a_regression(capsys: Captured) -> None:
    save("step-1", 0.95)
    harness("nightly", "night.yaml")
    harness("accept", "runs/step-1")
    save("step-2", 0.1)
    Path("file").write_text("")
    assert harness("nightly", "night.yaml", "--markdown", "file/n.md") == 1
    assert "file/n.md: cannot be written" in capsys.readouterr().err


def test_nothing_new_exits_0_and_still_writes_the_reports(capsys: Captured) -> None:
    save("step-1")
    harness("nightly", "night.yaml")
    reports = ("--json", "n.json", "--markdown", "n.md", "--junit", "n.xml")
    assert harness("nightly", "night.yaml", *reports) == 0
    assert "no new checkpoint" in capsys.readouterr().out
    assert json.loads(Path("n.json").read_text()) == {"exit_code": 0, "checkpoints": []}
    assert Path("n.md").read_text() == "## no new checkpoint\n"
    assert list(ElementTree.parse("n.xml").getroot()) == []


def test_a_dry_run_lists_and_writes_nothing(capsys: Captured) -> None:
    save("step-1")
    save("step-2")
    assert harness("nightly", "night.yaml", "--dry-run") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:2] == ["out/step-1 -> runs/step-1", "out/step-2 -> runs/step-2"]
    assert out[2] == "2 to be evaluated; practice_integer has no baseline yet"
    assert not Path("runs").exists()


def test_what_was_found_before_an_interruption_is_told(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    save("step-1", 0.95)
    harness("nightly", "night.yaml")
    harness("accept", "runs/step-1")
    save("step-2", 0.1)
    save("step-3")
    from harness.cli import nightly

    real = nightly.run_async
    calls: list[object] = []

    def interrupted(work):
        calls.append(work)
        if len(calls) == 2:
            work.close()
            raise Interrupted("interrupted", 143)
        return real(work)

    monkeypatch.setattr(nightly, "run_async", interrupted)
    capsys.readouterr()
    assert harness("nightly", "night.yaml", "--json", "n.json") == 143
    assert "step-2: regression" in capsys.readouterr().out
    assert [c["run"] for c in json.loads(Path("n.json").read_text())["checkpoints"]] == ["step-2"]
    monkeypatch.setattr(nightly, "run_async", real)
    assert harness("nightly", "night.yaml", "--dry-run") == 0
    assert "out/step-3 -> runs/step-3" in capsys.readouterr().out
    assert harness("nightly", "night.yaml") == 1, "the regression was not seen by any exit code"
    assert "step-2: regression, found by a call that was ended" in capsys.readouterr().out
    assert harness("nightly", "night.yaml") == 0
    assert "step-2" not in capsys.readouterr().out


def test_a_failed_checkpoint_is_told_with_the_others(capsys: Captured) -> None:
    save("step-1", None)
    save("step-2")
    assert harness("nightly", "night.yaml", "--junit", "n.xml") == 2
    out = capsys.readouterr().out
    assert "step-1: failed" in out
    assert "the model cannot be loaded" in out
    assert out.strip().endswith("2 checkpoints; failed: step-1; no baseline: step-2")
    suites = ElementTree.parse("n.xml").getroot()
    assert [suite.get("errors") for suite in suites] == ["1", "0"]


def test_a_site_that_cannot_be_built_does_not_hide_a_regression(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[tuple[Path, Path]] = []

    Path("night.yaml").write_text(CONFIG + "site: pages\n")
    save("step-1", 0.95)
    with monkeypatch.context() as patch:
        patch.setattr("harness.cli.site.build", lambda *places: built.append(places))
        assert harness("nightly", "night.yaml") == 0
    assert built == [(Path("runs"), Path("pages"))]
    harness("accept", "runs/step-1")
    save("step-2", 0.1)
    Path("pages").write_text("in the way")
    assert harness("nightly", "night.yaml") == 1
    assert "site: " in capsys.readouterr().err
    assert harness("nightly", "night.yaml") != 0


def test_accept_refuses_lists_and_says_what_it_replaced(capsys: Captured) -> None:
    assert harness("accept", "--list") == 0
    assert "no run is accepted yet" in capsys.readouterr().out
    save("step-1", broken=True)
    save("step-2")
    assert harness("nightly", "night.yaml") == 4
    assert harness("accept", "runs/step-1") == 4
    assert "practice_integer: 32 samples ended in error" in capsys.readouterr().err
    assert harness("accept", "runs/step-1", "--force") == 0
    assert "although 32 samples ended in error" in capsys.readouterr().out
    assert harness("accept", "runs/step-2", "--tasks", "practice_integer", "--note", "whole") == 0
    assert "accepted step-2, in place of step-1" in capsys.readouterr().out
    assert harness("accept", "--list") == 0
    assert "practice_integer: step-2, accepted 2" in capsys.readouterr().out


LARGER = "checkpoints: out/*\nrun: {tasks: practice_integer, k: 16, limit: 30}\n"


def test_a_fall_over_nights_exits_1_and_stands_in_every_report(capsys: Captured) -> None:
    Path("night.yaml").write_text(LARGER)
    save("step-1", 0.87)
    assert harness("nightly", "night.yaml") == 0
    assert harness("accept", "runs/step-1") == 0
    for number in range(2, 8):
        save(f"step-{number}", 0.9)
    assert harness("nightly", "night.yaml") == 0
    save("step-8", 0.86)
    capsys.readouterr()
    reports = ("--json", "n.json", "--markdown", "n.md", "--junit", "n.xml")
    assert harness("nightly", "night.yaml", *reports) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "step-8: fall over nights against step-1" in out
    assert "to accept the lower level of practice_integer: harness accept runs/step-" in out
    assert "1.7 % for this night against the baseline, 1.7 % for the fall over nights" in out
    assert "over nights" in Path("n.md").read_text()
    (night,) = json.loads(Path("n.json").read_text())["checkpoints"]
    test = night["tasks"]["practice_integer"]["over_nights"]
    assert test["p"] <= test["level"]
    assert (test["since"], test["first"]) == ("step-1", "step-8")
    (suite,) = ElementTree.parse("n.xml").getroot()
    cases = {case.get("name"): case.find("failure") is not None for case in suite}
    assert cases["practice_integer over nights"]
    assert not cases["practice_integer"]


def test_accept_says_how_lucky_a_choice_is_and_how_to_draw_it_again(capsys: Captured) -> None:
    for number in range(1, 6):
        save(f"step-{number}", 0.7)
    harness("nightly", "night.yaml")
    rows = map(json.loads, Path("runs/history.jsonl").read_text().splitlines())
    scores = {row["run"]: row["tasks"]["practice_integer"]["score"] for row in rows}
    best, worst = max(scores, key=scores.__getitem__), min(scores, key=scores.__getitem__)
    capsys.readouterr()
    assert harness("accept", f"runs/{worst}") == 0
    out = capsys.readouterr().out
    mean = 100 * sum(scores.values()) / 5
    assert f"its own score {100 * scores[worst]:.1f}, the mean of the nights since the" in out
    assert f"the acceptance before (5) {mean:.1f} ± " in out
    assert "warning" not in out
    Path("runs/accepted.json").unlink()
    assert harness("accept", f"runs/{best}") == 0
    out = capsys.readouterr().out
    assert (
        "chosen for its score: the best of 5 nights; by chance alone the best of 5 lies 1.2" in out
    )
    (command,) = [line for line in out.splitlines() if "--redraw" in line]
    assert f"--checkpoint out/{best} --redraw" in command
    again = ("nightly", "night.yaml", "--checkpoint", f"out/{best}", "--redraw")
    assert harness(*again, "--dry-run") == 0
    assert f"out/{best} -> runs/{best}-redrawn" in capsys.readouterr().out
    assert not Path(f"runs/{best}-redrawn").exists()
    assert harness(*again) == 0
    assert f"harness accept runs/{best}-redrawn" in capsys.readouterr().out
    assert harness("accept", f"runs/{best}-redrawn") == 0
    assert "warning" not in capsys.readouterr().out


def test_a_damaged_line_of_the_history_is_told_and_stops_nothing(capsys: Captured) -> None:
    save("step-1")
    harness("nightly", "night.yaml")
    harness("accept", "runs/step-1")
    path = Path("runs/history.jsonl")
    path.write_text(path.read_text() + '{"time": "20\n')
    save("step-2")
    capsys.readouterr()
    assert harness("nightly", "night.yaml") in (0, 5)
    captured = capsys.readouterr()
    assert "warning: left out: runs/history.jsonl, line 2: not valid JSON" in captured.err
    assert "practice_integer: left out: runs/history.jsonl, line 2" in captured.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("accept",), "RUN is missing"),
        (("accept", "runs/nothing"), "is not a run folder"),
        (("accept", "runs/x", "--list"), "--list takes no RUN"),
        (("nightly", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (("nightly", "night.yaml", "--redraw", "--checkpoint", "out/step-9"), "names no folder"),
        (("nightly", "night.yaml"), "names no folder with a config.json"),
        (("nightly", "night.yaml", "--checkpoint", "out/step-9"), "'out/step-9' names no folder"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], words: str, capsys: Captured) -> None:
    assert harness(*arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line
