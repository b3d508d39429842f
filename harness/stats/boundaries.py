"""Boundaries of a test that is looked at a few times, and what its paths do. Pure.

A test statistic seen at growing information t (1 at the last analysis) is a Brownian motion W(t) = Z
sqrt(t), with a drift where something changed (Jennison and Turnbull 2000, section 3.1). A boundary
spends its probability of error as information comes in, alpha t^rho up to t (Kim and DeMets 1987):
rho 1 stops early where it can, rho 3 keeps nearly all for the last analysis. The density of the
paths that go on is convolved with that of each step on a grid (Armitage, McPherson and Rowe 1969).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_REACH = 9.0  # paths are followed from -9 to 9; beyond lies nothing that matters
_STEP = 0.02

Times = tuple[float, ...]
"""Information at each analysis, rising, 1 at the last."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Per analysis, the chance that a path ends there above and below."""

    above: tuple[float, ...]
    below: tuple[float, ...]

    @property
    def open(self) -> float:
        """The chance that neither happens at any analysis."""
        return max(0.0, 1 - math.fsum(self.above) - math.fsum(self.below))


def rounded(times: Times) -> Times:
    """To two digits, so that nearly equal tests share their boundaries, and always rising."""
    found: list[float] = []
    for time in reversed(times):  # the last one stays: it is 1
        later = found[-1] if found else 2.0
        found.append(min(max(0.01, round(time, 2)), round(max(later - 0.01, later / 2), 4)))
    return tuple(reversed(found))


@lru_cache(maxsize=4096)
def critical(times: Times, alpha: float, rho: float) -> tuple[float, ...]:
    """The z at each analysis that a motion without drift reaches with probability alpha in all.

    Args:
        times: information at each analysis.
        alpha: probability of reaching it at any analysis.
        rho: how late it is spent.
    """
    import numpy as np
    from scipy import special

    found: list[float] = []
    grid = _grid()
    density: NDArray[np.float64] | None = None
    before = spent = 0.0
    for time in times:
        density = _moved(density, grid, time - before, 0.0)
        due = alpha * (min(time, 1.0) ** rho) - spent
        above = np.cumsum(density[::-1])[::-1]
        if due <= 1e-9:
            bound = _REACH
        else:
            place = int(np.searchsorted(-above, -due, side="left"))
            place = min(max(place, 1), len(grid) - 1)
            over = (above[place - 1] - due) / max(above[place - 1] - above[place], 1e-300)
            bound = float(grid[place - 1] + _STEP * over - _STEP / 2)
        density = density * _kept(grid, bound)
        spent += max(due, 0.0)
        found.append(bound / math.sqrt(time))
        before = time
    if len(times) == 1:
        return (float(-special.ndtri(alpha)),)
    return tuple(found)


def follow(times: Times, drift: float, upper: tuple[float, ...], lower: tuple[float, ...]) -> Ends:
    """Where paths with a drift end that stop at W >= upper or W <= lower.

    Args:
        times: information at each analysis.
        drift: the mean of W at information 1.
        upper: a value of W per analysis.
        lower: likewise, -inf where it does not stop below.
    """
    above, below = [], []
    grid = _grid()
    density: NDArray[np.float64] | None = None
    before = 0.0
    for time, high, low in zip(times, upper, lower, strict=True):
        density = _moved(density, grid, time - before, drift * (time - before))
        before = time
        under = density * _kept(grid, high)
        above.append(float(density.sum() - under.sum()))
        density = under * (1 - _kept(grid, low)) if low > -_REACH else under
        below.append(float(under.sum() - density.sum()))
    return Ends(tuple(above), tuple(below))


def _grid() -> NDArray[np.float64]:
    import numpy as np

    return np.arange(-_REACH, _REACH + _STEP / 2, _STEP)


def _kept(grid: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
    """Share of each cell that lies below a bound."""
    import numpy as np

    found: NDArray[np.float64] = np.clip((bound - grid) / _STEP + 0.5, 0.0, 1.0)
    return found


def _moved(
    density: NDArray[np.float64] | None, grid: NDArray[np.float64], time: float, shift: float
) -> NDArray[np.float64]:
    """The density after a step of this information; None for that of a path that has not begun."""
    import numpy as np
    from scipy.signal import fftconvolve

    width = math.sqrt(time)
    if density is None:
        found: NDArray[np.float64] = np.exp(-((grid - shift) ** 2) / (2 * time))
        return found * (_STEP / (width * math.sqrt(2 * math.pi)))
    reach = math.ceil((7 * width + abs(shift)) / _STEP) + 1
    moves = np.arange(-reach, reach + 1) * _STEP
    chances = np.exp(-((moves - shift) ** 2) / (2 * time))
    full = fftconvolve(density, chances / chances.sum())
    return np.asarray(np.maximum(full[reach : reach + len(grid)], 0.0))
