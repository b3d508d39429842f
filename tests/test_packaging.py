"""How the tree becomes the package: the lists in setup.cfg, a bare checkout, the built wheel."""

from __future__ import annotations

import configparser
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILD_STEP = Path("reports/page/static/temml.py")


def options() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def mapping() -> dict[str, Path]:
    """Packages that lie in the tree under another name, by package."""
    lines = options()["options"]["package_dir"].strip().splitlines()
    return {name.strip(): ROOT / folder.strip() for name, folder in (x.split("=") for x in lines)}


def folder_of(package: str) -> Path:
    top = max((name for name in mapping() if f"{package}.".startswith(f"{name}.")), key=len)
    return mapping()[top].joinpath(*package.removeprefix(top).split("."))


def files() -> Iterator[Path]:
    """Every file of the package in the tree; caches are none."""
    for folder in mapping().values():
        yield from (p for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc")


def test_the_list_of_packages_is_the_tree() -> None:
    listed = options()["options"]["packages"].split()
    assert {folder_of(package) for package in listed} == {
        path.parent for path in files() if path.name == "__init__.py"
    }
    assert listed == sorted(listed)


def test_every_data_file_is_packaged_and_every_pattern_finds_one() -> None:
    patterns = {
        package: [pattern.strip() for pattern in value.split(",")]
        for package, value in options()["options.package_data"].items()
    }
    for package, globs in patterns.items():
        assert [p for p in globs if not list(folder_of(package).glob(p))] == [], package
    packages = sorted(options()["options"]["packages"].split(), key=len, reverse=True)
    for path in files():
        if path.suffix == ".py":
            assert (path.parent / "__init__.py").exists() or path == ROOT / BUILD_STEP, path
            continue
        package = next(p for p in packages if path.is_relative_to(folder_of(p)))
        inner = path.relative_to(folder_of(package)).as_posix()
        globs = patterns.get(package, [])
        assert any(fnmatch(inner, p) and inner.count("/") == p.count("/") for p in globs), path


def test_a_checkout_that_is_not_installed_says_what_to_do() -> None:
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n"
         "import harness.tasks"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "ImportError" in result.stderr
    assert "pip install --editable ." in result.stderr.splitlines()[-1]


def test_there_is_one_copy_of_the_package() -> None:
    assert importlib.util.find_spec("harness.harness") is None
    for name in ("harness", "harness.tasks", "harness.reports"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.submodule_search_locations == [str(folder_of(name))]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sdist, which lies beside it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_one_top_level_name(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"harness"}
    modules = {path for path in files() if path.suffix == ".py" and path != ROOT / BUILD_STEP}
    assert len(modules) == sum(name.endswith(".py") for name in names)
    for needed in (
        "harness/py.typed",
        "harness/tasks/aime.py",
        "harness/tasks/data/practice_integer.jsonl",
        "harness/reports/templates/report.html.jinja",
        "harness/reports/page/static/browser.js",
        "harness/reports/baselines/models.yaml",
    ):
        assert needed in names
    assert "harness/reports/page/static/temml.min.js" in names or shutil.which("npm") is None
    sources = [n for n in names if n.startswith("harness/reports/baselines/data/")]
    assert len(sources) == len(list((ROOT / "reports" / "baselines" / "data").glob("*.yaml")))


@pytest.mark.slow
def test_the_sdist_holds_what_the_wheel_is_built_from(wheel: Path) -> None:
    with tarfile.open(next(wheel.parent.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "setup.cfg", "README.md", "LICENSE", str(BUILD_STEP)}
    assert needed | {path.relative_to(ROOT).as_posix() for path in files()} <= names


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    venv.create(environment, with_pip=True)
    python, console = environment / "bin" / "python", environment / "bin" / "harness"
    install = [python, "-m", "pip", "install", "--quiet", "--no-compile", wheel]
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
