"""Metrics: from one problem's graded samples to a value and its sampling variance. Pure.

Values are averaged per problem first and over problems afterwards (`harness.pipeline.scoring`), so that
ragged sample counts after errors give no problem more weight than another.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeVar

from harness.errors import UsageError
from harness.stats.majority import expected_majority, vote_variances
from harness.stats.verdict_table import Graded, VerdictTable
from harness.types import Tally, Verdict, Vote

G = TypeVar("G", bound="Graded")
T = TypeVar("T")

_ROUNDING = 1e-12  # values of cons@k that differ by less do not differ


class Decided(Protocol):
    """A grade, or whatever else has a verdict and the extracted answer."""

    @property
    def verdict(self) -> Verdict:
        """How the sample ended."""
        ...

    @property
    def answer(self) -> str | None:
        """The extracted answer."""
        ...


def tally(
    grades: Sequence[Decided], classes: Sequence[Hashable], counts: Sequence[int] | None = None
) -> Tally:
    """Count the grades of one problem.

    Args:
        grades: all of one problem, none with verdict `error`.
        classes: the equivalence class of each grade's answer, in the same order; what stands
            for a grade without an answer is ignored.
        counts: how many samples each grade stands for; one by default.
    """
    votes: dict[Hashable, list[int]] = {}
    total = correct = 0
    for grade, answer_class, n in zip(grades, classes, counts or [1] * len(grades), strict=True):
        right = n if grade.verdict is Verdict.CORRECT else 0
        total, correct = total + n, correct + right
        if grade.answer is not None:
            vote = votes.setdefault(answer_class, [0, 0])
            vote[0] += n
            vote[1] += right
    return Tally(total, correct, tuple(Vote(*vote) for vote in votes.values()))


def last_grades(grades: Iterable[G], keep: Callable[[G], T]) -> dict[str, dict[int, T]]:
    """What to keep of the grade that counts of each sample, by problem and index.

    The last grade of a sample counts, but an internal error never replaces another grade: it says
    nothing of the sample.
    """
    found: dict[str, dict[int, T]] = {}
    for grade in grades:
        row = found.setdefault(grade.problem_id, {})
        if grade.verdict is not Verdict.ERROR or grade.index not in row:
            row[grade.index] = keep(grade)
    return found


def tallies(grades: Iterable[Graded]) -> dict[str, Tally]:
    """Each problem's graded samples and how many are right, without votes; see `VerdictTable`."""
    return VerdictTable(grades).tallies()


def tally_problem(
    grades: Sequence[Decided],
    classes: Callable[[Sequence[str]], list[int]] | None,
    counts: Sequence[int] | None = None,
) -> Tally:
    """Count the grades of one problem, its answers put into classes by the grader's `classes`.

    Args:
        grades: all of this problem in the order of their index, none with verdict `error`.
        classes: None where no metric uses votes: each answer is then a class of its own.
        counts: how many samples each grade stands for; one by default.
    """
    numbers: Sequence[int] = range(len(grades))
    if classes is not None:
        found = iter(classes([grade.answer for grade in grades if grade.answer is not None]))
        numbers = [-1 if grade.answer is None else next(found) for grade in grades]
    return tally(grades, numbers, counts)


@dataclass(frozen=True, slots=True)
class pass_at:
    """pass@k: the chance that at least one of k samples is right.

    The unbiased estimator 1 - C(n-c, k) / C(n, k) of Chen et al. (arXiv 2107.03374, eq. 1). For
    k = 1 it is the mean. The sampling variance is unbiased too, and needs n >= 2k: with q the
    estimated chance that all of k samples are wrong, q² - C(n-c, 2k) / C(n, 2k), where the second
    term estimates the square of that chance from 2k samples. For k = 1 this is p(1-p)/(n-1).
    """

    k: int

    @property
    def name(self) -> str:
        """As printed: pass@1."""
        return f"pass@{self.k}"

    @property
    def votes(self) -> bool:
        """Whether the equivalence classes of answers are needed."""
        return False

    def value(self, tally: Tally) -> float:
        """The estimate for one problem, from 0 to 1.

        Raises:
            UsageError: it has fewer than k samples.
        """
        _check_k(self.k, tally.n)
        return 1 - math.comb(tally.n - tally.correct, self.k) / math.comb(tally.n, self.k)

    def variance(self, tally: Tally) -> float | None:
        """Sampling variance of `value`; None where n < 2k leaves too little to estimate it from."""
        n, wrong, k = tally.n, tally.n - tally.correct, self.k
        if n < 2 * k:
            return None
        all_wrong = Fraction(math.comb(wrong, k), math.comb(n, k))
        twice = Fraction(math.comb(wrong, 2 * k), math.comb(n, 2 * k))
        return float(all_wrong**2 - twice)


@dataclass(frozen=True, slots=True)
class cons_at:
    """cons@k (maj@k): is the most frequent equivalence class of k samples' answers right?

    Ties count with their expected value and samples without an answer abstain; a problem on which all
    abstain scores 0. With n > k samples it is the exact mean over all subsets of k.

    The sampling variance is the jackknife's where n >= 2k (Arvesen 1969 for means over subsets):
    on simulated draws its root is within 16 % of the truth where two answers contend. With fewer
    samples it is k/n times the variance of one vote of k draws with replacement, computed and not
    simulated (Hoeffding 1948, theorem 5.2: an upper bound): a quarter low for n = k where two
    answers contend, and several times too high where one answer leads clearly and hardly varies.
    """

    k: int

    @property
    def name(self) -> str:
        """As printed: cons@64."""
        return f"cons@{self.k}"

    @property
    def votes(self) -> bool:
        """Whether the equivalence classes of answers are needed."""
        return True

    def value(self, tally: Tally) -> float:
        """The estimate for one problem, from 0 to 1.

        Raises:
            UsageError: it has fewer than k samples.
        """
        _check_k(self.k, tally.n)
        return expected_majority(tally.votes, tally.n, [self.k])[0]

    def variance(self, tally: Tally) -> float | None:
        """Sampling variance of `value`; None for a single sample."""
        found = cons_variances(tally, [self.k])
        return None if found is None else found[0]


def cons_variances(tally: Tally, ks: Sequence[int]) -> list[float] | None:
    """The sampling variance of cons@k for each of `ks`, rising; see `cons_at`. None for one sample."""
    n = tally.n
    if n < 2:
        return None
    found = _jackknife(tally, [k for k in ks if 2 * k <= n])
    few = [k for k in ks if 2 * k > n]
    one_vote = vote_variances(tally.votes, n, few)
    return found + [variance * k / n for variance, k in zip(one_vote, few, strict=True)]


def _jackknife(tally: Tally, ks: Sequence[int]) -> list[float]:
    """(n - 1) / n times the squared deviations of the values with one sample left out each."""
    n = tally.n
    left_out = list(_without_one(tally)) if ks else []
    values = [expected_majority(votes, n - 1, ks) for votes, _ in left_out]
    variances = []
    for row in zip(*values, strict=True):
        counted = [(times, value) for (_, times), value in zip(left_out, row, strict=True)]
        centre = math.fsum(times * value for times, value in counted) / n
        squares = math.fsum(times * (value - centre) ** 2 for times, value in counted)
        differ = max(abs(value - centre) for value in row) > _ROUNDING
        variances.append((n - 1) / n * squares if differ else 0.0)
    return variances


def _without_one(tally: Tally) -> Iterator[tuple[list[Vote], int]]:
    """The votes that are left when one sample is taken away, and how many samples leave just those."""
    votes = list(tally.votes)
    for vote, classes in Counter(votes).items():
        others = votes.copy()
        others.remove(vote)
        for right, times in ((1, vote.correct), (0, vote.count - vote.correct)):
            rest = Vote(vote.count - 1, vote.correct - right)
            if times:
                yield [*others, rest] if rest.count else others, times * classes
    abstained = tally.n - sum(vote.count for vote in votes)
    if abstained:
        yield votes, abstained


def _check_k(k: int, n: int) -> None:
    if k < 1 or n < k:
        raise UsageError(f"a metric over k={k} samples needs that many; the problem has {n}")
