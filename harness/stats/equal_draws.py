"""Whether an engine samples at all: a sequential test against draws that are all equal. Pure.

An engine that draws greedily whatever temperature it is sent, a cache in front of it, or one seed for
every request gives k copies of one completion, and a score without any sampling error. Equal draws
alone prove nothing: a model may be sure of a short answer. What is assumed of one that samples at
temperature T: all n draws of one prompt are equal with probability at most

    exp(-min(CAP, RATE T^4 tokens (1 - 1/n)))

so that a token counts little, and nearly nothing at a low temperature; the first repeat counts most,
since a prompt whose draws were equal so far is likely one of which the model is sure; and no prompt
gives more than CAP, since a model may know a text by heart. The practice checkpoints keep to it from
temperature 0.05 to 1, and they are surer than any model in use: with 35 tokens, all four draws are
equal for 95 % of the problems at 0.6 and for 80 % at 1, and all 64 draws for 75 % at 1.

The product of the inverses over the prompts, 0 once two draws of a prompt differ, is then a test
martingale: by Ville's inequality it ever reaches 1 / FALSE_ALARM with probability at most FALSE_ALARM,
wherever it is looked at (J. Ville, "Etude critique de la notion de collectif", 1939).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

FALSE_ALARM = 1e-6
"""Bound of the probability that a run whose engine samples is stopped, under the assumption above."""

RATE = 0.006
"""Evidence of a token that is equal in very many draws at temperature 1, in natural units."""

CAP = 1.0
"""The most that one prompt gives."""

_HOTTEST = 2.0  # temperature above which a token counts no more


@dataclass(slots=True)
class _Draws:
    """The draws of one prompt so far, all equal."""

    text: int
    tokens: int
    n: int = 1


@dataclass(slots=True)
class EqualDraws:
    """The draws of one task, compared as they come; memory grows with the prompts, until two differ.

    Args:
        temperature: above 0; None where it was left to the engine, which counts as 1.
    """

    temperature: float | None = None
    sampled: bool = False
    """Whether two draws of one prompt differed: the engine samples, and nothing is compared any more."""
    evidence: float = 0.0
    """Logarithm of the martingale."""
    repeats: int = 0
    """Draws that equal the first of their prompt."""
    tokens: int = 0
    """Of these repeats."""
    _draws: dict[Hashable, _Draws] = field(default_factory=dict)

    def add(self, prompt: Hashable, text: str, tokens: int | None) -> None:
        """Compare one more draw with those of its prompt.

        Args:
            prompt: what was sent, or a name for it.
            text: the whole completion, as far as it is shown.
            tokens: its number of tokens; None where the engine counts none.
        """
        if self.sampled:
            return
        drawn = hash((text, tokens))
        known = self._draws.get(prompt)
        if known is None:
            self._draws[prompt] = _Draws(drawn, shown_tokens(text, tokens))
        elif known.text != drawn:
            self.sampled = True
            self._draws.clear()
        else:
            before = self._given(known)
            known.n += 1
            self.evidence += self._given(known) - before
            self.repeats += 1
            self.tokens += known.tokens

    @property
    def prompts(self) -> int:
        """Prompts with two or more draws."""
        return sum(draws.n > 1 for draws in self._draws.values())

    def _given(self, draws: _Draws) -> float:
        """Evidence of the draws of one prompt."""
        temperature = min(_HOTTEST, 1.0 if self.temperature is None else self.temperature)
        return min(CAP, RATE * temperature**4 * draws.tokens * (1 - 1 / draws.n))


def shown_tokens(text: str, tokens: int | None) -> int:
    """Tokens of a completion that are seen to repeat: reasoning that a server hides is not.

    Args:
        text: as far as it is shown.
        tokens: of the whole completion; where they are not counted, one per four characters.
    """
    return len(text) // 4 if tokens is None else min(tokens, len(text))


def collapsed(tasks: Iterable[EqualDraws]) -> bool:
    """Whether the draws of these tasks are all equal beyond `FALSE_ALARM`."""
    found = list(tasks)
    evidence = sum(task.evidence for task in found)
    return not any(task.sampled for task in found) and evidence >= -math.log(FALSE_ALARM)
