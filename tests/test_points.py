"""Points and shares: one conversion, and a share by mistake is refused."""

from __future__ import annotations

import math

import pytest

from harness.errors import UsageError
from harness.points import points_of, share_of


@pytest.mark.parametrize("points", [0.1, 0.3, 1, 2.3, 5, 7, 12.5, 29, 57, 99.9])
def test_points_become_a_share_and_come_back_as_they_were(points: float) -> None:
    share = share_of(points, "--margin")
    assert share == pytest.approx(points / 100, abs=1e-15)
    assert points_of(share) == points
    assert share_of(points_of(share), "--margin") == share


@pytest.mark.parametrize("share", [0.001, 0.02, 0.05, 0.0999])
def test_a_share_is_refused_with_what_it_is_in_points(share: float) -> None:
    with pytest.raises(UsageError) as caught:
        share_of(share, "--margin")
    assert f"--margin {share:g}: points are meant; 5 is five points" in str(caught.value)
    assert str(caught.value).endswith(f"is {100 * share:g} points")


@pytest.mark.parametrize("points", [0, -1, 100, 500, math.nan, math.inf])
def test_what_is_no_drop_is_refused(points: float) -> None:
    with pytest.raises(UsageError, match="above 0 and below 100"):
        share_of(points, "--margin")
