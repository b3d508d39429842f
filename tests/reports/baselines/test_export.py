"""Published scores as CSV: what a spreadsheet or pandas reads back."""

from __future__ import annotations

import csv
import io

import pandas

from harness.reports.baselines.conflicts import conflicts
from harness.reports.baselines.export import as_csv, nearest_as_csv, nearest_as_json
from harness.reports.baselines.loader import load
from harness.reports.baselines.nearness import neighbourhoods
from harness.reports.baselines.records import document
from harness.reports.results import read_results
from harness.types import Verdict
from tests.support.published_scores import baselines_of, published
from tests.support.run_folders import WriteRun

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_shipped_score_is_one_row_with_what_the_json_has() -> None:
    known = load()
    disputed = {cell for group in conflicts(known.scores) for cell in group}
    rows = read(as_csv(known, known.scores, disputed))
    records = document(known, known.scores)["baselines"]
    assert len(rows) == len(records) == len(known.scores)
    for row, record in zip(rows, records, strict=True):
        for name in ("model", "label", "task", "metric", "source", "kind", "printed_value"):
            assert row[name].removeprefix("'") == record[name]
        assert float(row["value"]) == record["value"]
        assert (row["k"] or None) == (str(record["k"]) if record["k"] else None)
        assert (row["conflict"] == "yes") == record["conflict"]
        stated = record["protocol"]["temperature"]
        assert row["temperature"] == ("" if stated is None else str(stated))
        assert int(row["k_least"]) <= int(row["k_most"])
    assert len(pandas.read_csv(io.StringIO(as_csv(known, known.scores, disputed)))) == len(rows)


def test_a_text_that_a_spreadsheet_would_compute_is_harmless() -> None:
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=2", " \n=3", "＝1", "a=1", 'say "x", y']
    known = baselines_of(*(published(text, note=text) for text in texts))
    rows = read(as_csv(known, known.scores, set()))
    assert [row["model"] for row in rows] == [f"'{t.strip()}" for t in texts[:8]] + texts[8:]
    assert all(row["note"][0] not in "=+-@\t\r\n＝" for row in rows)
    (_, row) = as_csv(known, [published("a\nb", note="c\r\n\td")], set()).splitlines()
    assert row.startswith("a b,")
    assert {row["value"] for row in rows} == {"0.8"}


def test_nothing_to_write_is_a_head_alone() -> None:
    known = baselines_of(published())
    (head,) = as_csv(known, (), set()).splitlines()
    assert head.startswith("model,label,task,metric,")
    (head,) = nearest_as_csv(known, (), set()).splitlines()
    assert head.startswith("run,run_value,run_k,same_model,differs,")


def test_neighbours_of_a_run_say_in_both_forms_what_differs(write_run: WriteRun) -> None:
    run = write_run([[C, W]] * 30, task="aime24", model="org/m")
    stated = {"temperature": 1.0, "effort": "high", "extraction": "the last box"}
    known = baselines_of(published("M", stated=stated, k=64), s2025="2025-01")
    found = neighbourhoods(read_results([run]), known.scores)
    (row,) = read(nearest_as_csv(known, found, set()))
    assert row["differs"] == "temperature 0.6 against 1.0; k 2 against 64"
    assert (row["unstated_by_run"], row["in_words"]) == ("effort", "extraction: the last box")
    assert row["unstated_by_source"] == "top-p; cap; prompt; number of problems"
    assert (row["run"], row["run_value"], row["same_model"], row["date"]) == (
        "late", "0.5", "yes", "2025-01",
    )  # fmt: skip
    (each,) = [one for one in nearest_as_json(known, found, set())["nearest"] if one["published"]]
    (one,) = each["published"]
    assert (each["task"], each["metric"], each["value"], each["k"]) == ("aime24", "pass@1", 0.5, 2)
    assert one["differs"][0] == {
        "part": "temperature", "run": "0.6", "source": "1.0",
        "words": "temperature 0.6 against 1.0",
    }  # fmt: skip
    assert one["unstated"]["run"] == ["effort"]
    assert one["model"] == "M"
    assert one["conflict"] is False
