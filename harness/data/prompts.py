"""From a problem to the prompt that a model is sent: template fields and choice orders. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from harness.stats.seeds import derive_seed
from harness.types import LETTERS, ChoiceOrdering, Problem, Prompt

_FIELD = re.compile(r"\{(statement|choices|starter_code)\}")


def render(
    template: str,
    problem: Problem,
    *,
    order: Sequence[int] | None = None,
    system: str | None = None,
) -> Prompt:
    r"""Fill the fields that the harness knows; every other brace is sent as it is written.

    The fields are ``{statement}``, ``{choices}`` (one line per choice, "A) text", in `order`) and
    ``{starter_code}``. So ``\boxed{}`` in a template needs no doubling.

    Args:
        template: the prompt as the task or `--prompt` wrote it.
        problem: whose fields are filled in.
        order: `order[j]` is the number of the choice shown under letter j; None keeps theirs.
        system: the system prompt, if one is sent.
    """
    values = {
        "statement": lambda: problem.statement,
        "choices": lambda: render_choices(problem, order),
        "starter_code": lambda: problem.starter_code,
    }
    return Prompt(_FIELD.sub(lambda found: values[found[1]](), template), system)


def fields(template: str) -> set[str]:
    """Names of the known fields that a template holds."""
    return set(_FIELD.findall(template))


def render_choices(problem: Problem, order: Sequence[int] | None = None) -> str:
    """The choices as lines "A) text" in the given order."""
    shown = order if order is not None else range(len(problem.choices))
    return "\n".join(f"{LETTERS[j]}) {problem.choices[i]}" for j, i in enumerate(shown))


def choice_order(
    n_choices: int, ordering: ChoiceOrdering, *, seed: int, problem_id: str, index: int
) -> tuple[int, ...]:
    """A permutation of the choices, a function of its arguments alone.

    With "per-problem" all samples of a problem see one order; with "per-sample" each sample has
    its own, as simple-evals does. It is stored in the sample, never drawn again.

    Args:
        n_choices: how many choices the problem has.
        ordering: one order per problem, or per sample.
        seed: `Sampling.choice_seed` of the run.
        problem_id: of the problem.
        index: of the sample; without effect for "per-problem".

    Returns:
        `order[j]` is the number of the choice shown under letter j.
    """
    parts = (seed, problem_id) if ordering == "per-problem" else (seed, problem_id, index)
    order = list(range(n_choices))
    random.Random(derive_seed("choices", *parts)).shuffle(order)
    return tuple(order)
