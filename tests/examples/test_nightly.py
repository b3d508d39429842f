"""The nightly example as its files run it: the workflow's steps, the cron line, the Slurm script."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.workflows.night_settings import read_night

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "nightly"
DAMAGE = [sys.executable, str(EXAMPLE / "damage.py")]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with the examples and an environment, whose runs are its own."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    command = tmp_path / ".venv" / "bin" / "harness"
    command.parent.mkdir(parents=True)
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" OMP_NUM_THREADS=1 exec "{sys.executable}" -m harness "$@"\n'
    )
    command.chmod(0o755)
    return tmp_path


def call(project: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a job with a bare environment would."""
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(project), **environment}
    return subprocess.run(command, cwd=project, env=bare, capture_output=True, text=True)


def workflow(project: Path, accept: str = "") -> str:
    """Run the workflow's own steps one after the other; the summary that it shows."""
    (job,) = yaml.safe_load((EXAMPLE / "github-actions.yml").read_text())["jobs"].values()
    summary = project / "summary.md"
    for step in job["steps"]:
        skipped = step.get("name") == "Accept a baseline" and not accept
        if "run" not in step or step["name"] == "Install" or skipped:
            continue
        done = call(project, "bash", "-e", "-c", step["run"], ACCEPT=accept, GITHUB_ACTOR="me",
                    RUNNER_TEMP=str(project), GITHUB_STEP_SUMMARY=str(summary))  # fmt: skip
        assert done.returncode == 0, (step["name"], done.stdout, done.stderr)
    return summary.read_text()


def cron(project: Path) -> subprocess.CompletedProcess[str]:
    """Run the cron line's command as cron does, by sh."""
    lines = (EXAMPLE / "crontab").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("15 2 * * * "))
    assert "PROJECT=/path/to/checkout" in lines
    command = line.removeprefix("15 2 * * * ")
    assert "%" not in command, "cron ends a command there"
    return call(project, "/bin/sh", "-c", command, PROJECT=str(project))


def history(project: Path) -> list[dict[str, Any]]:
    lines = (project / "runs" / "nightly" / "history.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.slow
def test_a_damaged_checkpoint_is_caught_and_the_message_says_what_changed(
    project: Path, practice_model: Path
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    training = project / "runs" / "practice-training"
    summary = workflow(project)
    assert "step-300: no baseline" in summary
    assert "harness accept runs/nightly/step-300" in summary.replace("\\", "")
    assert "no new checkpoint" in workflow(project, accept="step-300")
    ledger = json.loads((project / "runs" / "nightly" / "accepted.json").read_text())
    assert {row["run"] for row in ledger["accepted"].values()} == {"step-300"}

    shutil.copytree(practice_model / "late", training / "step-400")
    quiet = cron(project)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert "a rise on" in (project / "runs" / "nightly.txt").read_text()
    assert any(task["rise"] for task in history(project)[-1]["tasks"].values())

    damaged = training / "step-500"
    subprocess.run([*DAMAGE, practice_model / "late", damaged], check=True)
    caught = call(project, "bash", str(EXAMPLE / "nightly.sbatch"))
    assert caught.returncode == 1
    assert "step-500: regression against step-300" in caught.stdout
    assert re.search(r"made in another way: chat_template \w{16} against \w{16}", caught.stdout)
    assert re.search(r"practice_choice +regression +\d+\.\d +\d+\.\d +-\d+\.\d", caught.stdout)
    runs = [line["run"] for line in history(project)]
    assert runs == ["step-300", "step-400", "step-500"]

    assert (project / "runs" / "nightly-site" / "index.html").is_file()
    loud = cron(project)
    assert (loud.returncode, loud.stdout) == (0, ""), "nothing is new, nothing is said"
    again = call(project, ".venv/bin/harness", "nightly", "examples/nightly/nightly.yaml",
                 "--checkpoint", str(damaged.relative_to(project)))  # fmt: skip
    assert again.returncode == 1, "held again, with the samples that are there"


def test_cron_reports_what_fails(project: Path) -> None:
    failed = cron(project)
    assert failed.returncode == 2
    assert "'runs/practice-training/step-*' names no folder with a config.json" in failed.stdout


def test_damage_is_in_the_template_alone(practice_model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "damaged"
    command = [*DAMAGE, practice_model / "late", copy]
    subprocess.run(command, check=True)
    before = {path.name: path.read_bytes() for path in (practice_model / "late").iterdir()}
    after = {path.name: path.read_bytes() for path in copy.iterdir()}
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == ["chat_template.jinja"]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "is there already" in refused.stderr


def test_the_configuration_and_the_scripts_are_valid() -> None:
    settings = read_night(EXAMPLE / "nightly.yaml")
    text = (EXAMPLE / "nightly.yaml").read_text()
    known = set(re.findall(r"^(?:# )?([a-z_]+):", text, re.MULTILINE))
    assert known == set(type(settings).model_fields)
    subprocess.run(["bash", "-n", EXAMPLE / "nightly.sbatch"], check=True)
    document = yaml.safe_load((EXAMPLE / "github-actions.yml").read_text())
    assert set(document) >= {"name", "jobs"}
    assert os.access(EXAMPLE / "crontab", os.R_OK)
