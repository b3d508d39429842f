"""Fixtures that several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.fakes import InlinePool
from tests.support.run_folders import WriteRun, run_writer

ROOT = Path(__file__).parent.parent

# A busy machine is no failure: no deadline for a single example.
settings.register_profile("harness", deadline=None)
settings.load_profile("harness")

# The practice model is so small that a second thread costs more than it gives.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real data that tests use where it exists; it is not part of the project."""
    folder = Path(os.environ.get("HARNESS_TEST_DATA", ROOT / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no test data: HARNESS_TEST_DATA names {folder}, which is not there")
    return folder.resolve()


@pytest.fixture
def inline_grading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grades in this process: a run starts no workers, which takes a second each."""
    monkeypatch.setattr("harness.workflows.evaluate.GradingPool", InlinePool)


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Write one task of a run in the test's folder."""
    return run_writer(tmp_path)


@pytest.fixture(scope="session")
def practice_model() -> Path:
    """The folder of the practice checkpoints."""
    return ROOT / "examples" / "practice-model"


@pytest.fixture(scope="session")
def sandbox() -> None:
    """Skips a test that judges programs where there is no sandbox, and says why."""
    from harness.judge import Judge
    from harness.judge.sandbox import JudgeUnavailable

    try:
        with Judge():
            pass
    except JudgeUnavailable as reason:
        pytest.skip(f"no sandbox here: {reason}")
