"""Tasks both ways: lm-eval's run here and decided by its metrics, ours run there and decided by us."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.data.datasets import load_problems
from harness.engines.recorded import RecordedEngine
from harness.errors import UsageError
from harness.interfaces import Completion
from harness.pipeline.grading_pool import GradingPool, Job
from harness.pipeline.pending import TaskRun, Unit, make_request, make_sample
from harness.protocol import make_protocol
from harness.registry import find_tasks, tasks
from harness.task import Task
from harness.types import Grade, Sample, Verdict

pytestmark = pytest.mark.engines

ROOT = Path(__file__).parents[3]
WITH_ROOT = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

OWN: dict[str, Any] = {
    "task": "own_integer",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": str(ROOT / "tasks/data/practice_integer.jsonl")}},
    "test_split": "test",
    "doc_to_text": "{{statement}}\n\nPlease reason step by step, and put your final answer within "
    "\\boxed{}.",
    "doc_to_target": "answer",
    "generation_kwargs": {"do_sample": True, "temperature": 0.6, "top_p": 0.95,
                          "max_gen_toks": 128, "until": ["<end>"]},
    "repeats": 4,
    "filter_list": [
        {"name": name, "filter": [
            {"function": "regex", "regex_pattern": pattern, "group_select": -1},
            {"function": "take_first"}]}
        for name, pattern in (("boxed", r"boxed\{(-?[0-9]+)\}"), ("last-number", r"(-?[0-9]+)"))
    ],
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}  # fmt: skip

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a task of lm-eval's into the folder; returns what --tasks takes."""

    def add(name: str, **changes: Any) -> str:
        definition = {**OWN, "task": name, **changes}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(definition))
        return f"lm_eval:{tmp_path}/{name}"

    return add


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**WITH_ROOT, **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


# lm-eval's tasks here


def test_prompt_stop_strings_and_sampling_are_the_tasks_own(write: Write) -> None:
    (task,) = find_tasks(write("own_integer"))
    problems = load_problems(task, None, limit=3)
    due = load_problems(tasks()["practice_integer"], None, limit=3)
    assert task.name == "lm_eval:own_integer"
    assert [problem.id for problem in problems] == [problem.id for problem in due]
    assert [problem.answer for problem in problems] == [problem.answer for problem in due]
    assert problems[0].statement == (
        f"{due[0].statement}\n\nPlease reason step by step, and put your final answer within "
        "\\boxed{}."
    )
    sampling = task.sampling
    assert (sampling.k, sampling.temperature, sampling.top_p) == (4, 0.6, 0.95)
    assert (sampling.max_tokens, sampling.stop) == (128, ("<end>",))


def test_few_shot_examples_are_in_the_prompt_and_the_same_each_time(write: Write) -> None:
    (task,) = find_tasks(write("shots", num_fewshot=2, fewshot_split="test"))
    first, again = (load_problems(task, None, limit=3) for _ in range(2))
    assert [p.statement for p in first] == [p.statement for p in again]
    assert all(p.statement.count("Please reason") == 3 for p in first)


def test_a_greedy_task_has_one_sample(write: Write) -> None:
    kwargs = {"until": "\n\n", "do_sample": False, "max_gen_toks": 32}
    (task,) = find_tasks(write("greedy", generation_kwargs=kwargs))
    assert (task.sampling.k, task.sampling.temperature) == (1, 0.0)
    assert task.sampling.stop == ("\n\n",)


def test_ids_come_from_the_content_where_the_source_has_none(write: Write, tmp_path: Path) -> None:
    rows = [{"q": "1+1", "a": "2"}, {"q": "1+2", "a": "3"}, {"q": "1+1", "a": "2"}]
    ids = []
    for order in (rows, rows[::-1]):
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in order))
        data = {"data_files": {"test": str(tmp_path / "rows.jsonl")}}
        name = write(f"nameless{len(ids)}", dataset_kwargs=data, doc_to_text="q", doc_to_target="a")
        (task,) = find_tasks(name)
        ids.append([problem.id for problem in load_problems(task, None)])
    assert sorted(ids[0]) == sorted(ids[1])
    assert len(set(ids[0])) == 3
    assert ids[0][2] == f"{ids[0][0]}-2"


RESPONSES = ("So \\boxed{%s}.", "I say %s", "\\boxed{%s} no, \\boxed{-1}", "nothing", "", "%s or 5")


def replay(path: Path, prompts: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    """The samples log of lm-eval's own evaluator over given responses."""
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    class Replay(LM):  # type: ignore[misc, unused-ignore]
        def generate_until(self, requests: Any) -> list[str]:
            return [prompts[request.args[0]] for request in requests]

        def loglikelihood(self, requests: Any) -> Any:
            raise NotImplementedError

        def loglikelihood_rolling(self, requests: Any) -> Any:
            raise NotImplementedError

    manager = TaskManager(include_path=str(path), include_defaults=False)
    found = simple_evaluate(Replay(), tasks=[name], task_manager=manager, limit=len(prompts))
    assert found is not None
    return list(found["samples"][name])


@pytest.mark.parametrize("decides", ["boxed", "last-number"])
def test_verdicts_are_those_of_lm_evals_own_metrics(
    decides: str, write: Write, tmp_path: Path
) -> None:
    (task,) = find_tasks(f"{write('own_integer')}@{decides}")
    problems = load_problems(task, None, limit=30)
    texts = {p.id: RESPONSES[n % len(RESPONSES)] for n, p in enumerate(problems)}
    texts = {p.id: t % p.answer if "%s" in (t := texts[p.id]) else t for p in problems}
    logged = replay(tmp_path, {p.statement: texts[p.id] for p in problems}, "own_integer")
    due = {(s["doc"]["id"], s["filter"]): s["exact_match"] for s in logged}
    assert len(due) == 60
    verdicts = Counter[str]()
    for problem in problems:
        grade = task.grader.grade(problem, Sample(problem.id, 0, None, texts[problem.id], "stop"))
        verdicts[grade.verdict] += 1
        assert (grade.verdict is Verdict.CORRECT) == due[problem.id, decides], grade
        (other,) = {"boxed", "last-number"} - {decides}
        assert (grade.also[f"exact_match,{other}"] == "correct") == due[problem.id, other]
    assert set(verdicts) == {Verdict.CORRECT, Verdict.WRONG_ANSWER, Verdict.NO_ANSWER}


def test_a_reasoning_that_never_ended_is_not_graded(write: Write) -> None:
    (task,) = find_tasks(write("own_integer"))
    (problem,) = load_problems(task, None, limit=1)
    cut = Sample(problem.id, 0, f"\\boxed{{{problem.answer}}}", None, "length")
    grade = task.grader.grade(problem, cut)
    assert grade.verdict is Verdict.TRUNCATED
    assert grade.also == {"exact_match,last-number": "truncated"}


SHUFFLING = """
import random, time

def rows(**_):
    import datasets
    return {"test": datasets.Dataset.from_list([{"n": n, "q": f"{n} - 1 = ?"} for n in range(40)])}

def shuffled(data):
    def one(row):
        choices = [str(row["n"] + step) for step in (-1, 0, 1, 2)]
        random.shuffle(choices)
        return {"choices": choices, "answer": "ABCD"[choices.index(str(row["n"] - 1))]}
    return data.map(one)

def share(document, results):
    first = results[0] if isinstance(results[0], str) else results[0][0]
    right, said = {document["answer"], "it"}, set(first.split())
    return {"f1": len(right & said) / len(right | said), "has": float(document["answer"] in said),
            "bad": float(document["answer"] not in said)}
"""


@pytest.fixture
def shuffling(tmp_path: Path) -> str:
    """A task that shuffles choices in memory and whose first metric is a share."""
    (tmp_path / "shuffling.py").write_text(SHUFFLING)
    (tmp_path / "choices.yaml").write_text(
        "task: choices\ncustom_dataset: !function shuffling.rows\ntest_split: test\n"
        "process_docs: !function shuffling.shuffled\ndoc_to_target: answer\n"
        "doc_to_text: '{{q}} {{choices}}'\nprocess_results: !function shuffling.share\n"
        "generation_kwargs: {until: [], do_sample: false, num_beams: 1}\nmetric_list:\n"
        "- {metric: f1, aggregation: mean, higher_is_better: true}\n"
        "- {metric: bad, aggregation: mean, higher_is_better: false}\n"
        "- {metric: has, aggregation: mean, higher_is_better: true}\n"
    )
    return f"lm_eval:{tmp_path}/choices"


def test_the_process_that_grades_sees_the_order_of_the_one_that_asked(shuffling: str) -> None:
    (task,) = find_tasks(shuffling)
    problems = load_problems(task, None)
    assert len({problem.answer for problem in problems}) == 4
    verdicts: list[Verdict] = []

    async def grade() -> None:
        async with GradingPool(1) as pool:
            for problem in problems:
                sample = Sample(problem.id, 0, None, f"it is {problem.answer}", "stop")
                job = Job(
                    task.grader, problem, sample, lambda grade: verdicts.append(grade.verdict)
                )
                await pool.put(job)
            await pool.drain()

    asyncio.run(grade())
    assert verdicts == [Verdict.CORRECT] * 40


def test_a_task_that_takes_long_to_load_is_waited_for(shuffling: str, tmp_path: Path) -> None:
    (task,) = find_tasks(shuffling)
    (problem,) = load_problems(task, None, limit=1)
    slow = (tmp_path / "shuffling.py").read_text().replace("    import datasets", "    import datasets; time.sleep(4)")  # fmt: skip
    (tmp_path / "shuffling.py").write_text(slow)
    found: list[Grade] = []

    async def grade() -> None:
        async with GradingPool(1, seconds=1.0) as pool:
            sample = Sample(problem.id, 0, None, f"it is {problem.answer}", "stop")
            await pool.put(Job(task.grader, problem, sample, found.append))
            await pool.drain()

    asyncio.run(grade())
    assert [grade.verdict for grade in found] == [Verdict.CORRECT], found


def test_an_answer_that_is_no_text_is_an_answer(shuffling: str, tmp_path: Path) -> None:
    with (tmp_path / "choices.yaml").open("a") as file:
        file.write("filter_list: [{name: all, filter: [{function: take_first_k, k: 1}]}]\n")
    (task,) = find_tasks(shuffling)
    (problem,) = load_problems(task, None, limit=1)
    for text, verdict in ((f"it is {problem.answer}", "correct"), ("it is E", "wrong_answer")):
        grade = task.grader.grade(problem, Sample(problem.id, 0, None, text, "stop"))
        assert (grade.verdict, grade.answer) == (verdict, None)


def test_a_machine_without_the_tasks_file_says_so_before_it_grades(shuffling: str) -> None:
    grader: Any = find_tasks(shuffling)[0].grader
    grader.ready()
    with pytest.raises(UsageError, match="is missing: /elsewhere"):
        replace(grader, path="/elsewhere/task.yaml").ready()


def test_a_share_and_a_metric_that_is_1_for_what_is_wrong_give_no_verdict(shuffling: str) -> None:
    (task,) = find_tasks(shuffling)
    grader: Any = task.grader
    assert (grader.metric, grader.beside) == ("has", ())
    for metric in ("f1", "bad"):
        with pytest.raises(
            UsageError, match=f"its metrics are f1,none, .* none of them is '{metric}'"
        ):
            find_tasks(f"{shuffling}@{metric}")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"output_type": "multiple_choice", "doc_to_choice": "choices", "metric_list": None,
          "filter_list": None, "generation_kwargs": None, "doc_to_target": 0},
         "is a task of the type multiple_choice, which scores given texts"),
        ({"metric_list": [{"metric": "bleu", "aggregation": "bleu", "higher_is_better": True}]},
         "its metrics are bleu,boxed, bleu,last-number, and none of them is 0 or 1"),
        ({"unsafe_code": True}, "runs the model's code without a sandbox"),
        ({"filter_list": [{"name": "k", "filter": [{"function": "take_first_k", "k": 4}]}]},
         "its filters and metrics fail on a single response"),
        ({"generation_kwargs": {"do_sample": True, "temperature": 1.0, "top_k": 5, "until": []}},
         "generates with top_k, which the harness has no word for: copy its YAML"),
        ({"generation_kwargs": {"do_sample": False, "num_beams": 5, "until": []}},
         "generates with num_beams, which the harness has no word for"),
    ],
)  # fmt: skip
def test_a_task_that_cannot_be_run_says_why(
    changes: dict[str, Any], words: str, write: Write
) -> None:
    data = {"data_files": {"test": str(ROOT / "tasks/data/practice_choice.jsonl")}}
    more = {"dataset_kwargs": data} if "doc_to_choice" in changes else {}
    with pytest.raises(UsageError, match=words):
        find_tasks(write("odd", **changes, **more))


def test_names_that_are_none_or_several_say_what_was_meant(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("own_integer")
    group = {"group": "family", "task": ["own_integer", "other"]}
    (tmp_path / "family.yaml").write_text(yaml.safe_dump(group))
    with pytest.raises(UsageError, match=r"did you mean lm_eval:own_integer\?"):
        find_tasks(f"lm_eval:{tmp_path}/own_intger")
    with pytest.raises(
        UsageError, match=r"is a group: name its tasks, .*lm_eval:other, lm_eval:own"
    ):
        find_tasks(f"lm_eval:{tmp_path}/family")
    with pytest.raises(
        UsageError, match=r"its metrics are exact_match,boxed, .*none of them is 'no'"
    ):
        find_tasks(f"lm_eval:{tmp_path}/own_integer@no")
    for name in ("lm_eval:", f"lm_eval:{tmp_path}/", "lm_eval:@boxed"):
        with pytest.raises(UsageError, match="names no task"):
            find_tasks(name)
    monkeypatch.setenv("HARNESS_LM_EVAL_INCLUDE", str(tmp_path))
    assert find_tasks("lm_eval:own_integer")[0].name == "lm_eval:own_integer"
    with pytest.raises(UsageError, match="two of them are called lm_eval:own_integer"):
        find_tasks(f"lm_eval:own_integer,lm_eval:{tmp_path}/own_integer")


def test_a_run_of_lm_evals_task_on_lm_evals_model_can_be_graded_again(
    write: Write, tmp_path: Path, practice_model: Path
) -> None:
    folder = tmp_path / "run"
    run("harness", "run", "--model", str(practice_model / "late"), "--engine", "lm_eval:hf",
        "--tasks", write("own_integer"), "--limit", "6", "-o", str(folder))  # fmt: skip
    scores = json.loads((folder / "lm_eval:own_integer" / "scores.json").read_text())
    assert scores["complete"]
    assert [s["scoring"] for s in scores["scores"]] == ["exact_match,boxed",
                                                        "exact_match,last-number"]  # fmt: skip
    assert all(score["value"] > 0.3 for score in scores["scores"])
    assert scores["scores"][0]["n"] == 24
    again = run("harness", "grade", str(folder), "--diff", HARNESS_LM_EVAL_INCLUDE=str(tmp_path))
    assert "0" in again.stdout + again.stderr
    kept = json.loads((folder / "lm_eval:own_integer" / "scores.json").read_text())
    assert kept["scores"] == scores["scores"]


# Our tasks there

K = 16


def our_verdicts(task: Task, id: str, responses: Sequence[str]) -> list[Verdict]:
    """What a run of the harness decides on these texts; the model's template opens the reasoning."""
    problems = {problem.id: problem for problem in load_problems(task, None)}
    protocol = make_protocol(task, problems.values(), task.sampling, thinking="yes")
    taskrun = TaskRun(
        task=task, protocol=protocol, problems=problems, sampling=task.sampling, folder=None
    )  # type: ignore[arg-type]
    found = []
    for index, text in enumerate(responses):
        request, order = make_request(Unit(taskrun, problems[id], index))
        done = Completion(text, "unknown")
        sample = make_sample(request, done, order, protocol, RecordedEngine({}, {}))
        found.append(task.grader.grade(problems[id], sample).verdict)
    return found


def test_lm_eval_reaches_our_verdicts_on_all_k_repeats(
    tmp_path: Path, practice_model: Path, sandbox: None
) -> None:
    names = ["practice_integer", "practice_math", "practice_choice", "practice_code"]
    exported, output = tmp_path / "exported", tmp_path / "out"
    run("harness", "export", "lm-eval-tasks", "-o", str(exported), "--tasks", ",".join(names),
        "--k", str(K), "--thinking", "yes")  # fmt: skip
    run("lm_eval", "--include_path", str(exported), "--limit", "6", "--log_samples",
        "--tasks", ",".join(f"harness_{name}" for name in names), "--output_path", str(output),
        "--model", "hf", "--model_args", f"pretrained={practice_model / 'middle'},dtype=float32",
        "--device", "cpu", "--batch_size", "64", "--apply_chat_template",
        "--gen_kwargs", "top_k=0")  # fmt: skip
    (results_file,) = output.rglob("results_*.json")
    results = json.loads(results_file.read_text())["results"]
    seen = Counter[str]()
    for name in names:
        (log,) = output.rglob(f"samples_harness_{name}_*.jsonl")
        rows = [json.loads(line) for line in log.read_text().splitlines()]
        assert len(rows) == 6
        right = 0
        for row in rows:
            (responses,) = row["resps"]
            assert len(responses) == len(row["verdicts"]) == K
            due = our_verdicts(tasks()[name], row["doc"]["id"], responses)
            assert row["verdicts"] == [str(verdict) for verdict in due]
            seen.update(row["verdicts"])
            right += row["verdicts"].count("correct")
        scores = results[f"harness_{name}"]
        assert scores["pass@1,all"] == pytest.approx(right / (6 * K))
        assert scores["verdicts,all"] == 6 * K
        assert scores["errors,all"] == 0
        assert "cons@16,all" in scores
    assert seen["correct"] > 20
    assert seen["wrong_answer"] > 20
