"""Presets: the protocols that papers and reproductions state, by name.

A preset sets temperature, top_p, the cap and no system prompt for every task, and for the families
that its source names also k and the prompt; anything given explicitly wins over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from harness.sampling import Sampling
from harness.task import Task

PresetName = Literal["r1-paper", "r1-paper-v1", "open-r1"]

_SAMPLING: Final = Sampling(temperature=0.6, top_p=0.95, max_tokens=32768)
"""What all of them state."""


@dataclass(frozen=True, slots=True)
class Preset:
    """What a source states of its protocol.

    Args:
        source: where it is stated.
        k: samples per problem by the task's family; another family keeps the task's own k.
        prompts: prompt template by family; another family keeps the task's own.
    """

    source: str
    k: Mapping[str, int]
    prompts: Mapping[str, str] = field(default_factory=dict)

    def apply(self, task: Task) -> Task:
        """The task under this protocol, without a system prompt and stop strings."""
        k = self.k.get(task.family, task.sampling.k)
        prompt = self.prompts.get(task.family, task.prompt)
        return replace(task, prompt=prompt, system_prompt=None, sampling=replace(_SAMPLING, k=k))


# Table 29 of version 2 asks for "ANSWER: $LETTER" where simple-evals' template has "Answer: $LETTER".
# That is the only word of it that the harness knows; the rest is simple-evals' template.
_GPQA_IN_CAPITALS = """Answer the following multiple choice question. The last line of your response \
should be of the following format: 'ANSWER: $LETTER' (without quotes) where LETTER is one of ABCD. \
Think step by step before answering.

{statement}

{choices}"""
_AIME: Final = ("aime24", "aime25")

PRESETS: Final[Mapping[PresetName, Preset]] = {
    "r1-paper": Preset(
        "arXiv 2501.12948v2, appendix D.1 (k) and table 29 (GPQA's prompt)",
        k={
            **dict.fromkeys((*_AIME, "gpqa_diamond"), 64),
            **dict.fromkeys(("math500", "codeforces"), 16),
            "livecodebench": 8,
        },
        prompts={"gpqa_diamond": _GPQA_IN_CAPITALS},
    ),
    # Version 1 says "between 4 and 64" and votes among 64 for AIME 2024; it names simple-evals for GPQA.
    "r1-paper-v1": Preset("arXiv 2501.12948v1, section 3", k=dict.fromkeys(_AIME, 64)),
    "open-r1": Preset(
        "README of github.com/huggingface/open-r1, reproduction of the distilled models",
        k={
            **dict.fromkeys(_AIME, 64),
            "math500": 4,
            "gpqa_diamond": 8,
            "livecodebench": 16,
        },
    ),
}
