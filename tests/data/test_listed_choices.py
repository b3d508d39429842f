"""Choices in the layouts in which prompts list them."""

from __future__ import annotations

import time

import pytest

from harness.data.listed_choices import listed_order

CHOICES = ("ethanol", "methanol", "f(x) - 1", "A | B")
SHOWN = (2, 0, 3, 1)
TEXTS = [CHOICES[i] for i in SHOWN]


def lines(form: str, letters: str = "ABCD") -> str:
    return "Which?\n" + "\n".join(
        form.format(letter, text) for letter, text in zip(letters, TEXTS, strict=True)
    )


@pytest.mark.parametrize(
    "form",
    [
        "{}) {}", "{}. {}", "{}: {}", "({}) {}", "**{})** {}", "**{}) {}**", "**{}.** {}",
        "- {}) {}", "* {}. {}", "+ ({}) {}", "• {}) {}", "  - {}) {}", "- **{})** {}", "- **{}**: {}",
        "1. {}) {}", "{}){}", "({}){}", "{}.{}", "{}:{}", "[{}] {}", "[{}]{}", "- [{}] {}",
        "{} - {}", "{} – {}", "{} — {}", "{}: {}", "> {}) {}", ">{}) {}", "> > {}) {}", "> - {}) {}",
        "| {} | {} |", "{} = {}", r"\item {}) {}", "\n{}) {}\n", "{})\n{}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("letters", ["ABCD", "abcd"])
def test_a_layout_is_read(form: str, letters: str) -> None:
    assert listed_order(lines(form, letters), CHOICES) == (SHOWN, True)
    assert listed_order(lines(form, letters) + "\n\nThink first.", CHOICES) == (SHOWN, True)


@pytest.mark.parametrize("form", ["{}) {}", "({}) {}", "[{}] {}", "{}. {}"])
@pytest.mark.parametrize("letters", ["ABCD", "abcd"])
def test_a_layout_in_one_line_is_read(form: str, letters: str) -> None:
    assert listed_order(" ".join(lines(form, letters).split("\n")), CHOICES) == (SHOWN, True)


def test_the_last_list_is_the_questions() -> None:
    example = "- A) 1\n- B) 2\n- C) 3\n- D) 4\nAnswer: A\n\n"
    assert listed_order(example + lines("- {}) {}"), CHOICES) == (SHOWN, True)


@pytest.mark.parametrize(
    "prompt",
    ["Which?", "a: b", "A - B - C - D", "- A is a letter\n- B is, too", "", "A.B. Smith\nC.D. Jones",
     "A-1\nB-2\nC-3\nD-4", "[A] [B] [C] [D]", "A B C D"],
)  # fmt: skip
def test_words_are_no_list(prompt: str) -> None:
    assert listed_order(prompt, CHOICES) == (None, False)


@pytest.mark.parametrize("prompt", ["A) 1\nB) 2\nC) 3\nD) 4", "- A) 1\n- B) 2\n- C) 3\n- D) 4"])
def test_other_choices_are_a_list_without_an_order(prompt: str) -> None:
    assert listed_order(prompt, CHOICES) == (None, True)


def test_a_text_that_is_a_choice_with_its_label_stays_it() -> None:
    assert listed_order("A) b) x\nB) x\nC) y\nD) z", ("x", "b) x", "y", "z")) == (
        (1, 0, 2, 3),
        True,
    )


@pytest.mark.parametrize("text", ["*", "- ", "> ", "1.", "A)", "a. ", "A ", "(", "\\item ", " "])
def test_a_hostile_prompt_takes_no_time(text: str) -> None:
    started = time.process_time()
    listed_order(text * 50_000, CHOICES)
    assert time.process_time() - started < 2
