"""TASK/opinions.jsonl: what models said of answers, append-only, one line per question.

{"judge": "9f..", "reference": "12", "answer": "12 \\text{ or so}", "verdict": "wrong_answer",
 "reply": "DIFFERENT"}

`judge` is the hash of the protocol's part of that name, so that the opinions of several models, or
under several prompts, stand side by side and are never mixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.storage.files import Appender
from harness.storage.rows import read_rows
from harness.types import Verdict

OPINIONS = "opinions.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """One reply of a model to one question.

    Args:
        judge: hash of the model, prompt and settings.
        reference: the reference answer that it was shown.
        answer: the extracted answer that it was shown.
        verdict: correct, wrong_answer, or undecided where its reply was neither of the two words.
        reply: the beginning of its reply.
    """

    judge: str
    reference: str
    answer: str
    verdict: Verdict
    reply: str = ""

    @property
    def pair(self) -> tuple[str, str]:
        """The question: (reference answer, extracted answer)."""
        return self.reference, self.answer


def read_opinions(folder: Path, judge: str) -> dict[tuple[str, str], Verdict]:
    """The verdicts of one judge in a task's folder, by question.

    Args:
        folder: of the task.
        judge: hash of the judge.

    Raises:
        DataError: a line is damaged, or of another schema.
    """
    rows = read_rows(folder / OPINIONS, Opinion)
    return {found.pair: found.verdict for found in rows if found.judge == judge}


def open_opinions(folder: Path) -> Appender:
    """opinions.jsonl of a task's folder, open for writing.

    Raises:
        DataError: it cannot be written.
    """
    return Appender(folder / OPINIONS)
