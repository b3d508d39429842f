"""Derived seeds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.stats.seeds import derive_seed


@given(st.lists(st.one_of(st.text(), st.integers()), min_size=1, max_size=4))
def test_a_derived_seed_is_a_signed_word_that_every_part_matters_to(
    parts: list[str | int],
) -> None:
    seed = derive_seed(*parts)
    assert 0 <= seed < 2**31
    assert seed == derive_seed(*parts)
    assert seed != derive_seed(*parts, "more")
