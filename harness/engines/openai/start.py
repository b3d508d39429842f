"""Opens the openai engine: connects to servers, or starts `vllm serve` for the run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.engines.openai.address import Address
from harness.engines.openai.engine import OpenAIEngine
from harness.engines.openai.options import Options, parse_options
from harness.engines.openai.probe_servers import probe_servers
from harness.engines.openai.reasoning import serve_reasoning
from harness.engines.openai.serve import VllmServer, serve_arguments
from harness.engines.openai.server import Client, Server
from harness.engines.settings import EngineSettings
from harness.engines.vllm.invariance import check_batch_invariant
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.engines.chat import Chat


def open_engine(settings: EngineSettings) -> OpenAIEngine:
    """The openai engine, its servers probed.

    Blocks, and runs an event loop of its own: call it from a thread without one.

    Raises:
        UsageError: an option that cannot be honoured, no URL, or `--serve` without vLLM.
        DataError: the tokenizer cannot be loaded.
        EngineDown: no server answers, or one refuses the key or does not serve the model.
    """
    options = parse_options(settings)
    if not settings.serve:
        return _connect(settings, options, _urls(settings), None)
    arguments = serve_arguments(serve_reasoning(settings, options.serve))
    if options.batch_invariant:
        check_batch_invariant()
    served = VllmServer(settings, arguments, options.serve_seconds,
                        batch_invariant=options.batch_invariant)  # fmt: skip
    try:
        served.wait_until_ready()
        return _connect(settings, options, [served.url], served)
    except BaseException:
        served.stop(keep_log=True)
        raise


def load_chat(settings: EngineSettings, options: Options) -> Chat | None:
    """The model's tokenizer, to count the tokens of reasoning; None where none is given."""
    path = options.tokenizer or (settings.model if settings.serve else None)
    if path is None:
        return None
    from harness.engines.chat import Chat

    return Chat(path, settings.revision if settings.serve else None, settings.think_end)


def _connect(
    settings: EngineSettings,
    options: Options,
    urls: Sequence[str],
    served: VllmServer | None,
) -> OpenAIEngine:
    chat = load_chat(settings, options)
    key = None if served else os.environ.get("OPENAI_API_KEY", "").strip()
    client = Client()
    servers = [Server(Address.parse(url, key, options.headers), client) for url in urls]
    model = options.model_name(settings)
    info = asyncio.run(probe_servers(servers, model, settings, options, chat))
    return OpenAIEngine(settings, options, servers, info, served=served, chat=chat)


def _urls(settings: EngineSettings) -> list[str]:
    given = settings.base_url or os.environ.get("OPENAI_BASE_URL") or ""
    urls = [url.strip() for url in given.split(",") if url.strip()]
    if not urls:
        raise UsageError(
            "--engine openai needs --base-url URL (or OPENAI_BASE_URL), or --serve to start a "
            "server of its own"
        )
    return urls
