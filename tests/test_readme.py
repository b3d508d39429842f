"""The README as a new user reads it: every command runs as printed, or is listed here with a reason."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

BUILDS = "builds an environment of its own; .ci/run does it"
HUB = "needs a model or a dataset of the hub"
NOT_RUN = {
    "make demo": BUILDS,
    "make test": BUILDS,
    "harness run --model deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B --tasks "
    "aime24,math500,gpqa_diamond --preset r1-paper --engine vllm -o runs/distill-1.5b": HUB,
    "harness report runs/distill-1.5b --table r1-v2-table15 -o table.tex": "needs the run above",
    "harness baselines --nearest runs/distill-1.5b": "needs the run above",
    "sbatch examples/slurm/ray.sbatch --model /models/R1-Distill-Qwen-7B --tasks aime24,math500 "
    "--preset r1-paper -o runs/distill-7b": "needs a cluster under Slurm",
    "harness data check aime24": HUB,
    "harness doctor": "its exit code depends on the machine",
}
"""The commands that are not run here, and why."""

WRITTEN = {"report.html", "published.md", "runs/middle/manifest.json", "site/index.html"}
"""Some of what the commands leave behind."""


def commands() -> list[tuple[str, list[str]]]:
    """Every command of the console blocks, on one line without its comment, with its output."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", README, re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                command = re.sub(r"\s{2,}#.*$", "", line[2:])
                found.append((re.sub(r"\s+", " ", command).strip(), []))
            else:
                found[-1][1].append(line)
    return found


def data_files() -> dict[str, str]:
    """The files whose content the README shows: a name in backticks, then a block of JSON."""
    pattern = r"^`([\w.]+)` [^\n]*\n\n```json\n(.*?)```"
    return dict(re.findall(pattern, README, re.S | re.M))


def test_what_is_not_run_is_still_in_the_readme() -> None:
    known = {command for command, _ in commands()}
    assert NOT_RUN.keys() <= known, "a listed command is no longer in the README"


def test_every_command_is_one_that_a_shell_can_run_here() -> None:
    """A new kind of command must be added to what is run, or to what is not."""
    for command, _ in commands():
        name = command.split()[0]
        assert command in NOT_RUN or name in {"harness", "echo", "mkdir", "cp"}, command


@pytest.mark.slow
def test_every_command_runs_as_printed(tmp_path: Path) -> None:
    """In a folder that holds the examples, with the files that the README shows."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name, content in data_files().items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"}
    for command, output in commands():
        if command in NOT_RUN:
            continue
        result = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False, timeout=600,
        )  # fmt: skip
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
        for line in output:
            assert line in result.stdout, f"{command} printed\n{result.stdout}"
    for name in WRITTEN:
        assert (tmp_path / name).exists(), name
