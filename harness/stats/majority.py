"""How often the most frequent answer of k samples is right, and how much one such vote varies. Pure.

k of n samples, drawn without replacement, take from each class of equal answers as many as an
independent binomial draw would, given that the draws add up to k; with replacement, as many as an
independent Poisson draw would. (Any rate will do; near k/n no chance over- or underflows.) A class
then wins with m votes with the chance

    P(m of it) · product over the other classes of [P(fewer than m) + u P(m)],

averaged over u from 0 to 1, which turns u^t into 1 / (1 + t): what a tie with t others pays. That all
draws add up to k is picked out by a discrete Fourier transform of the classes' generating functions,
for neighbouring k by the same one. The work grows with the number of classes of different sizes, and
with n only by the width sqrt(k) of what is likely.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from harness.types import Vote

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    _Complex = NDArray[np.complex128]

_NOTHING = 1e-17  # a chance, relative to that of k draws in all, below which a term is left out
_FAR = 44.0  # -log of the chance that the number drawn is a whole period away
_SMALL = 1e-10  # a variance below it is rounding


def majority(votes: Sequence[Vote]) -> float:
    """The share of the most frequent classes that is right; 0 without any vote."""
    top = max((vote.count for vote in votes), default=0)
    winners = [vote.correct / vote.count for vote in votes if vote.count == top]
    return sum(winners) / len(winners) if winners else 0.0


def expected_majority(votes: Sequence[Vote], n: int, ks: Sequence[int]) -> list[float]:
    """Per k, the mean of `majority` over all subsets of k of n samples.

    The rounding error is below 1e-12 for up to 64 samples and below 1e-10 for 10,000.

    Args:
        votes: the classes of equal answers; samples in none of them abstain.
        n: all samples.
        ks: numbers of samples drawn, each from 1 to n, rising.
    """
    return list(_expected(tuple(sorted(votes, key=_size)), n, tuple(ks)))


def vote_variances(votes: Sequence[Vote], n: int, ks: Sequence[int]) -> list[float]:
    """Per k, the variance of `majority` of k draws with replacement from n samples.

    Args:
        votes: the classes of equal answers; samples in none of them abstain.
        n: all samples.
        ks: numbers of draws, each at least 1, rising.
    """
    return list(_variances(tuple(sorted(votes, key=_size)), n, tuple(ks)))


@lru_cache(maxsize=256)
def _expected(votes: tuple[Vote, ...], n: int, ks: tuple[int, ...]) -> tuple[float, ...]:
    known = {k: value for k in ks if (value := _certain(votes, n, k)) is not None}
    classes = _classes(votes)
    for some in _neighbours([k for k in ks if k not in known], lambda k: k * (1 - k / n)):
        (values,) = _Draws(classes, n, some, replaced=False).moments(1)
        known |= zip(some, values.clip(0.0, 1.0).tolist(), strict=True)
    return tuple(known[k] for k in ks)


@lru_cache(maxsize=256)
def _variances(votes: tuple[Vote, ...], n: int, ks: tuple[int, ...]) -> tuple[float, ...]:
    classes = _classes(votes)
    if not any(each.share for each in classes):
        return (0.0,) * len(ks)
    variances: list[float] = []
    for some in _neighbours(ks, float):
        mean, square = _Draws(classes, n, some, replaced=True).moments(2)
        variances += [found if found > _SMALL else 0.0 for found in (square - mean**2).tolist()]
    return tuple(variances)


def _certain(votes: Sequence[Vote], n: int, k: int) -> float | None:
    """The value where it takes no computing: nothing is right, or all subsets elect one class."""
    if not any(vote.correct for vote in votes):
        return 0.0
    if k == n:
        return majority(votes)
    if k == 1:
        return sum(vote.correct for vote in votes) / n
    second, top = (0, *(vote.count for vote in votes[-2:]))[-2:]
    return votes[-1].correct / top if second < k - (n - top) else None


@dataclass(frozen=True, slots=True)
class _Classes:
    """So many classes of one size of which the same share is right."""

    size: int
    share: float
    times: int


def _classes(votes: Sequence[Vote]) -> list[_Classes]:
    """Those of which nothing is right come first."""
    times = Counter((vote.correct / vote.count, vote.count) for vote in votes)
    return [_Classes(size, share, times[share, size]) for share, size in sorted(times)]


def _size(vote: Vote) -> tuple[int, int]:
    return vote.count, vote.correct


def _neighbours(ks: Sequence[int], variance: Callable[[float], float]) -> Iterator[list[int]]:
    """Rising numbers in groups that lie within three standard deviations of the number drawn."""
    group: list[int] = []
    for k in ks:
        if group and k - group[0] > 6 * math.sqrt(variance((group[0] + k) / 2)):
            yield group
            group = []
        group.append(k)
    if group:
        yield group


class _Draws:
    """Draws of any of `ks` samples, as independent draws from each class that add up to so many.

    `chances[j, x]` is that of drawing x samples from one of classes[j], `below[j, x]` that of fewer,
    and `in_all` that of each of `ks` in all.
    """

    def __init__(
        self, classes: Sequence[_Classes], n: int, ks: Sequence[int], *, replaced: bool
    ) -> None:
        import numpy as np

        self.n, self.ks, self.replaced = n, np.array(ks), replaced
        self.rate = (ks[0] + ks[-1]) / 2 / n
        self.classes = classes
        sizes = np.array([each.size for each in classes])
        self.votes = np.arange((ks[-1] if replaced else min(int(sizes.max()), ks[-1])) + 1)
        self.chances = self._chances(sizes[:, None], self.votes)
        self.below = np.cumsum(self.chances, axis=1) - self.chances
        self.in_all = self._chances(np.array(n), self.ks)
        self.least = _NOTHING * float(self.in_all.min())
        # Numbers that are a period apart cannot be told apart: by Bernstein's inequality no number
        # so far from those of `ks` has a chance.
        spread = n * self.rate * (1 if replaced else 1 - self.rate)
        period = _FAR / 3 + math.sqrt(_FAR**2 / 9 + 2 * _FAR * spread) + (ks[-1] - ks[0]) / 2
        self.period = math.ceil(period) if replaced else min(n + 1, math.ceil(period))
        self.turns = np.exp(2j * np.pi / self.period * np.arange(self.period))

    def moments(self, most: int) -> NDArray[np.float64]:
        """By k, the mean of `majority`, and for `most` = 2 that of its square in a second row."""
        import numpy as np

        tops = self._tops()
        if not tops.size:
            return np.zeros((most, len(self.ks)))
        active = [j for j in range(len(self.classes)) if self._may_win(j, int(tops[0]))]
        drawn = [self.classes[j] for j in active]
        waves, rest = self._rest(self.n - sum(each.times * each.size for each in drawn))
        fewer, level = self._generating(active, tops, waves)
        tied = min(sum(each.times for each in drawn), int(self.ks[-1]) // int(tops[0])) - 1
        spectra = np.zeros((most, len(waves)), dtype=complex)
        for u, *weights in _mean_over_ties(max(tied, 0), most):
            ways = _ways(drawn, fewer, [u * at_top for at_top in level], most)
            for power, weight in enumerate(weights):
                spectra[power] += weight / u * ways[power + 1].sum(axis=0)
        turned = self._turned(-self.ks, waves).T
        found: NDArray[np.float64] = ((spectra * rest) @ turned).real / self.in_all
        return found

    def _tops(self) -> NDArray[np.int64]:
        """The numbers of votes with which a class that is right may win."""
        import numpy as np

        at_most = np.minimum(self.below + self.chances, 1.0)
        times = np.array([[each.times] for each in self.classes])
        right = [j for j, each in enumerate(self.classes) if each.share]
        ratio = self.chances[right] / np.maximum(at_most[right], 1e-300)
        chance = np.prod(at_most**times, axis=0) * (times[right] * ratio).sum(axis=0)
        likely = np.flatnonzero(chance[1:] > self.least) + 1
        return self.votes[likely[0] : likely[-1] + 1] if likely.size else likely

    def _may_win(self, j: int, votes: int) -> bool:
        """Whether classes[j] may have so many votes or more."""
        each = self.classes[j]
        return each.size * self.rate > votes or bool(
            each.times * self.chances[j, votes:].max() > self.least
        )

    def _rest(self, samples: int) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
        """The frequencies that count, and there the draws of samples that may come in any number.

        The transform of real numbers is symmetric: half of it is enough, with twice the weight.
        """
        import numpy as np

        waves = np.arange(self.period // 2 + 1)
        turn = self.turns[: len(waves)]
        if self.replaced:
            rest = np.exp(samples * self.rate * (turn - 1))
        else:
            rest = (1 - self.rate + self.rate * turn) ** samples
        rest *= np.where((waves == 0) | (2 * waves == self.period), 1, 2) / self.period
        kept = np.abs(rest) > self.least
        return waves[kept], rest[kept]

    def _generating(
        self, active: Sequence[int], tops: NDArray[np.int64], waves: NDArray[np.int64]
    ) -> tuple[list[_Complex], list[_Complex]]:
        """The generating functions of fewer than m votes and of m, by m and frequency."""
        import numpy as np

        first = int(tops[0])
        turned, before = self._turned(tops, waves), self._turned(self.votes[:first], waves)
        fewer, level = [], []
        for j in active:
            at_top = self.chances[j, tops, None] * turned
            low = np.empty_like(at_top)
            low[0] = self.chances[j, :first] @ before
            low[1:] = low[0] + np.cumsum(at_top[:-1], axis=0)
            fewer.append(low)
            level.append(at_top)
        return fewer, level

    def _turned(self, votes: NDArray[np.int64], waves: NDArray[np.int64]) -> _Complex:
        found: _Complex = self.turns[votes[:, None] * waves % self.period]
        return found

    def _chances(self, samples: NDArray[np.int64], drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of drawing so many of so many samples, by logarithms."""
        import numpy as np

        logs = _log_factorials(max(self.n, int(self.ks[-1])))
        if self.replaced:
            mean = samples * self.rate
            chances = drawn * np.log(mean) - mean - logs[drawn]
        else:
            left = np.maximum(samples - drawn, 0)
            ways = logs[samples] - logs[drawn] - logs[left]
            chances = ways + drawn * np.log(self.rate) + left * np.log1p(-self.rate)
            chances = np.where(drawn <= samples, chances, -np.inf)
        found: NDArray[np.float64] = np.exp(chances)
        return found


def _ways(
    classes: Sequence[_Classes], fewer: Sequence[_Complex], level: Sequence[_Complex], most: int
) -> list[_Complex]:
    """Product over the classes of [fewer + level · exp(share y)] as a series in y up to `most`.

    Its coefficient of y^i, times i!, sums the ways by the i-th power of the right shares at the top.
    """
    series: list[_Complex] = []
    for each, low, at_top in zip(classes, fewer, level, strict=True):
        both, g, s = low + at_top, each.times, each.share
        factor = [both**g if g > 1 else both]
        if s:
            once = g * s * at_top * (both ** (g - 1) if g > 1 else 1)
            factor.append(once)
            if most > 1:
                twice = g * (g - 1) * (s * at_top) ** 2 * (both ** (g - 2)) if g > 1 else 0
                factor.append(s * once + twice)
        series = _multiply(series, factor, most) if series else factor
    return series


def _multiply(a: Sequence[_Complex], b: Sequence[_Complex], most: int) -> list[_Complex]:
    """Product of two series whose coefficients are multiplied with the factorial of their power."""
    if len(b) == 1:
        return [part * b[0] for part in a]
    if len(a) == 1:
        return [a[0] * part for part in b]
    found = [a[0] * b[0], a[0] * b[1] + a[1] * b[0]]
    if most > 1:
        found.append(a[0] * b[2] + 2 * a[1] * b[1] + a[2] * b[0])
    return found


@lru_cache(maxsize=16)
def _log_factorials(n: int) -> NDArray[np.float64]:
    import numpy as np
    from scipy.special import gammaln

    found: NDArray[np.float64] = gammaln(np.arange(n + 1) + 1.0)
    return found


@lru_cache(maxsize=256)
def _mean_over_ties(most: int, powers: int) -> list[tuple[float, ...]]:
    """Points u from 0 to 1 with weights that turn u^t into 1 / (1 + t), for two `powers` also its square.

    The first weights are Gauss's. The second integrate u^t · -log(u) by its Legendre series, of
    which term j > 0 is (-1)^j (2j + 1) / (j (j + 1)). Both are exact for t up to `most` where that
    is small, else good to 1e-10.
    """
    import numpy as np
    from numpy.polynomial import legendre

    points = min(most + 1 if powers > 1 else most // 2 + 1, 8 + 4 * math.isqrt(most))
    x, weights = legendre.leggauss(points)
    rows = [weights / 2]
    if powers > 1:
        j = np.arange(1, points)
        series = np.concatenate([[1.0], (-1.0) ** j * (2 * j + 1) / (j * (j + 1))])
        rows.append(weights / 2 * legendre.legval(x, series))
    return list(zip(*(row.tolist() for row in [(1 + x) / 2, *rows]), strict=True))
