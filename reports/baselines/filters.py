"""Which published scores are wanted, newest first; a filter that nothing passes names near ones. Pure."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import UsageError

from .aliases import canonical
from .loader import Baselines, PublishedScore, Source

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_SHOWN = 12  # names in an error message


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
        return date_text(known.sources[score.source])

    return sorted(known.scores, key=date, reverse=True)


def undated(known: Baselines, filters: Filters) -> list[str]:
    """The sources that state no date, and of which `since` alone leaves scores out."""
    if filters.since is None:
        return []
    rest = select(known, replace(filters, since=None))
    return [name for name in dict.fromkeys(s.source for s in rest) if not known.sources[name].date]


def date_text(source: Source) -> str:
    """The date of a source as far as it is stated: 2025, 2025-06 or 2025-06-18; else empty."""
    return source.date or ""


def near_names(wanted: str, names: Iterable[str], count: int = 5) -> list[str]:
    """The names most like one that there is not, the nearest first."""
    key = _plain(wanted)
    plain = {name: _plain(name) for name in dict.fromkeys(names)}
    close = difflib.get_close_matches(key, plain.values(), count, 0.6)
    holds = [text for text in plain.values() if text and (text in key or key in text)]
    by_text = {text: name for name, text in plain.items()}
    return [by_text[text] for text in dict.fromkeys([*close, *holds])][:count]


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
        return _plain(name) in map(_plain, names)
    return any(_plain(name) in _plain(one) for one in names) or canonical(name) in names


def _plain(name: str) -> str:
    """A name with one way to write it: DeepSeek R1 and deepseek_r1 are deepseek-r1."""
    return re.sub(r"[\s_-]+", "-", name.strip()).lower()


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
        return f"{option} {value}: no score that passes the other filters; there: {_listed(left)}"
    what = option.removeprefix("--")
    near = near_names(value.removeprefix("="), (name for score in every for name in names(score)))
    hint = f"did you mean {_either(near)}?" if near else f"there are {_listed(left)}"
    return f"{option} {value}: no published score of that {what}; {hint}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(sorted(names)[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _either(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _measured(chosen: Sequence[PublishedScore]) -> list[PublishedScore]:
    found = [score for score in chosen if score.kind != "quoted"]
    if not found:
        raise UsageError("--measured-only: every score that passes the other filters is quoted")
    return found


def _since(
    since: str, chosen: Sequence[PublishedScore], sources: Mapping[str, Source]
) -> list[PublishedScore]:
    """The scores of sources that may be of a time or later: of "2025", any time of that year."""
    if not _DATE.fullmatch(since) or not _is_date(since):
        raise UsageError(
            f"--since {since!r}: the form is YYYY, YYYY-MM or YYYY-MM-DD, such as 2025-06"
        )
    latest = {name: date_text(source) for name, source in sources.items()}
    latest = {name: date and date + "9999-12-31"[len(date) :] for name, date in latest.items()}
    found = [score for score in chosen if latest[score.source] >= since]
    if not found:
        newest = max((date_text(sources[score.source]) for score in chosen), default="")
        raise UsageError(
            f"--since {since}: no score that passes the other filters; "
            + (f"the newest is of {newest}" if newest else "none has a date")
        )
    return found


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text + "2000-01-01"[len(text) :])
    except ValueError:
        return False
    return True
