"""A report's tables of one task: summary, groups of problems, outcomes, hardest problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from harness.protocol import MODEL_JUDGE
from harness.reports.format import (
    ends_text,
    excerpt,
    metric_label,
    tokens_text,
    value_text,
    verdict_text,
)
from harness.reports.results import Result
from harness.stats.intervals import Interval
from harness.stats.scores import BreakdownRow, OpenRange, mean_length
from harness.stats.stopping import Stopping
from harness.types import Score, Verdict

from .model import Column, Row, Table

SHOWN_PROBLEMS = 10
SHOWN_ERRORS = 5  # different messages, the most frequent first


def summary(groups: Mapping[str, Sequence[Result]]) -> Table:
    """One row per task, run and metric, with both errors and what may have gone wrong."""
    columns = (
        Column("Task", "name", detail=True),
        Column("Run", "name"),
        Column("Metric", "text"),
        Column("Score"),
        Column("95 %"),
        Column("95 % by problems", detail=True),
        Column("Problems", detail=True),
        Column("Truncated"),
        Column("Errors", detail=True),
        Column("Undecided", detail=True),
        Column("Reasoning"),
        Column("Response"),
    )
    rows = [row for group in groups.values() for result in group for row in _summary_rows(result)]
    alerts = [note for group in groups.values() for result in group for note in _caveats(result)]
    note = (
        "Scores in percent. 95 %: the interval for the same problems again (sampling); by problems: "
        "for other problems like these, whose choice it counts in. Reasoning and response: mean "
        "tokens."
    )
    return Table("Summary", columns, tuple(rows), tuple(alerts), (note,))


def _summary_rows(result: Result) -> list[Row]:
    scored = result.scored
    if scored is None or not scored.scores:
        return [Row((result.task, result.run, "no score", *[""] * 9), "run")]
    verdicts = scored.verdicts
    health = (
        f"{scored.truncated_share:.1%}",
        f"{verdicts.get(Verdict.ERROR, 0):,}",
        f"{verdicts.get(Verdict.UNDECIDED, 0):,}",
        tokens_text(mean_length(scored.tokens.reasoning)),
        tokens_text(mean_length(scored.tokens.response)),
    )
    return [
        Row(
            (
                "" if number else result.task,
                "" if number else result.run,
                metric_label(score, several=scored.several),
                value_text(score.metric, score.value),
                _ends(score.metric, scored.sampling_interval(score)),
                _ends(score.metric, score.interval_problems),
                _coverage(score),
                *(("",) * len(health) if number else health),
            ),
            "weak" if number else "run",
        )
        for number, score in enumerate(scored.scores)
    ]


def _ends(metric: str, ends: tuple[float, float] | None) -> str:
    return "" if ends is None else ends_text(metric, ends)


def _coverage(score: Score) -> str:
    """The problems that a score is the mean of: 198, or 3 of 30 where the others cannot be scored."""
    if score.of_problems is None or score.n_problems == score.of_problems:
        return f"{score.n_problems:,}"
    return f"{score.n_problems:,} of {score.of_problems:,}"


def _caveats(result: Result) -> list[str]:
    """What a reader must know before believing a row, each as one line."""
    place = f"{result.task}, {result.run}"
    lines = [] if result.complete else [f"{place}: {result.status}."]
    lines += [f"{place}: {text}" for text in _allocation_texts(result)]
    if result.scored is None:
        return lines
    for score in result.scored.scores:
        if score.se_sampling is None and score.scoring == result.scored.scoring:
            why = "one sample per problem" if score.k == 1 else "too few samples per problem"
            widest = "; its interval is the widest that any rates allow" * bool(
                score.interval_sampling
            )
            lines.append(f"{place}, {score.metric}: no sampling error: {why}{widest}.")
    lines += [
        f"{place}: {score.metric} covers {_coverage(score)} problems; the others have fewer graded samples."
        for score in result.scored.partial
    ]
    if result.scored.clusters is not None:
        lines.append(f"{place}: {result.scored.clusters}.")
    if result.scored.range is not None:
        lines.append(f"{place}: {_range_text(result.scored.range)}")
    stopped = result.scored.stopped
    if stopped is not None and stopped.interval is not None:
        lines.append(f"{place}: {_stopped_text(stopped, stopped.interval)}")
    lines += [f"{place}: {skipped.metric} {skipped.why}." for skipped in result.scored.skipped]
    if result.scored.opinions is not None:
        judge = result.protocol.judge
        model = f"second opinion of {judge.model}" if judge else "second opinion"
        lines.append(f"{place}, {MODEL_JUDGE}: {model}: {result.scored.opinions}.")
    if result.scored.looped:
        lines.append(
            f"{place}: {result.scored.looped:,} samples were cut by the repetition guard; they "
            "are among the truncated ones."
        )
    if result.scored.duplicates:
        lines.append(
            f"{place}: {result.scored.duplicates:,} samples repeat another one of their problem "
            "word for word; n counts fewer independent draws than it says."
        )
    return lines


def _allocation_texts(result: Result) -> list[str]:
    """How samples were spread over the problems, where that is not evenly."""
    if result.protocol.allocation is None:
        return []
    counts = result.asked.values()
    return [
        f"n from {min(counts)} to {max(counts)} samples per problem, in proportion to the expected "
        "standard deviation of one sample in earlier runs; all problems count alike in the mean."
    ]


def _stopped_text(stopping: Stopping, interval: Interval) -> str:
    return (
        f"stopped early, at {stopping.share:.0%} of k={stopping.k} against {stopping.base} "
        f"({stopping.decision}): the plain mean leans towards what stopped it; "
        f"its 95 % interval is {ends_text('pass@1', interval)}."
    )


def _range_text(found: OpenRange) -> str:
    low, high = (value_text("pass@1", value) for value in (found.low, found.high))
    others = ""
    if found.interval is not None:
        others = f"; over other problems like these, {ends_text('pass@1', found.interval)} (95 %)"
    return (
        f"problems that lack the deciding tests: {found.n_open:,}. pass@1 lies between {low} "
        f"(those all wrong) and {high} (as the tests at hand say){others}."
    )


def breakdowns(group: Sequence[Result]) -> Table:
    """pass@1 by month, platform, difficulty and the like, with its problems interval, one row each."""
    known = {
        result.run: {(row.by, row.group): row for row in result.scored.breakdown}
        for result in group
        if result.scored
    }
    names = list(dict.fromkeys(name for rows in known.values() for name in rows))
    rows = []
    for number, (by, name) in enumerate(names):
        found = [rows_of.get((by, name)) for rows_of in known.values()]
        count = max(row.n_problems for row in found if row)
        first = not number or names[number - 1][0] != by
        rows.append(Row((by if first else "", name, f"{count:,}", *map(_group_text, found))))
    columns = (Column("By", "name"), Column("Group", "name"), Column("Problems", detail=True),
               *(Column(run) for run in known))  # fmt: skip
    note = "pass@1 in percent, with the 95 % interval for other problems like those of the group."
    return Table("By group", columns if rows else (), tuple(rows), notes=(note,) if rows else ())


def _group_text(row: BreakdownRow | None) -> str:
    if row is None:
        return "–"
    value = value_text("pass@1", row.value)
    ends = row.interval_problems
    return value if ends is None else f"{value} ({ends_text('pass@1', ends)})"


def outcomes(group: Sequence[Result]) -> Table:
    """How the samples of one task ended, by verdict, with the internal errors that are still open."""
    scored = [(result.run, result.scored) for result in group if result.scored]
    totals = [sum(found.verdicts.values()) for _, found in scored]
    rows = [Row(("Samples", *(f"{total:,}" for total in totals)))]
    for verdict in Verdict:
        counts = [found.verdicts.get(verdict, 0) for _, found in scored]
        shares = [_share_text(*pair) for pair in zip(counts, totals, strict=True)]
        rows += [Row((verdict_text(verdict), *shares), verdict)] * any(counts)
    for name, counts in (
        ("Pending", [found.pending for _, found in scored]),
        ("Repeated word for word", [found.duplicates for _, found in scored]),
    ):
        rows += [Row((name, *(f"{count:,}" for count in counts)))] * any(counts)
    columns = (Column("Outcome", "name"), *(Column(run) for run, _ in scored))
    errors = [
        f"{result.run}: {excerpt(message)} (samples: {count:,})"
        for result in group
        for message, count in Counter(result.internal_errors).most_common(SHOWN_ERRORS)
    ]
    title = "How the samples ended"
    return Table(title, columns, tuple(rows) if scored else (), tuple(errors))


def _share_text(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.1%})" if count else "0"


def problems(group: Sequence[Result], *, show_masked: bool) -> Table:
    """The problems with the lowest pass rates, hidden texts only where asked for."""
    masked = any(result.protocol.masked for result in group) and not show_masked
    known = {id: problem for result in group for id, problem in result.problems.items()}
    shares = {
        id: [result.rates[id].share for result in group if id in result.rates] for id in known
    }
    graded = [id for id, found in shares.items() if found]
    lowest = sorted(graded, key=lambda id: sum(shares[id]) / len(shares[id]))[:SHOWN_PROBLEMS]
    columns = [Column("Problem", "name"), *(Column(result.run) for result in group)]
    if not masked:
        columns += [Column("Statement", "text"), Column("Reference answer", "text")]
    rows = []
    for id in lowest:
        rates = [_rate_text(result, id) for result in group]
        texts = [] if masked else [excerpt(known[id].statement), excerpt(known[id].answer or "–")]
        rows.append(Row((id, *rates, *texts)))
    notes = [
        f"The {len(lowest)} of {len(known):,} problems with the lowest pass rate: correct samples "
        "of those graded."
    ]
    if masked:
        notes.append("Statements and answers of this task are hidden; --show-masked shows them.")
    return Table("Hardest problems", tuple(columns), tuple(rows), notes=tuple(notes))


def _rate_text(result: Result, id: str) -> str:
    rate = result.rates.get(id)
    return "–" if rate is None else f"{rate.correct}/{rate.graded}"
