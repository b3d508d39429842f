"""Texts without a tag of reasoning: what a run may grade, and what it splits again once it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.engines.opening import Opening
from harness.errors import ProtocolMismatch, UsageError
from harness.interfaces import Completion, Request
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Runner
from harness.pipeline.stored_scores import compute_scores
from harness.pipeline.untagged import as_reasoning, check_settled, split_again, split_others
from harness.stats.scores import TaskScores
from harness.storage.files import Appender, write_lines
from harness.storage.manifest import Manifest, Start
from harness.storage.run_folder import RunFolder, RunWriter
from harness.types import Sample, Thinking
from tests.support.fakes import FakeEngine, InlinePool
from tests.support.runs import PROBLEMS, make_run

UNKNOWN = {"engine": "fake", "opens_reasoning": None}


class Behind(FakeEngine):
    """A model behind a server that shows no prompt: only its completions tell."""

    def __init__(
        self, reply: Callable[[Request], Completion], rendered: bool | None = None
    ) -> None:
        super().__init__(reply, concurrency=1)
        self._opening = Opening(rendered, "</think>")

    @property
    def opens_reasoning(self) -> bool | None:  # type: ignore[override]
        return self._opening.known

    @opens_reasoning.setter
    def opens_reasoning(self, _: object) -> None:
        pass

    async def generate(self, request: Request) -> Completion:
        completion = await super().generate(request)
        self._opening.observe(completion)
        return self._opening.placed(completion)


def cut(request: Request) -> Completion:
    """Cut inside the reasoning, where a number stands that would be graded as right."""
    return Completion(f"so \\boxed{{{2 * int(request.problem_id)}}} or", "length", 3, 9)


def ended(request: Request) -> Completion:
    return Completion(f"so</think>\\boxed{{{2 * int(request.problem_id)}}}", "stop", 3, 9)


class KilledAfter:
    """Replaces as many files as it is told to, and is killed at the next one."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self.written: list[str] = []

    def __call__(self, path: Path, rows: Iterable[object]) -> None:
        if len(self.written) == self._steps:
            raise KeyboardInterrupt
        self.written.append(path.name)
        write_lines(path, rows)


def unknown_run(path: Path, *, k: int = 2, thinking: Thinking = "auto") -> TaskRun:
    """A run whose engine could not tell before its first sample; a new or an existing folder."""
    if not (path / "manifest.json").exists():
        with RunWriter(path) as writer:
            writer.begin(Manifest(model="m", fingerprint=UNKNOWN), Start())
    run = make_run(path, k=k)  # auto
    return replace(run, protocol=replace(run.protocol, thinking=thinking))


def drawn(run: TaskRun, engine: FakeEngine | None) -> TaskScores:
    with RunWriter(run.folder.path.parent) as writer:
        runner = Runner([run], engine, InlinePool(), learned=writer.record_opening)
        return asyncio.run(runner.run())[0]


def verdicts(scores: TaskScores) -> dict[str, int]:
    return dict(scores.scores[0].verdicts)


def resumed_with(run: TaskRun, thinking: Thinking) -> TaskRun:
    """The run as `--thinking` resumes it."""
    protocol = replace(run.protocol, thinking=thinking)
    with RunWriter(run.folder.path.parent) as writer:
        folder = writer.add_task(protocol, PROBLEMS, run.sampling.k)
    return replace(run, protocol=protocol, folder=folder)


# From a sample


def test_reasoning_cut_off_before_the_first_end_tag_is_split_again(tmp_path: Path) -> None:
    run = unknown_run(tmp_path)
    replies = iter([cut] * 7 + [ended] + [cut] * 2)
    scores = drawn(run, Behind(lambda request: next(replies)(request)))
    assert verdicts(scores) == {"correct": 1, "truncated": 9}
    assert [s.response is None for s in run.folder.samples()] == [True] * 7 + [False] + [True] * 2
    assert all(s.n_reasoning_tokens for s in run.folder.samples())
    assert RunFolder(tmp_path).manifest().opens_reasoning is True


def test_what_was_graded_as_a_response_is_graded_again(tmp_path: Path) -> None:
    run = unknown_run(tmp_path)
    stopped = iter([lambda r: replace(cut(r), finish_reason="stop")] * 9 + [ended])
    scores = drawn(run, Behind(lambda request: next(stopped)(request)))
    assert verdicts(scores) == {"correct": 1, "no_answer": 9}
    assert len(list(run.folder.grades())) == 10


def test_what_one_task_shows_holds_in_every_task_of_the_run(tmp_path: Path) -> None:
    first = unknown_run(tmp_path)
    with pytest.raises(UsageError, match="10 of 10 samples may be reasoning"):
        drawn(first, Behind(cut))
    other = replace(first.protocol, task="other")
    with RunWriter(tmp_path) as writer:
        folder = writer.add_task(other, PROBLEMS, 2)
    second = replace(first, task=replace(first.task, name="other"), protocol=other, folder=folder)
    assert verdicts(drawn(second, Behind(ended))) == {"correct": 10}
    told: list[str] = []
    split_others(tmp_path, ["other"], told.append)
    assert "integer: 10 samples turned out to be reasoning that never ended" in told[0]
    assert all(sample.response is None for sample in first.folder.samples())
    split_others(tmp_path, ["other"], told.append)
    assert len(told) == 1
    assert verdicts(drawn(first, None)) == {"truncated": 10}


def test_a_model_that_opens_its_reasoning_itself_is_known_by_it(tmp_path: Path) -> None:
    def reply(request: Request) -> Completion:
        if request.problem_id == "0":
            return Completion("<think>so</think>\\boxed{0}", "stop", 3, 9)
        return cut(request)

    scores = drawn(unknown_run(tmp_path), Behind(reply))
    assert verdicts(scores) == {"correct": 10}  # responses that were cut, with their answers
    assert RunFolder(tmp_path).manifest().opens_reasoning is False


def test_a_kill_at_any_step_of_splitting_again_loses_nothing(tmp_path: Path) -> None:
    run = unknown_run(tmp_path)
    with pytest.raises(UsageError):
        drawn(run, Behind(cut))
    before = list(run.folder.samples())
    with RunWriter(tmp_path) as writer:
        writer.record_opening(True)

    for steps in (0, 1):  # killed before the grades, and between them and the samples
        killed = KilledAfter(steps)
        with pytest.raises(KeyboardInterrupt):
            split_again(run.folder, as_reasoning, write=killed)
        assert list(run.folder.samples()) == before
        assert killed.written == ["grades.jsonl"][:steps]
    assert verdicts(drawn(run, Behind(cut))) == {"truncated": 10}
    after = (run.folder.path / "samples.jsonl").read_bytes()
    assert verdicts(drawn(run, Behind(cut))) == {"truncated": 10}
    assert (run.folder.path / "samples.jsonl").read_bytes() == after


# From a template


def test_a_template_that_is_known_later_splits_what_was_stored(tmp_path: Path) -> None:
    run = unknown_run(tmp_path)
    with pytest.raises(UsageError):
        drawn(run, Behind(cut))
    engine = Behind(cut, rendered=True)
    assert verdicts(drawn(run, engine)) == {"truncated": 10}
    assert engine.requests == []


def test_a_sample_goes_before_a_template(tmp_path: Path) -> None:
    """A tokenizer of another version says that nothing is opened, the server's own opens it."""
    run = unknown_run(tmp_path)
    replies = iter([cut] * 5 + [ended] + [cut] * 4)
    scores = drawn(run, Behind(lambda request: next(replies)(request), rendered=False))
    assert verdicts(scores) == {"correct": 1, "truncated": 9}


# From nothing


def test_cut_texts_are_not_scored_where_nothing_tells(tmp_path: Path) -> None:
    run = unknown_run(tmp_path)
    halves = Behind(lambda r: cut(r) if r.index else replace(cut(r), finish_reason="stop"))
    message = r"5 of 10 samples .* nothing tells .*--thinking yes .* --thinking no"
    with pytest.raises(UsageError, match=message):
        drawn(run, halves)
    assert len(list(run.folder.samples())) == 10
    assert {grade.index for grade in run.folder.grades()} == {0}
    assert not run.folder.has_scores()
    with pytest.raises(UsageError, match="5 of 10"):
        compute_scores(run)


@pytest.mark.parametrize(("thinking", "expected"), [
    ("yes", {"truncated": 5, "no_answer": 5}),
    ("no", {"correct": 10}),
])  # fmt: skip
def test_the_users_word_resumes_without_drawing_again(
    tmp_path: Path, thinking: Thinking, expected: dict[str, int]
) -> None:
    run = unknown_run(tmp_path)
    halves = Behind(lambda r: cut(r) if r.index else replace(cut(r), finish_reason="stop"))
    with pytest.raises(UsageError):
        drawn(run, halves)
    again, engine = resumed_with(run, thinking), Behind(cut)
    assert verdicts(drawn(again, engine)) == expected
    assert engine.requests == []
    assert run.folder.protocol().thinking == thinking
    with pytest.raises(ProtocolMismatch, match="thinking"):
        resumed_with(run, "auto")
    assert verdicts(drawn(resumed_with(run, thinking), Behind(cut))) == expected


def test_a_run_that_knows_takes_no_other_word(tmp_path: Path) -> None:
    run = unknown_run(tmp_path)
    drawn(run, Behind(ended))
    for thinking in ("yes", "no"):
        with pytest.raises(ProtocolMismatch, match="thinking"):
            resumed_with(run, thinking)  # type: ignore[arg-type]


def test_a_model_that_does_not_reason_needs_no_word_where_nothing_is_cut(tmp_path: Path) -> None:
    engine = Behind(lambda r: Completion(f"\\boxed{{{2 * int(r.problem_id)}}}", "stop", 3, 4))
    run = unknown_run(tmp_path)
    assert verdicts(drawn(run, engine)) == {"correct": 10}
    assert RunFolder(tmp_path).manifest().opens_reasoning is None
    check_settled([run])


def test_hidden_reasoning_that_used_up_the_cap_leaves_nothing_to_settle(tmp_path: Path) -> None:
    run = unknown_run(tmp_path)
    assert verdicts(drawn(run, Behind(lambda _: Completion("", "length", 3, 9)))) == {
        "truncated": 10
    }


def test_an_earlier_record_that_no_server_told_is_no_knowledge(tmp_path: Path) -> None:
    """Earlier versions wrote false where a server did not tell."""
    old = Manifest("m", {"engine": "openai", "opens_reasoning": False})
    assert old.resumed(UNKNOWN).prompt_opens is None
    assert old.resumed({"opens_reasoning": False}).prompt_opens is False
    told = replace(old, fingerprint={**old.fingerprint, "tokenizer": "/m"})
    assert told.resumed(UNKNOWN).prompt_opens is False
    assert Manifest("m", {"opens_reasoning": True}).resumed(UNKNOWN).prompt_opens is True


# A reasoning field


def field(request: Request) -> Completion:
    right = f"\\boxed{{{2 * int(request.problem_id)}}}"
    return Completion(right, "stop", 3, 9, reasoning="so")


def test_a_server_that_splits_cut_reasoning_off_too_is_believed(tmp_path: Path) -> None:
    def reply(request: Request) -> Completion:
        return Completion("", "length", 3, 9, reasoning="so") if request.index else cut(request)

    scores = drawn(unknown_run(tmp_path), Behind(reply))
    assert verdicts(scores) == {"correct": 5, "truncated": 5}


def test_a_parser_that_leaves_cut_reasoning_in_the_text_has_to_be_explained(tmp_path: Path) -> None:
    def reply(request: Request) -> Completion:
        return field(request) if request.index else cut(request)

    run = unknown_run(tmp_path)
    with pytest.raises(UsageError, match="5 of 10"):
        drawn(run, Behind(reply))
    assert verdicts(drawn(resumed_with(run, "yes"), Behind(reply))) == {
        "correct": 5,
        "truncated": 5,
    }
    known = Behind(reply, rendered=True)
    assert verdicts(drawn(unknown_run(tmp_path / "known"), known)) == {"correct": 5, "truncated": 5}


def test_a_parser_that_cuts_off_empty_reasoning_leaves_a_response(tmp_path: Path) -> None:
    """The template opens reasoning; the shortest completions, without any, come first."""

    def reply(request: Request) -> Completion:
        if request.index:
            return field(request)
        text = f"\\boxed{{{2 * int(request.problem_id)}}}"
        return Completion(text, "stop" if request.problem_id != "4" else "length", 3, 4)

    run = unknown_run(tmp_path)
    engine = Behind(reply, rendered=True)
    assert verdicts(drawn(run, engine)) == {"correct": 9, "truncated": 1}
    assert RunFolder(tmp_path).manifest().opens_reasoning is False
    again = Behind(reply, rendered=True)
    assert verdicts(drawn(unknown_run(tmp_path, k=3), again)) == {"correct": 14, "truncated": 1}


# Opening


@pytest.mark.parametrize(("rendered", "completions", "known"), [
    (None, [], None),
    (True, [], True),
    (False, [], False),
    (None, [Completion("so", "length")], None),
    (None, [Completion("so", "stop")], None),
    (None, [Completion("so</think>4", "stop")], True),
    (None, [Completion("<think>so</think>4", "stop")], False),
    (None, [Completion("\n<think>so", "length")], False),
    (None, [Completion("<think>so", "length"), Completion("so</think>4", "stop")], True),
    (None, [Completion("a tag such as <think> opens it", "stop")], None),
    (False, [Completion("so</think>4", "stop")], True),
    (True, [Completion("4", "stop", reasoning="so")], False),
    (None, [Completion("4", "stop", reasoning="so")], None),
    (None, [Completion("", "length", reasoning="so")], False),
])  # fmt: skip
def test_what_completions_tell(
    rendered: bool | None, completions: list[Completion], known: bool | None
) -> None:
    opening = Opening(rendered, "</think>")
    for completion in completions:
        opening.observe(completion)
    assert opening.known is known


# The file


def test_a_file_that_is_replaced_goes_on_being_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    rows = Appender(path)
    rows.append([1, 2])
    number = path.stat().st_ino
    rows.replace([3])
    rows.append([4])
    rows.sync()
    rows.close()
    assert path.read_text() == "3\n4\n"
    assert path.stat().st_ino != number


def test_a_sample_keeps_its_text_when_it_is_split_again(tmp_path: Path) -> None:
    run = unknown_run(tmp_path)
    with pytest.raises(UsageError):
        drawn(run, Behind(cut))
    texts = {sample.key: sample.text for sample in run.folder.samples()}
    drawn(resumed_with(run, "yes"), Behind(cut))
    found: dict[tuple[str, int], Sample] = {s.key: s for s in run.folder.samples()}
    assert {key: sample.reasoning for key, sample in found.items()} == texts
