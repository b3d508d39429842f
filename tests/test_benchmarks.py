"""The benchmarks call the harness as it is: what a long run would find only at its end."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_the_makespan_follows_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    take, record = load("makespan", monkeypatch).scheduled([[5, 7], [9, 3]])
    record(0, 5)
    taken = [take() for _ in range(5)]
    assert sorted(taken[:4]) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert taken[4] is None


@pytest.mark.slow
def test_livecodebench_takes_less_room_than_its_files_and_memory_for_one_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    benchmark, data, run = load("livecodebench_size", monkeypatch), tmp_path, tmp_path / "run"
    text = benchmark.write_published(data, 200, 200_000_000)
    published = benchmark.size_of(data)
    peaks = [int(benchmark.measured(benchmark.HERE, name, data, run).split()[1])
             for name in ("plan", "check", "start")]  # fmt: skip
    benchmark.write_samples(run, 4)
    graded, worker = benchmark.measured(benchmark.HERE, "grade", data, run).split()[1:]
    benchmark.check_grades(run, 4)
    assert benchmark.size_of(run) < 1.2 * published
    assert max(peaks) << 20 < 0.6 * text  # the interpreter and the libraries take 50 MiB
    assert max(int(graded), int(worker)) << 20 < 0.75 * text


def test_a_stop_takes_no_longer_than_all_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    stops = load("simulations/stops", monkeypatch)
    exam = stops.Exam.draw(12, 8, (0.6, 0.4), np.random.default_rng(1))
    for by_history in (False, True):
        time, samples, bound = stops.stop(exam, 4, 4, by_history=by_history)
        assert 0 < bound <= time < 1.1
        assert 0 < samples <= 1
    assert stops.stop(exam, 96, 1, by_history=False)[0] == pytest.approx(1)


def test_the_grading_compares_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    compare = load("grading", monkeypatch)._ours()
    pair = {"gold": "1/2", "prediction": "0.5", "form": "answer"}
    assert compare(pair)
    assert not compare({**pair, "prediction": "0.6"})


def test_clusters_are_counted_in_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 54 lines, those with the strongest likeness: the mean of their coverage, in short."""
    head, *rows = load("simulations/clusters", monkeypatch).table(20, 3)
    alike = [row for row in rows if row[3] == "0.19"]
    independent, clustered = (
        sum(float(row[head.index(name)].rstrip("%")) for row in alike) / len(alike)
        for name in ("independent", "clustered")
    )
    assert len(rows) == 54
    assert independent < 90 < 93 < clustered


def test_a_base_without_its_slowest_samples_makes_no_regression(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = load("simulations/incomplete", monkeypatch)
    monkeypatch.setattr(module, "POPULATIONS", module.POPULATIONS[:1])
    monkeypatch.setattr(module, "SHARES", (0.2,))
    monkeypatch.setattr(module, "_EVERY", 1)
    (_, row) = module.table(12, 3)
    as_it_is, exits = (float(cell.rstrip("%")) for cell in row[2:4])
    assert as_it_is >= 50
    assert exits <= 10  # one of twelve


def test_months_of_nights_find_a_step_on_its_night(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    module = load("simulations/nights", monkeypatch)
    monkeypatch.setattr(module, "JOBS", {"AIME": (module.AIME,)})
    monkeypatch.setattr(module, "MONTHS", (5, 12))
    monkeypatch.setattr(module, "LONGEST", 12)
    head, *rows = module.table(3, 1)
    assert head == ["baseline moved", "nights", "AIME"]
    assert len(rows) == 2 * len(module.POLICIES) + 1 + 3 * len(module.POLICIES)
    steps = {row[1]: row[2] for row in rows if row[0] == "3 points on night 8"}
    for policy in ("never", "weekly", "to the best of ten"):
        assert 8 <= int(steps[policy].split()[0]) <= 10
    assert module.markdown([head, *rows]).count("|---|---|---|") == 2


def test_planned_hours_are_those_of_simulated_runs() -> None:
    import numpy as np

    from benchmarks.simulations import plan
    from benchmarks.simulations.stops import Exam

    exam = Exam.draw(20, 8, (0.6, 0.4), np.random.default_rng(2))
    found = {name: planned / drawn for name, (planned, drawn) in plan.ratios(exam, 48).items()}
    assert found["tokens / speed"] < 0.9
    for name in ("fixed", "fixed, stated length"):
        assert 1 / 1.3 < found[name] < 1.3
    for allocation in plan.ALLOCATIONS:
        asked = plan.allocate(plan.inputs_of(exam), exam.k, allocation)
        assert sum(asked.values()) == 8 * 20
        assert 0.5 < found[f"decided, {allocation}"] < 2.0  # eight runs vary more than the bar


def test_the_check_of_one_model_sees_other_answers_and_little_where_nothing_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    module = load("simulations/same_model", monkeypatch)
    monkeypatch.setattr(module, "CASES", module.CASES[:1])
    monkeypatch.setattr(module, "FEWER", 2)
    head, row = module.table(8, 1)
    cells = dict(zip(head, row, strict=True))
    assert float(cells["nothing changed"]) <= 25  # two of eight
    assert cells["answers"] == "100"
    assert float(cells["cap"]) >= 50


def test_equal_texts_are_counted_at_each_number_of_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    determinism = load("determinism", monkeypatch)
    one, other = ["a", "b", "c", "d"], ["a", "b", "c", "x"]
    texts = {1: (one, one), 8: (one, other), 64: (other, other)}
    assert determinism.row("m", texts) == "| m | 100.0% | 75.0% | 100.0% | 100.0% | 75.0% |"
    asked = determinism.requests(2)
    assert len(asked) == 8
    assert {request.sampling.temperature for request in asked} == {0.0}


@pytest.fixture
def rate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("torch")
    return load("transformers_rate", monkeypatch)


def test_the_lengths_are_heavy_tailed_and_the_same_at_every_call(rate: ModuleType) -> None:
    lengths = rate.lognormal(1000, 1.0)
    assert lengths == rate.lognormal(1000, 1.0)
    assert 100 < np.median(lengths) < 140
    assert 0.9 < np.log(lengths).std() < 1.1
    assert max(lengths) == 1000


@pytest.mark.parametrize("batching", ["continuous", "fixed"])
def test_the_rate_is_that_of_samples_with_the_lengths_asked_for(
    rate: ModuleType, tmp_path: Path, batching: str
) -> None:
    rate.write_endless(tmp_path / "model")
    few = rate.Load([200, 3, 1])
    measured = rate.draw(str(tmp_path / "model"), few, {"batching": batching}, sharing=True)
    assert measured.tokens == 204
    assert measured.cpu > 0
    assert measured.memory > 100
    with pytest.raises(SystemExit, match="not the length"):
        rate.draw(str(rate.PRACTICE), few, {"batching": batching}, sharing=True)


def test_an_older_build_without_an_environment_is_named(rate: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"there is no .*python; `make demo` there"):
        rate.sides("lognormal", tmp_path)
