"""Completions under a reasoning budget, drawn in pieces from a model of one letter per token."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from harness.data.reasoning import split_reasoning
from harness.engines.budget import Tags
from harness.engines.vllm.pieces import Pieces

END = "</think>"


def decode(tokens: object) -> str:
    return "".join(map(chr, tokens))  # type: ignore[call-overload]


def encode(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def tags(opened: bool = True) -> Tags:
    return Tags(END, tuple(encode(END)), opened, decode)


@dataclass
class Model:
    """Writes a text and ends; after an end tag that it did not choose it responds "sure"."""

    text: str
    caps: list[int] = field(default_factory=list)

    def draw(self, pieces: Pieces) -> tuple[list[int], bool]:
        """The next piece of a completion, and whether it ends by itself."""
        self.caps.append(pieces.due)
        so_far = decode(pieces.tokens)
        rest = self.text[len(so_far) :] if self.text.startswith(so_far) else "sure"
        return encode(rest[: pieces.due]), len(rest) < pieces.due


def complete(model: Model, budget: int, cap: int = 1000, *, opened: bool = True) -> Pieces:
    pieces, over = Pieces(tags(opened), budget, cap), False
    while not over and pieces.due:
        drawn, ended = model.draw(pieces)
        over = pieces.add(drawn, ended=ended)
    return pieces


def test_reasoning_ends_at_the_budget_and_the_response_is_drawn() -> None:
    model = Model("thinking of it</think>yes")
    pieces = complete(model, 8)
    assert decode(pieces.tokens) == "thinking</think>sure"
    assert pieces.n_reasoning == 8
    assert model.caps == [8, 1000 - 8 - len(END)]


@pytest.mark.parametrize("budget", [14, 20, 22, 23, 24, 25, 30, 999])
def test_a_budget_that_is_not_used_up_changes_nothing(budget: int) -> None:
    model = Model("thinking of it</think>yes")
    pieces = complete(model, budget)
    assert decode(pieces.tokens) == model.text
    assert pieces.n_reasoning == 14
    assert len(model.caps) == (1 if budget > len(model.text) else 2)


def test_an_end_tag_that_the_budget_cuts_is_completed() -> None:
    pieces = complete(Model("hm</think>yes"), 6)  # hm</th
    assert decode(pieces.tokens) == "hm</think>yes"
    assert pieces.n_reasoning == 2


def test_a_model_that_opens_its_reasoning_itself_has_the_whole_budget_after_the_tag() -> None:
    model = Model("<think>thinking of it</think>yes")
    pieces = complete(model, 8, opened=False)
    assert decode(pieces.tokens) == "<think>thinking</think>sure"
    assert pieces.n_reasoning == 8
    assert len(model.caps) == 2


def test_reasoning_that_opens_late_is_cut_all_the_same() -> None:
    model = Model("Let me see, first of all.<think>thinking of it</think>yes")
    pieces = complete(model, 8, opened=False)
    assert decode(pieces.tokens) == "Let me see, first of all.<think>thinking</think>sure"
    assert len(model.caps) == 3


def test_a_response_without_reasoning_is_left_alone() -> None:
    model = Model("The answer is four, and I need not think about it.")
    pieces = complete(model, 3, opened=False)
    assert decode(pieces.tokens) == model.text
    assert pieces.n_reasoning is None


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("budget", [1, 2, 5, 13, 21])
@pytest.mark.parametrize(
    "text", ["a</think>b", "<think>abcdefgh</think>ij", "x" * 90, "<think>" * 9]
)
def test_no_completion_reasons_longer_or_grows_beyond_its_cap(
    text: str, budget: int, opened: bool
) -> None:
    for cap in (len("<think>") + budget + len(END) + 1, 60):
        pieces = complete(Model(text), budget, cap, opened=opened)
        assert len(pieces.tokens) <= cap
        assert (pieces.n_reasoning or 0) <= budget
        reasoning, response = split_reasoning(decode(pieces.tokens), opened=opened)
        assert response is not None
        assert len((reasoning or "").removeprefix("" if opened else "<think>")) <= budget


def test_what_ends_inside_its_reasoning_has_ended() -> None:
    """As without a budget: a model that ends its turn there gives no response."""
    pieces = complete(Model("thinking"), 20)
    assert decode(pieces.tokens) == "thinking"
    assert pieces.number == 1


def test_a_loop_over_two_pieces_is_cut_where_one_in_a_single_piece_is() -> None:
    model = Model("so</think>" + "abcdefgh" * 9)
    pieces = complete(model, 40)
    assert pieces.number == 2
    assert pieces.loop(4) == len("so</think>") + 4 * 8
    assert pieces.loop(12) is None
