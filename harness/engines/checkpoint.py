"""Loads a model and its tokenizer with transformers, with errors that name what is missing."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError, first_line

_HASHED_BYTES = 1 << 20
_RENAMED_CLASS = "TokenizersBackend"


def load_tokenizer(model: str, revision: str | None) -> Any:
    """The model's tokenizer.

    Raises:
        DataError: it cannot be loaded; the message says what the folder lacks.
    """
    from transformers import AutoTokenizer

    _check_model(model)
    try:
        try:
            return AutoTokenizer.from_pretrained(model, revision=revision)
        except ValueError as error:
            if _RENAMED_CLASS not in str(error):
                raise
            # transformers 4 does not know the name that 5 writes for this class
            from transformers import PreTrainedTokenizerFast

            fast: Any = PreTrainedTokenizerFast
            return fast.from_pretrained(model, revision=revision)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{model}: no tokenizer can be loaded ({first_line(error, 200)}); a model folder holds "
            "tokenizer.json and tokenizer_config.json beside its weights"
        ) from error


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """What the configuration of a checkpoint says.

    Args:
        context: tokens of prompt and completion together.
        end_tokens: ids of the tokens that end a completion.
    """

    context: int | None = None
    end_tokens: tuple[int, ...] = ()


def checkpoint_facts(model: str) -> CheckpointFacts:
    """What config.json and generation_config.json of a model folder say; nothing where it has none.

    Args:
        model: folder. Another name says nothing.
    """
    config, generation = (
        _json(Path(model) / name) for name in ("config.json", "generation_config.json")
    )
    length = config.get("max_position_embeddings")
    end = generation.get("eos_token_id", config.get("eos_token_id"))
    ends = end if isinstance(end, list) else [end]
    return CheckpointFacts(
        context=length if isinstance(length, int) else None,
        end_tokens=tuple(token for token in ends if isinstance(token, int)),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def load_model(model: str, revision: str | None, dtype: str, device: str) -> Any:
    """The model on its device, ready to generate.

    Args:
        model: folder or hub name.
        revision: of a hub model.
        dtype: of the weights, such as "bfloat16", or "auto" for the checkpoint's own.
        device: "cpu", "cuda" or "cuda:N".

    Raises:
        DataError: it cannot be loaded, or not as it was trained.
    """
    from transformers import AutoModelForCausalLM, __version__

    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(model, revision=revision, dtype=dtype)
        if __version__.startswith("4."):
            _check_rotary(model, loaded.config.get_text_config(), __version__)
        return loaded.to(device).eval()
    except (OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
        raise DataError(
            f"{model}: the model cannot be loaded ({first_line(error, 200)})"
        ) from error


def _check_rotary(model: str, config: Any, version: str) -> None:
    """Refuse a checkpoint whose rotary embedding transformers 4 would not read, and takes its own for.

    Version 5 writes `rope_parameters` in place of `rope_theta` and `rope_scaling`. Version 4 keeps the
    name without using it, and goes on with the base of the model's class, such as 10,000.
    """
    written = getattr(config, "rope_parameters", None)
    used = {"rope_type": "default", "rope_theta": getattr(config, "rope_theta", None)}
    if written and (written != used or getattr(config, "rope_scaling", None)):
        raise DataError(
            f"{model}: transformers {version} does not read the checkpoint's rope_parameters "
            f"{written}, which transformers 5 wrote, and would use {used}: install transformers 5"
        )


def _check_model(model: str) -> None:
    path = Path(model)
    if path.is_dir() and not (path / "config.json").is_file():
        raise DataError(f"{model}: the folder holds no config.json, so it is no model folder")
    is_local = path.is_absolute() or model.startswith(".") or model.count("/") > 1
    if is_local and not path.is_dir():
        raise DataError(f"{model}: there is no such model folder")


def weights_hash(folder: Path) -> str | None:
    """Hash of a local model's weights: names, sizes, first and last MiB of each file.

    Enough to tell checkpoints apart without reading hundreds of gigabytes. None for a hub name,
    whose revision does the same.
    """
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            digest.update(file.read(_HASHED_BYTES))
            file.seek(max(0, size - _HASHED_BYTES), os.SEEK_SET)
            digest.update(file.read(_HASHED_BYTES))
    return digest.hexdigest()[:16]


def digest(data: bytes) -> str:
    """Sixteen hex digits that stand for some bytes in a fingerprint."""
    return hashlib.sha256(data).hexdigest()[:16]
