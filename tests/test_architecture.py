"""docs/architecture.md against the tree: every name in it exists, and nothing is left out."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
TEXTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("examples/*/README.md")),
]
NOT_IN_THE_TREE = re.compile(r"runs/|RUN/|RUNS/|TASK/|DIR/|\.venv")
"""What a text may name although it is only there once a command has run."""


def files() -> list[str]:
    """Every file of the checkout that git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the tree is compared in a git checkout only")
    return [name for name in found.stdout.split("\0") if name and (ROOT / name).exists()]


def two_levels(names: list[str]) -> set[str]:
    """The files and folders of the first two levels; a folder's name ends in a slash."""
    found = set()
    for name in names:
        parts = name.split("/")
        for depth in range(1, min(len(parts), 2) + 1):
            found.add("/".join(parts[:depth]) + ("/" if len(parts) > depth else ""))
    return found


def listed(text: str) -> dict[str, str]:
    """The tree in the page: path to its line."""
    block = re.search(r"## The tree\n.*?```\n(.*?)```", text, re.S)
    assert block is not None, "docs/architecture.md has no tree"
    found, folder = {}, ""
    for line in block[1].splitlines():
        name, _, about = line.strip().partition(" ")
        inside = line.startswith("  ")
        folder = folder if inside else name
        path = folder + name if inside else name
        assert path not in found, f"{path} is listed twice"
        found[path] = about.strip()
    return found


def test_the_tree_is_the_tree() -> None:
    tree = listed(PAGE.read_text(encoding="utf-8"))
    present = two_levels(files())
    missing, gone = sorted(present - tree.keys()), sorted(tree.keys() - present)
    assert not missing, f"add to the tree in docs/architecture.md: {missing}"
    assert not gone, f"remove from the tree in docs/architecture.md: {gone}"
    assert not [path for path, about in tree.items() if not about], "a line says nothing"


def test_a_file_that_is_not_listed_is_noticed() -> None:
    tree = listed("## The tree\n\n```\na/  one\n  b.py  two\nc  three\n```\n")
    assert tree == {"a/": "one", "a/b.py": "two", "c": "three"}
    assert two_levels(["a/b.py", "a/d/e/f.py", "c"]) == {"a/", "a/b.py", "a/d/", "c"}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_in_backticks_exist(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for name in re.findall(r"`([\w.-]+(?:/[\w.-]+)+/?)`", text):
        if re.search(r"\.(py|ya?ml|md|jsonl|sbatch)$|/$", name) and not NOT_IN_THE_TREE.match(name):
            assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_symbols_named_with_their_file_are_there() -> None:
    """`Name` (`path.py`) in the page: the file defines the name."""
    text = PAGE.read_text(encoding="utf-8")
    pairs = re.findall(r"`([A-Za-z_]+)`\s+\(`([\w/]+\.py)`\)", text)
    assert pairs
    for name, path in pairs:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(class|def|async def) {name}\b|^{name}\b.*=", source, re.M), (
            f"{path} has no {name}"
        )
