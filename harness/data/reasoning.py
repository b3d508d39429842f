"""Where the reasoning of a completion ends and its response begins. Pure."""

from __future__ import annotations

from harness.types import Thinking


def opening_tag(think_end: str) -> str:
    """The tag that opens reasoning, from the one that ends it: `</think>` gives `<think>`."""
    for end, start in (("</", "<"), ("[/", "["), ("end", "begin")):
        if end in think_end:
            return think_end.replace(end, start, 1)
    return think_end


def split_reasoning(
    text: str, *, think_end: str = "</think>", thinking: Thinking = "auto", opened: bool = False
) -> tuple[str | None, str | None]:
    """Split a completion into (reasoning, response) at the first end tag.

    The opening tag is never required, because chat templates prefill it. Without an end tag a
    model that reasons has given no response: (text, None).

    Args:
        text: the completion.
        think_end: the tag that ends reasoning.
        thinking: whether the model reasons. With "auto" it does when `opened`, or when the text
            holds the opening tag; with "no" everything is response.
        opened: whether the rendered prompt ends inside an open tag.
    """
    if thinking == "no":
        return None, text
    reasoning, found, response = text.partition(think_end)
    if found:
        return reasoning, response
    if thinking == "yes" or opened or opening_tag(think_end) in text:
        return text, None
    return None, text
