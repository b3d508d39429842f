"""RUN/manifest.json: what made a run. Typed, with its decoder. Pure.

{"model": "org/model", "fingerprint": {"engine": "vllm", "dtype": "bfloat16", ..}, "k": {task: k},
 "starts": [{"number", "time", "host", "command", "python", "platform", "harness", "git", "versions",
             "seed", "engine_seed", "concurrency", "seconds", "notices", "gpus", "sampling_seconds",
             "price": {"prompt", "completion", "listed"}, "discarded": {task: usage as in scores.json},
             "plan": {"order", "tasks": {task: {"samples", "lengths_from", "problems_known",
                                                "mean_tokens", "longest_tokens", "tokens"}}}}],
 "harness": "0.1.0"}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.interfaces import Fingerprint
from harness.stats.cost import Price
from harness.stats.usage import Usage
from harness.storage.files import Json
from harness.storage.scores import usage_from


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
    """What made a run: the model, the engine's fingerprint, k per task, and every start."""

    model: str
    fingerprint: Fingerprint
    k: Mapping[str, int] = field(default_factory=dict)
    starts: tuple[Start, ...] = ()
    harness: str = ""

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

    @classmethod
    def from_json(cls, data: Json) -> Manifest:
        """Decode manifest.json. KeyError, TypeError or AttributeError on anything else."""
        return cls(**{**data, "starts": tuple(_start(row) for row in data["starts"])})


def _start(row: Json) -> Start:
    plan, price = row.get("plan"), row.get("price")
    return Start(
        **{
            **row,
            "command": tuple(row.get("command", ())),
            "notices": tuple(row.get("notices", ())),
            "plan": None if plan is None else _plan(plan),
            "price": None if price is None else Price(**price),
            "discarded": {
                task: usage_from(used) for task, used in row.get("discarded", {}).items()
            },
        }
    )


def _plan(row: Json) -> PlanRecord:
    tasks = {task: ExpectedSamples(**expected) for task, expected in row["tasks"].items()}
    return PlanRecord(row["order"], tasks)
