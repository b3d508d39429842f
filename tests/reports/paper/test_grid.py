"""The paper's tables: its layout, our runs in it, and a verdict per cell."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harness.cli.paper_tables import layout_named
from harness.cli.report import check_margin
from harness.errors import UsageError
from harness.reports.baselines.claims import stand_for
from harness.reports.baselines.loader import load
from harness.reports.paper.grid import Entry, PaperTable, lay_out
from harness.reports.paper.leads import Rival
from harness.reports.paper.notes import alerts, notes
from harness.reports.paper.text import grid, records, verdict_table
from harness.reports.results import read_results
from harness.types import Problem, Provenance, Verdict

C, W, E = Verdict.CORRECT, Verdict.WRONG_ANSWER, Verdict.ERROR
WriteRun = Callable[..., Path]
LLAMA = "DeepSeek-R1-Distill-Llama-8B"
SIMPLE_EVALS = "The last line is of the following format: 'Answer: $LETTER' (without quotes)."
DISTILLED = [f"DeepSeek-R1-Distill-{name}" for name in
             ("Qwen-1.5B", "Qwen-7B", "Qwen-14B", "Qwen-32B", "Llama-8B", "Llama-70B")]  # fmt: skip


def aime(right: int, k: int = 64, problems: int = 30) -> list[list[Verdict]]:
    """Problems of k samples each, `right` of them correct."""
    return [[C] * right + [W] * (k - right)] * problems


def steady(k: int = 64) -> list[list[Verdict]]:
    """30 problems, half of all samples right, of which only two vary."""
    return [[C] * k] * 14 + [[C, W] * (k // 2)] * 2 + [[W] * k] * 14


def table_of(
    *runs: Path, name: str = "r1-table5", margin: float = 0.04, claims: Sequence[str] = ()
) -> PaperTable:
    cells = load().scores
    results = stand_for(read_results(runs), claims, {cell.model for cell in cells})
    return lay_out(layout_named(name), results, cells, margin=margin)


def entry_of(table: PaperTable, run: str | None, heading: str, model: str | None = None) -> Entry:
    (line,) = [
        line for line in table.lines if line.run == run and (model is None or line.model == model)
    ]
    (entry,) = [entry for entry in line.entries if entry.heading.text == heading]
    return entry


def verdict_of(table: PaperTable, heading: str = "AIME 2024 pass@1", run: str = "late") -> Any:
    return entry_of(table, run, heading).verdict


@pytest.mark.parametrize(
    ("name", "models", "heads"),
    [
        (
            "r1-table2",
            ["o1-mini", "o1-0912", "DeepSeek-R1-Zero"],
            ["pass@1", "cons@64", "pass@1", "pass@1", "pass@1", "rating"],
        ),
        (
            "r1-table5",
            ["GPT-4o-0513", "Claude-3.5-Sonnet-1022", "o1-mini", "QwQ-32B-Preview", *DISTILLED],
            ["pass@1", "cons@64", "pass@1", "pass@1", "pass@1", "rating"],
        ),
        (
            "r1-table6",
            ["QwQ-32B-Preview", "DeepSeek-R1-Zero-Qwen-32B", DISTILLED[3]],
            ["pass@1", "cons@64", "pass@1", "pass@1", "pass@1"],
        ),
    ],
)
def test_rows_columns_and_their_order_are_the_papers(
    write_run: WriteRun, name: str, models: list[str], heads: list[str]
) -> None:
    table = table_of(write_run(aime(32), task="aime24", model="other"), name=name)
    shown = grid(table, transposed=False)
    assert [row.labels[0] for row in shown.rows] == [*models, "late (other)"]
    assert [head.text for head in shown.heads[1]] == ["Model", *heads]
    groups = ["AIME 2024", "MATH-500", "GPQA Diamond", "LiveCodeBench", "Codeforces"]
    assert [head.text for head in shown.heads[0]] == ["", *groups][: len(shown.heads[0])]
    assert sum(head.span for head in shown.heads[0]) == len(heads) + 1
    printed = [place.lines[0].removesuffix(" †") for place in shown.rows[-2].slots]
    last = {"r1-table2": ["71.0", "86.7", "95.9", "73.3", "50.0", "1444"],
            "r1-table5": ["70.0", "86.7", "94.5", "65.2", "57.5", "1633"],
            "r1-table6": ["72.6", "83.3", "94.3", "62.1", "57.2"]}  # fmt: skip
    assert printed == last[name]


def test_table_4_has_a_row_a_benchmark_and_a_column_a_model(write_run: WriteRun) -> None:
    run = write_run(aime(51), task="aime24", model="deepseek-ai/DeepSeek-R1")
    shown = grid(table_of(run, name="r1-table4"), transposed=True)
    (heads,) = shown.heads
    assert [head.text for head in heads] == [
        *("", "Benchmark (metric)", "Claude-3.5-Sonnet-1022", "GPT-4o-0513", "DeepSeek-V3"),
        *("o1-mini", "o1-1217", "DeepSeek-R1", "↳ late"),
    ]
    rows = {row.labels[1]: [place.lines[0] for place in row.slots] for row in shown.rows}
    assert list(rows) == [
        *("GPQA Diamond (Pass@1)", "LiveCodeBench (Pass@1-COT)", "Codeforces (Percentile)"),
        *("Codeforces (Rating)", "AIME 2024 (Pass@1)", "MATH-500 (Pass@1)", "CNMO 2024 (Pass@1)"),
    ]
    assert [row.labels[0] for row in shown.rows] == ["English", "Code", "", "", "Math", "", ""]
    assert rows["AIME 2024 (Pass@1)"][4:] == ["79.2", "79.8", "79.7 ±0.9"]
    assert rows["CNMO 2024 (Pass@1)"] == [
        *("13.1 ‡", "10.8 ‡", "43.2 ‡", "67.6 ‡", "–", "78.8", ""),
    ]
    assert "‡ From r1-readme main table." in notes(table_of(run, name="r1-table4"))


def test_the_conflicts_between_sources_show_in_the_table(write_run: WriteRun) -> None:
    run = write_run(aime(32), task="aime24")
    found = "\n".join(alerts(table_of(run)) + alerts(table_of(run, name="r1-table2")))
    for figure, values in (
        ("QwQ-32B-Preview, aime24", ("50.0", "44.0")),
        ("Claude-3.5-Sonnet-1022, livecodebench", ("38.9", "33.8")),
        (f"{LLAMA}, aime24", ("50.4", "41.7 (open-r1 README, quoted)")),
        ("o1-0912, codeforces", ("1843", "1673")),
    ):
        (line,) = [line for line in found.splitlines() if f"disagree on {figure}" in line]
        assert all(value in line for value in values)
    places = grid(table_of(run), transposed=False).rows[3].slots
    assert [place.lines[0] for place in places][:2] == ["50.0 †", "60.0"]


@pytest.mark.parametrize(
    ("right", "k", "margin", "word"),
    [
        (32, 64, 0.11, "reproduced"),
        (32, 64, 0.04, "underpowered"),  # p = 1/2 everywhere, the widest there is, and k 4 to 64
        (20, 64, 0.03, "differs"),
        (4, 8, 0.10, "underpowered"),
        (4, 8, 0.13, "reproduced"),
    ],
)
def test_each_verdict_is_reached(
    write_run: WriteRun, right: int, k: int, margin: float, word: str
) -> None:
    run = write_run(aime(right, k), task="aime24", model=f"x/{LLAMA.upper()}", votes=k)
    verdict = verdict_of(table_of(run, margin=margin))
    assert verdict.word == word
    assert verdict.imputed_k == (4, 64)
    assert verdict.difference == pytest.approx(right / k - 0.504)
    assert verdict.low < verdict.difference < verdict.high


def test_the_k_that_is_asked_for_settles_it(write_run: WriteRun) -> None:
    short = write_run(aime(2, 4), task="aime24", model=LLAMA)
    needed = verdict_of(table_of(short, margin=0.12)).k_needed
    assert needed > 4
    needed += needed % 2  # an even k, for as many right as wrong
    longer = write_run(aime(needed // 2, needed), name="longer", task="aime24", model=LLAMA)
    assert verdict_of(table_of(longer, margin=0.12), run="longer").word == "reproduced"


def test_an_unstated_k_is_not_imputed_and_both_ends_are_said(write_run: WriteRun) -> None:
    run = write_run(aime(28), task="aime24", model=LLAMA)
    verdict = verdict_of(table_of(run))
    assert (verdict.word, verdict.imputed_k) == ("underpowered", (4, 64))
    assert verdict.why.startswith("at k = 4 underpowered, at k = 64 differs")


def test_a_model_that_a_source_did_not_run_itself_has_not_its_range_of_k(
    write_run: WriteRun,
) -> None:
    settings = {"task": "aime24", "model": "o1-1217"}
    verdict = verdict_of(table_of(write_run(aime(51), **settings), name="r1-table4"))
    assert verdict.imputed_k == (1, 64)
    verdict = verdict_of(table_of(write_run(aime(51, 64), name="own", task="aime24",
                                            model="DeepSeek-R1"), name="r1-table4"), run="own")  # fmt: skip
    assert verdict.imputed_k == (4, 64)


def test_one_sample_a_problem_can_differ(write_run: WriteRun) -> None:
    run = write_run([[C]] * 2 + [[W]] * 28, task="aime24", model=LLAMA)
    assert verdict_of(table_of(run)).word == "differs"
    close = write_run([[C]] * 15 + [[W]] * 15, name="close", task="aime24", model=LLAMA)
    verdict = verdict_of(table_of(close), run="close")
    assert verdict.word == "underpowered"
    assert verdict.low < verdict.difference < verdict.high


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sampling": {"max_tokens": 2048}}, "cap 2,048 against 32,768"),
        ({"sampling": {"temperature": 1.0}}, "temperature 1.0 against 0.6"),
        ({"sampling": {"repetition_guard": 9}}, "a repetition guard of 9 against none"),
        ({"sampling": {"top_p": 1.0}}, "top-p 1.0 against 0.95"),
        ({"verdicts": aime(32, problems=29)}, "problems 29 against 30"),
    ],
)
def test_a_stated_part_that_differs_is_not_comparable(
    write_run: WriteRun, changes: dict[str, Any], why: str
) -> None:
    verdicts = changes.pop("verdicts", aime(32))
    run = write_run(verdicts, task="aime24", model=LLAMA, votes=64, **changes)
    for heading in ("AIME 2024 pass@1", "AIME 2024 cons@64"):
        verdict = verdict_of(table_of(run), heading)
        assert (verdict.word, verdict.why) == ("not comparable", why)


def test_k_counts_for_votes_only(write_run: WriteRun) -> None:
    run = write_run(steady(k=16), task="aime24", model=LLAMA, votes=16)
    table = table_of(run, margin=0.1)
    assert verdict_of(table).word == "reproduced"
    verdict = verdict_of(table, "AIME 2024 cons@64")
    assert verdict.word == "not comparable"
    assert verdict.why == "k: cons@64 needs 64 samples per problem, the run has 16"


def test_a_prompt_that_is_known_to_be_another_one_is_told(write_run: WriteRun) -> None:
    settings = {"task": "gpqa_diamond", "model": LLAMA}
    own = write_run(aime(2, 4, 198), name="own", **settings)
    same = write_run(aime(2, 4, 198), name="same", prompt=SIMPLE_EVALS, **settings)
    table = table_of(own, same, margin=0.2)
    assert verdict_of(table, "GPQA Diamond pass@1", "own").why == (
        "a prompt of its own against simple-evals, zero-shot"
    )
    assert verdict_of(table, "GPQA Diamond pass@1", "same").word == "reproduced"


@pytest.mark.parametrize(
    ("months", "why"),
    [
        (("2024-08", "2025-01"), None),
        (("2024-07", "2025-01"), "problems of 2024-07..2025-01 against the window "
         "2024-08..2025-01 (see --window)"),
        (("2024-09", "2024-12"), "problems of 2024-09..2024-12 against the window "
         "2024-08..2025-01"),
    ],
)  # fmt: skip
def test_problems_of_other_months_are_not_comparable(
    write_run: WriteRun, months: tuple[str, str], why: str | None
) -> None:
    problems = [
        Problem(
            month,
            month,
            answer="1",
            provenance=Provenance(date=date.fromisoformat(f"{month}-09"), platform="atcoder"),
        )
        for month in months
    ]
    run = write_run(aime(2, 4, 2), task="livecodebench", model=LLAMA, problems=problems)
    verdict = verdict_of(table_of(run), "LiveCodeBench pass@1")
    assert verdict.word == ("not comparable" if why else "underpowered")
    assert why is None or verdict.why == why


def test_parts_that_nobody_states_are_listed_and_not_counted(write_run: WriteRun) -> None:
    published = {"temperature": None, "top_p": None, "max_tokens": None}
    run = write_run(steady(), task="aime24", model=LLAMA, sampling=published, votes=64)
    table = table_of(run)
    assert verdict_of(table).word == "reproduced"
    listed = [note for note in notes(table) if note.startswith("Not stated by")]
    assert listed == [
        "Not stated by r1-paper, so not compared (AIME 2024 pass@1): prompt, k, extraction.",
        "Not stated by late, so not compared (AIME 2024 pass@1, AIME 2024 cons@64): temperature, "
        "top-p, cap.",
        "Not stated by r1-paper, so not compared (AIME 2024 cons@64): prompt, extraction.",
    ]


def test_which_k_an_imputed_error_has_is_said(write_run: WriteRun) -> None:
    run = write_run(aime(32), task="aime24", model=LLAMA, votes=64)
    (note,) = [note for note in notes(table_of(run)) if note.startswith("Published figures come")]
    assert "k from 4 to 64 (the source's range): AIME 2024 pass@1; " in note
    assert note.endswith("k = 64: AIME 2024 cons@64.")
    assert any(note.startswith("Where k is a range") for note in notes(table_of(run)))


def test_without_a_run_of_the_model_the_figure_stands_alone(write_run: WriteRun) -> None:
    table = table_of(write_run(aime(32), task="aime24", model="other"))
    assert [line.model for line in table.lines if line.run] == ["other"]
    assert verdict_of(table) is None
    assert verdict_table(table).rows == ()
    assert verdict_table(table).notes == ("No run stands beside a figure of its own model.",)
    assert any(
        a.startswith("No model of this table") and "late (other)" in a for a in alerts(table)
    )


def test_a_run_says_which_model_it_stands_for(write_run: WriteRun) -> None:
    run = write_run(steady(), task="aime24", model="checkpoint-400")
    table = table_of(run, claims=[f"late={LLAMA.lower()}"])
    assert (verdict_of(table).word, entry_of(table, "late", "AIME 2024 pass@1").cell) == (
        "reproduced",
        entry_of(table, None, "AIME 2024 pass@1", LLAMA).cell,
    )
    assert verdict_of(table_of(run, claims=[LLAMA])).word == "reproduced"
    assert verdict_of(table_of(run, claims=[f"{run}={LLAMA}"])).word == "reproduced"


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        (["late=DeepSeek-R1-Distil-Llama-8B"], f"did you mean {LLAMA}"),
        (["late=gpt-9000-x"], "no published model is called 'gpt-9000-x'"),
        (["erly=DeepSeek-R1"], "--as erly=DeepSeek-R1: .* the runs are early, late"),
        (["DeepSeek-R1"], "--as DeepSeek-R1: it has the form RUN=MODEL; the runs are early, late"),
    ],
)
def test_a_claim_that_cannot_be_is_refused(
    write_run: WriteRun, claims: list[str], message: str
) -> None:
    runs = [write_run(aime(32), name=name, task="aime24") for name in ("early", "late")]
    with pytest.raises(UsageError, match=message):
        table_of(*runs, claims=claims)


def test_a_run_of_other_tasks_only_is_refused_or_told(write_run: WriteRun) -> None:
    practice = write_run([[C, W]], name="practice")
    with pytest.raises(UsageError, match=r"r1-table5: no run holds a task of it \(aime24, "):
        table_of(practice)
    table = table_of(practice, write_run(aime(32), task="aime24"))
    assert "practice (practice_integer) holds no task of this table." in alerts(table)


def test_an_unfinished_run_is_announced_and_problems_without_a_sample_are_missing(
    write_run: WriteRun,
) -> None:
    run = write_run([*aime(32, problems=29), [E] * 64], task="aime24", model=LLAMA)
    table = table_of(run)
    assert alerts(table)[0].startswith("aime24, late: incomplete: 64 ended in error")
    assert verdict_of(table).why == "problems 29 scored of 30"


def test_a_second_scoring_of_the_same_samples_is_told(write_run: WriteRun) -> None:
    run = write_run(aime(32), task="aime24", model=LLAMA)
    path = run / "aime24" / "scores.json"
    scores = json.loads(path.read_text())
    other = {**scores["scores"][0], "scoring": "lcb-official", "value": 0.25}
    path.write_text(json.dumps({**scores, "scores": [*scores["scores"], other]}))
    table = table_of(run)
    assert "late, AIME 2024 pass@1: scored as integer; as lcb-official it is 25.0 ±1.2." in (
        notes(table)
    )
    assert verdict_of(table).difference == pytest.approx(0.5 - 0.504)


def test_an_unscored_run_has_no_value(write_run: WriteRun) -> None:
    table = table_of(write_run(aime(32), task="aime24", model=LLAMA, scored=False))
    assert verdict_of(table) is None
    assert alerts(table)[0].startswith("aime24, late: not scored")


@pytest.mark.parametrize(("right", "bold"), [(64, True), (52, False), (45, False)])
def test_the_best_is_bold_where_its_lead_is_real(
    write_run: WriteRun, right: int, bold: bool
) -> None:
    mixed = [[C] * right + [W] * (64 - right)] * 29 + [[C, W] * 32]
    table = table_of(write_run(mixed, task="aime24", model="ours"), name="r1-table4")
    best = {line.model for line in table.lines for entry in line.entries if entry.best}
    assert best == ({"ours"} if bold else set())
    chance, unknown = (
        next((n for n in notes(table) if n.startswith(f"Nothing is bold where {why}:")), "")
        for why in ("the lead may be chance", "no run says how much samples vary there")
    )
    assert ("AIME 2024 pass@1 (" in chance) is not bold
    assert "MATH-500 pass@1" in unknown
    assert "AIME" not in unknown


def test_a_run_of_another_protocol_is_never_the_best(write_run: WriteRun) -> None:
    run = write_run(aime(64), task="aime24", model="ours", sampling={"max_tokens": 99_999})
    table = table_of(run)
    assert not any(entry.best for entry in table.lines[-1].entries)
    assert (
        "late, AIME 2024 pass@1: another protocol than the table's: cap 99,999 against 32,768."
        in (alerts(table))
    )
    assert "another protocol, n=64" in grid(table, transposed=False).rows[-1].slots[0].lines


def test_a_published_figure_is_bold_by_errors_imputed_from_a_run(write_run: WriteRun) -> None:
    problems = aime(2, 4, 500)
    run = write_run(problems, task="math500", model="o1-1217")
    table = table_of(run, name="r1-table4")
    entry = entry_of(table, None, "MATH-500 pass@1", "DeepSeek-R1")
    assert entry.rival == Rival("DeepSeek-R1", 0.973, k=4)
    assert not entry.best  # 97.3 against 96.4
    ((why, figures),) = [v for head, v in table.undecided.items() if head.task == "math500"]
    assert why == "the lead may be chance"
    assert re.fullmatch(r"97\.3 against 96\.4, a lead of \[−\d\.\d, \+\d\.\d\]", figures)


def test_a_run_that_is_all_right_leads_a_figure_by_the_error_that_the_figure_implies(
    write_run: WriteRun,
) -> None:
    all_right = write_run(aime(4, 4, 500), name="right", task="math500", model="o1-1217")
    table = table_of(all_right, name="r1-table4", claims=["o1-mini"])
    assert entry_of(table, "right", "MATH-500 pass@1").best  # 100.0 of 2,000 against 97.3
    few = write_run(aime(1, 1, 30), name="few", task="aime24", model="o1-1217")
    table = table_of(few, name="r1-table2", claims=["o1-0912"])  # 30 of 30 against 74.4
    assert entry_of(table, "few", "AIME 2024 pass@1").best


@pytest.mark.parametrize("right", [0, 4])
def test_a_run_whose_samples_never_differ_lends_figures_no_error(
    write_run: WriteRun, right: int
) -> None:
    gpqa = {"task": "gpqa_diamond", "prompt": SIMPLE_EVALS}
    same = write_run(
        [*[[C] * 4] * right, *[[W] * 4] * (198 - right)], name="same", model="x", **gpqa
    )
    reason = undecided_of(table_of(same, name="r1-table4"), "gpqa_diamond")
    assert reason == "no run says how much samples vary there"
    varied = write_run(aime(2, 4, 198), name="varied", model="other", **gpqa)
    assert undecided_of(table_of(same, varied, name="r1-table4"), "gpqa_diamond") != reason


def test_a_run_of_another_protocol_lends_figures_no_error(write_run: WriteRun) -> None:
    run = write_run(aime(2, 4, 500), task="math500", model="x", sampling={"max_tokens": 4096})
    reason = undecided_of(table_of(run, name="r1-table4"), "math500")
    assert reason == "no run says how much samples vary there"


def test_two_runs_lead_by_the_problems_of_both(write_run: WriteRun) -> None:
    first = write_run(aime(60), name="first", task="aime24", model="x")
    for right, bold in ((50, True), (59, False)):
        second = write_run(aime(right), name=f"s{right}", task="aime24", model="y")
        table = table_of(first, second)
        assert entry_of(table, "first", "AIME 2024 pass@1").best == bold


def undecided_of(table: PaperTable, task: str) -> str | None:
    """Why nothing is bold for a task."""
    return next((why for head, (why, _) in table.undecided.items() if head.task == task), None)


def test_records_hold_every_cell_once(write_run: WriteRun) -> None:
    run = write_run(aime(20), task="aime24", model=LLAMA, votes=64)
    rows = records(table_of(run))
    assert len(rows) == 60  # ten models, six figures
    assert len({(row["model"], row["task"], row["metric"]) for row in rows}) == 60
    (row,) = [row for row in rows if row["run"] and row["metric"] == "pass@1"]
    assert (row["model"], row["task"], row["source"]) == (LLAMA, "aime24", "r1-paper table 5")
    assert (row["published"], row["ours"], row["k"], row["n"]) == (0.504, 20 / 64, 64, 1920)
    assert (row["verdict"], row["why"]) == ("differs", "by −19.1 points")
    assert (row["published_k"], row["imputed_k"]) == (None, (4, 64))
    assert not {"k_assumed", "published_se"} & row.keys()
    (vote,) = [row for row in rows if row["run"] and row["metric"] == "cons@64"]
    assert (vote["published_k"], vote["imputed_k"]) == (64, (64, 64))
    assert row["low"] < row["difference"] < row["high"] < 0
    assert row["difference"] == pytest.approx(20 / 64 - 0.504)
    other = replace(table_of(run), lines=())
    assert records(other) == []


def test_names_and_margins_that_cannot_be_are_refused() -> None:
    with pytest.raises(
        UsageError, match=r"--table r1-table3: no table .* did you mean r1-table\d or"
    ):
        layout_named("r1-table3")
    assert (check_margin(None, None), check_margin(2.5, "r1-table2")) == (0.03, 0.025)
    assert (check_margin(None, "t", 5), check_margin(2.5, "t", 5)) == (0.05, 0.025)
    for points, table in ((2.0, None), (0.0, "r1-table2"), (101.0, "r1-table2")):
        with pytest.raises(UsageError, match="--margin"):
            check_margin(points, table)
