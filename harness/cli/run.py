"""`harness run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from harness.cli.interrupt import run_async
from harness.cli.progress import task_progress
from harness.cli.score_table import finish


def _engine_args(
    _: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, str] | None:
    options = {}
    for value in values:
        name, found, text = value.partition("=")
        if not found:
            raise click.BadParameter(f"{value!r} has no '=': it takes NAME=VALUE", param=parameter)
        options[name] = text
    return options or None


@click.command(short_help="Sample, grade and score a model.")
@click.option("--model", metavar="MODEL", help="A local model folder, or a name on the hub.")
@click.option("--tasks", metavar="T[,T..]", help="Tasks by name; `harness tasks` lists them. "
              "lm_eval:NAME and lm_eval:DIR/NAME are lm-eval's.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="RUN",
              help="Run folder. An existing one is completed: the same command resumes.")  # fmt: skip
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), metavar="F.yaml",
              help="Options from a file, by their long names; those given here win.")  # fmt: skip
@click.option("--preset", type=click.Choice(["r1-paper"]),
              help="A paper's protocol. r1-paper: temperature 0.6, top_p 0.95, 32768 tokens, no "
              "system prompt, k 64 AIME, 4 MATH-500, 8 GPQA.")  # fmt: skip
@click.option("--k", type=int, metavar="N", help="Samples per problem; the task's k by default.")
@click.option("--limit", type=int, metavar="N", help="Only the first N problems of each task.")
@click.option("--release", metavar="R", help="LiveCodeBench: release_v5, or v5 or v4_v5 for what "
              "those added; all of it by default.")  # fmt: skip
@click.option("--window", metavar="M..M", help="Only problems of these months, both included: "
              "2024-08..2025-01.")  # fmt: skip
@click.option("--skip-errata", is_flag=True, default=None,
              help="Leave out problems that their publisher lists as faulty.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", envvar="HARNESS_DATA",
              help="Your own copies of the datasets instead of the hub's: TASK.jsonl, .csv or "
              ".parquet in the hub's schema. Also HARNESS_DATA.")  # fmt: skip
@click.option("--temperature", type=float, metavar="X", help="0 is greedy, and then k is 1.")
@click.option("--top-p", type=float, metavar="X", help="Nucleus mass, up to 1.")
@click.option("--max-tokens", type=int, metavar="N", help="Length cap, reasoning included.")
@click.option("--repetition-guard", type=int, metavar="N",
              help="Cut a sample whose last tokens are the same 8 to 64 tokens N times in a row; it "
              "counts as truncated. Off by default; 8 or more are wise.")  # fmt: skip
@click.option("--prompt", metavar="TEXT|@FILE",
              help="Prompt template; {statement} and {choices} are filled in.")  # fmt: skip
@click.option("--system-prompt", metavar="TEXT", help="Sent as the system turn; none by default.")
@click.option("--choice-order", type=click.Choice(["per-problem", "per-sample"]),
              help="Shuffle choices once per problem, or anew for each sample.")  # fmt: skip
@click.option("--choice-seed", type=int, metavar="N",
              help="Seed of the choice orders; part of the protocol, 0 by default.")  # fmt: skip
@click.option("--thinking", type=click.Choice(["auto", "yes", "no"]),
              help="Whether the model reasons before it responds; auto sees it from the chat "
              "template or an opening tag.")  # fmt: skip
@click.option("--think-end", metavar="TAG", help="What ends reasoning; </think> by default.")
@click.option("--extract", type=click.Choice(["strict", "lenient"]),
              help="Where an answer is looked for: box and answer phrase (strict, the default), "
              "or also the closing sentence.")  # fmt: skip
@click.option("--scoring", type=click.Choice(["process", "lcb-official"]),
              help="How programs are run: as processes, or as LiveCodeBench's own runner does; "
              "livecodebench shows both by default.")  # fmt: skip
@click.option(
    "--engine",
    metavar="E",
    help="What generates: transformers (the default), vllm, openai, ray, lm_eval:NAME.",
)
@click.option("--engine-arg", multiple=True, metavar="K=V", callback=_engine_args,
              help="An option of the engine, repeatable. transformers: batch_size, device, "
              "dtype. openai: timeout, patience, tries, tokenizer, cap_field, body.NAME=JSON, "
              "header.NAME=TEXT, and for --serve serve.NAME=VALUE. vllm: any of vLLM's own, and lora=PATH. ray: gpus, cpus and the "
              "engine's. lm_eval: its model arguments.")  # fmt: skip
@click.option("--base-url", metavar="URL[,URL..]",
              help="openai: the server, up to and including /v1; of several the least busy one "
              "is asked. Also OPENAI_BASE_URL; the key is read from OPENAI_API_KEY.")  # fmt: skip
@click.option("--serve", is_flag=True, default=None,
              help="openai: start a `vllm serve` of its own for the run and stop it at its "
              "end.")  # fmt: skip
@click.option("--tokens-per-minute", type=int, metavar="N",
              help="openai: tokens that the server grants, prompts included.")  # fmt: skip
@click.option("--replicas", type=int, metavar="N",
              help="vllm, ray: engines side by side, each with draws of its own.")  # fmt: skip
@click.option("--ray-address", metavar="A",
              help="ray: a running cluster (auto finds it); a local one is started "
              "otherwise.")  # fmt: skip
@click.option("--grade-on", type=click.Choice(["local", "ray"]),
              help="Where samples are graded: here, or on the Ray cluster's CPUs too.")  # fmt: skip
@click.option("--revision", metavar="REV", help="Commit, branch or tag of a hub model.")
@click.option("--seed", type=int, metavar="N", help="Seed of the run; 0 by default.")
@click.option("--seeded", is_flag=True, default=None,
              help="One seed per sample, derived from --seed; slower on GPUs.")  # fmt: skip
@click.option("--until", type=click.Choice(["decided"]),
              help="Sample in rounds, and stop when it is decided whether the model is worse than "
              "--base; --k is the cap.")  # fmt: skip
@click.option("--base", type=click.Path(path_type=Path, file_okay=False), metavar="RUN",
              help="The run that --until decided holds this one against.")  # fmt: skip
@click.option("--margin", type=float, metavar="X",
              help="The drop that --until decided must exclude, as a share; 0.05 by default.")  # fmt: skip
@click.option("--lengths", type=click.Path(path_type=Path, file_okay=False), metavar="RUN",
              help="An earlier run on these tasks: problems with long samples there begin first. "
              "By default --base, else what the run itself shows.")  # fmt: skip
@click.option("--concurrency", type=int, metavar="N", help="Samples in flight at once.")
@click.option("--unsafe-judge", is_flag=True, default=None,
              help="Run programs without a sandbox, with resource limits alone; marks the "
              "scores.")  # fmt: skip
@click.option("--take-over", is_flag=True, default=None,
              help="Take a folder that a dead process on another host left locked.")  # fmt: skip
def run(config: Path | None, **options: Any) -> None:
    """Sample, grade and score a model on one or more tasks.

    Everything lands in the run folder as it happens; after any interruption the same command
    completes it. A larger --k or further --tasks extend it.

    \b
    harness run --model examples/practice-model/late \\
        --tasks practice_integer,practice_choice -o runs/late
    harness run --model MODEL --tasks aime24 --preset r1-paper -o runs/r1
    """
    from harness.registry import find_tasks
    from harness.workflows.evaluate import evaluate
    from harness.workflows.run_settings import make_settings

    settings = make_settings(options, config)
    tasks = find_tasks(settings.tasks)
    click.echo(f"{settings.model} on {settings.tasks} -> {settings.output}", err=True)
    with task_progress(sampling=True) as observe:
        results = run_async(evaluate(tasks, settings, observe=observe))
    finish(settings.output, [task.name for task in tasks], results)
