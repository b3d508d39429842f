"""What tests of the symbolic worker share."""

from __future__ import annotations

import pytest

from harness.graders import sympy_client


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit per pair that is met only by what never ends, and not on a busy machine."""
    monkeypatch.setitem(sympy_client.same.__kwdefaults__, "seconds", 5.0)
