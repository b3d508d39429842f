"""The effects of a sweep as tables, for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.protocol import Protocol
from harness.reports.documents import markdown_page
from harness.reports.format import ends_text, p_text, points, tokens_text, value_text
from harness.stats.effects import LEVEL, Effect
from harness.stats.intervals import Interval

from .model import Column, Row, Table


def effect_tables(effects: Sequence[Effect], protocols: Mapping[str, Protocol]) -> list[Table]:
    """One table per task, its base first.

    Args:
        effects: of all tasks; each task's base comes before its values.
        protocols: of the base, by task.
    """
    return [_table(rows, protocols[task]) for task, rows in by_task(effects).items()]


def render_markdown(tables: Sequence[Table]) -> str:
    """The tables under one heading, GitHub-flavoured."""
    return markdown_page("tables.md.jinja", title="One factor at a time", tables=tables)


def by_task(effects: Sequence[Effect]) -> dict[str, list[Effect]]:
    """The effects grouped by task, both in the order in which they come."""
    groups: dict[str, list[Effect]] = {}
    for effect in effects:
        groups.setdefault(effect.task, []).append(effect)
    return groups


def _table(rows: Sequence[Effect], protocol: Protocol) -> Table:
    base = rows[0]
    columns = (
        Column("Factor", "name"),
        Column("Value", "name"),
        Column("pass@1"),
        Column("95 %", detail=True),
        Column("95 % by problems", detail=True),
        Column("Diff."),
        Column("sampling 95 %"),
        Column("problems 95 %", detail=True),
        Column("p Holm", detail=True),
        Column("Claim", "text"),
        Column("Cut"),
        Column("Tokens"),
        Column("of reasoning", detail=True),
        Column("k", detail=True),
        Column("From", "text", detail=True),
    )
    notes = (
        "pass@1 and differences to the base in percent and points. Intervals hold with 95 % each, and "
        "for one difference alone: for the same problems again (sampling, and 95 % beside the score), "
        "and for other problems like these (problems).",
        "p Holm: two-sided, over the same problems again, adjusted over all values of the factor "
        f"on all tasks. A value differs where it is at most {LEVEL:g}: a factor without any effect "
        f"has such a value in at most {LEVEL:.0%} of sweeps, however many values it has.",
        "Cut: samples that hit the length cap. Tokens: the mean per sample, and what its reasoning "
        "has of them. A lower max_tokens, a smaller k, extract, scoring and grader are computed from "
        "the base's own samples (stored) and paired with them one by one.",
    )
    title = f"{base.task}, base: {_protocol(protocol)}, {base.n_problems:,} problems"
    drawn = tuple(
        _row(effect, first=not i or rows[i - 1].factor != effect.factor)
        for i, effect in enumerate(rows)
    )
    return Table(title, columns, drawn, _alerts(rows), notes)


def _row(effect: Effect, *, first: bool) -> Row:
    sampling, problems = effect.interval_sampling, effect.interval_problems
    return Row(
        (
            effect.factor if first else "",
            effect.value,
            value_text("pass@1", effect.score),
            "" if sampling is None else ends_text("pass@1", sampling),
            "" if problems is None else ends_text("pass@1", problems),
            "" if effect.difference is None else points(effect.difference),
            interval_text(effect.difference_interval_sampling),
            interval_text(effect.difference_interval_problems),
            "" if effect.p_adjusted is None else p_text(effect.p_adjusted),
            effect.claim or "",
            f"{effect.truncated_share:.1%}",
            tokens_text(effect.mean_tokens),
            tokens_text(effect.mean_reasoning_tokens),
            f"{effect.k:,}",
            effect.source,
        ),
        "run" if effect.source == "base" else "",
    )


def interval_text(interval: Interval | None) -> str:
    """Both ends in points; empty where there is none."""
    if interval is None:
        return ""
    return f"{points(interval.low)}..{points(interval.high)}"


def _protocol(protocol: Protocol) -> str:
    parts = (
        ("temperature", protocol.temperature),
        ("top_p", protocol.top_p),
        ("cap", protocol.max_tokens),
        ("repetition guard", protocol.repetition_guard),
        ("effort", protocol.effort),
        ("reasoning budget", protocol.reasoning_budget),
        ("server's own sampling", protocol.server_sampling),
        ("grader", protocol.grader),
        ("extract", protocol.extract),
    )
    return ", ".join(f"{name} {value}" for name, value in parts if value is not None)


def _alerts(rows: Sequence[Effect]) -> tuple[str, ...]:
    lines = []
    for effect in rows:
        place = f"{effect.factor} {effect.value}".strip()
        if effect.errors:
            lines.append(f"{place}: {effect.errors:,} samples ended in error and are left out.")
        if effect.cut_responses:
            lines.append(
                f"{place}: {effect.cut_responses:,} right samples end inside their response at "
                "this cap and count as truncated, which costs at most "
                f"{100 * effect.cut_responses / effect.n:.1f} points."
            )
        if effect.se_sampling is None:
            lines.append(f"{place}: no sampling error: one sample per problem.")
    return tuple(lines)
