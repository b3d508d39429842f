"""Tasks exported for lm-eval: what the files say, and that every repeat is graded as by a run."""

from __future__ import annotations

import importlib.util
import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from harness import api as exported
from harness.cli import cli
from harness.cli.export import definition
from harness.data.datasets import load_problems
from harness.errors import UsageError
from harness.interfaces import Grader
from harness.pipeline.pending import TaskRun, Unit, make_request
from harness.protocol import make_protocol
from harness.registry import tasks
from harness.sampling import Sampling
from harness.stats.metrics import pass_at
from harness.types import Grade

INTEGERS, CHOICES = tasks()["practice_integer"], tasks()["practice_choice"]


class Loader(yaml.SafeLoader):
    """Reads lm-eval's !function as the name that follows."""


Loader.add_constructor("!function", lambda loader, node: f"!{node.value}")


def export(folder: Path, *arguments: str) -> None:
    result = CliRunner().invoke(cli, ["export", "lm-eval-tasks", "-o", str(folder), *arguments],
                                catch_exceptions=False)  # fmt: skip
    assert result.exit_code == 0, result.output


def read(folder: Path, name: str) -> dict[str, Any]:
    text = (folder / f"harness_{name}.yaml").read_text()
    found: dict[str, Any] = yaml.load(text, Loader=Loader)
    return found


def document(task: Any, number: int, thinking: str = "auto") -> dict[str, Any]:
    """A row as `exported.load` gives it, by the way that a run makes its requests."""
    problem = load_problems(task, None)[number]
    protocol = make_protocol(task, [problem], task.sampling)
    run = TaskRun(task=task, protocol=protocol, problems={problem.id: problem}, sampling=task.sampling,
                  folder=None)  # type: ignore[arg-type]  # fmt: skip
    request, order = make_request(Unit(run, problem, 0))
    return {"id": problem.id, "prompt": request.prompt.user, "target": problem.answer,
            "order": list(order or ()), "task": task.name, "data": None, "thinking": thinking,
            "think_end": "</think>"}  # fmt: skip


def test_every_task_is_exported_with_its_protocol(tmp_path: Path) -> None:
    export(tmp_path)
    assert {path.stem for path in tmp_path.glob("*.yaml")} == {f"harness_{n}" for n in tasks()}
    found = read(tmp_path, "aime24")
    assert found["task"] == "harness_aime24"
    assert found["repeats"] == 64
    assert found["filter_list"] == [
        {"name": "all", "filter": [{"function": "take_first_k", "k": 64}]}
    ]
    assert found["generation_kwargs"] == {
        "do_sample": True, "temperature": 0.6, "top_p": 0.95, "max_gen_toks": 32768, "until": []
    }  # fmt: skip
    assert tasks()["aime24"].dataset.source(None) == found["metadata"]["source"]
    assert [m["metric"] for m in found["metric_list"]] == [
        "pass@1", "cons@64", "verdicts", "errors", "copies"
    ]  # fmt: skip
    assert found["custom_dataset"] == "!utils.load"


def test_fewer_samples_drop_the_metrics_that_need_more(tmp_path: Path, test_data: Path) -> None:
    export(tmp_path, "--tasks", "aime24", "--k", "4", "--data", str(test_data), "--thinking", "yes")
    found = read(tmp_path, "aime24")
    assert (found["repeats"], found["filter_list"][0]["filter"][0]["k"]) == (4, 4)
    assert "cons@64" not in [metric["metric"] for metric in found["metric_list"]]
    assert found["dataset_kwargs"] == {
        "harness_task": "aime24", "harness_data": str(test_data), "harness_thinking": "yes",
        "harness_think_end": "</think>",
    }  # fmt: skip
    assert not (tmp_path / "harness_math500.yaml").exists()


def test_the_functions_beside_the_files_are_ours(tmp_path: Path) -> None:
    export(tmp_path, "--tasks", "math500")
    spec = importlib.util.spec_from_file_location("utils", tmp_path / "utils.py")
    assert spec is not None
    assert spec.loader is not None
    utils = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(utils)
    assert utils.process_results is exported.process_results
    readme = (tmp_path / "README.md").read_text()
    assert "constant seed 1234" in readme
    assert "harness_math500" in readme
    assert "{" not in readme


def test_what_cannot_be_exported_is_refused() -> None:
    with pytest.raises(UsageError, match="for each sample, but lm-eval sends one prompt"):
        definition(replace(CHOICES, choice_order="per-sample"), None, {})
    with pytest.raises(UsageError, match="lm_eval:x is lm-eval's own task"):
        definition(replace(INTEGERS, name="lm_eval:x"), None, {})
    with pytest.raises(UsageError, match="k is 4 at temperature 0"):
        greedy = replace(INTEGERS, sampling=Sampling(temperature=0.0, max_tokens=9))
        definition(greedy, 4, {})


def test_every_repeat_is_graded_and_only_its_response(caplog: pytest.LogCaptureFixture) -> None:
    row = document(INTEGERS, 0, "yes")
    answer = row["target"]
    texts = [f"so</think>\\boxed{{{answer}}}", "so</think>\\boxed{1}", f"\\boxed{{{answer}}}"] * 5
    found = exported.process_results(row, [[*texts, f"<think>a</think>the answer is {answer}"]])
    assert found["verdicts"] == ["correct", "wrong_answer", "no_answer"] * 5 + ["correct"]
    assert found["pass@1"] == 6 / 16
    assert found["cons@16"] == 1.0
    assert (found["errors"], found["copies"]) == (0, 0)
    assert not caplog.records


def test_choices_are_read_in_the_order_that_was_shown() -> None:
    for number in range(6):
        row = document(CHOICES, number)
        shown = dict(zip("ABCD", row["prompt"].splitlines()[-4:], strict=True))
        (right,) = [x for x, line in shown.items() if line == f"{x}) {row['target']}"]
        found = exported.process_results(row, [[f"Answer: {letter}" for letter in "ABCD"]])
        assert found["verdicts"].index("correct") == "ABCD".index(right)
        assert found["pass@1"] == 0.25
        assert "cons@16" not in found


def test_answers_are_compared_with_one_another_only_where_a_metric_votes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(grader: object, answers: object) -> list[int]:
        raise AssertionError

    monkeypatch.setattr(type(INTEGERS.grader), "classes", never)
    row = document(INTEGERS, 0)
    with pytest.raises(AssertionError):
        exported.process_results(row, [["\\boxed{1}"] * 4])
    problems = {problem.id: problem for problem in load_problems(INTEGERS, None)}
    alone = replace(INTEGERS, metrics=(pass_at(1),))
    monkeypatch.setattr(exported, "_opened", lambda *_: (alone, problems))
    assert exported.process_results(row, [["\\boxed{1}"] * 4])["pass@1"] == 0.0


def test_one_sample_copied_k_times_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    exported._warn_of_copies.cache_clear()
    text = "because " * 40 + "\\boxed{7}"
    with caplog.at_level(logging.WARNING):
        for number in (0, 1):
            found = exported.process_results(document(INTEGERS, number), [[text] * 8])
            assert found["copies"] == 7
    (record,) = caplog.records
    assert "one sample counted several times" in record.getMessage()


def test_a_fault_of_ours_is_no_wrong_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Grader):
        version = "broken/1"

        def grade(self, problem: object, sample: object) -> Grade:
            raise OSError("disk")

    row = document(INTEGERS, 0)
    problems = {problem.id: problem for problem in load_problems(INTEGERS, None)}
    monkeypatch.setattr(
        exported, "_opened", lambda *_: (replace(INTEGERS, grader=Broken()), problems)
    )
    found = exported.process_results(row, [["a", "b"]])
    assert found["errors"] == 2
    assert math.isnan(found["pass@1"])
    assert "disk" in caplog.text


def test_the_total_counts_verdicts_and_adds_numbers() -> None:
    assert exported.total([["correct", "error"], ["correct"]]) == 3
    assert exported.total([1, 0, 2]) == 3
