"""Student's t in place of the normal distribution, where variances are estimated too. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence


def satterthwaite(
    variances: Sequence[float], trials: Sequence[float], times: Sequence[float] | None = None
) -> float:
    """Degrees of freedom of a sum of estimated variances (Satterthwaite 1946); infinite where all are 0.

    Args:
        variances: the estimates.
        trials: how many trials each was estimated from.
        times: how often each stands in the sum; once by default.
    """
    often = [1.0] * len(variances) if times is None else times
    total = math.fsum(v * m for v, m in zip(variances, often, strict=True))
    spread = math.fsum(
        m * v * v / max(n - 1, 1) for v, n, m in zip(variances, trials, often, strict=True)
    )
    return total**2 / spread if spread > 0 else math.inf


def student(confidence: float, freedom: float) -> float:
    """The two-sided quantile of Student's t; the normal one for infinite degrees of freedom.

    Args:
        confidence: of the interval, such as 0.95.
        freedom: degrees of freedom.
    """
    from scipy import special  # scipy.stats takes a second to import, and every run needs this

    tail = 1 - (1 - confidence) / 2
    return float(
        special.ndtri(tail) if math.isinf(freedom) else special.stdtrit(max(freedom, 1.0), tail)
    )


def student_tail(p: float, freedom: float) -> float:
    """What a tail of the normal distribution is as one of Student's t: the same quantile's.

    Args:
        p: of the normal distribution, from 0 to 1.
        freedom: degrees of freedom.
    """
    from scipy import special

    if not 0 < p < 1 or math.isinf(freedom):
        return p
    return float(special.stdtr(max(freedom, 1.0), special.ndtri(p)))
