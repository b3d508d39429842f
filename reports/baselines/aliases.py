"""One name for each model, whatever sources and servers call it: models.yaml.

Models that only look alike keep their own names: sizes, checkpoints and efforts are different models.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, RootModel

from .yaml_document import read_yaml

_MODELS = Path(__file__).parent / "models.yaml"


class Spellings(BaseModel):
    """The other names of a model: as sources print it, and as it is served (a hub id, a snapshot)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: tuple[str, ...] = ()
    served_as: tuple[str, ...] = ()


class _AllSpellings(RootModel[dict[str, Spellings]]):
    pass


def read_models() -> dict[str, Spellings]:
    """The spellings of each model that has several.

    Raises:
        DataError: a file that does not follow the schema, or a spelling of two models.
    """
    document = read_yaml(_MODELS)
    models = document.parse(_AllSpellings).root
    owner = {name.lower(): name for name in models}
    for name, spellings in models.items():
        for part in ("labels", "served_as"):
            for at, spelling in enumerate(getattr(spellings, part)):
                other = owner.setdefault(spelling.lower(), name)
                if other != name:
                    raise document.error((name, part, at), f"{spelling!r} is {other} already")
    return models


@cache
def _names() -> dict[str, str]:
    return {
        spelling.lower(): name
        for name, spellings in read_models().items()
        for spelling in (name, *spellings.labels, *spellings.served_as)
    }


def canonical(label: str) -> str:
    """The name of a model that a source or a server calls `label`; the label itself where unknown."""
    return _names().get(label.lower(), label)
