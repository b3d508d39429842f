"""Which of many tests to believe, against scipy's procedure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.stats.multiplicity import benjamini_hochberg


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_values_are_those_of_scipy(p_values: list[float]) -> None:
    expected = stats.false_discovery_control(p_values, method="bh")
    assert benjamini_hochberg(p_values) == pytest.approx(list(expected))


def test_no_test_needs_no_correction() -> None:
    assert benjamini_hochberg([]) == []
    assert benjamini_hochberg([0.03]) == [0.03]
