"""Exit code 4 of the commands that print scores, and the command that completes a run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError, Incomplete
from harness.stats.scores import TaskScores
from harness.storage.run_folder import RunFolder

SAME = "the same command tries them again"
_RESUMES = ("run", "import", "sweep", "nightly")
_LONGEST = 300  # characters of a command that is still shown


def check_complete(run: Path, results: Sequence[TaskScores], how: str | None = None) -> None:
    """Raise where samples are missing; what no command would add does not count.

    Args:
        run: the run folder.
        results: the scores of its tasks.
        how: what completes the run; by default the command that its manifest names.

    Raises:
        Incomplete: samples are pending, or ended in an internal error.
    """
    pending, errors = (
        sum(result.pending for result in results),
        sum(result.errors for result in results),
    )
    missing = [f"{pending:,} samples pending"] * bool(pending)
    missing += [f"{errors} samples ended in error, see {run}/*/errors.jsonl"] * bool(errors)
    if missing:
        raise Incomplete(f"{' and '.join(missing)}; {how or how_to_resume(run)}")


def how_to_resume(run: Path) -> str:
    """The command that completes a run, as the last process that worked on it was called.

    A command that cannot be shown as it was, on one line, is described.
    """
    try:
        command = RunFolder(run).manifest().starts[-1].command
    except (HarnessError, IndexError):
        command = ()
    words = shlex.join(("harness", *command))
    if (
        not command
        or command[0] not in _RESUMES
        or not words.isprintable()
        or len(words) > _LONGEST
    ):
        words = f"harness run .. -o {run}, with the options of its manifest.json,"
    return f"{words} completes it"
