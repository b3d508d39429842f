"""The sample browser as a reader uses it: filters, search, addresses, keys, hostile texts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.types import Problem, TestCase, Verdict
from tests.support.browser import (
    TASK,
    MakePage,
    Open,
    change_samples,
    practice,
    rewritten,
    sample,
    shown,
    texts,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

C, W, T = Verdict.CORRECT, Verdict.WRONG_ANSWER, Verdict.TRUNCATED
WriteRun = Callable[..., Path]
HOSTILE = (
    "</script><script>alert(1)</script> </textarea> <img src=x onerror=alert(1)> <!-- "
    "$\\href{javascript:alert(1)}{x}$ $\\includegraphics{http://host/x.png}$ "
    "$\\class{top}{a}$ \\(\\rule{9999em}{9999em}\\) {{ 7 * 7 }}"
)


@pytest.fixture
def two_runs(write_run: WriteRun) -> list[Path]:
    """Two runs over three problems: all right; samples disagree; runs disagree."""
    problems = practice(TASK, 3)
    early = [[C, C, C], [C, W, T], [W, W, W]]
    late = [[C, C, C], [W, C, W], [C, C, C]]
    return [
        write_run(verdicts, name=name, task=TASK, problems=problems)
        for name, verdicts in (("early", early), ("late", late))
    ]


@pytest.fixture
def address(two_runs: list[Path], make_page: MakePage) -> str:
    return make_page(*two_runs)


def count(page: Page) -> int:
    """How many samples the list says it holds."""
    found = re.match(r"([\d,]+) sample|No sample", page.locator("#count").inner_text())
    assert found
    return int((found[1] or "0").replace(",", ""))


def test_the_report_leads_to_the_samples_and_back(address: str, opened: Open) -> None:
    page = opened(address)
    page.locator("#browser").wait_for(state="hidden")
    page.get_by_role("link", name="All 18 samples").click()
    assert count(page) == 18
    page.locator("main").wait_for(state="hidden")
    page.get_by_role("link", name="Report").click()
    page.locator("main").wait_for()
    page.locator("#browser").wait_for(state="hidden")


def test_a_cell_of_the_report_opens_its_samples(address: str, opened: Open) -> None:
    page = opened(address)
    page.locator("tr.truncated a").first.click()
    assert count(page) == 1
    assert page.locator("#f-verdict").input_value() == "truncated"


@pytest.mark.parametrize(
    ("filters", "due"),
    [
        ({"f-run": "late"}, 9),
        ({"f-verdict": "wrong_answer"}, 6),
        ({"f-verdict": "truncated", "f-run": "late"}, 0),
        ({"f-split": "samples"}, 12),
        ({"f-split": "samples", "f-run": "late"}, 3),
        ({"f-split": "runs"}, 6),
    ],
)
def test_filters_narrow_the_list(
    address: str, opened: Open, filters: dict[str, str], due: int
) -> None:
    page = opened(f"{address}#b")
    for id, value in filters.items():
        page.select_option(f"#{id}", value)
    assert count(page) == due
    page.reload()  # the address holds the filters
    assert count(page) == due
    page.get_by_role("button", name="Clear").click()
    assert count(page) == 18


def test_a_problem_and_a_task_are_filters_too(
    write_run: WriteRun, make_page: MakePage, opened: Open
) -> None:
    runs = [
        write_run([[C, W]] * 2, name=name, task=task, problems=practice(task, 2))
        for name, task in (("one", TASK), ("other", "practice_integer"))
    ]
    page = opened(f"{make_page(*runs)}#b")
    assert count(page) == 8
    page.select_option("#f-task", "practice_integer")
    assert count(page) == 4
    page.select_option("#f-problem", practice("practice_integer", 2)[1].id)
    assert count(page) == 2
    page.select_option("#f-task", TASK)  # which has no such problem
    assert count(page) == 4


def test_search_finds_ids_statements_answers_and_texts(
    two_runs: list[Path], make_page: MakePage, opened: Open
) -> None:
    first, second, _ = practice(TASK, 3)
    change_samples(two_runs[0], TASK, {(first.id, 2): {"reasoning": "a Needle (in hay)"}})
    page = opened(f"{make_page(*two_runs)}#b")
    for query, due in ((second.id, 6), (first.statement[:30].upper(), 6), ("nowhere", 0)):
        page.fill("#query", query)
        assert count(page) == due
    page.fill("#query", "needle (IN")
    assert (
        page.locator("#count").inner_text() == "No sample matches; Enter searches their texts too"
    )
    page.press("#query", "Enter")
    page.locator("#count", has_text="by their texts").wait_for()
    assert count(page) == 1
    page.locator("#samples a").click()
    assert shown(page) == sample("early", first, 2)
    page.select_option("#f-run", "late")  # texts are searched again under other filters
    page.locator("#count", has_text="0 by their texts").wait_for()
    page.select_option("#f-run", "early")
    page.locator("#count", has_text="1 by their texts").wait_for()


def test_a_deep_link_opens_its_sample(address: str, opened: Open) -> None:
    problem = practice(TASK, 3)[2]
    page = opened(address + sample("late", problem, 1))
    assert shown(page) == sample("late", problem, 1)
    assert page.locator("#detail h2").inner_text() == f"{problem.id} #1"
    assert page.locator("#detail .badge").inner_text() == "Correct"
    assert page.locator(".statement math").count() == problem.statement.count("$") // 2
    assert page.locator("#samples a[aria-current]").count() == 1
    assert page.locator(".square").count() == 6
    page.locator(".square").first.click()
    page.locator("#detail .badge", has_text="Wrong answer").wait_for()
    page.go_back()
    page.locator("#detail .badge", has_text="Correct").wait_for()


def test_an_address_of_no_sample_says_so(address: str, opened: Open) -> None:
    page = opened(f"{address}#s/late/{TASK}/gone/0")
    assert page.get_by_role("alert").inner_text() == "This page has no such sample."
    page.get_by_role("link", name="Report").click()
    page.locator("main").wait_for()


def test_keys_walk_fold_search_and_go_back(address: str, opened: Open) -> None:
    first, *_ = practice(TASK, 3)
    page = opened(f"{address}#b")
    for key, due in (("j", 0), ("j", 1), ("j", 2), ("k", 1), ("k", 0), ("k", 0)):
        page.keyboard.press(key)
        page.locator("#detail h2", has_text=f"#{due}").wait_for()
        assert shown(page) == sample("early", first, due)
    assert not page.evaluate("document.querySelector('details.reasoning').open")
    page.keyboard.press("t")
    page.get_by_text(f"thinking aloud {first.id} 0").wait_for()
    page.keyboard.press("j")  # the next one stays unfolded
    page.get_by_text(f"thinking aloud {first.id} 1").wait_for()
    page.keyboard.press("t")
    assert not page.evaluate("document.querySelector('details.reasoning').open")
    page.keyboard.press("/")
    page.keyboard.type("jkt?")
    assert page.locator("#query").input_value() == "jkt?"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    page.keyboard.press("Escape")
    page.locator("#detail .empty").wait_for()
    page.keyboard.press("Escape")
    page.locator("main").wait_for()


def test_walking_past_the_end_of_a_page_of_the_list_turns_it(
    write_run: WriteRun, make_page: MakePage, opened: Open
) -> None:
    page = opened(f"{make_page(write_run([[C] * 64] * 4))}#b")
    assert page.locator("#samples a").count() == 100
    page.get_by_role("button", name="Later").click()
    assert page.locator("#pages").inner_text().split("\n")[1:2] == ["101–200"]
    page.locator("#samples a").last.click()
    shown(page)
    page.keyboard.press("j")
    page.locator("#pages", has_text="201–256").wait_for()
    assert page.locator("#samples a[aria-current]").count() == 1


def test_mathematics_and_code_of_a_sample_are_set(
    write_run: WriteRun, make_page: MakePage, opened: Open
) -> None:
    run = write_run([[C, W]], task=TASK, problems=practice(TASK, 1))
    id = practice(TASK, 1)[0].id
    response = "So $x^2$ and\n\\[\\frac{1}{2}\\]\ncosts $5 or $6:\n```python\nfor x in y: pass  # <b>\n```\nend"
    change_samples(run, TASK, {(id, 0): {"response": response}})
    page = opened(f"{make_page(run)}{sample('late', practice(TASK, 1)[0], 0)}")
    shown(page)
    body = page.locator("section.part").last
    body.locator("math").nth(1).wait_for()
    assert body.locator("math").count() == 2
    assert body.locator("pre .k").all_inner_texts() == ["for", "in", "pass"]
    assert body.locator("pre .c").inner_text() == "# <b>"
    assert "costs $5 or $6:" in body.inner_text()
    page.keyboard.press("m")
    page.locator("#as-written[aria-pressed=true]").wait_for()
    shown(page)
    assert page.locator("#detail math").count() == 0
    assert body.locator(".prose").inner_text() == response
    page.keyboard.press("m")
    page.locator("#detail math").first.wait_for()


def test_a_failed_test_shows_its_input_and_the_difference(
    write_run: WriteRun, make_page: MakePage, opened: Open
) -> None:
    task = "practice_code"
    (problem,) = practice(task, 1)
    run = write_run([[C, W]], task=task, problems=[problem])
    with rewritten(run / task / "grades.jsonl") as grades:
        grades[1]["detail"] = 'test 2: line 1 is "6", expected "9"'
        grades[1]["answer"] = "python:0123456789abcdef"
    page = opened(f"{make_page(run)}{sample('late', problem, 1, task)}")
    shown(page)
    page.get_by_role("heading", name="Failed at test 2 of 5").wait_for()
    assert 'Line 1 is "6", expected "9"' in texts(page, ".failure")
    assert texts(page, ".test pre") == [
        t.strip() for t in (problem.tests[1].input, problem.tests[1].output)
    ]
    assert "0123456789abcdef" not in page.locator("#browser").inner_text()


def test_choices_stand_in_the_order_that_the_model_saw(
    write_run: WriteRun, make_page: MakePage, opened: Open
) -> None:
    task = "practice_choice"
    (problem,) = practice(task, 1)
    run = write_run([[C, W]], task=task, problems=[problem])
    change_samples(run, task, {(problem.id, 0): {"choice_order": [3, 1, 0, 2]}})
    page = opened(f"{make_page(run)}{sample('late', problem, 0, task)}")
    shown(page)
    choices = [text.split("\n")[0].split(" reference")[0] for text in texts(page, ".choices li")]
    assert choices == [problem.choices[i] for i in (3, 1, 0, 2)]
    marked = page.locator(".choices li", has_text="reference")
    assert marked.count() == 1
    assert problem.answer is not None and problem.answer in marked.inner_text()


def test_hostile_texts_show_as_text(write_run: WriteRun, make_page: MakePage, opened: Open) -> None:
    problem = Problem("<b>&id/%2F", HOSTILE, answer="<i>gold</i>", tests=(TestCase("1", "2"),))
    run = write_run([[C, W, T]], problems=[problem], model="<script>alert(2)</script>")
    long = "so $x$ <b> \\(y\\) `$ " * 15_000  # 300 kB
    broken = b"bad \\xff\\xfe bytes".decode("unicode_escape").encode("latin-1")
    changes = {
        0: {
            "response": HOSTILE,
            "reasoning": "one\r\ntwo\r\nabc \u202egnp.exe\u202c \u2066x\u2069 \x00 שלום end",
        },
        1: {"response": "short", "reasoning": long},
    }
    task = "practice_integer"
    change_samples(run, task, {(problem.id, index): change for index, change in changes.items()})
    path = run / task / "samples.jsonl"
    path.write_bytes(
        path.read_bytes().replace(b'"response": "short"', b'"response": "' + broken + b'"')
    )
    with rewritten(run / task / "grades.jsonl") as grades:
        grades[0]["answer"] = "\\href{javascript:alert(3)}{x} <img src=x onerror=alert(4)>"
    page = opened(f"{make_page(run)}#b")
    page.keyboard.press("j")
    shown(page)
    detail = page.locator("#detail")
    detail.locator("details").wait_for()
    page.keyboard.press("t")
    page.get_by_text("gnp.exe").wait_for()
    assert (
        "<script>alert(1)</script> </textarea> <img src=x"
        in detail.locator(".prose").last.inner_text()
    )
    assert "one\ntwo\nabc RLOgnp.exePDF LRIxPDI U+0000 שלום end" in detail.inner_text()
    assert "<img src=x onerror=alert(4)>" in detail.locator(".answers").inner_text()
    page.keyboard.press("j")
    page.locator("#detail h2", has_text="#1").wait_for()
    shown(page)
    # as much as was written, and nothing of it an element
    assert len(detail.locator("details .prose").text_content() or "") > 100_000
    assert "bad \ufffd\ufffd bytes" in detail.locator(".prose").last.inner_text()
    made = page.evaluate(
        "[...new Set([...document.querySelectorAll('#detail *')].map(e => e.localName))]"
    )
    assert not set(made) & {
        "script",
        "img",
        "b",
        "i",
        "textarea",
        "iframe",
        "style",
        "object",
        "form",
    }
    links = page.evaluate(
        "[...document.querySelectorAll('#browser a')].map(a => a.getAttribute('href'))"
    )
    assert all(link.startswith("#") for link in links)


@pytest.mark.parametrize(
    "unit",
    [
        "a` ",
        "\\(",
        "$\\$",
        "\\[x ",
        "``` `\n",
        " ~~~\n",
        "\u202e\u202d",
        "\x00",
        "{$}$",
        "$x$ ",
        "\u0628",
    ],
    ids=repr,
)
def test_a_long_text_of_one_mark_does_not_hang_the_page(
    write_run: WriteRun, make_page: MakePage, opened: Open, unit: str
) -> None:
    run = write_run([[C, W]])
    change_samples(
        run, "practice_integer", {("p00", 0): {"response": unit * (300_000 // len(unit))}}
    )
    page = opened(f"{make_page(run)}#s/late/practice_integer/p00/0")
    started = time.monotonic()
    shown(page)
    assert page.evaluate("1 + 1") == 2  # it reacts
    assert time.monotonic() - started < 60


def test_without_the_renderer_mathematics_stays_as_written(
    two_runs: list[Path], make_page: MakePage, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.reports.page.html.TEMML", "absent.js")
    page = opened(make_page(*two_runs) + sample("late", practice(TASK, 1)[0], 0))
    shown(page)
    assert page.locator("section.part .prose").last.inner_text() == "\\boxed{1}"
    page.keyboard.press("?")
    assert "built without Temml" in page.get_by_role("dialog").inner_text()


def test_a_masked_task_shows_how_samples_ended_alone(
    write_run: WriteRun, make_page: MakePage, opened: Open
) -> None:
    run = write_run([[C, W]], masked=True, problems=[Problem("q", "SECRET", answer="SECRET")])
    page = opened(f"{make_page(run)}#s/late/practice_integer/q/1")
    page.get_by_text("--show-masked shows them").last.wait_for()
    assert page.locator("#detail .badge").inner_text() == "Wrong answer"
    assert "SECRET" not in page.content()


def test_texts_beside_the_page_are_loaded_when_they_are_needed(
    two_runs: list[Path], make_page: MakePage, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.reports.page.html.PAGE_BYTES", 1000)
    monkeypatch.setattr("harness.reports.page.sample_index.RAW_BYTES", 1000)
    address = make_page(*two_runs)
    folder = Path(address.removeprefix("file://")).with_name("report_files")
    files = sorted(folder.glob("*.js"))
    assert len(files) > 3
    problem = practice(TASK, 3)[0]
    page = opened(address + sample("early", problem, 0))
    page.get_by_role("heading", name="Response").wait_for()
    page.fill("#query", f"aloud {problem.id} 2")
    page.press("#query", "Enter")
    page.locator("#count", has_text="by their texts").wait_for()
    assert count(page) == 2
    files[0].unlink()
    page = opened(address + sample("early", problem, 0), complains=True)
    assert f"report_files/{files[0].name} is missing" in page.get_by_role("alert").inner_text()


def test_nothing_but_the_scripts_of_the_page_runs(address: str, opened: Open) -> None:
    page = opened(f"{address}#b", complains=True)
    tried = page.evaluate(
        """() => {
        const tries = {};
        const attempt = (name, what) => { try { what(); tries[name] = "ran"; } catch (e) { tries[name] = e.name; } };
        const div = document.createElement("div");
        attempt("innerHTML", () => { div.innerHTML = "<img src=x onerror='window.ran = 1'>"; });
        attempt("script text", () => { const s = document.createElement("script"); s.text = "window.ran = 1"; document.body.append(s); });
        attempt("script address", () => { const s = document.createElement("script"); s.src = "data:text/javascript,window.ran = 1"; });
        attempt("handler", () => { div.setAttribute("onclick", "window.ran = 1"); div.click(); });
        attempt("write", () => document.write("<script>window.ran = 1</script>"));
        return tries;
        }"""
    )
    assert {tried[name] for name in ("innerHTML", "script text", "script address", "write")} == {
        "TypeError"
    }
    assert page.evaluate("window.ran") is None


def test_published_responses_can_be_read(
    test_data: Path, tmp_path: Path, make_page: MakePage, opened: Open
) -> None:
    source = test_data / "math_responses_100x8.jsonl"
    run = tmp_path / "published"
    # in a process of its own: Playwright has an event loop running in this one
    command = [sys.executable, "-m", "harness", "import", source, "--task", "math", "-o", run]
    subprocess.run(command, check=True, capture_output=True)
    page = opened(f"{make_page(run)}#b")
    assert count(page) == 800
    page.select_option("#f-split", "samples")
    split = count(page)
    assert 0 < split < 800 and split % 8 == 0
    page.select_option("#f-split", "")
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    for problem in (0, 41, 99):
        page.goto(f"{page.url.split('#')[0]}#s/published/math/{rows[problem]['id']}/3")
        page.get_by_role("heading", name=f"{rows[problem]['id']} #3").wait_for()
        shown(page)
        page.locator("section.part").last.locator("math").first.wait_for()
        page.keyboard.press("m")
        page.locator("#as-written[aria-pressed=true]").wait_for()
        shown(page)
        written = page.locator("section.part").last.locator(".prose").text_content()
        assert written == rows[problem]["responses"][3]
        page.keyboard.press("m")
        page.locator("#as-written[aria-pressed=false]").wait_for()
