"""What a server samples with of its own, as a part of the protocol that its engine states."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ProtocolMismatch
from harness.registry import find_tasks
from harness.storage.run_folder import RunFolder
from harness.workflows import engine_loading
from harness.workflows.compare import compare_runs
from harness.workflows.evaluate import evaluate
from harness.workflows.run_settings import RunSettings
from tests.support.fakes import FakeEngine, answer

TASK = "practice_integer"
NOT_NEUTRAL = {"engine": "openai", "server_kind": "unknown", "server_sampling": "not neutral"}
NEUTRAL = {"engine": "openai", "server_kind": "vllm"}
pytestmark = pytest.mark.usefixtures("inline_grading")


class Stating(FakeEngine):
    """An engine with a fingerprint of its own."""

    def __init__(self, stated: Mapping[str, Any]) -> None:
        super().__init__(lambda request: answer("1"))
        self._stated = stated

    def fingerprint(self) -> Mapping[str, Any]:
        return self._stated


def run(
    monkeypatch: pytest.MonkeyPatch, path: Path, stated: Mapping[str, Any], **more: Any
) -> RunFolder:
    monkeypatch.setattr(engine_loading, "load_engine", lambda *_, **__: Stating(stated))
    given = {"model": "m", "tasks": TASK, "output": path, "limit": 2, "k": 2, **more}
    settings = RunSettings(**given)
    asyncio.run(evaluate(find_tasks(TASK), settings, observe=lambda runs: lambda *_: None))
    return RunFolder(path)


def compare(base: RunFolder, new: RunFolder, *allow: str) -> Any:
    return asyncio.run(
        compare_runs(base.path, new.path, lambda name: find_tasks(name)[0], allow=allow)
    )


def test_a_run_that_is_not_neutral_compares_with_such_runs_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    neutral = run(monkeypatch, tmp_path / "neutral", NEUTRAL)
    one, two = (run(monkeypatch, tmp_path / name, NOT_NEUTRAL) for name in ("one", "two"))
    stored = json.loads((one.path / TASK / "protocol.json").read_text())
    assert stored["server_sampling"] == "not neutral"
    assert one.manifest().fingerprint["server_sampling"] == "not neutral"
    assert one.task(TASK).protocol().hash == two.task(TASK).protocol().hash
    assert one.task(TASK).protocol().hash != neutral.task(TASK).protocol().hash
    compare(one, two)
    with pytest.raises(ProtocolMismatch, match="server sampling: neutral against not neutral"):
        compare(neutral, one)
    (task,) = compare(neutral, one, "server_sampling").tasks
    assert "compared although server sampling: neutral against not neutral" in task.notes


def test_a_run_goes_on_with_a_server_of_its_own_kind_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    run(monkeypatch, path, NOT_NEUTRAL)
    assert len(list(run(monkeypatch, path, NOT_NEUTRAL, k=3).task(TASK).samples())) == 6
    with pytest.raises(ProtocolMismatch, match="server sampling: not neutral against neutral"):
        run(monkeypatch, path, NEUTRAL, k=4)


@pytest.mark.parametrize("name", ["served", "root"])
def test_a_run_does_not_go_on_with_another_model_behind_the_same_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "run"
    run(monkeypatch, path, {**NEUTRAL, name: "/ckpt/late"})
    with pytest.raises(ProtocolMismatch, match=f"{name}: .*late against .*early"):
        run(monkeypatch, path, {**NEUTRAL, name: "/ckpt/early"}, k=3)
    run(monkeypatch, path, {**NEUTRAL, name: "/ckpt/late"}, k=3)


def test_one_model_may_lie_in_another_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(monkeypatch, tmp_path / "run", {**NEUTRAL, "root": "/here/late"})
    run(monkeypatch, tmp_path / "run", {**NEUTRAL, "root": "/there/late"}, k=3)


def test_a_run_begun_before_kinds_were_known_goes_on_as_it_was_begun(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = {"engine": "openai", "owned_by": "us"}
    begun = run(monkeypatch, tmp_path / "run", old)
    before = begun.task(TASK).protocol().hash
    again = run(monkeypatch, tmp_path / "run", {**old, **NOT_NEUTRAL}, k=3)
    assert again.task(TASK).protocol().hash == before
    # Its samples were drawn with what this server now has switched off.
    with pytest.raises(ProtocolMismatch, match="server_kind: unknown against llamacpp"):
        run(monkeypatch, tmp_path / "run", {**old, "server_kind": "llamacpp"}, k=4)
    vllm = {"engine": "openai", "owned_by": "vllm"}
    run(monkeypatch, tmp_path / "vllm", vllm)
    run(monkeypatch, tmp_path / "vllm", {**vllm, **NEUTRAL, "root": "/ckpt/late"}, k=3)


def test_the_gate_of_a_run_compares_what_the_engine_states(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = run(monkeypatch, tmp_path / "base", NOT_NEUTRAL).path
    gated = {"until": "decided", "base": base}
    run(monkeypatch, tmp_path / "like", NOT_NEUTRAL, **gated)
    with pytest.raises(ProtocolMismatch, match="server sampling: not neutral against neutral"):
        run(monkeypatch, tmp_path / "unlike", NEUTRAL, **gated)
