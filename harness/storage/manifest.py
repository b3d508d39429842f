"""RUN/manifest.json: what made a run. Pure.

{"model": "org/model", "fingerprint": {"engine": "vllm", "dtype": "bfloat16", ..}, "k": {task: k},
 "starts": [{"number", "time", "host", "command", "python", "platform", "harness", "git", "versions",
             "seed", "engine_seed", "concurrency", "seconds", "notices", "gpus", "sampling_seconds",
             "price": {"prompt", "completion", "listed"}, "discarded": {task: usage as in scores.json},
             "plan": {"order", "tasks": {task: {"samples", "lengths_from", "problems_known",
                                                "mean_tokens", "longest_tokens", "tokens"}}}}],
 "harness": "0.1.0", "opens_reasoning": true}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from harness.interfaces import Fingerprint
from harness.stats.cost import Price
from harness.stats.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSamples:
    """What a start had to draw of one task, and the tokens that it expected of that.

    Args:
        samples: those that were missing.
        lengths_from: where the lengths of samples were known from; the rest is None without.
        problems_known: for how many of the problems: "28 of 30".
        mean_tokens: of one sample.
        longest_tokens: the largest mean of a problem.
        tokens: of all samples together.
    """

    samples: int
    lengths_from: str | None = None
    problems_known: str | None = None
    mean_tokens: int | None = None
    longest_tokens: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """What a start had to draw, by task, and in which order, in words."""

    order: str
    tasks: Mapping[str, ExpectedSamples]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One process that worked on a run. What is not known is None or empty.

    Args:
        number: from 0 on.
        time: when it began: "2026-11-30T08:01:30+0000".
        host: the machine's name.
        command: arguments of the process, without secrets.
        python: version of the interpreter.
        platform: operating system and architecture.
        harness: version of the harness.
        git: commit of the harness's checkout, if it is one.
        versions: of the engine's libraries.
        seed: of the run, from which engine seeds are derived.
        engine_seed: that the engine drew with.
        plan: what was to be drawn.
        concurrency: samples in flight at once.
        seconds: from the first request to the last grade.
        notices: what a user should know of the start.
        gpus: that its engine held, 0 on CPUs; None where they are not the run's own, or not known.
        sampling_seconds: from the first request to the last sample, by a monotonic clock; written
            every minute, so that a start that was killed has them too.
        price: of tokens, as the user gave it or the server lists it.
        discarded: by task, the usage of samples that were drawn and not kept, because the sampling
            stopped early.
    """

    number: int = 0
    time: str = ""
    host: str = ""
    command: tuple[str, ...] = ()
    python: str = ""
    platform: str = ""
    harness: str = ""
    git: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    engine_seed: int | None = None
    plan: PlanRecord | None = None
    concurrency: int | None = None
    seconds: float | None = None
    notices: tuple[str, ...] = ()
    gpus: float | None = None
    sampling_seconds: float | None = None
    price: Price | None = None
    discarded: Mapping[str, Usage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What made a run: the model, the engine's fingerprint, k per task, and every start.

    `opens_reasoning` is what the run came to know after its fingerprint was written: whether a text
    without a tag of reasoning is reasoning that the prompt opened.
    """

    model: str
    fingerprint: Fingerprint
    k: Mapping[str, int] = field(default_factory=dict)
    starts: tuple[Start, ...] = ()
    harness: str = ""
    opens_reasoning: bool | None = None

    @property
    def prompt_opens(self) -> bool | None:
        """Whether the prompt opens the reasoning; None where nothing has told so far."""
        if self.opens_reasoning is not None:
            return self.opens_reasoning
        known: bool | None = self.fingerprint.get("opens_reasoning", False)
        return known

    def resumed(self, now: Fingerprint) -> Manifest:
        """With what an engine that continues the run cannot tell.

        Earlier versions recorded that a prompt opens no reasoning where a server did not tell.
        """
        told = self.fingerprint.get("opens_reasoning", False) or "tokenizer" in self.fingerprint
        if told or now.get("opens_reasoning", False) is not None:
            return self
        return replace(self, fingerprint={**self.fingerprint, "opens_reasoning": None})

    def started(self, start: Start) -> Manifest:
        """With one more start, which gets the next number."""
        return replace(self, starts=(*self.starts, replace(start, number=len(self.starts))))

    def updated(self, start: Start) -> Manifest:
        """With what is known of a start by now, in place of what was."""
        starts = tuple(start if old.number == start.number else old for old in self.starts)
        return replace(self, starts=starts)

    @property
    def price(self) -> Price | None:
        """The price of the run: the last one that the user gave, else the last that a server listed."""
        prices = [start.price for start in self.starts if start.price is not None]
        given = [price for price in prices if not price.listed]
        return next(reversed(given or prices), None)


_FIXED = (
    "model",
    "revision",
    "engine",
    "lm_eval_model",
    "dtype",
    "chat_template",
    "weights",
    "server_kind",
    "served",
    "root",
)
"""What all starts of a run have in common; samples of two models, say, are no run."""


def other_draws(stored: Manifest, now: Manifest) -> list[str]:
    """In what a start would draw other samples than a run folder holds, in words.

    Args:
        stored: of the folder.
        now: of the start.
    """
    old, new = _what_draws(stored), _what_draws(now)
    names = _FIXED if knows_servers(stored.fingerprint) else _FIXED[:-2]
    return [f"{n}: {old.get(n)} against {new.get(n)}" for n in names if old.get(n) != new.get(n)]


def knows_servers(fingerprint: Fingerprint) -> bool:
    """Whether it was written when kinds of servers were known, or has no server."""
    return fingerprint.get("engine") != "openai" or "server_kind" in fingerprint


def _what_draws(manifest: Manifest) -> dict[str, Any]:
    """Model and fingerprint, with the kind of server that an earlier version took it for."""
    found = {"model": manifest.model, **manifest.fingerprint}
    if not knows_servers(found):
        found["server_kind"] = "vllm" if found.get("owned_by") == "vllm" else "unknown"
    if "root" in found:  # one model may lie in another folder on another machine
        found["root"] = PurePath(str(found["root"])).name
    return found
