"""Loads a model of lm-eval by its name, with errors that say what is missing."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partialmethod
from typing import Any

from harness.engines.hf.decoding import drop_generation_defaults
from harness.engines.lm_eval.options import (
    API_TIMEOUT,
    concurrency_of,
    parse_arguments,
    shown_arguments,
)
from harness.engines.settings import EngineSettings
from harness.errors import DataError, UsageError, first_line

_MISSING = "pip install 'reasoning-harness[lm-eval]'"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model of lm-eval and what the engine needs to know of it.

    Args:
        name: lm-eval's name of it.
        lm: the `lm_eval.api.model.LM`.
        api: whether it is a client of a server, rather than a model in this process.
        takes_seed: whether a request may carry a seed.
        bos_given: whether the user chose if prompts begin with a start token.
        concurrency: samples in a batch, or requests in flight.
        shown: its arguments, without secrets.
    """

    name: str
    lm: Any
    api: bool
    takes_seed: bool
    bos_given: bool
    concurrency: int
    shown: Mapping[str, Any]

    @property
    def tokenizer(self) -> Any:
        """The Hugging Face tokenizer, or None."""
        found = getattr(self.lm, "tokenizer", None)
        sends_tokens = not self.api or getattr(self.lm, "tokenized_requests", False)
        return found if sends_tokens and hasattr(found, "chat_template") else None

    @property
    def transformers(self) -> bool:
        """Whether the texts come from transformers' `generate`."""
        return hasattr(self.model, "generation_config")

    @property
    def model(self) -> Any:
        """What lm-eval wraps: a transformers model, vLLM's LLM, or the model's name on a server."""
        return getattr(self.lm, "model", None)

    @property
    def context(self) -> int | None:
        """Tokens of prompt and completion together; None where only a server knows."""
        length = getattr(self.lm, "max_length", None) if self.tokenizer is not None else None
        return int(length) if length else None

    @property
    def dtype(self) -> str | None:
        """Of the weights, such as "bfloat16"; None where a server has them."""
        config = getattr(getattr(self.model, "llm_engine", None), "model_config", None)
        found = getattr(self.model if config is None else config, "dtype", None)
        return None if found is None else str(found).removeprefix("torch.")


def load(settings: EngineSettings) -> Loaded:
    """The model that `--engine lm_eval:NAME` names.

    Raises:
        UsageError: lm-eval or what the model needs is not installed, there is no model of that
            name, or an argument that it does not take.
        DataError: the model cannot be loaded, or would lose the end of its reasoning.
    """
    name = settings.engine.partition(":")[2]
    kind, api = _model_class(name)
    _silence_bars()
    parameters = inspect.signature(kind.__init__).parameters
    given = parse_arguments(settings.options)
    shown = shown_arguments(given)
    concurrency = concurrency_of(name, given, api=api)
    fixed: dict[str, Any] = {_model_argument(parameters, api): settings.model}
    if settings.revision is not None:
        fixed["revision"] = settings.revision
    if api:
        given.setdefault("timeout", API_TIMEOUT)
        given |= {"num_concurrent": 1, "batch_size": 1}
    elif "batch_size" in parameters:
        given["batch_size"] = (
            concurrency  # never "auto": lm-eval would measure it again for each call
        )
    if "device" in parameters:
        given.setdefault("device", _device())
    for seed in ("seed", "random_seed"):
        if seed in parameters:
            fixed[seed] = settings.draw_seed(0)
    lm = _create(name, kind, {**given, **fixed})
    if api and not lm.base_url:
        raise UsageError(
            f"--engine lm_eval:{name} needs a server: --engine-arg base_url=http://HOST:PORT/v1/.. "
            "(the whole address, as lm-eval wants it: ../chat/completions or ../completions)"
        )
    _check_reasoning(name, lm, settings.think_end)
    if hasattr(getattr(lm, "model", None), "generation_config"):
        drop_generation_defaults(lm.model)
    return Loaded(
        name,
        lm,
        api,
        _sends_seed(lm) if api else name == "vllm",
        "add_bos_token" in given,
        concurrency,
        shown,
    )


def _model_class(name: str) -> tuple[Any, bool]:
    """The class of a model and whether it is an API client. UsageError where there is none."""
    try:
        import lm_eval.models  # noqa: F401 - registers them
        from lm_eval.api.registry import MODEL_REGISTRY, get_model
        from lm_eval.models.api_models import TemplateAPI
    except ImportError as error:
        raise UsageError(f"the lm_eval engine needs {error.name}: {_MISSING}") from error
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    known = sorted(MODEL_REGISTRY.keys())
    if name not in known:
        near = get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
        what = f"no model {name!r}" if name else "no model without a name"
        raise UsageError(f"--engine lm_eval:{name}: lm-eval has {what}; {hint}")
    try:
        kind = get_model(name)
    except ImportError as error:
        raise _missing(name, error) from error
    return kind, isinstance(kind, type) and issubclass(kind, TemplateAPI)


def _silence_bars() -> None:
    """Hide lm-eval's progress bar of each call; the run has one of its own."""
    import tqdm

    tqdm.tqdm.__init__ = partialmethod(tqdm.tqdm.__init__, disable=True)


def _missing(name: str, error: ImportError) -> UsageError:
    text = (str(error).strip().splitlines() or [""])[0]
    return UsageError(f"lm-eval's {name} model needs a package that is not installed: {text}")


def _device() -> str:
    """A GPU where there is one; lm-eval's default is a GPU in any case."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _model_argument(parameters: Mapping[str, Any], api: bool) -> str:
    if not api and "pretrained" in parameters:
        return "pretrained"
    return "model" if api or "model" in parameters else "pretrained"


def _create(name: str, kind: Any, arguments: dict[str, Any]) -> Any:
    try:
        return kind.create_from_arg_obj(arguments)
    except ImportError as error:
        raise _missing(name, error) from error
    except TypeError as error:
        if "unexpected keyword" in str(error):
            raise UsageError(f"--engine-arg: lm-eval's {name} model does not take it: {error}") from error  # fmt: skip
        raise _unloadable(name, error) from error
    except Exception as error:  # whatever a library raises for a model that it cannot load
        raise _unloadable(name, error) from error


def _unloadable(name: str, error: Exception) -> DataError:
    return DataError(f"lm-eval's {name} model cannot be loaded: {first_line(error, 300)}")


def _sends_seed(client: Any) -> bool:
    """Whether an API client sends a seed."""
    try:
        payload = client._create_payload(
            [{"role": "user", "content": "x"}], generate=True, gen_kwargs={}, seed=1, eos=None
        )
    except Exception:  # a client with another signature: it gets none
        return False
    return "seed" in payload


def _check_reasoning(name: str, lm: Any, think_end: str) -> None:
    """DataError where lm-eval would drop the tag that ends reasoning from the text."""
    special = getattr(getattr(lm, "tokenizer", None), "all_special_tokens", ())
    if hasattr(lm, "tok_decode") and think_end in special:
        raise DataError(
            f"lm-eval's {name} model drops special tokens from its text, and {think_end} is one of "
            "this model: reasoning would be graded; use lm_eval:vllm or another engine"
        )
