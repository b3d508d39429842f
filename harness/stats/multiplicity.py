"""Several tests at once: which of them to believe. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that bound the probability of any false alarm over all tests (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for position, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - position) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values; those up to q hold a share of q of false alarms at most, in the mean.

    Where nothing changed at all, that is the chance of any false alarm. Proven for independent and
    positively dependent tests (Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001).
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i], reverse=True)
    adjusted, lowest = [0.0] * len(p_values), 1.0
    for larger, i in enumerate(order):
        lowest = min(lowest, p_values[i] * len(p_values) / (len(p_values) - larger))
        adjusted[i] = lowest
    return adjusted
