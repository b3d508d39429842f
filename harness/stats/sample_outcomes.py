"""How samples ended, and how they would have ended under fewer samples or a lower length cap. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.errors import DataError
from harness.stats.verdict_table import Graded, VerdictTable
from harness.types import Sample, Verdict


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """How one sample ended and how long it was; `capped` when the length cap stopped it."""

    problem_id: str
    index: int
    verdict: Verdict
    n_tokens: int | None
    n_reasoning_tokens: int | None
    capped: bool

    @property
    def key(self) -> tuple[str, int]:
        """The unit of work: (problem id, index)."""
        return self.problem_id, self.index


def outcomes(
    samples: Iterable[Sample], grades: Iterable[Graded], *, k: int | None = None
) -> list[SampleOutcome]:
    """Join samples with their grades; a sample without a grade ended in `error`.

    Args:
        samples: in any order.
        grades: of these samples.
        k: only the first k samples of each problem.
    """
    verdicts = VerdictTable(grades)
    return [
        SampleOutcome(
            sample.problem_id,
            sample.index,
            verdicts.get(sample.key) or Verdict.ERROR,
            sample.n_tokens,
            sample.n_reasoning_tokens,
            sample.finish_reason == "length",
        )
        for sample in samples
        if k is None or sample.index < k
    ]


def first(found: Iterable[SampleOutcome], k: int) -> list[SampleOutcome]:
    """The first k samples of each problem."""
    return [outcome for outcome in found if outcome.index < k]


def capped(found: Iterable[SampleOutcome], cap: int) -> list[SampleOutcome]:
    """The outcomes under a lower length cap: a longer sample is truncated at it.

    A sample longer than the cap counts as truncated wherever the cut falls. That is exact inside
    reasoning, and on the safe side inside a response; `cut_responses` counts the latter.

    Raises:
        DataError: a sample without a token count.
    """
    result = []
    for outcome in found:
        if outcome.n_tokens is None:
            raise DataError(
                f"sample {outcome.index} of problem {outcome.problem_id} has no token count, "
                "without which a lower cap cannot be computed; use an engine that counts tokens"
            )
        if outcome.n_tokens > cap:
            verdict = Verdict.TRUNCATED if outcome.verdict is not Verdict.ERROR else Verdict.ERROR
            reasoning = outcome.n_reasoning_tokens
            outcome = replace(
                outcome,
                verdict=verdict,
                n_tokens=cap,
                n_reasoning_tokens=None if reasoning is None else min(reasoning, cap),
                capped=True,
            )
        result.append(outcome)
    return result


def cut_responses(found: Iterable[SampleOutcome], cap: int) -> int:
    """How many right samples a cap cuts after their reasoning, where the answer may already be."""
    return sum(
        outcome.verdict is Verdict.CORRECT
        and (outcome.n_reasoning_tokens or 0) < cap < (outcome.n_tokens or 0)
        for outcome in found
    )
