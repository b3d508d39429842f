"""The vllm engine without vLLM: arguments, GPUs, processes, outputs, errors."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.engines import make_engine
from harness.engines.replicas import ReplicaLost
from harness.engines.settings import EngineSettings
from harness.engines.vllm import orphan
from harness.engines.vllm import start as vllm_start
from harness.engines.vllm.args import (
    EngineArgs,
    assign_devices,
    check_data_parallel,
    parse_engine_args,
)
from harness.engines.vllm.engine import requests_in_flight
from harness.engines.vllm.launch import PYTHON, launch_folder
from harness.engines.vllm.process import Processes, start_error
from harness.engines.vllm.request import cause, final_output, sampling_params
from harness.errors import DataError, EngineError, UsageError
from harness.interfaces import Request
from harness.sampling import Sampling
from harness.types import Prompt


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    """A few arguments of each kind that vLLM's parser has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tensor-parallel-size", "-tp", type=int)
    parser.add_argument("--max-model-len", type=int)
    parser.add_argument("--gpu-memory-utilization", type=float)
    parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--enforce-eager", action=argparse.BooleanOptionalAction)
    parser.add_argument("--logits-processors", nargs="+")
    parser.add_argument("--max-lora-rank", type=int, choices=[1, 8, 16, 32, 64], default=16)
    parser.add_argument("--model")
    return parser


def test_text_becomes_the_type_of_the_argument(parser: argparse.ArgumentParser) -> None:
    given = {
        "tensor_parallel_size": "2",
        "gpu-memory-utilization": "0.8",
        "dtype": "float32",
        "enforce_eager": "false",
        "logits_processors": "a.b,c.d",
        "lora": "adapter",
    }
    args = parse_engine_args(given, parser)
    assert args.lora == "adapter"
    assert args.gpus == 2
    assert args.values == {
        "tensor_parallel_size": 2,
        "gpu_memory_utilization": 0.8,
        "dtype": "float32",
        "enforce_eager": False,
        "logits_processors": ["a.b", "c.d"],
        "enable_lora": True,
    }


@pytest.mark.parametrize(
    ("config", "given", "rank"),
    [
        ({"r": 8}, {}, None),  # what vLLM allows in any case
        ({"r": 24}, {}, 32),
        ({"r": 8, "rank_pattern": {"q_proj": 64}}, {}, 64),
        ({"r": 24}, {"max_lora_rank": "64"}, 64),
        ({"r": "many"}, {}, None),  # vLLM says what is wrong with these
        ([], {}, None),
    ],
)
def test_an_adapters_rank_is_allowed(
    parser: argparse.ArgumentParser,
    tmp_path: Path,
    config: Any,
    given: dict[str, str],
    rank: int | None,
) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    values = parse_engine_args({"lora": str(tmp_path), **given}, parser).values
    assert values["enable_lora"] is True
    assert values.get("max_lora_rank") == rank


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("tensor_paralel_size", "2", "did you mean tensor_parallel_size?"),
        ("frobnicate", "2", "see `vllm serve --help`"),
        ("max_model_len", "long", "max_model_len=long: invalid int value: 'long'"),
        ("dtype", "float3", "dtype=float3: invalid choice: 'float3'"),
        ("enforce_eager", "maybe", "true or false"),
        ("model", "other", "use --model"),
        ("seed", "3", "use --seed"),
    ],
)
def test_a_bad_argument_is_named(
    parser: argparse.ArgumentParser, name: str, text: str, message: str
) -> None:
    with pytest.raises(UsageError) as error:
        parse_engine_args({name: text}, parser)
    assert message in str(error.value) and f"--engine-arg {name}" in str(error.value)


def test_vllms_own_data_parallelism_needs_a_seed_a_sample() -> None:
    args = EngineArgs({"data_parallel_size": 2})
    with pytest.raises(UsageError, match=r"one engine seed.*--replicas N.*--seeded"):
        check_data_parallel(args, seeded=False)
    check_data_parallel(args, seeded=True)
    check_data_parallel(EngineArgs(), seeded=False)


def test_each_replica_has_gpus_of_its_own_among_the_visible() -> None:
    assert assign_devices(2, 2, ["4", "5", "6", "7", "8"]) == [["4", "5"], ["6", "7"]]
    assert assign_devices(3, 1, ["GPU-a", "GPU-b", "GPU-c"]) == [["GPU-a"], ["GPU-b"], ["GPU-c"]]


def test_too_few_gpus_are_counted() -> None:
    with pytest.raises(UsageError, match="--replicas 3 with 2 GPUs each need 6 GPUs, and 4 are"):
        assign_devices(3, 2, ["0", "1", "2", "3"])


@pytest.fixture
def plain_params(monkeypatch: pytest.MonkeyPatch) -> None:
    """SamplingParams that only hold what they are given."""
    kinds = SimpleNamespace(
        RequestOutputKind=SimpleNamespace(FINAL_ONLY="final"),
        RepetitionDetectionParams=lambda **numbers: numbers,
    )
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(SamplingParams=SimpleNamespace))
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", kinds)


def params_of(sampling: Sampling, seed: int | None = None) -> Any:
    return sampling_params(Request("p", 0, Prompt("x"), sampling, seed), cap=7)


def test_what_is_not_stated_is_the_models_own_distribution(plain_params: None) -> None:
    params = params_of(Sampling(k=2))
    assert (params.temperature, params.top_p, params.seed, params.stop) == (1.0, 1.0, None, None)
    assert (params.n, params.max_tokens, params.output_kind) == (1, 7, "final")
    assert not params.detokenize


def test_the_repetition_guard_is_vllms_own_detection(plain_params: None) -> None:
    assert not hasattr(params_of(Sampling()), "repetition_detection")
    assert params_of(Sampling(repetition_guard=9)).repetition_detection == {
        "max_pattern_size": 64, "min_pattern_size": 8, "min_count": 9,
    }  # fmt: skip


def test_a_vllm_without_detection_refuses_the_guard(
    plain_params: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sys.modules["vllm.sampling_params"], "RepetitionDetectionParams")
    with pytest.raises(UsageError, match="--repetition-guard: this vLLM has no repetition"):
        params_of(Sampling(repetition_guard=9))


def test_stated_sampling_is_sent(plain_params: None) -> None:
    params = params_of(Sampling(k=2, temperature=0.6, top_p=0.95, stop=("</a>",)), seed=5)
    assert (params.temperature, params.top_p, params.seed) == (0.6, 0.95, 5)
    assert params.stop == ["</a>"]
    assert params.detokenize and not params.skip_special_tokens


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UsageError, match=r"needs vllm: pip install 'reasoning-harness\[vllm\]'"):
        make_engine(EngineSettings(engine="vllm", model="m"))


@pytest.mark.parametrize(
    ("error", "log", "kind", "message"),
    [
        (
            RuntimeError("Engine core initialization failed. See root cause above."),
            "Traceback\n  File x\ntorch.OutOfMemoryError: CUDA out of memory. Tried to\n",
            UsageError,
            "too little memory (CUDA out of memory. Tried to); lower max_model_len",
        ),
        (
            ValueError("1 validation error for ModelConfig\n  Value error, max_model_len (9) is"),
            "",
            UsageError,
            "vLLM does not start (max_model_len (9) is)",
        ),
        (OSError("no such file\nmore"), "", DataError, "cannot load the model (no such file)"),
    ],
)
def test_the_cause_of_a_failed_start_is_found(
    error: Exception, log: str, kind: type[Exception], message: str
) -> None:
    explained = start_error("m", error, log)
    assert isinstance(explained, kind)
    assert message in str(explained)


def test_the_cores_python_runs_a_prelude_and_keeps_its_output_apart(tmp_path: Path) -> None:
    log, python = tmp_path / "log", tmp_path / "python"
    text = PYTHON.format(prelude="'x = \"it is\"'", python=sys.executable, output=f">>{log} 2>&1")
    python.write_text(text)
    python.chmod(0o700)
    code = "import sys; print(x, sys.argv); sys.stderr.write('end')"
    done = subprocess.run(
        [python, "-B", "-c", code, "--flag", "a b"], capture_output=True, check=True
    )
    assert done.stdout == done.stderr == b""
    assert log.read_text() == "it is ['-c', '--flag', 'a b']\nend"


def test_a_folder_that_was_cleaned_away_is_made_again() -> None:
    """A node's /tmp may be cleaned while the engines of a long run go on; they may start again."""
    shutil.rmtree(launch_folder().log.parent)
    again = launch_folder()
    assert again.log.is_file()
    assert again.python != sys.executable
    assert again is launch_folder()


def test_a_child_ends_after_its_killed_parent() -> None:
    child = (
        f"import os, sys; exec(open({orphan.__file__!r}).read(), "
        "{'__name__': '__child__', 'PYTHON': sys.executable}); "
        "print(os.getpid(), flush=True); import time; time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    if Path(f"/proc/{pid}").exists():
        os.kill(pid, signal.SIGKILL)
        pytest.fail("it went on")


def outputs(*reasons: str) -> AsyncIterator[Any]:
    """What `AsyncLLM.generate` yields for requests that end for these reasons."""

    async def yielded() -> AsyncIterator[Any]:
        for reason in reasons:
            output = SimpleNamespace(finish_reason=reason, token_ids=[], stop_reason=None)
            yield SimpleNamespace(outputs=[output])

    return yielded()


def failing(error: Exception) -> AsyncIterator[Any]:
    """A `generate` that raises."""

    async def yielded() -> AsyncIterator[Any]:
        raise error
        yield

    return yielded()


RUNNING, STOPPED = SimpleNamespace(errored=False), SimpleNamespace(errored=True)


def test_what_a_core_aborts_as_it_stops_is_drawn_elsewhere() -> None:
    with pytest.raises(ReplicaLost, match="vLLM is stopping"):
        asyncio.run(final_output(RUNNING, outputs("abort"), cause))


def test_a_request_that_fails_in_a_running_core_is_one_error() -> None:
    with pytest.raises(EngineError, match="vLLM failed on this sample: no such token") as raised:
        asyncio.run(final_output(RUNNING, failing(ValueError("no such token")), cause))
    assert not isinstance(raised.value, ReplicaLost)


def test_the_cause_of_a_core_that_stopped_is_read_from_its_log() -> None:
    log = launch_folder().log
    log.write_text("ValueError: of an engine before\n")
    processes = Processes(logged=log.stat().st_size)
    with log.open("a") as file:
        file.write("Traceback\n  File x\ntorch.OutOfMemoryError: CUDA out of memory.\n")
        file.write(
            "Traceback\n  File y\nx.EngineDeadError: See stack trace (above) for the cause\n"
        )
    error = RuntimeError("EngineCore encountered an issue. See stack trace for the root cause.")
    with pytest.raises(ReplicaLost, match=r"vLLM stopped \(CUDA out of memory\.\)"):
        asyncio.run(final_output(STOPPED, failing(error), processes.stop_cause))


class Slow:
    """An engine whose start lasts until its processes are killed."""

    def __init__(self, *_: object, processes: Processes, **__: object) -> None:
        deadline = time.monotonic() + 20
        while not processes.unwanted and time.monotonic() < deadline:
            time.sleep(0.01)
        raise UsageError("vLLM does not start")


def test_a_run_that_is_interrupted_while_the_model_loads_does_not_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vllm_start, "read_engine_args", lambda settings: EngineArgs())
    monkeypatch.setattr(vllm_start, "VllmEngine", Slow)
    began = time.monotonic()
    with pytest.raises(UsageError):
        vllm_start.open_engine(
            EngineSettings(engine="vllm", model="m", stopped=lambda: time.monotonic() > began + 0.1)
        )
    assert time.monotonic() < began + 15


def test_ranks_of_vllms_own_keep_as_many_requests_each() -> None:
    config = SimpleNamespace(
        scheduler_config=SimpleNamespace(max_num_seqs=64),
        parallel_config=SimpleNamespace(data_parallel_size=8),
    )
    assert requests_in_flight(config) == 64 * 8 * 1.25


def test_context_parallelism_spreads_over_gpus() -> None:
    args = EngineArgs({"tensor_parallel_size": 2, "prefill_context_parallel_size": 2})
    assert args.gpus == 4
