"""Which published model a run reproduces, where its own name does not say."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import UsageError
from harness.reports.results import Result


def stand_for(
    results: Sequence[Result], claims: Sequence[str], models: Iterable[str]
) -> list[Result]:
    """Say which published model runs reproduce.

    Args:
        results: what was read.
        claims: each "RUN=MODEL", or "MODEL" alone where there is one run; any case.
        models: the published ones.

    Raises:
        UsageError: a run or a model that there is not, or a claim that leaves the run open.
    """
    known = {model.lower(): model for model in models}
    runs = list(dict.fromkeys(result.run for result in results))
    claimed: dict[str, str] = {}
    for claim in claims:
        run, _, model = claim.rpartition("=")
        names = {run, Path(run).name} if run else set(runs)
        found = [name for name in runs if name in names]
        if len(found) != 1:
            raise UsageError(
                f"--as {claim}: it has the form RUN=MODEL; the runs are {', '.join(runs)}"
            )
        if model.lower() not in known:
            close = difflib.get_close_matches(model.lower(), known, 1)
            hint = f"did you mean {known[close[0]]}?" if close else "see harness baselines"
            raise UsageError(f"--as {claim}: no published model is called {model!r}; {hint}")
        claimed[found[0]] = known[model.lower()]
    return [replace(result, stands_for=claimed.get(result.run)) for result in results]
