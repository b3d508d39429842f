"""What is said around a paper's table: what to know before believing it, and how to read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.reports.baselines.conflicts import conflicts
from harness.reports.baselines.protocol_differences import unstated
from harness.reports.choice_orders import orders_text
from harness.reports.format import score_text
from harness.reports.results import Result
from harness.reports.tables.published import conflict_text

from .grid import PaperTable
from .layouts import Heading
from .placement import lines_of
from .text import judged

LEGEND = (
    "Runs: value ± sampling error (the same problems again), n samples per problem, verdict against "
    "the published figure of the same model, and the difference from it with its 95 % interval in "
    "points."
)


def alerts(table: PaperTable) -> list[str]:
    """What a reader must know before believing a value."""
    every = [e.result for line in table.lines for e in line.entries if e.result]
    lines = list(dict.fromkeys(f"{r.task}, {r.run}: {r.status}." for r in every if not r.complete))
    lines += [f"{run} holds no task of this table." for run in table.absent]
    for line in (line for line in table.lines if line.run and not line.row):
        lines += [
            f"{line.run}, {e.heading.text}: another protocol than the table's: "
            f"{'; '.join(e.differences)}."
            for e in line.entries
            if e.differences
        ]
    lines += _strangers(table)
    own = {e.figure.score for line in table.lines for e in line.entries if e.figure}
    disputed = [group for group in conflicts(table.published) if not own.isdisjoint(group)]
    return lines + [f"† Sources disagree on {conflict_text(group)}." for group in disputed]


def _strangers(table: PaperTable) -> Iterator[str]:
    """The runs that stand beside no line, and what would put them there."""
    unknown = []
    for line in (line for line in table.lines if line.run and not line.row):
        result = next(entry.result for entry in line.entries if entry.result)
        names = lines_of(table.rows, result)
        if names:
            effort = result.protocol.effort
            yield (
                f"{line.run} ({line.model}) is without a verdict: the table has this model as "
                f"{'; '.join(names)}, and the run states "
                + (f"effort {effort}" if effort else "no effort")
                + f"; --as {line.run}=LINE says which line it reproduces."
            )
        else:
            unknown.append(f"{line.run} ({line.model})")
    if unknown:
        yield (
            f"No model of this table, so without a verdict: {', '.join(unknown)}; "
            "--as RUN=MODEL says which model a run reproduces."
        )


def notes(table: PaperTable) -> list[str]:
    """How values, errors and verdicts are to be read."""
    margin = f"{table.margin * 100:.1f}"
    borrowed = any(e.borrowed for line in table.lines for e in line.entries)
    quoted = any(e.cell and e.cell.kind == "quoted" for line in table.lines for e in line.entries)
    layout = table.layout
    return [
        f"Published values: {layout.places}, as printed.",
        *layout.footnotes,
        *([f"‡ From {' '.join(layout.fallback)}."] if layout.fallback and borrowed else []),
        *(["§ The source took it over from others."] if quoted else []),
        "Verdicts: differs, the 95 % interval of the difference excludes 0; reproduced, it lies "
        f"between −{margin} and +{margin} points; underpowered, neither; not comparable, a part of "
        "the protocol that the source states is another one.",
        *_imputed(table),
        *_scorings(table),
        *_uncompared(table),
        *orders_text([*_judged_runs(table)]),
        *_availability(table),
        *_best(table),
    ]


def _imputed(table: PaperTable) -> Iterator[str]:
    """At which k the figures' errors were imputed."""
    by_k: dict[str, list[Heading]] = {}
    for _, entry, verdict in judged(table):
        if verdict.imputed_k is None or entry.cell is None:
            continue
        least, most = verdict.imputed_k
        source = "the source's range" if entry.cell.protocol.k else "the source states none"
        k = f"k = {least}" if least == most else f"k from {least} to {most} ({source})"
        by_k.setdefault(k, []).append(entry.heading)
    if by_k:
        at = "; ".join(f"{k}: {_headings(found)}" for k, found in by_k.items())
        yield (
            "Published figures come without errors. Theirs are those of k samples of the same "
            f"problems with rates like the run's, rounded to a tenth of a point. {at}."
        )
    if any(verdict.imputed_k and len(set(verdict.imputed_k)) > 1 for *_, verdict in judged(table)):
        yield (
            "Where k is a range, a verdict is what both of its ends say, and underpowered where "
            "they disagree; the interval is that of the least k, the widest."
        )


def _judged_runs(table: PaperTable) -> Iterable[Result]:
    """The tasks of runs that have a verdict, once each."""
    found = {(e.result.run, e.result.task): e.result for _, e, _ in judged(table) if e.result}
    return found.values()


def _scorings(table: PaperTable) -> Iterator[str]:
    """What the same samples score in another way, where they were scored in several."""
    for line in table.lines:
        for entry in line.entries:
            score, scored = entry.score, entry.result.scored if entry.result else None
            if score is None or scored is None:
                continue
            for other in scored.scores:
                if other.metric == score.metric and other.scoring != score.scoring:
                    yield (
                        f"{line.run}, {entry.heading.text}: scored as {score.scoring}; as "
                        f"{other.scoring} it is {score_text(other)}."
                    )


def _uncompared(table: PaperTable) -> Iterator[str]:
    """The parts that a verdict could not compare, by who does not state them."""
    silent: dict[tuple[str, str], list[Heading]] = {}
    for line, entry, _ in judged(table):
        if entry.result and entry.cell and not entry.heading.obstacle:
            sides = unstated(entry.result, entry.cell)
            for who, names in zip((entry.cell.source, line.run or ""), sides, strict=True):
                silent.setdefault((who, ", ".join(names)), []).append(entry.heading)
    for (who, parts), found in silent.items():
        if parts:
            yield f"Not stated by {who}, so not compared ({_headings(found)}): {parts}."


def _availability(table: PaperTable) -> Iterator[str]:
    """What not everyone can measure again: whole headings, and models beyond those."""
    for kind in ("data gated", "protocol not public"):
        whole, models = [], []
        for number, heading in enumerate(table.layout.headings):
            figures = [
                c for line in table.lines if not line.run and (c := line.entries[number].cell)
            ]
            found = [cell.model for cell in figures if cell.availability == kind]
            if 2 * len(found) > len(figures):
                whole.append(heading)
            else:
                models += found
        names = [_headings(whole), *dict.fromkeys(models)]
        if any(names):
            yield f"{kind.capitalize()}: {', '.join(filter(None, names))}."


def _best(table: PaperTable) -> Iterator[str]:
    """What bold means, and why there is none in some columns."""
    yield (
        "Bold: the best value, where the 95 % interval of its lead over the next one excludes 0; "
        "a published figure counts with the least k that it may have, and runs of another protocol "
        "do not compete."
    )
    reasons: dict[str, list[str]] = {}
    for heading, (why, figures) in table.undecided.items():
        reasons.setdefault(why, []).append(heading.text + f" ({figures})" * bool(figures))
    for why, names in reasons.items():
        yield f"Nothing is bold where {why}: {', '.join(names)}."


def _headings(found: Iterable[Heading]) -> str:
    return ", ".join(dict.fromkeys(heading.text for heading in found))
