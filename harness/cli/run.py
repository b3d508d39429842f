"""`harness run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.engine_options import engine_args
from harness.cli.incomplete import SAME
from harness.cli.interrupt import run_async
from harness.cli.lock_option import take_over_option
from harness.cli.output import echo
from harness.cli.progress import task_progress
from harness.cli.score_table import finish
from harness.judge.scoring import SCORINGS


@click.command()
@click.option("--model", metavar="MODEL", help="A local model folder, or a name on the hub.")
@click.option("--tasks", metavar="T[,T..]", help="Task names; `harness tasks` lists them. "
              "lm_eval:NAME and lm_eval:DIR/NAME are lm-eval's.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="RUN",
              help="Run folder. An existing one is completed.")  # fmt: skip
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), metavar="F.yaml",
              help="Read options from a file, by their long names; the command line wins.")  # fmt: skip
@click.option("--preset", type=click.Choice(["r1-paper", "r1-paper-v1", "open-r1"]),
              help="A stated protocol, each with temperature 0.6, top_p 0.95, 32768 tokens and no "
              "system prompt. r1-paper (version 2): k 64 for AIME and GPQA, 16 MATH-500 and "
              "Codeforces, 8 LiveCodeBench. r1-paper-v1: k 64 for AIME. open-r1: k 64 for AIME, "
              "4 MATH-500, 8 GPQA, 16 LiveCodeBench.")  # fmt: skip
@click.option("--k", type=int, metavar="N", help="Samples per problem; by default the task's k.")
@click.option("--limit", type=int, metavar="N", help="Only the first N problems of each task.")
@click.option("--release", metavar="R", help="LiveCodeBench: release_v5, or v5 or v4_v5 for the "
              "problems those added; by default all.")  # fmt: skip
@click.option("--window", metavar="M..M", help="Only problems of these months, both included: "
              "2024-08..2025-01.")  # fmt: skip
@click.option("--skip-errata", is_flag=True, default=None,
              help="Leave out problems that their publisher lists as wrong.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", envvar="HARNESS_DATA",
              help="Your own copies of the datasets instead of the hub's: TASK.jsonl, .csv or "
              ".parquet in the hub's schema. Also HARNESS_DATA.")  # fmt: skip
@click.option(
    "--temperature",
    type=float,
    metavar="X",
    help="Sampling temperature; 0 is greedy and needs --k 1.",
)
@click.option(
    "--top-p", type=float, metavar="X", help="Probability mass of nucleus sampling, up to 1."
)
@click.option(
    "--max-tokens", type=int, metavar="N", help="Cap on the tokens of a sample, reasoning included."
)
@click.option("--repetition-guard", type=int, metavar="N",
              help="End a sample whose last tokens repeat a pattern of 8 to 64 tokens N times; it "
              "counts as truncated. Off by default; use 8 or more.")  # fmt: skip
@click.option("--effort", metavar="low|medium|high|TEXT",
              help="How hard the model is asked to reason: the server's reasoning_effort, or a "
              "variable of the chat template. By default the model's own.")  # fmt: skip
@click.option("--reasoning-budget", type=int, metavar="N",
              help="Most tokens of reasoning; after them the response is drawn. Off by default.")  # fmt: skip
@click.option("--prompt", metavar="TEXT|@FILE",
              help="Prompt template with the fields {statement} and {choices}.")  # fmt: skip
@click.option(
    "--system-prompt", metavar="TEXT", help="System prompt; by default the task's, if it has one."
)
@click.option("--choice-order", type=click.Choice(["per-problem", "per-sample"]),
              help="Shuffle choices once per problem, or for each sample.")  # fmt: skip
@click.option("--choice-seed", type=int, metavar="N",
              help="Seed of the choice orders, part of the protocol; 0 by default.")  # fmt: skip
@click.option("--thinking", type=click.Choice(["auto", "yes", "no"]),
              help="Whether the model reasons before it responds; auto, the default, detects it "
              "by the chat template or by tags in the text.")  # fmt: skip
@click.option(
    "--think-end", metavar="TAG", help="The tag that ends reasoning; </think> by default."
)
@click.option("--extract", type=click.Choice(["strict", "lenient"]),
              help="Where to look for the answer: box and answer phrase (strict, the default), or "
              "also the closing sentence.")  # fmt: skip
@click.option("--scoring", type=click.Choice(SCORINGS),
              help="How programs are run: as processes, or as LiveCodeBench's own runner does. "
              "livecodebench reports both by default.")  # fmt: skip
@click.option(
    "--engine",
    metavar="E",
    help="What generates samples: transformers (the default), vllm, openai, ray, lm_eval:NAME.",
)
@click.option("--engine-arg", multiple=True, metavar="K=V", callback=engine_args,
              help="An option of the engine; repeatable. transformers: batch_size, "
              "batching=continuous|fixed, kv_mib (MiB of its cache of keys and values), device, dtype. "
              "openai: server=NAME (what stands behind a proxy), timeout, patience, tries, tokenizer, "
              "cap_field, body.NAME=JSON, header.NAME=TEXT; with --serve also serve.NAME=VALUE. vllm: "
              "any of vLLM's own arguments, and lora=PATH. vllm, ray and --serve: "
              "batch_invariant=true (greedy texts that do not depend on the batch). ray: gpus, cpus "
              "and those of the replicas' engine. lm_eval: its model arguments.")  # fmt: skip
@click.option("--base-url", metavar="URL[,URL..]",
              help="openai: address of the server, ending in /v1. With several, each request goes "
              "to the least busy one. Also OPENAI_BASE_URL; the key is OPENAI_API_KEY.")  # fmt: skip
@click.option("--serve", is_flag=True, default=None,
              help="openai: start a `vllm serve` for this run and stop it at the end.")  # fmt: skip
@click.option("--requests-per-minute", type=int, metavar="N",
              help="openai: most requests to all servers together; without it, the rate is learned "
              "from what they refuse.")  # fmt: skip
@click.option("--tokens-per-minute", type=int, metavar="N",
              help="openai: most tokens of all servers together, prompts included.")  # fmt: skip
@click.option("--replicas", type=int, metavar="N",
              help="vllm, ray: engines that run side by side, each with its own seed.")  # fmt: skip
@click.option("--ray-address", metavar="A",
              help="ray: address of a running cluster, or auto; by default a local one is "
              "started.")  # fmt: skip
@click.option("--grade-on", type=click.Choice(["local", "ray"]),
              help="Grade on this machine (the default), or on the Ray cluster's CPUs too.")  # fmt: skip
@click.option("--revision", metavar="REV", help="Commit, branch or tag of a hub model.")
@click.option("--seed", type=int, metavar="N", help="Seed of the run; 0 by default.")
@click.option("--seeded", is_flag=True, default=None,
              help="Give each sample a seed, derived from --seed; slower on GPUs.")  # fmt: skip
@click.option("--until", type=click.Choice(["decided"]),
              help="Stop sampling once it is clear whether the model is worse than --base; --k is "
              "the cap.")  # fmt: skip
@click.option("--base", type=click.Path(path_type=Path, file_okay=False), metavar="RUN",
              help="The run that --until decided compares this one with, and --allocate history "
              "learns from.")  # fmt: skip
@click.option("--margin", type=float, metavar="POINTS",
              help="The drop that --until decided must exclude; 5, five points, by default.")  # fmt: skip
@click.option("--allocate", type=click.Choice(["uniform", "history"]),
              help="How the samples are spread over the problems: k of each (the default), or more "
              "where --base and --history show that a sample tells more, k on average.")  # fmt: skip
@click.option("--history", type=click.Path(path_type=Path, file_okay=False), metavar="RUN",
              multiple=True, callback=lambda _, __, runs: runs or None,
              help="An earlier run on these tasks for --allocate history; repeatable.")  # fmt: skip
@click.option("--lengths", type=click.Path(path_type=Path, file_okay=False), metavar="RUN",
              help="An earlier run on these tasks: problems with long samples there start first. "
              "By default --base, otherwise the run's own samples so far.")  # fmt: skip
@click.option(
    "--concurrency",
    type=int,
    metavar="N",
    help="Samples in flight at once; by default as many as keep the engine busy.",
)
@click.option("--price", metavar="IN,OUT",
              help="Price of a million prompt tokens and of a million completion tokens, in USD: "
              "0.55,2.19. By default the server's own, where it states one.")  # fmt: skip
@click.option("--unsafe-judge", is_flag=True, default=None,
              help="Run programs without a sandbox, with resource limits only; the scores are "
              "marked.")  # fmt: skip
@take_over_option
def run(config: Path | None, **options: Any) -> None:
    """Sample, grade and score a model on one or more tasks.

    Every sample is written to the run folder as it ends. After an interruption the same command
    completes the run; a larger --k or further --tasks extend it.

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
    echo(f"{settings.model} on {settings.tasks} -> {settings.output}", err=True)
    with task_progress(sampling=True) as observe:
        results = run_async(evaluate(tasks, settings, observe=observe))
    finish(settings.output, [task.name for task in tasks], results, SAME)
