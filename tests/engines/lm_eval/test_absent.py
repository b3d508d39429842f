"""Where lm-eval is not installed, what needs it says so in one line."""

from __future__ import annotations

import sys

import pytest

from harness.engines import make_engine
from harness.engines.settings import EngineSettings
from harness.errors import UsageError
from harness.registry import find_tasks


@pytest.fixture(autouse=True)
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "lm_eval"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lm_eval", None)


def test_the_engine_names_the_extra() -> None:
    with pytest.raises(UsageError, match=r"needs lm_eval.*reasoning-harness\[lm-eval\]"):
        make_engine(EngineSettings(engine="lm_eval:hf", model="m"))


def test_a_task_of_lm_evals_names_the_extra() -> None:
    with pytest.raises(UsageError, match=r"tasks of lm-eval need .*reasoning-harness\[lm-eval\]"):
        find_tasks("practice_math,lm_eval:gsm8k")


def test_an_option_of_another_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="--replicas: the lm_eval engine has no use for it"):
        make_engine(EngineSettings(engine="lm_eval:hf", model="m", replicas=2))
