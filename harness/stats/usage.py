"""What samples used: tokens as the engine counted them, dollars as the server charged them. Pure.

A prompt is counted with each of its samples, as it is sent and billed; a server's prefix cache is not
taken off. Completion tokens include those of the reasoning.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol


class Counted(Protocol):
    """A sample, or whatever else has what one used."""

    @property
    def problem_id(self) -> str:
        """Whose sample it is."""
        ...

    @property
    def n_prompt_tokens(self) -> int | None:
        """Tokens of its prompt."""
        ...

    @property
    def n_tokens(self) -> int | None:
        """Tokens of its completion."""
        ...

    @property
    def cost(self) -> float | None:
        """USD that the server charged for it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OneEach:
    """One sample of every problem: sums over problems of the means of each one's samples.

    It does not depend on how many samples a problem has, so that runs of different k compare. The
    standard errors are those over new samples of the same problems; None where a problem has one
    sample only. `problems` have samples with token counts, `charged_problems` such with a charge.
    """

    problems: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    completion_error: float | None = None
    charged_problems: int = 0
    charged: float = 0.0
    charged_error: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the samples of one task used.

    Args:
        samples: all of them.
        counted: those whose prompt and completion tokens are both known.
        prompt_tokens: of the counted samples, each prompt once per sample.
        completion_tokens: of the counted samples, reasoning included.
        n_charged: samples whose cost the server stated.
        charged: USD, of these samples together.
        at_k1: the same for one sample of every problem.
    """

    samples: int = 0
    counted: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    n_charged: int = 0
    charged: float = 0.0
    at_k1: OneEach = OneEach()


@dataclass(slots=True)
class _Moments:
    """Number, sum and sum of squares of the values of one problem."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value
        self.squares += value * value

    @property
    def mean(self) -> float:
        return self.total / self.n

    @property
    def variance_of_mean(self) -> float:
        """Of the mean over new samples; needs two."""
        spread = max(0.0, self.squares - self.n * self.mean**2)
        return spread / (self.n - 1) / self.n


@dataclass(slots=True)
class UsageCounter:
    """Adds up the usage of samples, fed one by one."""

    _samples: int = 0
    _prompts: defaultdict[str, _Moments] = field(default_factory=lambda: defaultdict(_Moments))
    _completions: defaultdict[str, _Moments] = field(default_factory=lambda: defaultdict(_Moments))
    _charges: defaultdict[str, _Moments] = field(default_factory=lambda: defaultdict(_Moments))

    def add(self, sample: Counted) -> None:
        """Count one sample."""
        self._samples += 1
        id = sample.problem_id
        if sample.n_prompt_tokens is not None and sample.n_tokens is not None:
            self._prompts[id].add(sample.n_prompt_tokens)
            self._completions[id].add(sample.n_tokens)
        if sample.cost is not None:
            self._charges[id].add(sample.cost)

    def prompt_means(self) -> dict[str, float]:
        """By problem with token counts, the mean tokens of its prompt."""
        return {id: found.mean for id, found in self._prompts.items()}

    def charge_means(self) -> dict[str, float]:
        """By problem with a charge, the mean USD of one sample."""
        return {id: found.mean for id, found in self._charges.items()}

    def total(self) -> Usage:
        """What has been counted so far."""
        prompts, completions = self._prompts.values(), self._completions.values()
        charges = self._charges.values()
        return Usage(
            samples=self._samples,
            counted=sum(found.n for found in prompts),
            prompt_tokens=round(math.fsum(found.total for found in prompts)),
            completion_tokens=round(math.fsum(found.total for found in completions)),
            n_charged=sum(found.n for found in charges),
            charged=math.fsum(found.total for found in charges),
            at_k1=OneEach(
                problems=len(prompts),
                prompt_tokens=math.fsum(found.mean for found in prompts),
                completion_tokens=math.fsum(found.mean for found in completions),
                completion_error=_error(completions),
                charged_problems=len(charges),
                charged=math.fsum(found.mean for found in charges),
                charged_error=_error(charges),
            ),
        )


def usage_of(samples: Iterable[Counted]) -> Usage:
    """The usage of samples."""
    counter = UsageCounter()
    for sample in samples:
        counter.add(sample)
    return counter.total()


def added(usages: Iterable[Usage]) -> Usage:
    """The sums of several usages; nothing is said of k = 1."""
    found = list(usages)
    return Usage(
        samples=sum(usage.samples for usage in found),
        counted=sum(usage.counted for usage in found),
        prompt_tokens=sum(usage.prompt_tokens for usage in found),
        completion_tokens=sum(usage.completion_tokens for usage in found),
        n_charged=sum(usage.n_charged for usage in found),
        charged=math.fsum(usage.charged for usage in found),
    )


def _error(problems: Iterable[_Moments]) -> float | None:
    """Standard error of a sum of means; None without a problem, or where one has a single value."""
    found = list(problems)
    if not found or any(moments.n < 2 for moments in found):
        return None
    return math.sqrt(math.fsum(moments.variance_of_mean for moments in found))
