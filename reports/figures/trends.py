"""The trend of a task over its runs: one point per run with its interval, the baseline across."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reports.format import value_text
from harness.reports.history import Entry, History

from .style import INK, SERIES, WRONG, Plot, house_style, panel, percent_axis
from .whiskers import whiskers, within_shares

SHOWN_RUNS = 60  # the newest ones
_TICKS = 4


def trend_plot(history: History, stem: str) -> Plot | None:
    """The newest runs in the order in which they began; None where there is no score.

    Only runs of the newest one's protocol and metric are joined by a line; the others stay hollow.
    """
    entries = history.scored[:SHOWN_RUNS][::-1]
    if not entries:
        return None
    newest = entries[-1].facts
    with house_style():
        figure, axes = panel(1.75)
        same = [
            e.facts.protocol == newest.protocol and e.facts.metric == newest.metric for e in entries
        ]
        joined = [(x, entry) for x, (entry, like) in enumerate(zip(entries, same, strict=True))
                  if like]  # fmt: skip
        axes.plot([x for x, _ in joined], [e.facts.value for _, e in joined],
                  color=SERIES[0], linewidth=1.1, alpha=0.7)  # fmt: skip
        for x, (entry, like) in enumerate(zip(entries, same, strict=True)):
            color = WRONG if like and _fell(entry) else SERIES[0]
            bar = whiskers([entry.facts.value], [entry.facts.interval_sampling])
            axes.errorbar([x], [entry.facts.value], bar, fmt="o",
                          color=color if like else INK, alpha=1 if like else 0.45, elinewidth=1.3,
                          markerfacecolor=color if like else "none", markersize=4.2)  # fmt: skip
        base = history.accepted
        if base is not None and base.facts.protocol == newest.protocol:
            axes.axhline(base.facts.value, color=INK, linestyle=(0, (4, 3)), linewidth=0.9)
        ticks = _ticks(len(entries))
        axes.set_xticks(ticks, _dates([entries[x] for x in ticks]))
        axes.set_xlim(-0.5, max(len(entries) - 0.5, 1.5))
        axes.margins(y=0.15)
        if newest.metric and "@" in newest.metric:
            percent_axis(axes)
            within_shares(axes)
    title = f"{newest.metric} over {len(entries)} runs" if len(entries) > 1 else str(newest.metric)
    return Plot(f"{stem}-trend", title, _words(history, entries), "", figure)


def _fell(entry: Entry) -> bool:
    return any(difference.way == "below" for difference in entry.differences)


def _words(history: History, entries: Sequence[Entry]) -> str:
    points = ", ".join(
        f"{entry.run.name} {value_text(entry.facts.metric or '', entry.facts.value)}"
        for entry in entries[-10:]
    )
    base = history.accepted
    across = f" The accepted baseline is {base.run.name}." if base else ""
    return f"{history.task}, {entries[-1].facts.metric} by run, oldest first: {points}.{across}"


def _ticks(count: int) -> list[int]:
    if count <= _TICKS:
        return list(range(count))
    return sorted({round(i * (count - 1) / (_TICKS - 1)) for i in range(_TICKS)})


def _dates(entries: Sequence[Entry]) -> list[str]:
    """Days, or times of day where all fall on one day."""
    days = {entry.run.time[:10] for entry in entries}
    return [entry.run.time[11:16] if len(days) == 1 else entry.run.time[5:10] for entry in entries]
