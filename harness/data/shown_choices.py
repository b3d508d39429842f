"""In which order a published file shows the choices of a problem. Pure.

A letter means nothing without the order that the model saw. Published files give it as a
permutation (simple-evals), as the choices in the order shown (lm-eval, evalscope), as the letter
or index of the right choice (lighteval, open-r1), or in the text of the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness.data.columns import Columns, json_value, value
from harness.data.listed_choices import Order, listed_order, match_choices, prompt_text
from harness.errors import DataError, UsageError
from harness.types import LETTERS, Problem, Row

LISTED = ("shuffled_choices", "shuffled_options", "choices", "options")
LETTERED = ("correct_letter", "answer_letter", "gold_letter", "correct_choice", "correct_option",
            "answer", "gold", "target", "label")  # fmt: skip
INDEXED = ("gold_index", "correct_index", "answer_index", "answer_idx")
"""Columns in which published files list the choices as shown, and give the letter of the right one
or its index from 0."""

_LETTER = re.compile(rf"\s*\(?\s*([{LETTERS}])\s*[).]?\s*")
_NUMBERS = re.compile(r"\s*\d+(?:[\s,;]+\d+)+\s*")
_MANY = 5  # problems from which it is no chance that the right choice is always in its own place


class _Sign(NamedTuple):
    """Something in a row that tells an order; `whole` unless it tells the right choice's place only."""

    where: str
    order: Order
    whole: bool = True


@dataclass(slots=True)
class ShownChoices:
    """Reads the orders of a file, row by row, and `check`s them at its end.

    Args:
        columns: of the file.
        dataset: whether the user states that letters refer to the dataset's own order.

    Raises:
        UsageError: the user states that and maps a column, too.
    """

    columns: Columns
    dataset: bool = False
    _as_stored: set[str] = field(
        default_factory=set
    )  # problems that a column shows as the dataset does
    _doubtful: bool = False  # a list of the choices was all that there was: it may be the dataset's
    _certain: bool = False  # a permutation, a prompt or another order than the dataset's was seen

    def __post_init__(self) -> None:
        if self.dataset and "choice_order" in self.columns.given:
            raise UsageError("--choice-order dataset and --map choice_order: give one of them")

    def orders(self, place: str, row: Row, problem: Problem, n: int) -> list[Order]:
        """The orders of a row's n responses; every sign of the order in the row must agree.

        Args:
            place: of the row, for messages.
            row: of the file.
            problem: that the row was parsed to.
            n: how many responses the row holds.

        Raises:
            DataError: the row gives no order, one that cannot be, or two that differ.
        """
        stored = tuple(range(len(problem.choices)))
        signs = self._prompt(place, row, problem)
        column = None if self.dataset else self.columns.find(row, "choice_order")
        if self.dataset:
            signs += [*_otherwise_listed(row, problem), *_lettered(row, problem)]
            _agree(place, problem, [_Sign(_STATED, stored), *signs])
            return [stored] * n
        if column is not None:
            self._certain = True
            orders = _in_column(place, column, value(row, column), problem, n)
            signs += _otherwise_listed(row, problem)
            right = problem.choices.index(problem.answer or "")
            if (
                len({order.order.index(right) for order in orders}) == 1
            ):  # else none is every response's
                signs += _lettered(row, problem)
            for order in orders:
                _agree(place, problem, [order, *signs])
            return [order.order for order in orders]
        letters = _lettered(row, problem)
        signs += [*_listed_in_row(row, problem), *letters]
        if not signs:
            raise DataError(f"{place}: nothing says in which order the choices of problem "
                            f"{problem.id!r} were shown{_unread(row, problem)}. {_ADVICE}")  # fmt: skip
        _agree(place, problem, signs)
        self._certain |= signs[0].where.startswith("the prompt") or signs[0].order != stored
        self._doubtful |= not letters
        self._as_stored.add(problem.id)
        return [signs[0].order] * n

    def check(self, path: Path) -> None:
        """Refuse a file whose columns show every problem as the dataset does: nobody shuffled those.

        Raises:
            DataError: so it is, for five problems or more, or for one without the letter of the
                right choice.
        """
        if not self._certain and (self._doubtful or len(self._as_stored) >= _MANY):
            raise DataError(f"{path}: in all of its rows the columns show the choices as the dataset does, "
                            f"which says nothing about the order that the model saw. {_ADVICE}")  # fmt: skip

    def _prompt(self, place: str, row: Row, problem: Problem) -> list[_Sign]:
        column = self.columns.find(row, "prompt")
        if column is None:
            return []
        order, lists = listed_order(prompt_text(value(row, column)), problem.choices)
        if order is None and not lists:
            return []
        if order is None:
            raise DataError(
                f"{place}: the prompt in the column {column!r} lists other choices than problem "
                f"{problem.id!r} has; if that is no prompt, name the one that is: --map prompt=COLUMN"
            )
        return [_Sign(f"the prompt ({column!r})", order)]


_ADVICE = (
    "Name the column that tells it with --map choice_order=COLUMN (a permutation such as [2, 0, 1, 3], "
    "the choices as shown, or the letter of the right one), or state with --choice-order dataset "
    "that letters refer to the dataset's own order"
)


_STATED = "--choice-order dataset"
_CONTRADICTION = "Only one can be what the model saw: take the other out of the file"
_WITHDRAW = (
    "Leave --choice-order dataset out, so that the order comes from the file, or take out of the file "
    "what does not tell what the model saw"
)


def _agree(place: str, problem: Problem, signs: Sequence[_Sign]) -> None:
    """Raises DataError where two signs differ."""
    first = signs[0]
    right = problem.choices.index(problem.answer or "")
    for other in signs[1:]:
        same_place = first.order.index(right) == other.order.index(right)
        if not same_place or (first.whole and other.whole and first.order != other.order):
            raise DataError(
                f"{place}: {first.where} and {other.where} show the choices of problem {problem.id!r} "
                f"in different orders: the right one is {LETTERS[first.order.index(right)]} in one and "
                f"{LETTERS[other.order.index(right)]} in the other. "
                + (_WITHDRAW if first.where == _STATED else _CONTRADICTION)
            )


def _in_column(place: str, column: str, found: object, problem: Problem, n: int) -> list[_Sign]:
    """The orders in the column of the field choice_order: one for all responses, or one for each."""
    found = _decoded(found)
    each = isinstance(found, list) and len(found) == n and all(
        isinstance(item, list) or (isinstance(item, str) and _LETTER.fullmatch(item)) for item in found
    )  # fmt: skip
    values = found if each and isinstance(found, list) else [found] * n
    orders = [_order(_int(item), problem) for item in values]
    where = f"the column {column!r}"
    if None in orders:
        raise DataError(
            f"{place}: {where} (choice_order) holds {str(found)[:200]!r}, which is no order of the "
            f"{len(problem.choices)} choices of problem {problem.id!r}: a permutation of their numbers from 0, "
            "the choices as shown, or the letter of the right one is needed"
        )
    whole = not any(isinstance(_decoded(item), str | int | float) for item in values)
    return [_Sign(where, order, whole) for order in orders if order is not None]


def _decoded(found: object) -> object:
    """A list or object that was written as text, as in CSV; "2,0,1,3" as the list of its numbers."""
    found = json_value(found)
    if isinstance(found, str) and _NUMBERS.fullmatch(found):
        return [int(number) for number in re.findall(r"\d+", found)]
    return found


def _order(found: object, problem: Problem) -> Order | None:
    """The order that a value tells; None where it tells none."""
    found = _decoded(found)
    if isinstance(found, Mapping):
        found = [found.get(letter) for letter in LETTERS[: len(found)]]
    if isinstance(found, Sequence) and not isinstance(found, str):
        if sorted(map(str, found)) == sorted(map(str, range(len(problem.choices)))):
            return tuple(int(number) for number in found)
        return match_choices([str(text) for text in found], problem.choices)
    if isinstance(found, float) and found == int(found):
        found = int(found)
    if isinstance(found, str) and (letter := _LETTER.fullmatch(found)):
        found = LETTERS.index(letter[1])
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < len(problem.choices):
        return _with_right_at(found, problem)
    return None


def _with_right_at(place: int, problem: Problem) -> Order:
    """The right choice at a place, the others as the dataset has them: which of them is where plays no part."""
    right = problem.choices.index(problem.answer or "")
    order = [number for number in range(len(problem.choices)) if number != right]
    return (*order[:place], right, *order[place:])


def _listed_in_row(row: Row, problem: Problem) -> list[_Sign]:
    """The columns that list the choices, in one column or in one for each."""
    n = len(problem.choices)
    lists = [(name, row[name]) for name in LISTED
             if isinstance(_decoded(row.get(name)), list | Mapping)]  # fmt: skip
    for names in ([f"choice{i}" for i in range(1, n + 1)], list(LETTERS[:n])):
        if all(name in row for name in names):
            lists.append((names[0], [row[name] for name in names]))
    signs = [(name, _order(found, problem)) for name, found in lists]
    return [_Sign(f"the column {name!r}", order) for name, order in signs if order is not None]


def _otherwise_listed(row: Row, problem: Problem) -> list[_Sign]:
    """The columns that list the choices otherwise than the dataset: as it has them, they may be its own."""
    stored = tuple(range(len(problem.choices)))
    return [sign for sign in _listed_in_row(row, problem) if sign.order != stored]


def _unread(row: Row, problem: Problem) -> str:
    """What the columns hold that usually tell the order, and why it does not here."""
    n = len(problem.choices)
    last = LETTERS[n - 1]
    reasons = dict.fromkeys(LETTERED, f"is no letter from A to {last}")
    reasons |= dict.fromkeys(INDEXED, f"is no number from 0 to {n - 1}")
    reasons |= dict.fromkeys(LISTED, f"is no list of the {n} choices")
    seen = [f"the column {name!r} holds {str(row[name])[:80]!r}, which {why}"
            for name, why in reasons.items() if name in row]  # fmt: skip
    return f": {'; '.join(seen)}" if seen else ""


def _lettered(row: Row, problem: Problem) -> list[_Sign]:
    """The columns that give the letter or the index of the right choice."""
    found = [(name, row[name]) for name in LETTERED if isinstance(row.get(name), str)]
    found += [(name, row[name]) for name in INDEXED if isinstance(row.get(name), int | float | str)]
    signs = [
        (name, _order(_int(given) if name in INDEXED else given, problem)) for name, given in found
    ]
    return [
        _Sign(f"the column {name!r}", order, whole=False)
        for name, order in signs
        if order is not None
    ]


def _int(found: object) -> object:
    return int(found) if isinstance(found, str) and found.strip().isdecimal() else found
