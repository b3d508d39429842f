"""The axis of dollars."""

from __future__ import annotations

from itertools import pairwise

import pytest

from harness.reports.figures.costs import ticks, usd_label


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0011, 0.0029, ["0.0015", "0.002"]),
        (0.3, 6.0, ["0.5", "1", "2", "5"]),
        (0.02, 400.0, ["0.1", "1", "10", "100"]),
        (1e-9, 1e9, ["0.000000001", "0.00001", "0.1", "1,000", "10,000,000"]),
    ],
)
def test_few_round_numbers_mark_the_dollars(low: float, high: float, labels: list[str]) -> None:
    found = ticks(low, high)
    assert [usd_label(tick) for tick in found] == labels
    assert all(one < other for one, other in pairwise(found))


@pytest.mark.parametrize("spread", [2.56, 5.0, 20.0, 1e3, 1e7])
@pytest.mark.parametrize("start", [1e-6, 0.0037, 0.9, 44.0])
def test_every_axis_has_from_one_to_five_of_them(start: float, spread: float) -> None:
    assert 1 <= len(ticks(start, start * spread)) <= 5
