"""Effort and reasoning budget on a server: the fields, whether it keeps to them, and what a sample used.

`reasoning_effort` is OpenAI's field, which vLLM, SGLang and others pass to the chat template.
`thinking_token_budget` is vLLM's, on a server that knows which tags mark reasoning.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from harness.data.reasoning import opening_tag, split_reasoning
from harness.engines.effort import BY_FIELD, USUAL, VARIABLE, EffortRefused, check_effort
from harness.engines.openai.server import Refusal
from harness.engines.settings import EngineSettings
from harness.errors import EngineDown, UsageError
from harness.interfaces import Completion, Request
from harness.sampling import Sampling

if TYPE_CHECKING:
    from harness.engines.chat import Chat

BUDGET_FIELD = "thinking_token_budget"

Complete = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Requests one token with further fields; raises Refusal."""

_SLACK = 8  # a text may have a few more tokens than it was drawn in
_SLACK_SHARE = 20


def reasoning_fields(sampling: Sampling, n_opened: int) -> dict[str, Any]:
    """The fields of a request that ask for effort and budget.

    Args:
        sampling: of the sample.
        n_opened: tokens of the prompt after the tag that opens reasoning, which vLLM counts too.
    """
    fields: dict[str, Any] = {}
    if sampling.effort is not None:
        fields[VARIABLE] = sampling.effort
    if sampling.reasoning_budget is not None:
        fields[BUDGET_FIELD] = sampling.reasoning_budget + n_opened
    return fields


def reasoning_facts(settings: EngineSettings, n_opened: int) -> dict[str, str]:
    """How effort and budget are asked for, for a fingerprint.

    Args:
        settings: of the engine.
        n_opened: as for `reasoning_fields`.
    """
    facts = {}
    if settings.effort is not None:
        facts["effort"] = BY_FIELD
    if settings.reasoning_budget is not None:
        more = f", {n_opened} more for the prompt's own" if n_opened else ""
        facts["reasoning_budget"] = f"field {BUDGET_FIELD} of the request{more}"
    return facts


def serve_reasoning(settings: EngineSettings, given: Mapping[str, str]) -> dict[str, str]:
    """Options of `vllm serve` that a budget needs, with those that were given.

    Args:
        settings: of the engine.
        given: options by name, with _ between words.
    """
    named = "reasoning_parser" in given or "reasoning_config" in given
    if settings.reasoning_budget is None or named:
        return dict(given)
    return {**given, "reasoning_config": reasoning_config(settings.think_end)}


def reasoning_config(end: str) -> str:
    """VLLM's `--reasoning-config`: the tags between which it counts, as JSON.

    Args:
        end: the tag that ends reasoning, which is forced at the budget.
    """
    tags = {"reasoning_start_str": opening_tag(end), "reasoning_end_str": end}
    return orjson.dumps(tags).decode()


async def check_effort_field(complete: Complete, effort: str, where: str) -> None:
    """Check that a server accepts an effort.

    Args:
        complete: requests one token of it.
        effort: as asked for.
        where: its address.

    Raises:
        UsageError: it refuses the field, and nothing else of the request.
    """
    try:
        await complete({VARIABLE: effort})
    except Refusal as refusal:
        if "effort" in refusal.text.lower() or await _accepts(complete):
            raise UsageError(
                f"--effort {effort}: {where} refuses the field {VARIABLE} ({refusal}); use an effort "
                "that it knows, or leave it out"
            ) from refusal


async def _accepts(complete: Complete) -> bool:
    """Whether a plain request is accepted."""
    try:
        await complete({})
    except Refusal:
        return False
    return True


def check_rendered(
    effort: str, prompts: Mapping[str | None, object], where: str, model: str
) -> None:
    """Check that the effort makes a difference to the prompt that a server renders.

    Args:
        effort: as asked for.
        prompts: one prompt as rendered with each of `efforts_to_render`.
        where: the server's address.
        model: the name that it knows the model by.

    Raises:
        UsageError: it makes none.
    """
    try:
        check_effort(effort, "", prompts.__getitem__)
    except EffortRefused as refused:
        raise UsageError(
            f"--effort {effort}: {where} serves {model}, and {refused}; leave --effort out"
        ) from refused


def efforts_to_render(effort: str) -> list[str | None]:
    """The efforts that `check_rendered` compares: none, the usual ones, this one, a made-up one."""
    return [None, *USUAL, effort, effort + "?"]


async def check_budget_field(complete: Complete, where: str, end: str) -> None:
    """Check that a server has vLLM's budget and can keep to it.

    One that has it accepts a number and refuses a text. Older versions of vLLM and many other
    servers ignore a field that they do not know, others refuse it in any form.

    Args:
        complete: requests one token of it.
        where: its address.
        end: the tag that ends reasoning.

    Raises:
        UsageError: it has not, or it does not know which tags mark reasoning.
    """
    for value, accepted in ((1, True), ("none", False)):
        why = None
        try:
            await complete({BUDGET_FIELD: value})
        except Refusal as refusal:
            why = refusal
        if (why is None) is not accepted:
            does = f"refuses {BUDGET_FIELD} ({why})" if why else f"ignores {BUDGET_FIELD}"
            raise UsageError(f"--reasoning-budget: {where} {does}; {_remedy(end)}")


def _remedy(end: str) -> str:
    return (
        f"serve the model with a newer vLLM and --reasoning-config '{reasoning_config(end)}' (or its "
        "--reasoning-parser), use --engine vllm or transformers, or leave the budget out"
    )


class BudgetCheck:
    """Counts the reasoning of each sample against its budget.

    Args:
        settings: of the engine.
        chat: the model's tokenizer, where one was given; without it the server's own count is used.
    """

    def __init__(self, settings: EngineSettings, chat: Chat | None) -> None:
        self._settings, self._chat = settings, chat

    def checked(
        self, request: Request, completion: Completion, *, opened: bool, where: str
    ) -> Completion:
        """The completion with its tokens of reasoning, at most the budget.

        A text counted again may have a few tokens more than were drawn. A server that ignores the
        budget passes it by far, sooner or later.

        Args:
            request: the sample.
            completion: of the server.
            opened: whether the chat template opens reasoning, where the server does not split it.
            where: the server's address.

        Raises:
            EngineDown: the server does not keep to the budget.
        """
        budget = request.sampling.reasoning_budget
        if budget is None:
            return completion
        count = self._count(completion, opened=opened)
        if count is None:
            return completion
        if count > budget + _SLACK + budget // _SLACK_SHARE:
            raise EngineDown(
                f"{where} does not keep to the reasoning budget: a sample has {count} tokens of "
                f"reasoning, the budget is {budget}; {_remedy(self._settings.think_end)}"
            )
        return replace(completion, n_reasoning_tokens=min(count, budget))

    def _count(self, completion: Completion, *, opened: bool) -> int | None:
        if completion.n_reasoning_tokens is not None:
            return completion.n_reasoning_tokens
        end, thinking = self._settings.think_end, self._settings.thinking
        reasoning = completion.reasoning
        if reasoning is None:
            reasoning, _ = split_reasoning(
                completion.text, think_end=end, thinking=thinking, opened=opened
            )
        if reasoning is None or self._chat is None:
            return None
        start = opening_tag(end)
        inside = reasoning if opened or start not in reasoning else reasoning.partition(start)[2]
        return self._chat.count(inside)
