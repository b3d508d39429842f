"""Replicas and graders on a Ray cluster of two nodes on this machine, with the practice model."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.engines import make_engine
from harness.engines.ray import start as ray_start
from harness.engines.ray.cluster import Cluster
from harness.engines.settings import EngineSettings
from harness.errors import DataError
from harness.interfaces import Completion, Request
from harness.judge.sandbox import JudgeUnavailable
from harness.pipeline.grading_pool import GradingPool, Job
from harness.pipeline.grading_ray import RayGrading, RayWorker
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer, silent
from harness.registry import tasks
from harness.sampling import Sampling
from harness.storage.run_folder import RunFolder
from harness.types import Grade, Prompt, Sample, Verdict
from harness.workflows.evaluate import evaluate
from harness.workflows.run_settings import RunSettings
from tests.support.engines import Borrowed, Loop, close_scores, hold_back, running
from tests.support.processes import none_left
from tests.support.runs import PROBLEMS, FragileGrader

pytestmark = pytest.mark.engines
TASK = "practice_integer"
ROOT = Path(__file__).parents[3]
WILD = Sampling(k=64, temperature=5.0, max_tokens=30)


@pytest.fixture(autouse=True)
def no_actor_is_left() -> Iterator[None]:
    with none_left("ray::Host", "ray::GradingActor"):
        yield


def settings(late: str, cluster: Any, output: Path, **options: Any) -> RunSettings:
    values: dict[str, Any] = {
        "engine": "ray:transformers", "replicas": 2, "k": 6, "limit": 40,
        "ray_address": cluster.address, "engine_arg": {"batch_size": "16"}, **options,
    }  # fmt: skip
    return RunSettings(model=late, tasks=TASK, output=output, **values)


def check_whole(output: Path, k: int, problems: int) -> None:
    """Every sample is there once, and graded once."""
    (folder,) = RunFolder(output).tasks()
    for rows in ([s.key for s in folder.samples()], [g.key for g in folder.grades()]):
        assert len(rows) == k * problems
        assert Counter(rows).most_common(1)[0][1] == 1
    assert folder.scores().complete
    assert folder.errors() == []


def ask(index: int) -> Request:
    return Request("p", index, Prompt("What is 17 + 25?"), WILD)


def draw(given: EngineSettings, count: int) -> list[Completion]:
    async def work() -> list[Completion]:
        engine = make_engine(given)
        try:
            return await asyncio.gather(*(engine.generate(ask(i)) for i in range(count)))
        finally:
            await engine.close()

    return asyncio.run(work())


class Lives:
    """Which life of which replica completed how many samples, and in which process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.samples: Counter[tuple[int, int]] = Counter()
        self.pids: dict[tuple[int, int], int] = {}
        counts, pids = self.samples, self.pids

        class Counting(ray_start.RemoteEngine):
            def __init__(
                self, s: Any, needs: Any, *, replica: int, restart: int, notify: Any
            ) -> None:
                super().__init__(s, needs, replica=replica, restart=restart, notify=notify)
                self.key = replica, restart

            async def ready(self) -> None:
                await super().ready()
                pids[self.key] = await self._actor.__ray_call__.remote(lambda _: os.getpid())

            async def generate(self, request: Request) -> Completion:
                completion = await super().generate(request)
                counts[self.key] += 1
                return completion

        monkeypatch.setattr(ray_start, "RemoteEngine", Counting)


def test_a_node_that_joins_late_gets_samples_and_its_loss_costs_none(
    late: str, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives = Lives(monkeypatch)
    nodes: list[Any] = []
    lost: list[int] = []
    sampled = 0

    # Each takes all of a node's CPUs, so the second one waits for a node.
    given = settings(
        late, cluster, tmp_path, engine_arg={"batch_size": "8", "cpus": "4", "gpus": "0"}
    )

    def go(replicas: Any) -> bool:
        """The second replica finds work, however late its node is."""
        return sampled < 20 or running(replicas) == 2 or bool(lost)

    def observe(runs: Sequence[TaskRun]) -> Observer:
        def event(name: str, task: str, verdict: Verdict | None) -> None:
            nonlocal sampled
            sampled += name == "sampled"
            if sampled >= 20 and not nodes:
                nodes.append(cluster.add_node(num_cpus=4))
            if lives.samples[1, 0] >= 24 and not lost:
                lost.append(sampled)
                cluster.remove_node(nodes[0])

        return event

    hold_back(monkeypatch, go)
    asyncio.run(evaluate([tasks()[TASK]], given, observe=observe))
    check_whole(tmp_path, k=6, problems=40)
    assert lost and lost[0] < 6 * 40
    notices = RunFolder(tmp_path).manifest().starts[0].notices
    assert any("2 replicas are asked for and the cluster holds 1" in n for n in notices)
    assert any("engine 1 stopped" in n for n in notices)


def test_no_two_draws_are_the_same_across_replicas_lives_and_a_resume(
    late: str, cluster: Any
) -> None:
    given = EngineSettings(
        engine="ray:transformers", model=late, replicas=2, seed=1, ray_address=cluster.address,
        options={"batch_size": "8"},
    )  # fmt: skip
    first = draw(given, 64)
    resumed = draw(replace(given, seed=2), 64)
    texts = [completion.text for completion in (*first, *resumed)]
    long = [text for text in texts if len(text) > 20]  # any token may be the end: some are empty
    assert len(texts) == 128 and len(long) > 64
    assert len(set(long)) == len(long)


def test_a_model_that_is_not_on_the_node_is_an_error_that_names_it(cluster: Any) -> None:
    given = EngineSettings(
        engine="ray:transformers", model="/nowhere/model", ray_address=cluster.address
    )
    with pytest.raises(DataError, match=r"on node .*/nowhere/model: there is no such model folder"):
        make_engine(given)


def grade_all(
    cluster: Any, graders: Sequence[Any], texts: Sequence[str], told: list[str], local: int = 1
) -> tuple[dict[str, Verdict], list[int]]:
    """Verdicts by response, and how many samples each worker on the cluster graded."""
    verdicts: dict[str, Verdict] = {}
    counts: list[int] = []
    up: list[bool] = []

    async def work() -> None:
        elsewhere = RayGrading(cluster.address, graders, told.append, local=local)
        try:
            async with GradingPool(1, seconds=20, elsewhere=elsewhere) as pool:
                async with asyncio.timeout(300):  # for a hang: until there is a worker, or none
                    while not (told or up):
                        await asyncio.sleep(0.05)
                for index, text in enumerate(texts):
                    sample = Sample("0", index, None, text, "stop")

                    def done(grade: Grade, text: str = text) -> None:
                        verdicts[text] = grade.verdict

                    await pool.put(Job(graders[0], PROBLEMS[0], sample, done))
                await pool.drain()
        finally:
            await elsewhere.close()

    ready, real = RayWorker.ready, RayWorker.grade

    async def noted(self: RayWorker) -> bool:
        up.append(await ready(self))
        return up[-1]

    async def grade(self: RayWorker, chunk: Any, seconds: float) -> list[Grade]:
        grades = await real(self, chunk, seconds)
        counts.append(len(grades))
        return grades

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RayWorker, "ready", noted)
        patch.setattr(RayWorker, "grade", grade)
        asyncio.run(work())
    return verdicts, counts


def test_a_grader_that_dies_or_raises_on_the_cluster_spoils_one_sample_only(
    cluster: Any,
) -> None:
    good = [f"fine {number}" for number in range(400)]
    texts = [*good[:200], "die", "raise", *good[200:]]
    told: list[str] = []
    verdicts, counts = grade_all(cluster, [FragileGrader()], texts, told)
    assert verdicts == dict.fromkeys(good, Verdict.CORRECT) | {
        "die": Verdict.ERROR,
        "raise": Verdict.ERROR,
    }
    assert sum(counts) > 0  # how many it takes depends on what else this machine does
    assert told == []


@dataclass(frozen=True)
class NeedsHome(FragileGrader):
    """A grader that finds its sandbox in this process only."""

    home: int = 0

    def ready(self) -> None:
        if os.getpid() != self.home:
            raise JudgeUnavailable("no sandbox: bubblewrap is missing")


def test_a_node_without_a_sandbox_grades_nothing_and_says_so(cluster: Any) -> None:
    texts = [f"fine {number}" for number in range(50)]
    told: list[str] = []
    verdicts, counts = grade_all(cluster, [NeedsHome(home=os.getpid())], texts, told)
    assert verdicts == dict.fromkeys(texts, Verdict.CORRECT)
    assert counts == []
    assert len(told) == 1 and "grades nothing: no sandbox: bubblewrap is missing" in told[0]


def test_grades_from_the_cluster_are_those_from_here(
    late: str, cluster: Any, tmp_path: Path, sandbox: None
) -> None:
    """On the run's own samples of a task that runs programs, graded in both places."""
    common = {"engine": "transformers", "replicas": None, "engine_arg": {}, "limit": 12, "k": 2}
    grades = []
    for where in ("local", "ray"):
        given = settings(
            late, cluster, tmp_path / where, **common, seeded=True, grade_on=where,
        )  # fmt: skip
        if where == "local":
            given = given.model_copy(update={"ray_address": None})
        asyncio.run(
            evaluate([tasks()["practice_code"]], given, observe=lambda runs: lambda *event: None)
        )
        (folder,) = RunFolder(tmp_path / where).tasks()
        grades.append({g.key: (g.verdict, g.answer) for g in folder.grades()})
    assert len(grades[0]) == 24
    assert grades[0] == grades[1]
    assert {verdict for verdict, _ in grades[0].values()} != {Verdict.ERROR}
    problems, samples = folder.problems(), list(folder.samples())
    grader = tasks()["practice_code"].grader

    async def by_one_worker() -> list[Grade]:
        with Cluster(cluster.address) as held:
            worker = RayWorker(held, held.nodes()[0])
            assert await worker.ready()
            try:
                return await worker.grade(
                    [(grader, problems[s.problem_id], s) for s in samples], 99
                )
            finally:
                worker.kill()

    found = asyncio.run(by_one_worker())
    assert {g.key: (g.verdict, g.answer) for g in found} == grades[0]


def test_a_run_starts_a_cluster_of_its_own_and_leaves_nothing_behind(
    late: str, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    command = [
        sys.executable, "-m", "harness", "run", "--model", late, "--tasks", TASK, "--limit", "4",
        "--k", "2", "--engine", "ray:transformers", "--replicas", "2", "-o", str(tmp_path),
    ]  # fmt: skip
    environment = {name: v for name, v in os.environ.items() if name != "RAY_ADDRESS"}
    with none_left("raylet/raylet", "gcs_server"):
        result = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
        )
    assert result.returncode == 0, result.stderr
    assert not re.search(r"\bRay\b|Token|WARNING|raylet", result.stderr)
    check_whole(tmp_path, k=2, problems=4)


ENDED = """
import asyncio, os, signal, sys
from harness.cli.interrupt import run_async
from harness.engines.ray.cluster import Cluster
from harness.errors import Interrupted

async def work():
    held = await asyncio.to_thread(Cluster, sys.argv[1])
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(4)  # as engines may take to end
        held.close()

try:
    run_async(work())
except Interrupted as error:
    sys.exit(error.exit_code)
"""


def test_a_run_on_a_cluster_that_gets_sigterm_ends_in_order(cluster: Any) -> None:
    command = [sys.executable, "-c", ENDED, cluster.address]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert (result.returncode, result.stderr) == (143, "")


def test_the_connection_is_shared_and_ends_with_its_last_user(cluster: Any) -> None:
    import ray

    with Cluster(cluster.address) as first:
        assert [node.here for node in first.nodes()] == [True]
        with Cluster(cluster.address):
            pass
        assert ray.is_initialized()
    assert not ray.is_initialized()


def test_a_vllm_actor_killed_in_mid_run_loses_nothing_and_the_score_is_the_models(
    late: str, cluster: Any, embedded: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("vllm")
    lives = Lives(monkeypatch)
    killed: list[int] = []

    def observe(runs: Sequence[TaskRun]) -> Observer:
        def event(name: str, task: str, verdict: Verdict | None) -> None:
            if not killed and lives.samples[1, 0] >= 20:
                killed.append(lives.pids[1, 0])
                os.kill(lives.pids[1, 0], signal.SIGKILL)

        return event

    given = settings(
        late, cluster, tmp_path / "ray", engine="ray", k=8, concurrency=64, reasoning_budget=30,
        engine_arg={"enforce_eager": "true", "dtype": "float32", "max_model_len": "512",
                    "max_num_seqs": "32"},
    )  # fmt: skip
    with none_left("EngineCore"):
        hold_back(monkeypatch, lambda replicas: running(replicas) == 2 or bool(killed))
        (result,) = asyncio.run(evaluate([tasks()[TASK]], given, observe=observe))
    check_whole(tmp_path / "ray", k=8, problems=40)
    assert killed
    assert sum(lives.samples.values()) == 320
    assert lives.samples[0, 0] and lives.samples[1, 0]
    manifest = RunFolder(tmp_path / "ray").manifest()
    assert manifest.fingerprint["engine"] == "ray:vllm"
    assert manifest.fingerprint["reasoning_budget"].startswith("cut and continued")
    (folder,) = RunFolder(tmp_path / "ray").tasks()
    samples = list(folder.samples())
    assert max(sample.n_reasoning_tokens or 0 for sample in samples) == 30
    assert all(sample.response for sample in samples)
    assert [n for n in manifest.starts[0].notices if "engine 1 stopped and is restarted" in n]
    plain = settings(late, cluster, tmp_path / "plain", reasoning_budget=30).model_copy(
        update={"engine": "transformers", "k": 8, "replicas": None, "ray_address": None}
    )
    monkeypatch.setattr(
        "harness.workflows.engine_loading.make_engine", lambda given: Borrowed(embedded.engine)
    )
    (here,) = embedded.run(evaluate([tasks()[TASK]], plain, observe=lambda runs: silent))
    assert close_scores(here.scores[0], result.scores[0])


SRUN = """#!/bin/bash
# Runs the command once per task, as srun would on nodes of their own.
for word do case $word in --ntasks=*) tasks=${word#*=};; --*) ;; *) break;; esac; shift; done
trap 'kill $(jobs -p)' TERM
for ((task = 0; task < tasks; task++)); do "$@" & done
wait; wait
"""


def test_the_batch_script_starts_a_head_two_nodes_and_the_run(late: str, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    shims = tmp_path / "bin"
    shims.mkdir()
    for name, text in {"srun": SRUN, "scontrol": "#!/bin/sh\necho 127.0.0.1\necho other\n"}.items():
        (shims / name).write_text(text)
        (shims / name).chmod(0o755)
    (shims / "harness").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n')
    (shims / "harness").chmod(0o755)
    (shims / "ray").symlink_to(Path(sys.executable).parent / "ray")
    environment = {
        **os.environ, "PATH": f"{shims}:{os.environ['PATH']}", "HARNESS_BIN": str(shims),
        "SLURM_SUBMIT_DIR": str(ROOT), "SLURM_JOB_NODELIST": "node[0-2]",
        "SLURM_JOB_NUM_NODES": "3", "SLURM_JOB_ID": str(os.getpid()),
    }  # fmt: skip
    command = [
        "bash", "examples/slurm/ray.sbatch", "--model", late, "--tasks", TASK, "--limit", "10",
        "--k", "4", "--engine", "ray:transformers", "--engine-arg", "cpus=1", "-o",
        str(tmp_path / "run"),
    ]  # fmt: skip
    with none_left("raylet/raylet", "gcs_server"):
        result = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
        )
    assert result.returncode == 0, result.stderr
    check_whole(tmp_path / "run", k=4, problems=10)
    assert RunFolder(tmp_path / "run").manifest().fingerprint["replicas"] == 3
