"""What a server samples with of its own: whether it is switched off, and how that is found out."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.engines.openai.kinds import (
    GENERATION_CONFIG,
    KINDS,
    TOP_P_FIRST,
    TRANSFORMERS,
    ServerKind,
)
from harness.engines.openai.server import Refusal, TransientError
from harness.errors import UsageError
from harness.sampling import Sampling

if TYPE_CHECKING:
    from harness.engines.checkpoint import CheckpointFacts

Complete = Callable[[Mapping[str, Any]], Awaitable[Any]]
"""Requests one token with further fields; raises Refusal, TransientError."""

_INVALID = "none"  # of a field that is a number, or of one that holds JSON


def neutral_fields(kind: ServerKind, facts: CheckpointFacts | None) -> dict[str, Any]:
    """The fields of every request to a server, unless the run or the user states another value.

    Args:
        kind: of the server.
        facts: of the checkpoint that it serves, where they are known.
    """
    fields = dict(kind.neutral or {})
    if kind is TRANSFORMERS and facts is not None and facts.end_tokens:
        # With --continuous-batching a generation config without them never ends.
        config = {**json.loads(fields[GENERATION_CONFIG]), "eos_token_id": list(facts.end_tokens)}
        fields[GENERATION_CONFIG] = json.dumps(config)
    return fields


def remark(kind: ServerKind, shown: ServerKind, own: str | None, where: str) -> str | None:
    """One line on a server that samples with settings of its own; None where there is none to say.

    Args:
        kind: that it is dealt with as.
        shown: that it shows itself.
        own: `server_sampling` of the protocol.
        where: its address.
    """
    if own is None:
        return None
    if own == TOP_P_FIRST:
        return (
            f"{where} is {kind.name}, which applies top_p before the temperature and cannot be told "
            "otherwise: other engines draw from another distribution, and the protocol says so; "
            "--top-p 1 is the same everywhere"
        )
    what = "does not show what kind of server it is"
    if shown.proxy:
        what = f"is {shown.name}, which does not show what stands behind it"
    names = "|".join(name for name, known in KINDS.items() if known.neutral is not None)
    return (
        f"{where} {what}: it may sample with settings of its own (top_k, min_p, penalties), so that "
        "the run is not neutral, and compares with others that are not; say what it is with "
        f"--engine-arg server={names}"
    )


async def check_passed_on(complete: Complete, kind: ServerKind, where: str) -> None:
    """Check that the neutral fields reach a server that does not show its kind itself.

    An invalid value is refused where it arrives.

    Args:
        complete: requests one token of it.
        kind: that the user says stands there.
        where: its address.

    Raises:
        UsageError: it takes the invalid value, so that it drops or ignores the field.
    """
    fields = kind.neutral or {}
    name = GENERATION_CONFIG if GENERATION_CONFIG in fields else "min_p"
    if name not in fields:
        return
    try:
        await complete({name: _INVALID})
    except (Refusal, TransientError):
        return
    raise UsageError(
        f"--engine-arg server={kind.name}: {where} ignores the field {name}, or a proxy there drops "
        "it, so that sampling of its own would not be switched off; let the proxy pass all fields on "
        "(drop_params of LiteLLM), or name what stands there"
    )


async def check_batching(
    complete: Complete,
    samplings: Sequence[Sampling],
    facts: CheckpointFacts | None,
    where: str,
) -> bool:
    """Whether `transformers serve` batches continuously; checks that the run can be drawn so.

    Its first request then rules temperature, top_p and end tokens of all later ones: the first one
    here is the run's. A temperature below 0 is an error only where each request has its own.

    Args:
        complete: requests one token of it.
        samplings: of the run's tasks.
        facts: of the checkpoint that it serves, where they are known.
        where: its address.

    Raises:
        UsageError: the tasks differ in what the first request rules, the end tokens are not known,
            or a task states no cap.
        Refusal, TransientError: it does not complete a request of the run.
    """
    if any(sampling.max_tokens is None for sampling in samplings):
        raise UsageError(
            f"{where} is transformers serve, which cuts a completion at 20 tokens where no cap is "
            "stated: use --max-tokens"
        )
    await complete({})
    # Sampled, whatever generation config the user has set: a greedy request has no temperature.
    sampled = {GENERATION_CONFIG: (TRANSFORMERS.neutral or {})[GENERATION_CONFIG]}
    try:
        await complete({**sampled, "temperature": -1.0})
    except (Refusal, TransientError):
        return False
    values = sorted({(s.temperature, s.top_p) for s in samplings}, key=str)
    if len(values) > 1:
        shown = " and ".join(f"temperature {t}, top_p {p}" for t, p in values)
        raise UsageError(
            f"{where} is transformers serve with --continuous-batching, which draws every sample as "
            f"its first request says, and this run has {shown}: run these tasks one at a time, the "
            "server restarted in between, or start it without --continuous-batching"
        )
    if facts is None or not facts.end_tokens:
        raise UsageError(
            f"{where} is transformers serve with --continuous-batching, which takes the tokens that "
            "end a completion from its first request: restart it, and name the model's folder with "
            "--engine-arg tokenizer=PATH, so that they are known"
        )
    return True
