"""The page, Markdown, JSON and the terminal; model and data text is hostile."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from harness.cli.report import report
from harness.errors import DataError, Incomplete, UsageError
from harness.reports.baselines.loader import load
from harness.reports.page.build import build
from harness.reports.page.html import render_html
from harness.reports.page.output import print_report, render_markdown
from harness.reports.results import read_results
from harness.storage.run_folder import RunFolder
from harness.types import Problem, Verdict
from tests.support.html import Page
from tests.support.published_scores import few_scores

C, W, T, E = Verdict.CORRECT, Verdict.WRONG_ANSWER, Verdict.TRUNCATED, Verdict.ERROR
WriteRun = Callable[..., Path]
HOSTILE = "</style><script>alert(1)</script> <img src=x onerror=y> a|b `c` **d** {{ 7 * 7 }} \u202e"


def page_of(*runs: Path, show_masked: bool = False) -> str:
    return render_html(build(read_results(runs), load().scores, show_masked=show_masked))


def texts_of(html: str) -> str:
    payloads = re.findall(r'id="chunk-\d+">([^<]*)</script>', html)
    assert payloads
    return "".join(zlib.decompress(base64.b64decode(payload)).decode() for payload in payloads)


def call(command: object, *args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args], env={"COLUMNS": "80"})  # type: ignore[arg-type]


def test_the_page_is_well_formed_and_self_contained(write_run: WriteRun) -> None:
    runs = [write_run([[C, W, T, E]] * 3, name=name, task="aime24") for name in ("early", "late")]
    page = Page(page_of(*runs))
    names = {tag for tag, _ in page.tags}
    assert not names & {"link", "img", "iframe", "object", "form", "base"}
    for _, attributes in page.tags:
        assert not {name for name in attributes if name.startswith("on") or name == "style"}
        assert not attributes.get("src")
        assert (attributes.get("href") or "#").startswith("#")
    browser = {"#", "#b"}
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    targets = {a["href"] for tag, a in page.tags if tag == "a"}
    assert {t for t in targets if t and not t.startswith("#b?")} <= {
        f"#{id}" for id in ids
    } | browser


def test_the_policy_admits_this_style_these_scripts_and_nothing_else(write_run: WriteRun) -> None:
    page = Page(page_of(write_run([[C, W]])))
    (policy,) = [
        a["content"] or "" for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert rules.pop("default-src") == "'none'"
    assert rules.pop("style-src") == f"'{digest(page.style)}'"
    assert rules.pop("script-src").split() == [f"'{digest(s)}'" for s in page.scripts] + [
        "'strict-dynamic'"
    ]
    assert rules == {
        "require-trusted-types-for": "'script'",
        "trusted-types": "harness",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def test_a_page_without_samples_runs_nothing(write_run: WriteRun) -> None:
    html = page_of(write_run([[None, E]]))
    assert "script-src" not in html
    assert "<script" not in html
    assert 'href="#b' not in html


def test_hostile_text_stays_text(write_run: WriteRun) -> None:
    problem = Problem("<b>id</b>", HOSTILE, answer="<i>gold</i>")
    run = write_run([[C, W]], problems=[problem], model="x/<script>evil</script>")
    html = page_of(run)
    page = Page(html)
    assert "<script>alert" not in html
    assert "<script>evil" not in html
    assert not {tag for tag, _ in page.tags} & {"img", "b", "i"}
    text = "".join(page.text)
    assert HOSTILE.replace("\u202e", "RLO") in text
    assert "<i>gold</i>" in text


def test_hostile_text_breaks_no_markdown_table(write_run: WriteRun) -> None:
    run = write_run([[C, W]], problems=[Problem("p|q", HOSTILE, answer="1\n2")])
    markdown = render_markdown(build(read_results([run]), load().scores))
    (row,) = [line for line in markdown.splitlines() if line.startswith(r"| p\|q ")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 5  # four cells
    assert r"\<script\>" in row
    heads = [line for line in markdown.splitlines() if line.startswith("| ---")]
    assert len(heads) == 5  # summary, outcomes, problems, protocol, runs


def test_markdown_holds_the_same_tables(write_run: WriteRun) -> None:
    run = write_run([[C, W]] * 30, task="aime24")
    markdown = render_markdown(build(read_results([run]), few_scores()))
    (score, *_) = RunFolder(run).task("aime24").scores().scores
    ends = " to ".join(f"{100 * end:.1f}" for end in score.interval_sampling)
    assert f"| aime24 | late | pass@1 (n=2) | 50.0 | {ends} |" in markdown
    assert "| QwQ-32B-Preview | 44.0 † |  | 64 | r1-readme distilled models |" in markdown
    assert "\n\n\n" not in markdown


def test_a_masked_page_hides_texts_unless_asked(write_run: WriteRun) -> None:
    secret = Problem("q", "SECRET STATEMENT", answer="SECRET ANSWER")
    run = write_run([[C, W]], problems=[secret], masked=True)
    assert "SECRET" not in page_of(run)
    assert "thinking aloud" not in texts_of(page_of(run))
    assert {"SECRET STATEMENT", "SECRET ANSWER"} <= set(Page(page_of(run, show_masked=True)).text)


def test_an_unfinished_run_is_announced_on_top(write_run: WriteRun) -> None:
    html = page_of(write_run([[C, E], [None, W]]))
    warning = html.partition('<div class="warning"')[2].partition("</div>")[0]
    assert "practice_integer, late: incomplete: 1 pending, 1 ended in error" in warning
    assert 'class="warning"' not in page_of(write_run([[C, W]], name="done"))


def test_the_bar_of_a_run_adds_up(write_run: WriteRun) -> None:
    page = Page(page_of(write_run([[C, W, T, W]])))
    widths = {
        attributes["class"]: float(attributes["width"] or 0)
        for tag, attributes in page.tags
        if tag == "rect" and "class" in attributes
    }
    assert widths == {"correct": 25.0, "wrong_answer": 50.0, "truncated": 25.0}


def test_the_terminal_prints_whole_numbers_at_80_columns(write_run: WriteRun) -> None:
    out = io.StringIO()
    run = write_run([[C, W, C, C]] * 30, task="aime24", name="[red]late")
    print_report(
        build(read_results([run]), few_scores()), Console(file=out, width=80, no_color=True)
    )
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("[red]late pass@1 (n=4)" in line for line in lines)
    assert any(line.startswith("DeepSeek-R1-Distill-Llama-70B") for line in lines)
    assert "…" not in out.getvalue()


def test_report_writes_what_the_ending_names(write_run: WriteRun, tmp_path: Path) -> None:
    run = write_run([[C, W], [C, C]])
    for name in ("r.html", "new/r.md", "r.json"):
        assert call(report, run, "-o", tmp_path / name).exit_code == 0
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert (tmp_path / "new/r.md").read_text().startswith("# late\n\n| Task |")
    (score,) = json.loads((tmp_path / "r.json").read_text())["scores"]
    assert (score["run"], score["metric"], score["value"]) == ("late", "pass@1", 0.75)


def test_writing_an_unfinished_run_warns(write_run: WriteRun, tmp_path: Path) -> None:
    result = call(report, write_run([[C, None]]), "-o", tmp_path / "r.json")
    assert isinstance(result.exception, Incomplete)
    assert "warning: practice_integer, late: incomplete: 1 pending;" in result.stderr


@pytest.mark.parametrize("name", ["r.tex", "r", "r.pdf"])
def test_other_endings_are_refused_before_anything_is_read(tmp_path: Path, name: str) -> None:
    error = call(report, tmp_path / "no-run", "-o", tmp_path / name).exception
    assert isinstance(error, UsageError)
    assert "supported: .html, .md, .json" in str(error)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("place", ["", "file/r.html"])
def test_bad_places_are_one_clear_line(write_run: WriteRun, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    run = write_run([[C]]) if place else tmp_path / "file"
    error = call(report, run, "-o", tmp_path / (place or "r.html")).exception
    assert isinstance(error, DataError)
    assert "\n" not in str(error)
