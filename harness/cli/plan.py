"""`harness plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.points import MARGIN, share_of
from harness.waiting import waiting_for

if TYPE_CHECKING:
    from harness.workflows.plan_decided import Allocation

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--tasks", metavar="T[,T..]", default="",
              help="Task names; by default all tasks of the --from run.")  # fmt: skip
@click.option("--from", "run", metavar="RUN", type=_PATH,
              help="An earlier run whose rates and lengths are used.")  # fmt: skip
@click.option("--assume", "rate", metavar="RATE", type=float,
              help="Assume this mean pass@1 instead of a run's, such as 0.7.")  # fmt: skip
@click.option("--spread", metavar="S", type=float,
              help="With --assume: standard deviation of pass@1 between problems; by default that "
              "of AIME-like sets.")  # fmt: skip
@click.option("--length", metavar="TOKENS", type=float,
              help="Tokens generated per sample, reasoning included.")  # fmt: skip
@click.option("--price", metavar="IN,OUT",
              help="Price of a million prompt tokens and of a million completion tokens, in USD; "
              "by default RUN's, or what its server charged.")  # fmt: skip
@click.option("--prompt-length", metavar="TOKENS", type=float,
              help="Tokens of a prompt, for dollars; by default those of RUN.")  # fmt: skip
@click.option("--max-tokens", type=int, metavar="TOKENS",
              help="Cap on a sample's tokens; by default RUN's or the task's.")  # fmt: skip
@click.option("--concurrency", type=int, metavar="N",
              help="Samples in flight at once; by default as in RUN.")  # fmt: skip
@click.option("--tokens-per-second", "speed", metavar="N", type=float,
              help="Tokens that the engine generates per second over all samples in flight "
              "together; by default each is as fast as those of RUN were.")  # fmt: skip
@click.option("--k", type=int, metavar="N", help="Plan for this k too; by default the run's or the "
              "task's.")  # fmt: skip
@click.option("--base-k", type=int, metavar="N", help="Samples per problem of the run to compare "
              "with; by default as many as the new run has.")  # fmt: skip
@click.option("--allocate", "allocation", type=click.Choice(("uniform", "history")),
              default="uniform", show_default=True,
              help="How samples fall to problems until decided; history goes by RUN, see "
              "run.")  # fmt: skip
@click.option("--history", type=_PATH, metavar="RUN", multiple=True,
              help="A further run that an allocation by history goes by; repeatable.")  # fmt: skip
@click.option("--detect", metavar="POINTS", type=float,
              help="Print the k that is needed to detect this drop.")  # fmt: skip
@click.option("--margin", type=float, default=MARGIN, show_default=True, metavar="POINTS",
              help="Show the power to detect this drop; see compare.")  # fmt: skip
@click.option("--data", type=_PATH, metavar="DIR", envvar="HARNESS_DATA",
              help="Your own copies of the datasets, to count problems.")  # fmt: skip
@click.option(
    "--json", "document", type=_PATH, metavar="FILE", help="Write the plan as JSON as well."
)
@waiting_for("the runs and problems to be read")
def plan(
    *,
    tasks: str,
    run: Path | None,
    rate: float | None,
    spread: float | None,
    length: float | None,
    price: str | None,
    prompt_length: float | None,
    max_tokens: int | None,
    concurrency: int | None,
    speed: float | None,
    k: int | None,
    base_k: int | None,
    allocation: Allocation,
    history: tuple[Path, ...],
    detect: float | None,
    margin: float,
    data: Path | None,
    document: Path | None,
) -> None:
    """Estimate what a run will cost and what drop it can detect, before a GPU is used.

    For k from 1 to 64: samples, tokens, hours, both expected standard errors, the smallest drop
    that `harness compare` detects (one-sided 5 %, power 0.8), and what `--until decided` needs on
    average where nothing changed. Hours need lengths, samples in flight and a speed: those of RUN,
    or stated ones. Dollars need a price, GPU hours the GPUs of RUN. For the run's own k: what a
    base of four times the samples gains, and an allocation by history.

    \b
    harness plan --from runs/last --detect 2
    harness plan --tasks aime24 --assume 0.7 --length 12000 \\
        --concurrency 128 --tokens-per-second 8000
    """
    from harness.cli.plan_tables import print_plans
    from harness.cli.task_lookup import task_named
    from harness.stats.cost import read_price
    from harness.stats.power import ALPHA
    from harness.storage.files import write_json
    from harness.workflows.plan import hours_together, plan_task
    from harness.workflows.plan_inputs import Assumptions, plan_inputs, plan_lanes

    stated = Assumptions(rate=rate, spread=spread, length=length, max_tokens=max_tokens,
                         concurrency=concurrency, tokens_per_second=speed,
                         price=None if price is None else read_price(price),
                         prompt_length=prompt_length)  # fmt: skip
    names = list(dict.fromkeys(name.strip() for name in tasks.split(",") if name.strip()))
    found = plan_inputs(names, task_named, run=run, data=data, stated=stated, history=history)
    lanes = plan_lanes(run, stated)
    plans = [
        plan_task(inputs, k=k, base_k=base_k, margin=share_of(margin, "--margin"), lanes=lanes,
                  detect=None if detect is None else share_of(detect, "--detect"),
                  allocation=allocation, alpha=ALPHA / len(found))
        for inputs in found
    ]  # fmt: skip
    together = hours_together(plans)
    if document is not None:
        write_json(document, {"plans": [planned.to_json() for planned in plans], "hours": together})
    print_plans(plans, together)
