"""How samples are drawn: the settings of a task or a run, checked where they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How samples are drawn. A field that is None was not stated (published responses).

    Temperature and top_p are kept as floats: 1 and 1.0 are one protocol, and must hash alike.

    Args:
        k: samples per problem.
        temperature: 0 is greedy decoding, and then k must be 1.
        top_p: nucleus mass, in (0, 1].
        max_tokens: length cap of one completion, reasoning included.
        stop: strings that end a completion.
        repetition_guard: repeats of one pattern at the end that cut a sample; None never cuts.
        effort: how hard the model is asked to reason, in the words of its server or chat template
            ("low", "medium", "high"); None leaves it to the model.
        reasoning_budget: most tokens of reasoning, after which the response is drawn; None sets no
            bound but the cap.
        seeded: send one seed with every sample, derived from `seed`.
        seed: seed of the run; engine seeds are derived from it.
        choice_seed: choice orders are derived from it; part of the protocol, unlike `seed`.

    Raises:
        UsageError: a value out of range, or k > 1 at temperature 0.
    """

    k: int = 1
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    repetition_guard: int | None = None
    effort: str | None = None
    reasoning_budget: int | None = None
    seeded: bool = False
    seed: int = 0
    choice_seed: int = 0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"k is {self.k}: at least one sample per problem is needed")
        if self.temperature is not None:
            if not 0 <= self.temperature < math.inf:
                raise UsageError(f"temperature is {self.temperature}: a number from 0 on is needed")
            object.__setattr__(self, "temperature", float(self.temperature))
        if self.temperature == 0 and self.k > 1:
            raise UsageError(
                f"k is {self.k} at temperature 0: greedy decoding gives {self.k} copies of one "
                "sample; use --k 1, or a temperature above 0"
            )
        if self.top_p is not None:
            if not 0 < self.top_p <= 1:
                raise UsageError(f"top_p is {self.top_p}: it lies above 0 and up to 1")
            object.__setattr__(self, "top_p", float(self.top_p))
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"max_tokens is {self.max_tokens}: it must be at least 1")
        if self.repetition_guard is not None and self.repetition_guard < 2:
            raise UsageError(
                f"repetition_guard is {self.repetition_guard}: at least 2 repeats make a loop, and "
                "8 or more are advisable; leave it out for no guard"
            )
        self._check_reasoning()

    def _check_reasoning(self) -> None:
        if self.effort is not None and not self.effort.strip():
            raise UsageError(
                "effort is empty: low, medium and high are usual; leave it out for none"
            )
        if self.effort is not None and self.effort != self.effort.strip():
            raise UsageError(f"effort is {self.effort!r}: leave out the spaces around it")
        budget = self.reasoning_budget
        if budget is None:
            return
        if budget < 1:
            raise UsageError(f"reasoning_budget is {budget}: it must be at least 1 token")
        if self.max_tokens is not None and budget + 1 >= self.max_tokens:
            raise UsageError(
                f"reasoning_budget is {budget} and max_tokens {self.max_tokens}, which counts the "
                "reasoning and the tag that ends it too: no token is left for the response; lower "
                "the one or raise the other"
            )
