"""Settings: command line over file over preset over task, and what is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from harness.errors import DataError, HarnessError, UsageError
from harness.graders.integer import Integer
from harness.registry import tasks
from harness.tasks.aime import AIME24
from harness.tasks.gpqa import GPQA_DIAMOND
from harness.tasks.math500 import MATH500
from harness.workflows.presets import PRESETS, PresetName
from harness.workflows.run_settings import RunSettings, configure, make_settings

NEEDED = {"model": "m", "tasks": "aime24", "output": Path("runs/x")}


def settings(**options: Any) -> RunSettings:
    return make_settings({**NEEDED, **options})


def from_file(folder: Path, text: str, **options: Any) -> RunSettings:
    path = folder / "run.yaml"
    path.write_text(text)
    return make_settings(options, path)


# Layers


def test_a_task_says_how_it_is_sampled_unless_told_otherwise() -> None:
    task, sampling = configure(AIME24, settings())
    assert task == AIME24
    assert sampling == AIME24.sampling


def test_an_option_beats_the_preset_and_the_preset_beats_the_task() -> None:
    hot = replace(MATH500, sampling=replace(MATH500.sampling, temperature=1.0, stop=("\n",)),
                  system_prompt="Be brief.")  # fmt: skip
    task, sampling = configure(hot, settings(preset="r1-paper", max_tokens=4096))
    assert (sampling.temperature, sampling.top_p, sampling.stop) == (0.6, 0.95, ())
    assert sampling.max_tokens == 4096
    assert sampling.k == 16
    assert task.system_prompt is None
    assert task.sampling == sampling


def test_the_presets_have_the_names_of_the_setting_and_families_of_tasks_that_there_are() -> None:
    assert set(PRESETS) == set(get_args(PresetName))
    families = {task.family for task in tasks().values()}
    for preset in PRESETS.values():
        assert {*preset.k, *preset.prompts} <= families


@pytest.mark.parametrize(
    ("preset", "counts"),
    [
        ("r1-paper", {"aime24": 64, "gpqa_diamond": 64, "math500": 16, "codeforces": 16, "livecodebench": 8}),
        ("open-r1", {"aime24": 64, "gpqa_diamond": 8, "math500": 4, "livecodebench": 16}),
        ("r1-paper-v1", {"aime24": 64}),
    ],
)  # fmt: skip
def test_a_preset_has_the_counts_that_its_source_states_and_else_the_tasks(
    preset: str, counts: dict[str, int]
) -> None:
    for task in tasks().values():
        drawn = configure(task, settings(preset=preset))[1]
        assert (drawn.temperature, drawn.top_p, drawn.max_tokens) == (0.6, 0.95, 32768)
        if task.name in {"aime24", "gpqa_diamond", "math500", "codeforces", "livecodebench"}:
            assert drawn.k == counts.get(task.family, task.sampling.k)


def test_the_paper_s_later_version_asks_for_the_answer_in_capitals() -> None:
    later, first = (
        configure(GPQA_DIAMOND, settings(preset=name))[0].prompt
        for name in ("r1-paper", "r1-paper-v1")
    )
    assert first == GPQA_DIAMOND.prompt
    assert later == first.replace("'Answer: $LETTER'", "'ANSWER: $LETTER'") != first


def test_a_task_that_the_paper_does_not_have_keeps_its_own_k() -> None:
    other = replace(AIME24, family="", sampling=replace(AIME24.sampling, k=7))
    assert configure(other, settings(preset="r1-paper"))[1].k == 7


def test_the_command_line_beats_the_file(tmp_path: Path) -> None:
    text = "model: file\ntasks: [aime24, math500]\noutput: runs/y\nmax-tokens: 100\nk: 2\n"
    merged = from_file(tmp_path, text, model="line", k=3, temperature=None)
    assert (merged.model, merged.tasks, merged.k) == ("line", "aime24,math500", 3)
    assert (merged.max_tokens, merged.output) == (100, Path("runs/y"))


def test_engine_arguments_of_a_file_may_be_numbers(tmp_path: Path) -> None:
    text = "model: m\ntasks: aime24\noutput: x\nengine-arg: {batch_size: 8, dtype: float32}\n"
    assert from_file(tmp_path, text).engine_arg == {"batch_size": "8", "dtype": "float32"}


def test_prompt_and_system_prompt_and_choice_order_reach_the_task(tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    path.write_text("Solve: {statement}\n{choices}")
    given = settings(prompt=f"@{path}", system_prompt="s", choice_order="per-sample")
    task, _ = configure(GPQA_DIAMOND, given)
    assert task.prompt == "Solve: {statement}\n{choices}"
    assert (task.system_prompt, task.choice_order) == ("s", "per-sample")
    assert configure(AIME24, given)[0].choice_order is None


def test_a_graders_own_policy_stays_unless_another_is_asked_for() -> None:
    lenient = replace(AIME24, grader=Integer(0, 999, extract="lenient"))
    assert configure(lenient, settings())[0].grader == lenient.grader
    assert configure(lenient, settings(extract="strict"))[0].grader == Integer(0, 999)


def test_seeds_are_the_runs_own() -> None:
    _, sampling = configure(AIME24, settings(seed=5, seeded=True))
    assert (sampling.seed, sampling.seeded) == (5, True)


# Refusals


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 0}, "k is 0"),
        ({"k": 2, "temperature": 0}, "k is 2 at temperature 0"),
        ({"temperature": 0}, "k is 64 at temperature 0.*use --k 1"),
        ({"temperature": -1}, "temperature is -1"),
        ({"top_p": 0}, "top_p is 0"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"effort": ""}, "effort is empty"),
        ({"effort": " "}, "effort is empty"),
        ({"effort": " high"}, "effort is ' high': leave out the spaces"),
        ({"reasoning_budget": 0}, "reasoning_budget is 0"),
        ({"reasoning_budget": 9, "max_tokens": 9}, "no token is left for the response"),
        ({"reasoning_budget": 8, "max_tokens": 9}, "no token is left for the response"),
        ({"reasoning_budget": 9, "thinking": "no"}, "--thinking no says that"),
        ({"prompt": "Solve it."}, r"--prompt 'Solve it\.' has no {statement} field"),
        ({"prompt": "@no/such/file"}, "--prompt @no/such/file: cannot be read"),
        ({"limit": 0}, "--limit 0: .*greater than or equal to 1"),
        ({"concurrency": 0}, "--concurrency 0"),
        ({"preset": "r2"}, "--preset 'r2': .*r1-paper"),
        ({"thinking": "maybe"}, "--thinking 'maybe': .*auto"),
        ({"think_end": ""}, "--think-end ''"),
        ({"k": "many"}, "--k 'many': .*integer"),
        ({"choice_order": "random"}, "--choice-order 'random'"),
    ],
)
def test_a_value_that_cannot_be_honoured_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(HarnessError, match=words) as caught:
        configure(AIME24, settings(**options))
    assert caught.value.exit_code == 2


def test_a_prompt_that_hides_the_choices_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no {choices} field.*never see the choices of gpqa"):
        configure(GPQA_DIAMOND, settings(prompt="{statement}"))


@pytest.mark.parametrize("name", ["model", "tasks", "output"])
def test_what_is_needed_is_asked_for(name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name} is needed"):
        make_settings({**NEEDED, name: None})


WHOLE = "model: m\ntasks: aime24\noutput: x\n"


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (WHOLE + "temprature: 1\n", UsageError, r"run\.yaml: there is no setting 'temprature'; "
         "there are model, tasks"),
        ("modle: m\ntasks: aime24\n", UsageError, r"run\.yaml: there is no setting 'modle'"),
        (WHOLE + "k: few\n", UsageError, r"--k 'few': .*from the command line or .*run\.yaml"),
        ("model: [unclosed\n", DataError, r"run\.yaml: not valid YAML \(line 2, column 1: "),
        ("- a\n- b\n", DataError, r"run\.yaml: a mapping"),
        ("", DataError, r"run\.yaml: a mapping"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named(
    tmp_path: Path, text: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        from_file(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [lambda p: None, Path.mkdir, lambda p: p.write_bytes(b"\xff")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    path = tmp_path / "run.yaml"
    make(path)
    with pytest.raises(DataError, match=r"--config .*run\.yaml: (cannot be read|not valid YAML)"):
        make_settings({}, path)
