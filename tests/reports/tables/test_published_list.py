"""Published scores listed alone: in a terminal of any width, and in a pipe."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.reports.baselines.conflicts import conflicts
from harness.reports.baselines.filters import newest_first
from harness.reports.baselines.loader import load
from harness.reports.baselines.scores import PublishedScore
from harness.reports.tables.blocks import Block, Entry, Listing, plain_lines, terminal_lines
from harness.reports.tables.disagreements import disagreements
from harness.reports.tables.model import Column
from harness.reports.tables.published_list import listing, overview
from tests.support.published_scores import baselines_of, published

NOTE = "a column that the source took over from elsewhere"


def in_terminal(listed: Listing, width: int = 80) -> list[str]:
    lines = [line.text for line in terminal_lines(listed, width)]
    assert all(line == line.rstrip() for line in lines)
    return lines


def listed(*scores: PublishedScore, **dates: str | None) -> Listing:
    known = baselines_of(*scores, **dates)
    return listing(known, scores, conflicts(scores))


@pytest.mark.parametrize("width", [80, 100, 160])
def test_everything_that_is_shipped_fits_the_terminal(width: int) -> None:
    known = load()
    chosen, groups = newest_first(known), conflicts(known.scores)
    every = [listing(known, chosen, groups), disagreements(known, chosen, groups),
             *overview(known, chosen, groups)]  # fmt: skip
    for task in {score.task for score in chosen}:
        of_task = [score for score in chosen if score.task == task]
        every.append(listing(known, of_task, groups))
    for one in every:
        assert max(map(len, in_terminal(one, width))) <= width


def test_no_score_is_lost_in_either_form() -> None:
    known = load()
    chosen = newest_first(known)
    found = listing(known, chosen, conflicts(known.scores))
    plain = list(plain_lines(found))[1:]
    assert len(plain) == len(chosen)
    for line, score in zip(plain, chosen, strict=True):
        assert score.model in line
        assert score.source in line
        assert score.text in line
        assert ("quoted" in line) >= (score.kind == "quoted")
    shown = "\n".join(in_terminal(found, 160))
    assert all(score.model in shown for score in chosen)
    assert sum(len(block.entries) for block in found.blocks) == len(chosen)


def test_what_a_source_states_for_all_its_scores_stands_in_the_heading() -> None:
    shared = {"temperature": 0.6, "max_tokens": 32768}
    lines = in_terminal(
        listed(
            published("a", 0.5, k=64, stated={**shared, "effort": "low"}),
            published("b", 0.7, stated={**shared, "effort": "high", "tools": "python"}),
            published("c", 0.6, source="other", kind="quoted"),
            s2025="2025-06",
        )
    )
    assert lines[0].startswith(
        "3 published aime24 pass@1 scores of 3 models from 2 sources, newest"
    )
    assert lines[2:] == [
        "",
        "2025-06  s2025: Title of s2025, https://example.org",
        "  temperature 0.6, cap 32,768",
        "  a      50.0  64  effort low",
        "  b      70.0   –  effort high, tools: python",
        "",
        "no date  other: Title of other, https://example.org",
        "  c      60.0   –  quoted",
        "",
        "quoted: taken over from another source, no measurement of its own. k, samples",
        "per problem: – where the source does not state it.",
    ]


def test_a_long_detail_of_several_rows_is_said_once_under_a_letter() -> None:
    scores = [published(name, note=NOTE, kind="quoted") for name in ("a", "b")]
    found = listed(*scores, published("c", note="alone"))
    lines = in_terminal(found)
    assert f"  (a) {NOTE}" in lines
    assert lines[5].replace(";", " ").split() == ["a", "80.0", "–", "quoted", "(a)"]
    assert sum(NOTE in line for line in lines) == 1
    assert sum(NOTE in line for line in plain_lines(found)) == 2


def test_tasks_and_metrics_are_columns_only_where_there_are_several() -> None:
    one, two = published("a"), published("a", task="aime25", metric="problems solved of 15",
                                         unit="count", value=11.3)  # fmt: skip
    assert [column.head for column in listed(one).columns][:3] == ["Model", "Score", ""]
    found = listed(one, two)
    assert [column.head for column in found.columns][:4] == ["Model", "Task", "Metric", "Score"]
    lines = in_terminal(found)
    row = next(line for line in lines if "11.3" in line)
    assert row.split() == ["a", "aime25", "problems", "so…", "11.3", "–",
                           "problems", "solved", "of", "15"]  # fmt: skip
    assert "  problems solved of 15  " in list(plain_lines(found))[2]


def test_a_part_of_the_problems_is_named() -> None:
    lines = in_terminal(listed(published("a", subset={"difficulty": "easy"}), published("b")))
    assert any(line.endswith("difficulty easy") for line in lines)


def test_disputed_scores_are_marked_and_stand_side_by_side() -> None:
    scores = [
        published("QwQ", 0.50, source="one", k=16, stated={"temperature": 0.6}),
        published("QwQ", 0.44, source="two", kind="quoted", places=("table 3", "table 4")),
        published("o1", 0.79, source="one"),
        published("o1", 0.70, source="two"),
    ]
    known, groups = baselines_of(*scores, one="2025-01", two="2025-02"), conflicts(scores)
    lines = in_terminal(listing(known, scores, groups))
    assert sum("†" in line for line in lines if not line.startswith("†")) == 4
    assert in_terminal(disagreements(known, scores[:1], groups)) == [
        "Sources disagree on 1 score, the furthest apart first",
        "  Score  k Date    Source",
        "",
        "QwQ, aime24 pass@1: 44.0 to 50.0, sources 6.0 points apart",
        "   50.0 16 2025-01 one     temperature 0.6",
        "   44.0  – 2025-02 two     quoted",
    ]
    both = in_terminal(disagreements(known, scores, groups))
    assert [line for line in both if "apart" in line] == [
        "Sources disagree on 2 scores, the furthest apart first",
        "o1, aime24 pass@1: 70.0 to 79.0, sources 9.0 points apart",
        "QwQ, aime24 pass@1: 44.0 to 50.0, sources 6.0 points apart",
    ]
    assert list(plain_lines(disagreements(known, scores[:1], groups)))[1].split()[:6] == [
        "QwQ", "aime24", "pass@1", "50.0", "16", "2025-01",
    ]  # fmt: skip
    shortened = in_terminal(disagreements(known, scores, groups, most=1))
    assert shortened[-1] == "1 more: --disagreements lists all of them"


def test_sources_are_apart_by_their_values_that_are_nearest_to_each_other() -> None:
    scores = [
        published("m", 0.50, source="card", stated={"mode": "non-thinking"}),
        published("m", 0.90, source="card", stated={"mode": "thinking"}),
        published("m", 0.88, source="other"),
    ]
    known = baselines_of(*scores)
    lines = in_terminal(disagreements(known, scores, conflicts(scores)))
    assert "m, aime24 pass@1: 50.0 to 90.0, sources 2.0 points apart" in lines


def test_ratings_are_apart_in_their_own_unit_and_come_last() -> None:
    rating = {"task": "codeforces", "metric": "rating", "unit": "rating"}
    scores = [
        published("m", 1843.0, source="one", **rating),
        published("m", 1673.0, source="two", **rating),
        published("n", 0.51, source="one"),
        published("n", 0.50, source="two"),
    ]
    known = baselines_of(*scores)
    lines = in_terminal(disagreements(known, scores, conflicts(scores)))
    assert [line for line in lines if " to " in line] == [
        "n, aime24 pass@1: 50.0 to 51.0, sources 1.0 points apart",
        "m, codeforces rating: 1673 to 1843, sources 170 apart",
    ]


def test_the_overview_counts_by_task_and_by_source() -> None:
    scores = [
        published("a", 0.5, source="one"),
        published("b", 0.6, source="one", kind="quoted"),
        published("a", 0.7, source="two"),
        published("a", 0.7, source="two", task="math500"),
    ]
    known = baselines_of(*scores, one="2024-09-12", two="2025")
    tasks, sources = overview(known, newest_first(known), conflicts(scores))
    assert tasks.title == "4 published scores by task"
    assert cells(tasks) == [
        ("aime24", "3", "1", "2", "2", "2", "2024-09 to 2025"),
        ("math500", "1", "0", "1", "1", "0", "2025"),
    ]
    assert cells(sources) == [
        ("2025", "two", "2", "0", "1", "2", "Title of two"),
        ("2024-09-12", "one", "2", "1", "2", "1", "Title of one"),
    ]
    assert "--all every one" in " ".join(in_terminal(sources))


def cells(listed: Listing) -> Sequence[tuple[str, ...]]:
    return [entry.cells for block in listed.blocks for entry in block.entries]


def test_a_name_that_is_cut_stands_whole_behind_its_row() -> None:
    name = "a-model-with-a-name-of-many-words-70B-2025-06"
    found = in_terminal(listed(published(name, 0.5, k=8), published("b")), 52)
    assert max(map(len, found)) <= 52
    row = next(i for i, line in enumerate(found) if "…" in line)
    assert found[row].split()[1:] == ["50.0", "8"]
    assert found[row + 1].strip() == name


def test_details_stand_beside_a_row_or_below_it_where_the_room_is_short() -> None:
    columns = (Column("Model", "name"), Column("Score"))
    text = "words " * 12
    block = Block("H", (), (Entry(("m" * 40, "50.0"), (text.strip(),)), Entry(("m", "1.0"))))
    listed = Listing("T", columns, (block,))
    wide, narrow = in_terminal(listed, 120), in_terminal(listed, 60)
    assert wide[4].startswith("  " + "m" * 40 + "   50.0  words words")
    assert narrow[4] == "  " + "m" * 40 + "  50.0"
    assert narrow[5].startswith("      words words")
    assert max(map(len, narrow)) <= 60
