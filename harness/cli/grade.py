"""`harness grade`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.engine_options import engine_args
from harness.cli.interrupt import run_async
from harness.cli.lock_option import take_over_option
from harness.cli.output import echo
from harness.cli.progress import question_progress, task_progress
from harness.errors import EngineDown, Incomplete, UsageError

if TYPE_CHECKING:
    from harness.workflows.regrade import Change
    from harness.workflows.second_opinion import JudgeSettings

_RUN = click.argument("run", type=click.Path(path_type=Path, file_okay=False))


@click.command()
@_RUN
@click.option("--diff", is_flag=True,
              help="List the samples whose verdict changes, and with --judge-model those on which "
              "the model differs from the rule.")  # fmt: skip
@click.option("--undecided", "list_undecided", is_flag=True,
              help="List the samples whose answer could not be read, and grade nothing.")  # fmt: skip
@click.option("--judge-model", metavar="MODEL",
              help="Ask this model for a second opinion on the mathematical answers that are "
              "undecided or wrong_answer by the rule: the further scoring model-judge. It sees the "
              "reference answer and the extracted answer, nothing else.")  # fmt: skip
@click.option("--base-url", metavar="URL[,URL..]",
              help="With --judge-model: its OpenAI-compatible server, ending in /v1. Also "
              "OPENAI_BASE_URL; the key is OPENAI_API_KEY.")  # fmt: skip
@click.option("--judge-temperature", type=float, metavar="X",
              help="With --judge-model: temperature of its replies; 0 by default.")  # fmt: skip
@click.option("--judge-max-tokens", type=int, metavar="N",
              help="With --judge-model: cap on the tokens of a reply, reasoning included; 8192 by "
              "default.")  # fmt: skip
@click.option("--judge-again", is_flag=True,
              help="With --judge-model: ask the questions again whose stored reply is no "
              "opinion.")  # fmt: skip
@click.option("--engine-arg", multiple=True, metavar="K=V", callback=engine_args,
              help="With --judge-model: an option of the openai engine, as in `harness run`: "
              "tries, timeout, patience, cap_field, body.NAME=JSON, header.NAME=TEXT; repeatable.")  # fmt: skip
@click.option("--unsafe-judge", is_flag=True,
              help="Run programs without a sandbox, as `harness run --unsafe-judge`; never because "
              "the folder says so.")  # fmt: skip
@take_over_option
def grade(
    *,
    run: Path,
    diff: bool,
    list_undecided: bool,
    judge_model: str | None,
    base_url: str | None,
    judge_temperature: float | None,
    judge_max_tokens: int | None,
    judge_again: bool,
    engine_arg: Mapping[str, str] | None,
    unsafe_judge: bool,
    take_over: bool | None,
) -> None:
    """Grade the stored samples of a run with the graders of this version.

    grades.jsonl and scores.json of a task are replaced once all of its samples are graded.

    With --judge-model a model is asked afterwards where the rule finds a mathematical answer wrong
    or cannot read it. Its opinions are scored beside the rule's verdicts, as model-judge, and
    change none of them. The same command asks for what is missing after an interruption; a reply
    that was no opinion is kept, and asked for again with --judge-again.

    \b
    harness grade runs/r1 --judge-model MODEL --base-url http://localhost:8000/v1
    """
    from harness.cli.task_lookup import task_named
    from harness.workflows.regrade import regrade

    judge = {
        "base_url": base_url,
        "temperature": judge_temperature,
        "max_tokens": judge_max_tokens,
        "options": engine_arg,
    }
    settings = _judge_settings(judge_model, judge)
    if judge_again and not settings:
        raise UsageError("--judge-again is for the second opinion: add --judge-model MODEL")
    if list_undecided:
        if settings:
            raise UsageError("--undecided grades nothing: leave --judge-model out")
        _list_undecided(run)
        return
    if settings:
        _second_opinion(run, settings, diff=diff, again=judge_again, take_over=bool(take_over))
        return
    with task_progress(sampling=False) as observe:
        changes = run_async(
            regrade(
                run, task_named, observe=observe, take_over=bool(take_over), unsafe=unsafe_judge
            )
        )
    _print_changes(changes, diff=diff)
    _print_missing_opinions(run)
    _check_failed(run, changes)


def _list_undecided(run: Path) -> None:
    from harness.storage.run_folder import RunFolder
    from harness.workflows.regrade import undecided

    for folder in RunFolder(run).tasks():
        for found in undecided(folder):
            echo(f"{folder.name} {found.problem_id} {found.index}: {found.answer}")


def _judge_settings(model: str | None, given: Mapping[str, object]) -> JudgeSettings | None:
    """The settings of the second opinion. UsageError where they are given without a model."""
    from harness.workflows.second_opinion import JudgeSettings

    values = {name: value for name, value in given.items() if value is not None}
    if model is None:
        if values:
            raise UsageError(
                "--base-url, --judge-temperature, --judge-max-tokens and --engine-arg are for the "
                "second opinion: add --judge-model MODEL"
            )
        return None
    return JudgeSettings(model=model, **values)  # type: ignore[arg-type]


def _second_opinion(
    run: Path, settings: JudgeSettings, *, diff: bool, again: bool, take_over: bool
) -> None:
    from harness.cli.score_table import finish
    from harness.cli.task_lookup import task_named
    from harness.workflows.second_opinion import second_opinion

    work = second_opinion(
        run,
        task_named,
        settings,
        grading=task_progress(sampling=False),
        asking=question_progress(),
        again=again,
        take_over=take_over,
    )
    try:
        changes, asked = run_async(work)
    except EngineDown:
        _print_missing_opinions(run)
        raise
    _print_changes(changes, diff=diff)
    for task in asked:
        if diff:
            _print_differing_opinions(run, task.task)
        echo(f"{task.task}: {task.questions:,} new questions to {settings.model}")
    failed = sum(task.failed for task in asked)
    finish(run, [task.task for task in asked], [task.scores for task in asked])
    _check_failed(run, changes)
    if failed:
        raise Incomplete(
            f"{failed} questions to {settings.model} ended in error, see {run}/*/errors.jsonl; the "
            "same command asks them again"
        )


def _print_differing_opinions(run: Path, task: str) -> None:
    from harness.protocol import MODEL_JUDGE
    from harness.storage.run_folder import RunFolder
    from harness.types import Verdict

    for found in sorted(RunFolder(run).task(task).grades(), key=lambda grade: grade.key):
        opinion = found.also.get(MODEL_JUDGE, Verdict.UNDECIDED)
        if opinion not in (found.verdict, Verdict.UNDECIDED):  # which is no opinion
            echo(
                f"{task} {found.problem_id} {found.index}: {found.verdict}, {MODEL_JUDGE} {opinion} "
                f"({found.answer!r})"
            )


def _print_missing_opinions(run: Path) -> None:
    """Name the second opinions that a run lacks since its verdicts or answers changed."""
    from harness.storage.run_folder import RunFolder
    from harness.workflows.second_opinion import judge_command

    for folder in RunFolder(run).tasks():
        judge = folder.protocol().judge
        opinions = folder.scores().opinions if judge else None
        if judge and opinions and opinions.missing:
            echo(
                f"{folder.name}: {opinions.missing:,} samples have no second opinion of "
                f"{judge.model} yet; {judge_command(run, judge)} asks for them"
            )


def _check_failed(run: Path, changes: Sequence[Change]) -> None:
    failed = sum(change.after.verdict == "error" for change in changes)
    if failed:
        raise Incomplete(f"{failed} samples ended in error, see {run}/*/errors.jsonl")


def _print_changes(changes: Sequence[Change], *, diff: bool) -> None:
    """The number of verdicts of the rule that changed, and with `diff` each of them."""
    for change in changes if diff else ():
        before = change.before or "ungraded"
        after = change.after
        echo(
            f"{change.task} {after.problem_id} {after.index}: {before} -> {after.verdict} "
            f"({after.answer!r}, {after.detail})"
        )
    echo(f"{len(changes)} verdicts changed")
