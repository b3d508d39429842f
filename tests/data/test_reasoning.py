"""Where a completion's reasoning ends."""

from harness.data.reasoning import split_reasoning


def test_a_reasoning_that_opens_anywhere_and_never_ends_leaves_no_response():
    text = "Sure. <think>so \\boxed{4}"
    assert split_reasoning(text) == (text, None)
    assert split_reasoning(text, thinking="no") == (None, text)
