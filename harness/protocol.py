"""The protocol: everything that makes two scores comparable, its hash, and differences in words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import takewhile
from typing import Any, Final

import orjson

from harness.interfaces import ExtractsAnswers, Grader
from harness.sampling import Sampling
from harness.task import Task
from harness.types import ChoiceOrdering, Problem, Thinking

MODEL_JUDGE: Final = "model-judge"
"""The further scoring that asks a model where the rule says `undecided` or `wrong_answer`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelJudge:
    """Who gives the second opinion, and how it is asked: the conditions of the scoring `model-judge`.

    Args:
        model: the name that its server knows it by.
        prompt: template of the question, as it is sent.
        temperature: of its reply; one reply is drawn per question.
        max_tokens: length cap of its reply, reasoning included.
        body: further fields of every request.
    """

    model: str
    prompt: str
    temperature: float = 0.0
    max_tokens: int | None = None
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prompt_hash(self) -> str:
        """Sixteen hex digits over the prompt."""
        return _digest(self.prompt)

    @property
    def hash(self) -> str:
        """Sixteen hex digits over all of it."""
        return _digest(asdict(self))

    def to_json(self) -> dict[str, object]:
        """As written to protocol.json, the prompt's hash beside it."""
        return {**asdict(self), "prompt_hash": self.prompt_hash}


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One task's conditions, without k and seeds (those are the fingerprint's).

    `problems` maps problem ids to content hashes of statement, reference answer, choices, tests
    and limits. `source` says where the rows came from; it is written down and not compared,
    because the content hashes already are. So is `allocation`, the samples of each problem where
    that is not k for each: the mean over problems is the same. `judge` is compared where scores of
    `model-judge` are: it has no part in those of the rule, nor in the hash. `server_sampling` is
    what a server samples with of its own, in words of `harness.engines.openai.kinds`; None where
    every request switches it off, and before an engine has said so.
    """

    task: str
    problems: Mapping[str, str]
    prompt: str
    system_prompt: str | None = None
    choice_order: ChoiceOrdering | None = None
    choice_seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    repetition_guard: int | None = None
    effort: str | None = None
    reasoning_budget: int | None = None
    server_sampling: str | None = None
    thinking: Thinking = "auto"
    think_end: str = "</think>"
    extract: str = "strict"
    grader: str = ""
    family: str = ""
    masked: bool = False
    source: str = ""
    allocation: Mapping[str, int] | None = None
    judge: ModelJudge | None = None

    def __post_init__(self) -> None:
        if self.allocation is not None and self.allocation.keys() != self.problems.keys():
            raise ValueError("allocation: it is of other problems than those of the protocol")

    @property
    def hash(self) -> str:
        """Sixteen hex digits over every part that is compared.

        A part that came to be compared later counts only where it is set, so that the protocols
        written before keep their hash.
        """
        parts = {name: getattr(self, name) for name in COMPARED}
        for name in _LATER:
            if parts[name] is None:
                del parts[name]
        return _digest(parts)

    def to_json(self) -> dict[str, object]:
        """The protocol as written to protocol.json, its hash first."""
        judge = {} if self.judge is None else {"judge": self.judge.to_json()}
        values = asdict(self)
        if self.allocation is None:
            del values["allocation"]
        return {"hash": self.hash, **values, **judge}


def protocol_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a protocol, from what protocol.json holds: hashes stand beside them there."""
    judge = row.get("judge")
    if isinstance(judge, dict):
        judge = {name: value for name, value in judge.items() if name != "prompt_hash"}
    known = {name: value for name, value in row.items() if name != "hash"}
    return {**known, "stop": row.get("stop") or (), "judge": judge}


COMPARED = tuple(
    part.name
    for part in fields(Protocol)
    if part.name not in ("source", "family", "masked", "allocation", "judge")
)

SERVER_SAMPLING: Final = "server_sampling"
"""The part of a protocol that its engine states, once it knows what it draws from."""

_LATER: Final[Mapping[str, str]] = {
    "repetition_guard": "off",
    "effort": "off",
    "reasoning_budget": "off",
    SERVER_SAMPLING: "neutral",
}
"""Parts that came to be compared later, and what one is called where it is not set."""


def make_protocol(
    task: Task,
    problems: Iterable[Problem],
    sampling: Sampling,
    *,
    thinking: Thinking = "auto",
    think_end: str = "</think>",
    extract: str | None = None,
    source: str = "",
) -> Protocol:
    """The protocol that a task, its problems and the run's settings amount to.

    Args:
        task: prompt, choice order and grader come from here.
        problems: those that are asked; their contents are hashed.
        sampling: of the run; k and seeds are no part of a protocol.
        thinking: whether the model reasons, as `--thinking` has it.
        think_end: the tag that ends reasoning.
        extract: where an answer may stand; None is the grader's own policy, and a grader that has
            none counts as strict.
        source: where the problems come from, which is recorded and not compared.
    """
    return Protocol(
        task=task.name,
        problems={problem.id: content_hash(problem) for problem in problems},
        prompt=task.prompt,
        system_prompt=task.system_prompt,
        choice_order=task.choice_order,
        choice_seed=sampling.choice_seed
        if task.choice_order in ("per-problem", "per-sample")
        else None,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_tokens,
        stop=sampling.stop,
        repetition_guard=sampling.repetition_guard,
        effort=sampling.effort,
        reasoning_budget=sampling.reasoning_budget,
        thinking=thinking,
        think_end=think_end,
        extract=extract or _extract(task.grader),
        grader=task.grader.version,
        family=task.family,
        masked=task.masked,
        source=source,
    )


def _extract(grader: Grader) -> str:
    return grader.extract if isinstance(grader, ExtractsAnswers) else "strict"


def narrowed(protocol: Protocol, problems: Iterable[str]) -> Protocol:
    """The protocol over some of its problems."""
    found, allocation = {id: protocol.problems[id] for id in problems}, protocol.allocation
    if allocation is not None:
        allocation = {id: allocation[id] for id in found}
    return replace(protocol, problems=found, allocation=allocation)


def content_hash(problem: Problem) -> str:
    """Sixteen hex digits over what a problem asks and how it is graded.

    A part that came to be hashed later counts only where it is set, so that the problems without
    it keep their hash. Test cases are hashed one by one. Where a problem comes from plays no part, nor does its `meta`.
    """
    judging = problem.judging
    where_set = {
        "starter_code": problem.starter_code,
        "checker": judging.checker,
        "input_file": judging.input_file,
        "output_file": judging.output_file,
    }
    whole = _canonical(
        {
            "statement": problem.statement,
            "answer": problem.answer,
            "choices": problem.choices,
            "tests": (),  # the last of the names in their order
            "limits": problem.limits,
            **{name: value for name, value in where_set.items() if value},
        }
    )
    digest = hashlib.sha256(whole.removesuffix(b"]}"))
    for number, test in enumerate(problem.tests):
        digest.update(b"," if number else b"")
        digest.update(_canonical(test))
    digest.update(b"]}")
    return digest.hexdigest()[:16]


def differences(old: Protocol, new: Protocol, scoring: str | None = None) -> dict[str, str]:
    """The parts in which two protocols differ, each with the difference in words.

    Args:
        old: one of them.
        new: the other.
        scoring: whose scores are compared; the model that judges is a part for `model-judge` alone.
    """
    found = {}
    for name in COMPARED:
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if name == "problems":
            found[name] = _problem_differences(before, after)
        elif name in _LATER:
            unset = _LATER[name]
            both = f"{before or unset} against {after or unset}"
            found[name] = f"{name.replace('_', ' ')}: {both}"
        else:
            found[name] = f"{name.replace('_', ' ')}: {_both(before, after)}"
    if scoring == MODEL_JUDGE and old.judge != new.judge:
        found["judge"] = f"judge: {_judge_difference(old.judge, new.judge)}"
    return found


def _judge_difference(old: ModelJudge | None, new: ModelJudge | None) -> str:
    if old is None or new is None:
        return " against ".join(
            "none" if judge is None else repr(judge.model) for judge in (old, new)
        )
    pairs = ((f.name, getattr(old, f.name), getattr(new, f.name)) for f in fields(ModelJudge))
    return ", ".join(
        f"{name.replace('_', ' ')} {_both(before, after)}"
        for name, before, after in pairs
        if before != after
    )


def _problem_differences(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    gone, come = old.keys() - new.keys(), new.keys() - old.keys()
    changed = [id for id in old.keys() & new.keys() if old[id] != new[id]]
    parts = [
        f"{len(ids)} {what} ({', '.join(sorted(ids)[:3])}{', ..' if len(ids) > 3 else ''})"
        for ids, what in ((gone, "missing"), (come, "added"), (changed, "changed"))
        if ids
    ]
    return f"problems: {len(old)} against {len(new)}; " + ", ".join(parts)


def _both(old: object, new: object) -> str:
    """Both values, cut to the neighbourhood of their first difference where they are long."""
    texts = repr(old), repr(new)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
    return " against ".join(_cut(text, max(0, same - 20)) for text in texts)


def _cut(text: str, start: int) -> str:
    if len(text) <= 80:
        return text
    return f"{'..' * (start > 0)}{text[start : start + 60]}{'..' * (len(text) > start + 60)}"


def _digest(value: Any) -> str:
    return hashlib.sha256(_canonical(value)).hexdigest()[:16]


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=dict)
