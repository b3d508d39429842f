"""`harness doctor` about the versions of the engines' libraries."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from harness.cli.doctor import doctor
from harness.engines import versions


@pytest.fixture(autouse=True)
def quick_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """No hostile programs: they have their own tests."""
    monkeypatch.setattr("harness.judge.check", lambda: [(True, "judge: fine")])


def test_each_library_is_listed_with_its_version_and_whether_it_was_tried() -> None:
    result = CliRunner().invoke(doctor)
    for package in versions.PACKAGES:
        word, line = package.check()
        assert f"{word:8} {line}\n" in result.output


def test_a_library_below_its_lower_bound_is_a_finding_with_the_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.cli.doctor._FREE_GIB", 0)
    before = CliRunner().invoke(doctor).exit_code
    monkeypatch.setattr(versions, "version", lambda name: "2.5.1" if name == "torch" else "1000.0")
    result = CliRunner().invoke(doctor)
    assert "old      torch 2.5.1: the transformers engine needs 2.6.0 or later: " in result.output
    assert "pip install --upgrade 'torch>=2.6.0'" in result.output
    assert (before, result.exit_code) == (0, 1)
