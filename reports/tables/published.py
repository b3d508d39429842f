"""Published scores with the runs of a task among them, best first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from harness.reports.baselines.conflicts import conflicts
from harness.reports.baselines.protocol_differences import stated_differences
from harness.reports.baselines.scores import PublishedScore, places_text
from harness.reports.baselines.selection import Line, line_of, nearest_in_value
from harness.reports.choice_orders import orders_text
from harness.reports.format import ends_text, n_text, value_text
from harness.reports.results import Result
from harness.stats.scores import TaskScores
from harness.types import Score

from .model import Column, Row, Table
from .published_text import condition_text, kind_text, settings_text, shared_facts

TITLE = "Beside published scores"


def beside(group: Sequence[Result], published: Sequence[PublishedScore]) -> Table:
    """The runs of one task among the published figures of that task, with provenance.

    Where there are many, those of the runs' models and the nearest in value are shown. Figures that a
    source only quotes are shown where they disagree with another. Without any figure for the task the
    table has no rows and says so.

    Args:
        group: one task's results.
        published: every baseline there is.
    """
    task = group[0].task
    found = [cell for cell in published if cell.task == task]
    if not found:
        return Table(TITLE, (), (), notes=(f"There are no published scores for {task}.",))
    chosen = nearest_in_value(found, group, _headline(found))
    disputed = [same for same in conflicts(found) if not set(chosen.shown).isdisjoint(same)]
    notes = [
        *filter(None, [chosen.rest_text(task)]),
        *_protocols(chosen.shown),
        *orders_text(group),
        "n: samples per problem, – where a source does not state it.",
        "● The model of a run in this report. Below a run's score: its 95 % interval for "
        "the same problems again (sampling).",
    ]
    return _table(TITLE, chosen.shown, disputed, group, notes)


def conflict_text(published: Sequence[PublishedScore]) -> str:
    """Each value of one disputed figure with everyone who states it."""
    first = published[0]
    stated: dict[str, dict[str, list[PublishedScore]]] = {}
    for cell in published:
        stated.setdefault(cell.text, {}).setdefault(cell.source, []).append(cell)
    values = "; ".join(
        f"{value} ({', '.join(map(source_text, by_source.values()))})"
        for value, by_source in stated.items()
    )
    return f"{first.model}, {first.task} {first.metric}: {values}"


def source_text(line: Sequence[PublishedScore]) -> str:
    """Where figures of one source stand: r1-paper tables 2, 4."""
    places = places_text(list(dict.fromkeys(place for cell in line for place in cell.places)))
    return ", ".join(filter(None, (f"{line[0].source} {places}", kind_text(line[0]))))


def _table(
    title: str,
    shown: Sequence[PublishedScore],
    disputed: Sequence[Sequence[PublishedScore]],
    group: Sequence[Result],
    notes: Sequence[str],
) -> Table:
    """Runs and figures in the order of the headline metric, one row per model, source and protocol."""
    headline = _headline(shown)
    metrics = _columns(shown, headline, group)
    doubtful = {cell for same in disputed for cell in same}
    lines: dict[Line, list[PublishedScore]] = {}
    for cell in shown:
        if cell.metric in metrics:
            lines.setdefault(line_of(cell), []).append(cell)
    apart = _apart(lines)
    ranked = [_run_row(result, metrics, headline) for result in group]
    ranked += [
        (
            max((cell.value for cell in line if cell.metric == headline), default=-1.0),
            _cell_row(line, metrics, doubtful, group, apart[name]),
        )
        for name, line in lines.items()
    ]
    ranked.sort(key=lambda pair: -pair[0])
    top = 1.0 if "@" in headline else max(value for value, _ in ranked)
    rows = [Row(row.cells, row.kind, max(value, 0.0) / top) for value, row in ranked]
    columns = (
        Column("Model", "name"),
        *(Column(metric) for metric in metrics),
        Column("n"),
        Column("Source", "text"),
        Column("Availability", "text", detail=True),
    )
    alerts = _deviations(group, shown)
    alerts += [f"† Sources disagree on {conflict_text(same)}." for same in disputed]
    return Table(title, columns, tuple(rows), tuple(alerts), tuple(notes))


def _headline(cells: Sequence[PublishedScore]) -> str:
    """The metric by which a table is ordered."""
    metrics = [cell.metric for cell in cells]
    return "pass@1" if "pass@1" in metrics else metrics[0]


_MOST_METRICS = 3


def _columns(cells: Sequence[PublishedScore], headline: str, group: Sequence[Result]) -> list[str]:
    """The metrics to show: the headline, then those that the runs have, then the most frequent."""
    counts = Counter(cell.metric for cell in cells)
    ours = {name for result in group if result.scored for name in result.scored.main}
    rest = [metric for metric in counts if metric != headline]
    rest.sort(key=lambda metric: (metric not in ours, -counts[metric]))
    return [headline, *rest[: _MOST_METRICS - 1]]


def _apart(lines: Mapping[Line, Sequence[PublishedScore]]) -> dict[Line, str]:
    """What tells the lines of one model in one source apart: effort, mode, tools, or all that does."""
    alike: dict[Line, list[Line]] = {}
    for name, (first, *_) in lines.items():
        alike.setdefault((*name[:3], settings_text(first)), []).append(name)
    texts = {}
    for names in alike.values():
        _, own = shared_facts([lines[name][0] for name in names])
        for name, parts in zip(names, own, strict=True):
            texts[name] = "; ".join(filter(None, [settings_text(lines[name][0]), *parts]))
    return texts


def _run_row(result: Result, metrics: Sequence[str], headline: str) -> tuple[float, Row]:
    scored = result.scored
    scores = scored.main if scored else {}
    main = scores.get(headline)
    n = n_text(main).removeprefix("n").lstrip("=") if main else ""
    texts = [_score_text(scored, scores.get(metric)) for metric in metrics]
    state = "complete" if result.complete else result.status.partition(":")[0]
    cells = (f"{result.run}\n{result.model}", *texts, n, "this report", state)
    return main.value if main else -1.0, Row(cells, "run")


def _score_text(scored: TaskScores | None, score: Score | None) -> str:
    if scored is None or score is None:
        return ""
    value, ends = value_text(score.metric, score.value), scored.sampling_interval(score)
    return value if ends is None else f"{value}\n{ends_text(score.metric, ends)}"


def _cell_row(
    line: Sequence[PublishedScore],
    metrics: Sequence[str],
    doubtful: set[PublishedScore],
    group: Sequence[Result],
    apart: str,
) -> Row:
    """One line of published figures.

    Args:
        line: its figures, one or more per metric.
        metrics: the columns, the headline first.
        doubtful: the figures that sources disagree on.
        group: the results of the task.
        apart: what tells it from other lines of the same model and source.
    """
    first = line[0]
    texts = []
    for metric in metrics:
        cells = [cell for cell in line if cell.metric == metric]
        values = dict.fromkeys(cell.text for cell in cells)
        texts.append(" / ".join(values) + " †" * any(cell in doubtful for cell in cells))
    stated = dict.fromkeys(str(cell.k or "–") for cell in line if cell.metric == metrics[0])
    availability = dict.fromkeys(cell.availability for cell in line)
    same = any(result.is_of(first.model) for result in group)
    row = (
        "● " * same + first.model,
        *texts,
        " / ".join(stated),
        "; ".join(filter(None, [source_text(line), apart])),
        ", ".join(availability),
    )
    return Row(row, "same" if same else "")


_MOST_DEVIATIONS = 3


def _deviations(group: Sequence[Result], shown: Sequence[PublishedScore]) -> list[str]:
    """Where each run's protocol differs from what the sources state, one line per difference.

    Where that is many lines, those of the run's own model are written out and the others counted.
    """
    lines = []
    for result in group:
        against: dict[str, list[PublishedScore]] = {}
        for cell in shown:
            if different := ", ".join(stated_differences(result, cell)):
                against.setdefault(different, []).append(cell)
        own = {
            d: cells for d, cells in against.items() if any(result.is_of(c.model) for c in cells)
        }
        told = against if len(against) <= _MOST_DEVIATIONS else own
        lines += [
            f"{result.run} is not under the protocol of {_names(c.source for c in cells)}: {different}."
            for different, cells in told.items()
        ]
        left = [
            cell for different, cells in against.items() if different not in told for cell in cells
        ]
        if left:
            lines.append(
                f"{result.run} is not under the protocol of {_names(cell.source for cell in left)}"
                + " either" * bool(told)
                + f": harness baselines --nearest {result.run} tells the parts."
            )
    return lines


def _protocols(shown: Sequence[PublishedScore]) -> list[str]:
    """What each source states of its protocol; rows that differ from the source's rest by name."""
    stated: dict[str, dict[str, list[str]]] = {}
    remarks: dict[str, list[str]] = {}
    for cell in shown:
        if cell.note:
            remarks.setdefault(f"{cell.source}, {{}}: {cell.note}.", []).append(cell.model)
        if cell.kind != "quoted":
            words = stated.setdefault(cell.source, {})
            words.setdefault(condition_text(cell), []).append(cell.model)
    lines = []
    for source, words in stated.items():
        usual, *others = sorted(words, key=lambda text: -len(words[text]))
        lines += [f"{source}: {usual or 'protocol not stated'}."]
        lines += [f"{source}, {_names(words[other])}: {other}." for other in others]
    return lines + [line.format(_names(models)) for line, models in remarks.items()]


def _names(models: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(models))
