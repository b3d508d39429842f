"""The effort that a chat template is asked for: whether the template knows it. Pure.

A template takes `reasoning_effort` as a variable, gpt-oss's for one. Jinja ignores a variable that a
template does not use, and so do `apply_chat_template` and the servers that call it; two runs of
different effort would then have drawn from one prompt. So the prompt is rendered with several
efforts, and they have to differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable

VARIABLE = "reasoning_effort"
"""The variable of a chat template, and the field of a request."""

BY_TEMPLATE = f"variable {VARIABLE} of the chat template"
BY_FIELD = f"field {VARIABLE} of the request"
"""How the model was asked for an effort, as `effort` in a fingerprint."""

USUAL = ("low", "medium", "high")
"""The efforts that most servers and templates know."""

_DEFAULT = "medium"
"""The effort that a template may have for any other text, so that it renders like a made-up one."""

_SIMILAR = re.compile("effort|think|reason|budget")


class EffortRefused(Exception):
    """The template cannot be asked for the effort; the text says why and names what it has."""


def check_effort(effort: str, template: str | None, render: Callable[[str | None], object]) -> None:
    """Check that a chat template knows an effort.

    Args:
        effort: as asked for.
        template: its source; None where the model has none.
        render: one prompt with an effort, or None without any, as text or as token ids; may raise.

    Raises:
        EffortRefused: the effort makes no difference to the prompt.
    """
    if template is None:
        raise EffortRefused("the model has no chat template, which would say how")

    def rendered(asked: str | None) -> object:
        try:
            return render(asked)
        except Exception as error:  # templates raise their own errors, on an unknown effort too
            return type(error)

    try:
        given = render(effort)
    except Exception as error:
        raise EffortRefused(f"the chat template refuses it: {error}") from error
    made_up = rendered(effort + "?")
    others = (made_up, *(rendered(asked) for asked in (None, *USUAL)))
    if all(other == given for other in others):
        similar = similar_variables(template)
        has = f"; its own variables are {', '.join(similar)}" if similar else ""
        raise EffortRefused(f"the chat template does not use {VARIABLE}{has}")
    if given == made_up and effort != _DEFAULT:
        raise EffortRefused(
            f"the chat template renders it as it does any text that it does not know, such as "
            f"{effort + '?'!r}"
        )


def similar_variables(template: str) -> list[str]:
    """The variables of a chat template whose names are about reasoning, sorted."""
    from jinja2 import Environment, TemplateError, meta

    try:
        parser = Environment(extensions=["jinja2.ext.loopcontrols"], autoescape=True)
        parsed = parser.parse(template)
    except TemplateError:
        return []  # a statement of transformers' own, such as {% generation %}
    return sorted(name for name in meta.find_undeclared_variables(parsed) if _SIMILAR.search(name))
