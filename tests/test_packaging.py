"""The built wheel, in an environment that has nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_one_top_level_name(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"harness"}
    for needed in (
        "harness/py.typed",
        "harness/tasks/aime.py",
        "harness/tasks/data/practice_integer.jsonl",
        "harness/reports/page/templates/report.html.jinja",
        "harness/reports/page/static/browser.js",
    ):
        assert needed in names
    assert "harness/reports/page/static/temml.min.js" in names or shutil.which("npm") is None
    assert any(
        n.startswith("harness/reports/baselines/data/") and n.endswith(".yaml") for n in names
    )


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    venv.create(environment, with_pip=True)
    python, console = environment / "bin" / "python", environment / "bin" / "harness"
    install = [python, "-m", "pip", "install", "--quiet", wheel]
    subprocess.run(install, check=True, cwd=tmp_path)

    def run(*command: str | Path) -> str:
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    assert "practice_integer" in run(console, "tasks")
    assert run(python, "-m", "harness", "--version") == run(console, "--version")
    run(python, "-c", "import importlib.util as u; assert not u.find_spec('tasks')")
    run(python, "-c", "import importlib.util as u; assert not u.find_spec('reports')")
    (tmp_path / "r.jsonl").write_text(
        '{"id": "a", "problem": "1/2+1/2?", "answer": "1", "responses": ["\\\\boxed{\\\\frac22}"]}\n'
    )
    run(console, "import", "r.jsonl", "--task", "math", "-o", "run")
    run(console, "report", "run", "-o", "page.html")
    assert "<html" in (tmp_path / "page.html").read_text()
    needs_extra = subprocess.run(
        [console, "run", "--model", "m", "--tasks", "practice_integer", "-o", "x"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert needs_extra.returncode == 2
    assert "pip install 'reasoning-harness[transformers]'" in needs_extra.stderr
