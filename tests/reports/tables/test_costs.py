"""Figures of the table of costs."""

from __future__ import annotations

import pytest

from harness.reports.tables.costs import k1_error_text
from harness.stats.cost import Cost


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1204.0, 3.456, "3.46"),
        (0.00179, 0.00012, "0.00012"),
        (0.00179, 8.01e-7, "<0.00001"),
        (0.00179, 0.0, "0.00000"),
        (0.00179, None, "–"),
        (None, None, "–"),
    ],
)
def test_an_error_has_the_digits_of_its_figure(
    value: float | None, error: float | None, text: str
) -> None:
    cost = Cost(
        usd=1.0,
        basis="charged",
        price=None,
        samples=8,
        unmeasured=0,
        at_k1=value,
        at_k1_error=error,
    )
    assert k1_error_text(cost) == text


def test_no_cost_has_no_error() -> None:
    assert k1_error_text(None) == "–"
