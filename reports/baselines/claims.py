"""Which published model a run reproduces, where its own name does not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import UsageError
from harness.reports.results import Result

from .aliases import canonical
from .near import near


def stand_for(
    results: Sequence[Result], claims: Sequence[str], models: Iterable[str]
) -> list[Result]:
    """Say which published model runs reproduce: the one claimed, else the one they are another name of.

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
        meant = canonical(model).lower()
        if meant not in known:
            said = near(model, known.values())
            raise UsageError(f"--as {claim}: no published model is called {model!r}; {said}")
        claimed[found[0]] = known[meant]
    return [replace(r, stands_for=claimed.get(r.run) or _by_spelling(r, known)) for r in results]


def _by_spelling(result: Result, known: Mapping[str, str]) -> str | None:
    """The published model that a run's model is another spelling of, as a hub id or a snapshot."""
    names = (canonical(name).lower() for name in (result.manifest.model, result.model))
    return next((known[name] for name in names if name in known), None)
