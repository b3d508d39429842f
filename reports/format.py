"""Numbers and names as text: what tables, figures and pages print alike. Pure."""

from __future__ import annotations

from harness.stats.intervals import Interval
from harness.types import Score, Verdict

_EXCERPT = 160  # characters of a statement in the list of problems


def value_text(metric: str, value: float) -> str:
    """As papers print it: shares in percent, ratings whole, percentiles with one decimal."""
    if metric == "rating":
        return f"{value:.0f}"
    return f"{value * 100:.1f}" if "@" in metric else f"{value:.1f}"


def error_text(metric: str, error: float | None) -> str:
    """A standard error in the unit of `value_text`; empty where it cannot be estimated."""
    return "" if error is None else f"±{value_text(metric, error)}"


def ends_text(metric: str, ends: tuple[float, float]) -> str:
    """Both ends of an interval in the unit of `value_text`: 76.1 to 82.9."""
    return " to ".join(value_text(metric, end) for end in ends)


def metric_label(score: Score, *, several: bool = False) -> str:
    """The metric with its samples per problem: pass@1 (n=64), or n≤64 where some are missing.

    Names the scoring too where there are several.
    """
    return f"{score.metric} ({n_text(score)})" + (f" {score.scoring}" if several else "")


def n_text(score: Score) -> str:
    """Samples per problem: n=64, n≤64 where some are missing, n=2–117 where problems differ."""
    return n_label(score.k, score.complete and not score.ragged, score.n_range)


def n_label(k: int, complete: bool, n_range: tuple[int, int] | None = None) -> str:
    """n=64, or n≤64 where some samples are missing; with the fewest and the most: n=2–117."""
    if n_range is None:
        return f"n={k}" if complete else f"n≤{k}"
    return f"n={n_range[0]}–{n_range[1]}" if complete else f"n≤{n_range[1]}"


def score_text(score: Score) -> str:
    """The value with its sampling error: 79.8 ±0.9."""
    value = value_text(score.metric, score.value)
    return f"{value} {error_text(score.metric, score.se_sampling)}".rstrip()


def tokens_text(count: float | None) -> str:
    """A mean number of tokens; a dash where the engine has no count."""
    return "–" if count is None else f"{count:,.0f}"


def count_text(count: float) -> str:
    """A count with a unit: 950, 12.3k, 4.5M, 1.2G."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.0f}"


def points(value: float | None, *, sign: bool = True) -> str:
    """A share in points: +1.2; a dash where there is none."""
    if value is None:
        return "–"
    return f"{100 * value:+.1f}" if sign else f"{100 * value:.1f}"


def signed_points(share: float) -> str:
    """A difference in percentage points, with its sign: +1.2, −6.5."""
    return f"{share * 100:+.1f}".replace("-", "−")


def range_text(interval: Interval) -> str:
    """An interval in points."""
    return f"{points(interval.low)} to {points(interval.high)}"


def p_text(p: float) -> str:
    """A p-value to three decimals."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def verdict_text(verdict: Verdict) -> str:
    """As a heading: Wrong answer."""
    return verdict.replace("_", " ").capitalize()


def excerpt(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else line[:_EXCERPT].rsplit(" ", 1)[0] + " …"
