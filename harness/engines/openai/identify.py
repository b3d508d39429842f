"""What a server shows of itself before it is asked for a completion: its kind, its model, its window.

Only small GETs: the first completion that `transformers serve --continuous-batching` is asked for
rules the sampling of all later ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.engines.openai.kinds import (
    LITELLM,
    LLAMA_CPP_PYTHON,
    LLAMACPP,
    OPENAI,
    TRANSFORMERS,
    UNKNOWN,
    ServerKind,
    listed_kind,
    named_kind,
)
from harness.engines.openai.models import ModelEntry, list_models, optional_exchange
from harness.errors import EngineDown, UsageError

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from harness.engines.openai.address import Address
    from harness.engines.openai.server import Server

_OPENAI = "api.openai.com"  # and those of its regions
_TITLES = {"LiteLLM": LITELLM, "llama.cpp Python": LLAMA_CPP_PYTHON}
_LOADS_MODELS = "/load_model"  # a path that `transformers serve` alone has
_SIZES = ("n_params", "n_vocab", "n_embd", "size")  # of llama.cpp's `meta`


@dataclass(frozen=True, slots=True)
class Shown:
    """What one server shows of itself.

    Args:
        kind: that it shows; UNKNOWN where it shows none.
        listed: its /models.
        entry: the one of the run's model; empty where there is none.
        model: what says which model it serves, by name; empty where nothing does.
        context: tokens of prompt and completion together.
        slots: requests that it works on side by side.
    """

    kind: ServerKind
    listed: Sequence[ModelEntry] = ()
    entry: ModelEntry = field(default_factory=dict)
    model: Mapping[str, str] = field(default_factory=dict)
    context: int | None = None
    slots: int | None = None


async def identify(session: ClientSession, address: Address, model: str) -> Shown:
    """What a server shows.

    Args:
        session: the connections.
        address: of the server.
        model: the name that the run has for the model.

    Raises:
        EngineDown: it refuses the key, or the base URL lacks /v1.
        Unreachable, TransientError: it does not answer.
    """
    listed = await list_models(session, address)
    entry = next((entry for entry in listed if model in _names(entry)), {})
    kinds = {listed_kind(other) for other in ([entry] if entry else listed)}
    kind = kinds.pop() if len(kinds) == 1 else UNKNOWN
    if kind is UNKNOWN:
        kind = await _further(session, address)
    if not entry and kind.any_name and len(listed) == 1:
        entry = listed[0]
    props = await optional_exchange(session, address.root, "/props") if kind is LLAMACPP else None
    rows = await _deployments(session, address, model) if kind in (LITELLM, UNKNOWN) else []
    if rows:  # its description may be switched off
        kind = LITELLM
    found = _model(kind, listed, entry, props)
    if behind := {str(row["litellm_params"].get("model")) for row in rows}:
        found["behind"] = ", ".join(sorted(behind))
    infos = [row.get("model_info") for row in rows]
    windows = [_context(entry, props, info if isinstance(info, dict) else {})
               for info in infos or [{}]]  # fmt: skip
    context = min(filter(None, windows), default=None)
    return Shown(kind, listed, entry, found, context, _slots(props))


async def _further(session: ClientSession, address: Address) -> ServerKind:
    """The kind of a server whose list of models does not show it."""
    host = urlsplit(address.shown).hostname or ""
    if host == _OPENAI or host.endswith(f".{_OPENAI}"):
        return OPENAI
    described = await optional_exchange(session, address.root, "/openapi.json")
    if not isinstance(described, dict):
        return UNKNOWN
    about, paths = described.get("info"), described.get("paths")
    title = str(about.get("title")) if isinstance(about, dict) else ""
    if isinstance(paths, dict) and _LOADS_MODELS in paths:
        return TRANSFORMERS
    return next((kind for part, kind in _TITLES.items() if part in title), UNKNOWN)


def chosen_kind(shown: ServerKind, named: str | None, where: str) -> ServerKind:
    """The kind that a server is dealt with as.

    Args:
        shown: the kind that it shows.
        named: what the user says stands there; None leaves it to the server.
        where: its address.

    Raises:
        UsageError: it shows to be another one, which samples itself.
    """
    if named is None:
        return shown
    kind = named_kind(named)
    certain = not (shown is UNKNOWN or shown.proxy)
    if certain and kind is not shown and kind.neutral != shown.neutral:
        raise UsageError(
            f"--engine-arg server={named}: {where} shows that it is {shown.name}; leave the option "
            "out, or name what stands there"
        )
    return kind


def check_name(shown: Shown, model: str, where: str) -> None:
    """Check that a server which answers any name serves the model that the run names.

    Args:
        shown: by the server.
        model: as the run names it.
        where: the server's address.

    Raises:
        EngineDown: it lists its model under another name.
    """
    if not shown.kind.any_name or not shown.listed:
        return
    known = [name for entry in shown.listed for name in _names(entry)]
    if model in known or model in {PurePath(name).name for name in known}:
        return
    if model in {PurePath(name).stem for name in known}:
        return
    others = ", ".join(dict.fromkeys(PurePath(name).name for name in known))
    raise EngineDown(
        f"{where} serves {others}, and answers a request for any other name with that: "
        f"--model {others} if that is the model meant, else start the server with {model}"
    )


def other_model(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """How the model that a server serves differs from the one before; None where it does not.

    What is not known of one of them is no difference.
    """
    changed = [
        f"{name} {before[name]} against {now[name]}"
        for name in before
        if name in now and before[name] != now[name]
    ]
    return ", ".join(changed) or None


async def confirm_model(server: Server, model: str) -> None:
    """Check that a server which may have been restarted still serves the model that it had.

    Args:
        server: that answers; nothing is asked where there is no doubt.
        model: the name that the run has for the model.

    Raises:
        EngineDown: it serves another one, or refuses the key.
        Unreachable, TransientError: it does not answer.
    """
    if server.kind is UNKNOWN and not server.model:
        return
    async with server.confirming:
        if server.doubted:
            await _confirm(server, model)
            server.doubted = False


async def _confirm(server: Server, model: str) -> None:
    shown = await identify(server.client.session, server.address, model)
    difference = other_model(server.model, shown.model)
    certain = not (shown.kind is UNKNOWN or shown.kind.proxy)
    if not server.model and certain and server.kind is not shown.kind:
        difference = f"{server.kind.name} against {shown.kind.name}"
    if difference:
        raise EngineDown(
            f"{server.address.shown} came back with another model ({difference}): samples of two "
            "models are no run; start the first one again, and the same command resumes, for what "
            "is finished is kept"
        )
    server.model = server.model or shown.model


def _names(entry: ModelEntry) -> list[str]:
    aliases = entry.get("aliases")
    further = aliases if isinstance(aliases, list) else []
    return [str(name) for name in (entry.get("id"), *further) if name]


def _model(
    kind: ServerKind, listed: Sequence[ModelEntry], entry: ModelEntry, props: Any
) -> dict[str, str]:
    found: dict[str, object] = {}
    if kind.one_model and len(listed) == 1:
        found["model"] = listed[0].get("id")
    found["root"] = entry.get("root")
    meta = entry.get("meta")
    if kind is LLAMACPP and isinstance(meta, dict):
        found |= {name: meta.get(name) for name in _SIZES}
    if isinstance(props, dict):
        found["file"] = props.get("model_path")
    return {name: str(value) for name, value in found.items() if value}


def _context(entry: ModelEntry, props: Any, info: Mapping[str, Any]) -> int | None:
    """The window of one request: of one slot, where a server divides its own among several."""
    nested = {name: entry.get(name) for name in ("metadata", "meta")}
    parts = {name: part if isinstance(part, dict) else {} for name, part in nested.items()}
    slot = props.get("default_generation_settings") if isinstance(props, dict) else None
    stated = (
        entry.get("max_model_len"),
        parts["metadata"].get("max_request_context_length"),
        slot.get("n_ctx") if isinstance(slot, dict) else None,
        parts["meta"].get("n_ctx"),
        info.get("max_input_tokens"),
    )
    return next((value for value in stated if isinstance(value, int) and value > 0), None)


def _slots(props: Any) -> int | None:
    found = props.get("total_slots") if isinstance(props, dict) else None
    return found if isinstance(found, int) and found > 0 else None


async def _deployments(
    session: ClientSession, address: Address, model: str
) -> list[Mapping[str, Any]]:
    """What LiteLLM's proxy says of the servers behind a model; none where it is another server."""
    answer = await optional_exchange(session, address.root, "/model/info")
    data = answer.get("data") if isinstance(answer, dict) else None
    return [
        row
        for row in (data if isinstance(data, list) else ())
        if isinstance(row, dict)
        and row.get("model_name") == model
        and isinstance(row.get("litellm_params"), dict)
    ]


def kind_by_reply(reply: Any) -> ServerKind:
    """The kind of the server that a completion came from, which a proxy passes on."""
    timings = reply.get("timings") if isinstance(reply, dict) else None
    return LLAMACPP if isinstance(timings, dict) and "predicted_n" in timings else UNKNOWN
