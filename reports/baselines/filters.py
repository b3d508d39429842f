"""Which published scores are wanted, newest first; a filter that nothing passes names near ones. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import UsageError

from .aliases import canonical
from .near import listed, near, plain
from .schema import checked_date
from .scores import Baselines, PublishedScore, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is asked for: of each field one of the values given, any where none is.

    Args:
        models: parts of a model's name, canonical or as printed, in any case and with any of
            space, - and _ between words, or its name on the hub; `=NAME` is the model of that whole
            name alone.
        tasks: names of tasks.
        metrics: names of metrics, ours or the source's.
        sources: names of sources.
        since: YYYY, YYYY-MM or YYYY-MM-DD: sources that may be of that time or later.
        measured_only: no figure that its source only quotes.
    """

    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    since: str | None = None
    measured_only: bool = False

    @property
    def narrow(self) -> bool:
        """Whether something is asked for by name or time, so few enough to list."""
        return bool(self.models or self.tasks or self.metrics or self.sources or self.since)


def select(known: Baselines, filters: Filters) -> list[PublishedScore]:
    """Pick the scores that pass every filter, those of the newest sources first.

    Raises:
        UsageError: a value that no score has, or none of those that pass the filters before it;
            the message names near ones. A time that cannot be read, or that no source is of.
    """
    chosen = newest_first(known)
    for option, wanted, names in (
        ("--task", filters.tasks, _task),
        ("--source", filters.sources, _source),
        ("--model", filters.models, _models),
        ("--metric", filters.metrics, _metrics),
    ):
        if wanted:
            if not all(value.strip() for value in wanted):
                raise UsageError(f"{option}: the value is empty; leave the option out for all")
            chosen = _having(option, wanted, names, chosen, known.scores)
    if filters.measured_only:
        chosen = _measured(chosen)
    return chosen if filters.since is None else _since(filters.since, chosen, known.sources)


def newest_first(known: Baselines) -> list[PublishedScore]:
    """All scores by the date of their source, those without a date last, else in their order."""

    def date(score: PublishedScore) -> str:
        return known.sources[score.source].date or ""

    return sorted(known.scores, key=date, reverse=True)


def undated(known: Baselines, filters: Filters) -> list[str]:
    """The sources that state no date, and of which `since` alone leaves scores out."""
    if filters.since is None:
        return []
    rest = select(known, replace(filters, since=None))
    return [name for name in dict.fromkeys(s.source for s in rest) if not known.sources[name].date]


Names = Callable[[PublishedScore], Sequence[str]]


def _task(score: PublishedScore) -> Sequence[str]:
    return (score.task,)


def _source(score: PublishedScore) -> Sequence[str]:
    return (score.source,)


def _models(score: PublishedScore) -> Sequence[str]:
    return tuple(dict.fromkeys(filter(None, (score.model, score.label))))


def _metrics(score: PublishedScore) -> Sequence[str]:
    return tuple(dict.fromkeys(filter(None, (score.metric, score.printed_metric))))


def _having(
    option: str,
    wanted: Sequence[str],
    names: Names,
    chosen: Sequence[PublishedScore],
    every: Sequence[PublishedScore],
) -> list[PublishedScore]:
    """The scores with one of the names that are wanted. Each must be that of some score."""
    part = option == "--model"
    passing: dict[int, None] = {}
    for value in wanted:
        found = [i for i, score in enumerate(chosen) if _named(value, names(score), part=part)]
        if not found:
            raise UsageError(_none_of(option, value, names, chosen, every))
        passing.update(dict.fromkeys(found))
    return [chosen[i] for i in sorted(passing)]


def _named(wanted: str, names: Sequence[str], *, part: bool) -> bool:
    """Whether a value is one of the names; for `part`, stands in one or is another spelling of it."""
    if not part:
        return wanted in names
    name = wanted.removeprefix("=").rpartition("/")[2]  # without the account of a hub id
    if wanted.startswith("="):
        return plain(name) in map(plain, names)
    return any(plain(name) in plain(one) for one in names) or canonical(name) in names


def _none_of(
    option: str,
    value: str,
    names: Names,
    chosen: Sequence[PublishedScore],
    every: Sequence[PublishedScore],
) -> str:
    """Why nothing has the name: it is nowhere, or not among what the other filters leave."""
    part = option == "--model"
    left = list(dict.fromkeys(name for score in chosen for name in names(score)[:1]))
    elsewhere = any(_named(value, names(score), part=part) for score in every)
    if elsewhere:
        there = listed(sorted(left))
        return f"{option} {value}: no score that passes the other filters; there: {there}"
    what = option.removeprefix("--")
    known = sorted(name for score in every for name in names(score))
    said = near(value.removeprefix("="), known)
    return f"{option} {value}: no published score of that {what}; {said}"


def _measured(chosen: Sequence[PublishedScore]) -> list[PublishedScore]:
    found = [score for score in chosen if score.kind != "quoted"]
    if not found:
        raise UsageError("--measured-only: every score that passes the other filters is quoted")
    return found


def _since(
    since: str, chosen: Sequence[PublishedScore], sources: Mapping[str, Source]
) -> list[PublishedScore]:
    """The scores of sources that may be of a time or later: of "2025", any time of that year."""
    try:
        checked_date(since)
    except ValueError as error:
        raise UsageError(f"--since {since!r}: {error}") from error
    latest = {name: source.date or "" for name, source in sources.items()}
    latest = {name: date and date + "9999-12-31"[len(date) :] for name, date in latest.items()}
    found = [score for score in chosen if latest[score.source] >= since]
    if not found:
        newest = max((sources[score.source].date or "" for score in chosen), default="")
        raise UsageError(
            f"--since {since}: no score that passes the other filters; "
            + (f"the newest is of {newest}" if newest else "none has a date")
        )
    return found
