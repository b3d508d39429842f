"""A static site over all runs of a folder: an index, a page per task, a page per run.

SITE/index.html                 what changed, a trend a task, every run, newest first
SITE/tasks/<task>.html          every run of a task beside the run before it and the baseline
SITE/runs/<run>/index.html      the report of one run
SITE/.harness-site.json         what each run's page was made from

A run's page is made again only when a file of the run or the program itself changed. Every file
is replaced in one step, so a reader never sees half of one; pages of runs that are gone go too.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import harness
from harness import stats
from harness.errors import DataError, UsageError
from harness.protocol import differences
from harness.reports.baselines.loader import load
from harness.reports.baselines.scores import PublishedScore
from harness.reports.changes import GateTests
from harness.reports.documents import csp_hash, environment
from harness.reports.facts import RunFacts, find_runs, read_run, stamp
from harness.reports.figures.scores import figures, file_stem
from harness.reports.figures.style import Plot
from harness.reports.figures.trends import trend_plot
from harness.reports.format import n_label
from harness.reports.history import Entry, History, histories, read_accepted
from harness.reports.results import Result
from harness.storage.files import write_json, write_text
from harness.storage.rows import read_row
from harness.storage.run_folder import TaskFolder

from .build import build
from .output import write_report
from .site_text import change_ends, change_line, change_text, interval_of, score_of

STATE = ".harness-site.json"
_NEW = ".new-"  # begins the name of a folder in which a page is made
_MAKES_PAGES = {".py", ".jinja", ".js", ".yaml", ".txt"}
_SLUG = re.compile(r"[a-z0-9-]+")

Draw = Callable[[Sequence[Result], Sequence[PublishedScore]], Mapping[str, Sequence[Plot]]]
"""The figures of a run's page, by task."""


@dataclass(frozen=True, slots=True)
class _State:
    """What is kept between builds; the facts of a run and the tests may be of an earlier version.

    Args:
        maker: changes with what makes pages.
        runs: by path, {"stamp", "facts"}.
        tasks: the names of their pages.
        tests: as `GateTests` keeps them.
    """

    maker: str = ""
    runs: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    tests: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskView:
    """What the templates show of a task; `protocols` says what changed since the protocol before."""

    history: History
    stem: str
    trend: Plot | None
    protocols: Mapping[str, str]

    @property
    def latest(self) -> Entry | None:
        """The newest run with a score."""
        return self.history.latest

    @property
    def marks(self) -> str:
        """How many of the pairs compared are marked."""
        pairs = self.history.tested
        return f"{sum(found.real for _, found in pairs):,} of {len(pairs):,}"


def build_site(
    runs_dir: Path,
    output: Path,
    *,
    draw: Draw = figures,
    baselines: Sequence[Path] = (),
    rebuild: bool = False,
) -> int:
    """Bring the site up to date.

    Args:
        runs_dir: holds the runs, at any depth, and perhaps accepted.json.
        output: the site's folder; files in it that are not the site's are left alone.
        draw: the figures of a run's page.
        baselines: published scores of your own.
        rebuild: make every page again.

    Returns:
        How many pages were written.

    Raises:
        UsageError: no folder of runs, or an output that holds another site.
        DataError: a file that cannot be read or written.
    """
    if not runs_dir.is_dir():
        raise UsageError(f"{runs_dir} is not a folder of runs")
    accepted, acceptances = read_accepted(runs_dir)
    before = _read_state(output)
    published, maker = load(baselines).scores, _maker(baselines)
    if not (output / STATE).exists():  # killed from here on, the next call finds a site of its own
        _make(output)
        write_json(output / STATE, {})
    for left in output.glob(f"{_NEW}*"):  # by a call that was killed
        shutil.rmtree(left, ignore_errors=True)
    known = {} if rebuild or before.maker != maker else before.runs
    tests = GateTests(before.tests if known else {})
    runs: list[RunFacts] = []
    state: dict[str, Any] = {}
    written = 0
    for folder in find_runs(runs_dir, output):
        path, mark = folder.relative_to(runs_dir).as_posix(), stamp(folder)
        facts = _unchanged(known.get(path), mark, output)
        if facts is None:
            facts, results = read_run(folder, runs_dir)
            written += _write_run(facts, results, published, output, draw)
            state[path] = {"stamp": mark, "facts": facts.to_json()}
        else:
            state[path] = known[path]
        runs.append(facts)
    views = [_view(history, runs_dir) for history in histories(runs, accepted, acceptances, tests)]
    written += _write_task_pages(views, output)
    written += _write_index(runs, views, runs_dir, output)
    stems = [view.stem for view in views]
    _remove_gone(before, {run.slug for run in runs if not run.error}, set(stems), output)
    write_json(output / STATE, {"maker": maker, "runs": state, "tasks": stems,
                                "tests": tests.to_json()})  # fmt: skip
    return written


def _unchanged(known: Any, mark: str, output: Path) -> RunFacts | None:
    """The facts of a run whose page stands as it should."""
    if not isinstance(known, dict) or known.get("stamp") != mark:
        return None
    try:
        facts = RunFacts.from_json(known.get("facts"), output / STATE)
    except DataError:
        return None
    return facts if facts.error or (output / _run_page(facts)).is_file() else None


def _write_run(
    facts: RunFacts,
    results: Sequence[Result],
    published: Sequence[PublishedScore],
    output: Path,
    draw: Draw,
) -> int:
    """The report of one run with whatever files it needs, put in place file by file, page last."""
    if not results:
        return 0
    report = build(results, published, figures=draw(results, published), home="../../index.html")
    place = output / _run_page(facts).parent
    _make(place)
    with tempfile.TemporaryDirectory(dir=output, prefix=_NEW) as temporary:
        write_report(report, Path(temporary) / "index.html")
        made = [path for path in Path(temporary).rglob("*") if path.is_file()]
        names = [path.relative_to(temporary) for path in made]
        for name in sorted(names, key=lambda name: name.name == "index.html"):
            _make((place / name).parent)
            (Path(temporary) / name).replace(place / name)
    for old in [path for path in place.rglob("*") if path.is_file()]:
        if old.relative_to(place) not in names:
            old.unlink()
    return 1


def _write_task_pages(views: Sequence[TaskView], output: Path) -> int:
    _make(output / "tasks")
    return sum(
        _put(output / "tasks" / f"{view.stem}.html", "site_task", root="..", view=view)
        for view in views
    )


def _write_index(
    runs: Sequence[RunFacts], views: Sequence[TaskView], runs_dir: Path, output: Path
) -> int:
    newest = sorted(runs, key=lambda run: (run.time, run.path), reverse=True)
    changes = {
        (entry.run.path, view.history.task): entry for view in views
        for entry in view.history.entries
    }  # fmt: skip
    return _put(
        output / "index.html", "site_index", root=".", runs=newest, views=views, entries=changes,
        alerts=list(_alerts(newest, views)), name=runs_dir.resolve().name,
    )  # fmt: skip


def _alerts(runs: Sequence[RunFacts], views: Sequence[TaskView]) -> Iterator[tuple[str, str]]:
    """What a reader should read first: its kind, and a line."""
    for view in views:
        latest = view.latest
        if latest is None:
            continue
        base = view.history.accepted
        for change, other in (
            (latest.against_accepted, f"the accepted {base.run.name}" if base else ""),
            (latest.change, latest.previous.name if latest.previous else ""),
        ):
            if change is not None and change.real:
                size = change_line(change, latest)
                line = f"{view.history.task}: {latest.run.name} is {change.way} {other}: {size}."
                yield change.way, line
                break
    for run in runs:
        if run.error:
            yield "unreadable", f"{run.path}: {run.error}"
        elif run.open_tasks:
            yield "open", f"{run.path} is not complete: {run.open_tasks}."


def _view(history: History, runs_dir: Path) -> TaskView:
    """A task's history with, where the protocol changed, what changed in it."""
    protocols: dict[str, str] = {}
    for newer, older in zip(history.entries, history.entries[1:], strict=False):
        if newer.facts.protocol != older.facts.protocol:
            one, two = (
                TaskFolder(runs_dir / e.run.path / history.task).protocol() for e in (older, newer)
            )
            protocols[newer.run.path] = "; ".join(differences(one, two).values())
    stem = f"{file_stem(history.task)}"
    return TaskView(history, stem, trend_plot(history, stem), protocols)


def _put(path: Path, template: str, **values: Any) -> int:
    """Write a page if it is another than before; 1 if it was written."""
    jinja = environment()
    jinja.globals.update(
        change_ends=change_ends,
        change_line=change_line,
        change_text=change_text,
        interval_of=interval_of,
        n_label=n_label,
        score_of=score_of,
    )
    style = jinja.get_template("site.css.jinja").render()
    text = jinja.get_template(f"{template}.html.jinja").render(
        style=style, style_hash=csp_hash(style), version=harness.__version__, **values
    )
    if path.is_file() and path.read_bytes() == text.encode("utf-8", "replace"):
        return 0
    write_text(path, text)
    return 1


def _remove_gone(
    before: _State, slugs: set[str], stems: set[str], output: Path
) -> None:  # fmt: skip
    """Delete what an earlier build made and this one no longer has, and nothing else."""
    for row in before.runs.values():
        try:
            slug = RunFacts.from_json(row["facts"], output / STATE).slug
        except (KeyError, TypeError, DataError):
            continue
        if slug not in slugs:
            shutil.rmtree(output / "runs" / slug, ignore_errors=True)
    for stem in before.tasks:
        if stem not in stems and _SLUG.fullmatch(stem):
            (output / "tasks" / f"{stem}.html").unlink(missing_ok=True)


def _read_state(output: Path) -> _State:
    path = output / STATE
    if path.exists():
        return read_row(path, _State, fix="remove it, and every page is made again")
    if (output / "index.html").exists():
        raise UsageError(
            f"-o {output}: it holds an index.html that harness site did not make; use another folder"
        )
    return _State()


def _run_page(facts: RunFacts) -> Path:
    return Path("runs") / facts.slug / "index.html"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror})") from error


def _maker(baselines: Sequence[Path]) -> str:
    """Changes with what makes pages: version, code, tests, templates, baselines, the user's own too."""
    digest = hashlib.sha256(harness.__version__.encode())
    folders = (Path(__file__).parent.parent, Path(stats.__file__).parent)
    shipped = [
        path for folder in folders for path in folder.rglob("*") if path.suffix in _MAKES_PAGES
    ]
    for path in [*sorted(shipped), *baselines]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
