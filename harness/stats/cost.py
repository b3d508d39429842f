"""Dollars of measured usage, and GPU hours of measured time. Pure; nothing is ever guessed.

Prices and costs are in US dollars. A run's dollars follow, in this order, a price that the user gives
now, one that was given to the run, what the server charged for each reply, and the server's price list.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.errors import UsageError
from harness.stats.usage import Usage

Basis = Literal["given", "charged", "listed"]
"""What dollars rest on: a price given by the user, the server's charges, or its price list."""

_MILLION = 1e6
_DEAREST = 10_000.0  # USD per million tokens; above it a price is one of another unit
_FORM = "write the price of a million prompt tokens and of a million completion tokens in USD: 0.55,2.19"


@dataclass(frozen=True, slots=True)
class Price:
    """A price of tokens, in USD per million.

    Args:
        prompt: of a million prompt tokens.
        completion: of a million completion tokens, reasoning included.
        listed: whether it is from the server's own price list, and not given by the user.
    """

    prompt: float
    completion: float
    listed: bool = False

    def __post_init__(self) -> None:
        for value in (self.prompt, self.completion):
            if not 0 <= value <= _DEAREST:
                raise ValueError(
                    f"{value:g} is no price of a million tokens: from 0 to {_DEAREST:,.0f} USD"
                )

    @classmethod
    def read(cls, text: str) -> Price:
        """A price from text: "0.55,2.19".

        Raises:
            ValueError: it is none; the message says why, and what is needed.
        """
        parts = text.split(",")
        if len(parts) != 2:
            raise ValueError(f"two numbers are needed; {_FORM}")
        try:
            prompt, completion = (float(part) for part in parts)
        except ValueError as error:
            raise ValueError(f"not two numbers; {_FORM}") from error
        return cls(prompt, completion)

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """USD of so many tokens."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / _MILLION

    def __str__(self) -> str:
        return (
            f"{self.prompt:g} USD per million prompt tokens and {self.completion:g} per million "
            "completion tokens"
        )


def read_price(text: str, given: str | None = None) -> Price:
    """A price as `--price` gives it.

    Args:
        text: the price.
        given: all that was written, such as a run's name with it; the price alone by default.

    Raises:
        UsageError: it is none.
    """
    try:
        return Price.read(text)
    except ValueError as error:
        raise UsageError(f"--price {given or text}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the samples of one task cost, in USD.

    Args:
        usd: of the measured samples.
        basis: what it rests on.
        price: by which tokens were priced; None where the server charged.
        samples: all samples.
        unmeasured: of these, the ones without token counts, or without a charge; not in `usd`.
        at_k1: USD of one sample of every problem, the mean of those drawn; None where a problem
            has no measured sample.
        at_k1_error: its standard error over new samples; None where it cannot be estimated.
        discarded: USD of samples that were drawn and are not kept, because sampling stopped early.
    """

    usd: float
    basis: Basis
    price: Price | None
    samples: int
    unmeasured: int
    at_k1: float | None = None
    at_k1_error: float | None = None
    discarded: float = 0.0

    @property
    def source(self) -> str:
        """What the dollars rest on, in words."""
        if self.price is None:
            return "as the server charged each reply"
        return f"at {self.price}, {'as the server lists it' if self.price.listed else 'as given'}"

    @property
    def lacking(self) -> str:
        """What is not in the sum, in words; empty where all samples are."""
        if not self.unmeasured:
            return ""
        what = "stated charge" if self.price is None else "token counts"
        have, are = ("has", "is") if self.unmeasured == 1 else ("have", "are")
        return f"of {self.samples:,} samples {self.unmeasured:,} {have} no {what} and {are} not in the sum"


def which_price(given: Price | None, recorded: Price | None, *, charged: bool) -> Price | None:
    """The price that counts; None where none is known, or the server's charges go before it.

    A price given now goes before the one that the user gave the run, that before what the server
    charged with its replies, and that before the server's price list.

    Args:
        given: now.
        recorded: by the run, as given or as listed.
        charged: whether the server stated charges.
    """
    if given is not None:
        return given
    return None if charged and recorded is not None and recorded.listed else recorded


def cost_of(
    usage: Usage,
    *,
    given: Price | None = None,
    recorded: Price | None = None,
    discarded: Usage | None = None,
    n_problems: int | None = None,
) -> Cost | None:
    """The cost of a task's samples; None where no price is known, or nothing was counted.

    Args:
        usage: of the samples.
        given: a price given now.
        recorded: the price that the run recorded.
        discarded: usage of samples that were drawn and not kept.
        n_problems: of the task; its USD at k = 1 need all of them measured.
    """
    price = which_price(given, recorded, charged=usage.n_charged > 0)
    found, lost = usage.at_k1, discarded or Usage()
    if price is None:
        if not usage.n_charged:
            return None
        whole = n_problems is None or found.charged_problems == n_problems
        return Cost(
            usd=usage.charged + lost.charged,
            basis="charged",
            price=None,
            samples=usage.samples,
            unmeasured=usage.samples - usage.n_charged,
            at_k1=found.charged if whole else None,
            at_k1_error=found.charged_error if whole else None,
            discarded=lost.charged,
        )
    if not usage.counted:
        return None
    dropped = price.of(lost.prompt_tokens, lost.completion_tokens)
    whole = n_problems is None or found.problems == n_problems
    error = found.completion_error  # the prompts of a problem are alike
    return Cost(
        usd=price.of(usage.prompt_tokens, usage.completion_tokens) + dropped,
        basis="listed" if price.listed else "given",
        price=price,
        samples=usage.samples,
        unmeasured=usage.samples - usage.counted,
        at_k1=price.of(found.prompt_tokens, found.completion_tokens) if whole else None,
        at_k1_error=None if error is None or not whole else price.of(0, error),
        discarded=dropped,
    )


@dataclass(frozen=True, slots=True)
class CostRatio:
    """How many times as much one sample of every problem costs, new to base.

    `interval` is the 95 % one for the same problems again; None where a problem has one sample.
    """

    value: float
    interval: tuple[float, float] | None


def cost_ratio(base: Cost, new: Cost) -> CostRatio | None:
    """The ratio of two costs at k = 1, by the delta method on its logarithm; None without both."""
    if not base.at_k1 or not new.at_k1:
        return None
    value = new.at_k1 / base.at_k1
    if base.at_k1_error is None or new.at_k1_error is None:
        return CostRatio(value, None)
    spread = math.hypot(base.at_k1_error / base.at_k1, new.at_k1_error / new.at_k1)
    factor = math.exp(1.959964 * spread)
    return CostRatio(value, (value / factor, value * factor))


@dataclass(frozen=True, slots=True)
class GpuTime:
    """GPU hours of a run's sampling: GPUs times the time from the first request to the last sample.

    Over every process that worked on the run. `starts` held GPUs; the time of `unknown` of them was
    not recorded, because they were killed or the harness did not record it then.
    """

    hours: float
    starts: int
    unknown: int = 0
    most: float = 0.0

    @property
    def lacking(self) -> str:
        """Which starts are not in the sum, in words; empty where all are."""
        if not self.unknown:
            return ""
        are = "is" if self.unknown == 1 else "are"
        return f"of {self.starts} starts {self.unknown} recorded no time and {are} not in the sum"


def gpu_time(starts: Iterable[tuple[float | None, float | None]]) -> GpuTime | None:
    """GPU hours of starts, each as its GPUs and the seconds of its sampling; None where there are none.

    Args:
        starts: None for GPUs that are not the run's own or not known, 0 on CPUs.
    """
    held = [(gpus, seconds) for gpus, seconds in starts if gpus]
    if not held:
        return None
    known = [(gpus, seconds) for gpus, seconds in held if seconds is not None]
    hours = math.fsum(gpus * seconds for gpus, seconds in known) / 3600
    most = max(gpus for gpus, _ in held)
    return GpuTime(hours, len(held), len(held) - len(known), most)


def usd_text(usd: float) -> str:
    """Dollars with three significant digits, cents at least: 1,204.00, 1.23, 0.0456."""
    if usd == 0 or usd >= 0.995:
        return f"{usd:,.2f}"
    return f"{usd:.{2 - math.floor(math.log10(usd))}f}"
