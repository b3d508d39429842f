"""The command line: `harness COMMAND ..`. One module per command, imported when called."""

from __future__ import annotations

import atexit
import gc
import importlib
import sys
import traceback
from io import StringIO

import click

from harness import __version__
from harness.cli.limits import check_limits
from harness.cli.output import echo
from harness.cli.signals import Stopped, handled, leave
from harness.errors import DataError, HarnessError

COMMANDS = {
    "run": "Sample, grade and score a model on one or more tasks.",
    "import": "Turn published responses into a graded run.",
    "grade": "Grade a run again from its stored samples.",
    "score": "Compute the scores of a run again.",
    "report": "Report on runs beside published scores, or in a paper's tables.",
    "compare": "Test whether a run is worse than another.",
    "plan": "Estimate what a run will cost and what drop it can detect.",
    "sweep": "Vary one setting at a time and measure its effect.",
    "site": "Build a static site over all runs.",
    "watch": "Follow a run in the terminal while it is being sampled.",
    "nightly": "Evaluate new checkpoints against the accepted baseline.",
    "accept": "Make a run the baseline of nightly runs.",
    "judge": "Run a program, or a batch of them, on test cases.",
    "match": "Compare an answer, or a batch of them, with the reference.",
    "rating": "Compute the Codeforces rating and percentile of a run.",
    "tasks": "List the tasks, or show one in full.",
    "baselines": "List published scores with their sources.",
    "export": "Write the tasks as task files for lm-eval.",
    "data": "Fetch datasets, or check your own copies.",
    "doctor": "Check what this machine can run and what it lacks.",
}
"""The commands in the order of `harness --help`, each with its line there."""

_PLACES = {"import": ("import_responses", "import_")}
"""Module and attribute of the one command whose name Python reserves."""


class _LazyGroup(click.Group):
    """Lists commands without importing them; a command's module is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = _PLACES.get(cmd_name, (cmd_name, cmd_name))
        command: click.Command = getattr(
            importlib.import_module(f"harness.cli.{module}"), attribute
        )
        if not any(parameter.name == "verbose" for parameter in command.params):
            command.params.append(_verbose_option())
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _set_verbose(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    root = ctx.find_root()
    root.meta["verbose"] = value or root.meta.get("verbose", False)


def _verbose_option() -> click.Option:
    return click.Option(
        ["-v", "--verbose"],
        is_flag=True,
        expose_value=False,
        callback=_set_verbose,
        help="Show the traceback of an error.",
    )


@click.group(
    cls=_LazyGroup,
    params=[_verbose_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Exit codes: 0 done, 1 the answer is no, 2 usage or bad input, 3 not the same protocol, "
    "4 incomplete: samples pending, or ended in error, 5 underpowered, 70 internal error, "
    "130 and 143 interrupted (run the same command to resume).",
)
@click.version_option(__version__, prog_name="harness")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Evaluate reasoning models: k samples per problem, an error on every score.

    \b
    harness run --model MODEL --tasks aime24,math500 -o runs/NAME
    harness report runs/NAME -o report.html
    """
    check_limits(ctx.invoked_subcommand)


def _end_quickly() -> None:
    """Leave out the last search for what can be freed: with transformers loaded it takes a second."""
    if "triton" not in sys.modules:  # nanobind, which it is built with, reports what was not freed
        gc.freeze()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code that scripts rely on."""
    atexit.register(_end_quickly)
    with handled(watch=True) as signals:
        try:
            code = run_command(arguments)
        except Stopped as stop:  # while an error is being told
            code = stop.exit_code
        if signals.first is not None:
            leave(code)
    sys.exit(code)  # noqa: TID251


def run_command(arguments: list[str] | None = None) -> int:
    """Run one command line in this process, with its errors as text on stderr.

    Args:
        arguments: the words after `harness`; those of this process by default.

    Returns:
        The exit code that scripts rely on.
    """
    meta: dict[str, bool] = {}
    try:
        with cli.make_context("harness", list(arguments or sys.argv[1:])) as ctx:
            meta = ctx.meta
            cli.invoke(ctx)
        return 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        usage = StringIO()
        error.show(usage)
        echo(usage.getvalue(), err=True, nl=False)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as stop:
        echo("interrupted: run the same command again", err=True)
        return stop.exit_code if isinstance(stop, Stopped) else 130
    except BrokenPipeError:  # the reader closed the pipe: `harness tasks | head`
        sys.stdout = None
        return 0
    except SystemExit:  # rich exits so on a closed pipe; 1 would be a verdict
        return 141
    except HarnessError as error:
        _show(error, f"error: {error}", meta)
        return error.exit_code
    except OSError as error:
        if error.filename is None:
            return _internal(error, meta)
        _show(error, f"error: {error.filename}: {error.strerror}", meta)
        return DataError.exit_code
    except Exception as error:
        return _internal(error, meta)


def _internal(error: Exception, meta: dict[str, bool]) -> int:
    what = f"{type(error).__name__}: {error}"
    _show(error, f"internal error, please report it: {what}", meta)
    return 70


def _show(error: Exception, message: str, meta: dict[str, bool]) -> None:
    if meta.get("verbose"):
        traceback.print_exception(error)
    hint = (
        "" if meta.get("verbose") or isinstance(error, HarnessError) else " (-v for the traceback)"
    )
    echo(message + hint, err=True)
