"""vLLM's batch-invariant mode: asked for, refused where it is not there, named in the fingerprint."""

from __future__ import annotations

import argparse
import os

import pytest

from harness.engines.openai.options import parse_options
from harness.engines.settings import EngineSettings
from harness.engines.vllm.args import parse_engine_args
from harness.engines.vllm.invariance import (
    VARIABLE,
    batch_invariance,
    check_mode,
    is_batch_invariant,
)
from harness.errors import UsageError


@pytest.mark.parametrize(("text", "chosen"), [("true", True), ("no", False)])
def test_the_switch_is_no_argument_of_vllm(text: str, chosen: bool) -> None:
    args = parse_engine_args({"batch-invariant": text}, argparse.ArgumentParser())
    assert (args.batch_invariant, dict(args.values)) == (chosen, {})
    assert parse_engine_args({}, argparse.ArgumentParser()).batch_invariant is None


def test_it_is_true_or_false() -> None:
    with pytest.raises(UsageError, match="batch_invariant=maybe: true or false"):
        parse_engine_args({"batch_invariant": "maybe"}, argparse.ArgumentParser())


def test_processes_start_with_the_switch_and_later_ones_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    for chosen, value in ((True, "1"), (False, "0"), (None, None)):
        with batch_invariance(chosen):
            assert os.environ.get(VARIABLE) == value
        assert VARIABLE not in os.environ
    assert is_batch_invariant(True)
    assert not is_batch_invariant(False)


def test_a_build_or_a_device_without_the_mode_is_refused() -> None:
    check_mode("0.32.0", {VARIABLE: bool}, "cuda")
    with pytest.raises(UsageError, match=r"vLLM 0\.10\.2 has no batch-invariant mode"):
        check_mode("0.10.2", {}, "cuda")
    with pytest.raises(UsageError, match="on GPUs only, and ignores it on this CPU"):
        check_mode("0.32.0", {VARIABLE: bool}, "cpu")


def test_only_a_server_of_the_run_can_be_started_with_it() -> None:
    def given(**more: object) -> EngineSettings:
        options = {"batch_invariant": "true"}
        return EngineSettings(engine="openai", model="m", options=options, **more)  # type: ignore[arg-type]

    options = parse_options(given(serve=True))
    assert options.batch_invariant
    assert options.recorded() == {"batch_invariant": True}
    with pytest.raises(UsageError, match="it is for --serve"):
        parse_options(given(base_url="http://localhost:1/v1"))
