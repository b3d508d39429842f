"""`harness export`: tasks for other harnesses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.output import echo

FUNCTIONS = '''\
"""What the YAML files beside this one call; written by `harness export lm-eval-tasks`."""

from harness.api import load, process_results, total

__all__ = ["load", "process_results", "total"]
'''
README = """\
# Tasks of reasoning-harness for lm-eval

    lm_eval --include_path {folder} --tasks {example} --log_samples --output_path OUT \\
        --model hf --model_args pretrained=MODEL --apply_chat_template

Run it in an environment that has `harness` installed. Problems, prompts, choice orders, reasoning and
verdicts come from the harness, so a response gets the verdict that `harness run` would give it.

- All {repeats} responses of a problem are kept (`repeats` and the filter `all`) and graded. `pass@1` is
  the mean over them, then over problems. `verdicts` counts the graded responses; with
  `--log_samples` it lists them, one per response.
- `copies` counts long responses that equal another response to the same problem; a few may be chance.
  lm-eval's chat client sends the constant seed 1234 with every repeat: a server that honors it returns
  the same sample {repeats} times. Its hf and vllm models draw different samples within a run, but the same
  ones in the next run, unless `--seed` (hf) or `seed=` in `--model_args` (vllm) differs.
  Do not use `--use_cache`: it can return one answer for all repeats.
- With `--model hf` add `--gen_kwargs top_k=0,repetition_penalty=1.0`: by default transformers samples from
  the 50 likeliest tokens and follows the checkpoint's generation_config.json; the harness does neither.
- `errors` must be 0. It counts responses that an internal error left without a verdict; they are not
  counted as wrong.
- A response that was cut at the cap is `no_answer`: lm-eval does not say why a response ended.
- Reasoning: `{thinking}`. A chat template that opens the reasoning leaves no opening tag in the
  text: export with `--thinking yes` for such a model, or reasoning that never ended is graded as a
  response. Do not set `think_end_token`: the harness splits off the reasoning. A server that splits it
  off itself gives lm-eval the response alone, which works with `--thinking auto`.
- Logs hold the statements. The authors of GPQA ask not to publish theirs.
"""


@click.group()
def export() -> None:
    """Write the tasks for another harness."""


@export.command("lm-eval-tasks", short_help="Task files for `lm_eval --include_path`.")
@click.option("-o", "--output", required=True, metavar="DIR",
              type=click.Path(path_type=Path, file_okay=False),
              help="Folder for the YAML files, utils.py and a README.")  # fmt: skip
@click.option("--tasks", metavar="T[,T..]", help="Task names; all tasks by default.")
@click.option("--k", type=int, metavar="N", help="Samples per problem; each task's k by default.")
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False),
              metavar="DIR", envvar="HARNESS_DATA",
              help="Your own copies of the datasets instead of the hub's, as for `harness run`. "
              "Also HARNESS_DATA.")  # fmt: skip
@click.option("--thinking", type=click.Choice(["auto", "yes", "no"]), default="auto",
              help="Use yes for a model whose chat template opens the reasoning; auto, the "
              "default, detects reasoning by its opening tag.")  # fmt: skip
@click.option("--think-end", metavar="TAG", default="</think>",
              help="The tag that ends reasoning; </think> by default.")  # fmt: skip
def lm_eval_tasks(
    *,
    output: Path,
    tasks: str | None,
    k: int | None,
    data: Path | None,
    thinking: str,
    think_end: str,
) -> None:
    """Write tasks as lm-eval task files, graded by the harness.

    All k samples of a problem are kept as lm-eval's repeats. Run lm-eval in an environment that
    has the harness installed.

    \b
    harness export lm-eval-tasks -o exported --tasks aime24
    lm_eval --include_path exported --tasks harness_aime24 --model hf ..
    """
    from harness.registry import find_tasks
    from harness.registry import tasks as all_tasks
    from harness.storage.files import write_text

    chosen = find_tasks(tasks) if tasks else list(all_tasks().values())
    settings = {"harness_thinking": thinking, "harness_think_end": think_end}
    if data is not None:
        settings["harness_data"] = str(data.resolve())
    files = {f"harness_{task.name}.yaml": definition(task, k, settings) for task in chosen}
    files["utils.py"] = FUNCTIONS
    files["README.md"] = README.format(
        folder=output, example=f"harness_{chosen[0].name}", repeats=k or "k", thinking=thinking
    )
    for name, text in files.items():
        write_text(output / name, text)
    names = ",".join(f"harness_{task.name}" for task in chosen)
    echo(f"lm_eval --include_path {output} --tasks {names} --model ..")


def definition(task: Any, k: int | None, settings: dict[str, str]) -> str:
    """One task as a YAML file of lm-eval.

    Raises:
        UsageError: lm-eval cannot run this task as the harness does.
    """
    from dataclasses import replace

    import yaml

    from harness.errors import UsageError

    if ":" in task.name:
        raise UsageError(
            f"{task.name} is lm-eval's own task; only tasks of the harness can be exported"
        )
    if task.choice_order == "per-sample":
        raise UsageError(f"{task.name} shuffles choices for each sample, but lm-eval sends one "
                         "prompt for all repeats of a problem")  # fmt: skip
    sampling = replace(task.sampling, k=task.sampling.k if k is None else k)
    generation = {"do_sample": sampling.temperature != 0, "temperature": sampling.temperature,
                  "top_p": sampling.top_p, "max_gen_toks": sampling.max_tokens}  # fmt: skip
    definition = {
        "task": f"harness_{task.name}",
        "tag": "harness",
        "custom_dataset": _Function("utils.load"),
        "dataset_kwargs": {"harness_task": task.name, **settings},
        "test_split": "test",
        "output_type": "generate_until",
        "description": task.system_prompt or "",
        "doc_to_text": "prompt",
        "doc_to_target": "target",
        "repeats": sampling.k,
        "generation_kwargs": {
            **{name: value for name, value in generation.items() if value is not None},
            "until": list(sampling.stop),
        },
        "filter_list": [{"name": "all", "filter": [{"function": "take_first_k", "k": sampling.k}]}],
        "process_results": _Function("utils.process_results"),
        "metric_list": [
            *(_metric(m.name, "mean", True) for m in task.metrics if m.k <= sampling.k),
            _metric("verdicts", _Function("utils.total"), True),
            _metric("errors", _Function("utils.total"), False),
            _metric("copies", _Function("utils.total"), False),
        ],
        "metadata": {"version": task.grader.version, "source": task.dataset.source(None)},
    }
    return yaml.dump(definition, Dumper=_dumper(), sort_keys=False, allow_unicode=True)


def _metric(name: str, aggregation: str, higher: bool) -> dict[str, object]:
    return {"metric": name, "aggregation": aggregation, "higher_is_better": higher}


class _Function(str):
    """A name that lm-eval looks up in the folder: `!function utils.load`."""


def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(
        _Function, lambda dumper, name: dumper.represent_scalar("!function", name)
    )
    return Dumper
