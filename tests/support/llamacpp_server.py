"""llama.cpp's own server, out of the package xllamacpp, as a program. Runs in its environment.

    python llamacpp_server.py late.gguf PORT [SLOTS]

Left at the defaults of the server but for what a test needs: float32 all through, so that greedy
texts are those of transformers, and a context of 4,096 tokens in each of the slots.
"""

from __future__ import annotations

import signal
import sys

import xllamacpp

CONTEXT = 4096


def parameters(path: str, port: int, slots: int) -> xllamacpp.CommonParams:
    """What the server is started with."""
    given = xllamacpp.CommonParams()
    given.model.path = path
    given.port = port
    given.n_parallel = slots
    given.n_ctx = CONTEXT * slots
    given.cache_type_k = given.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = 1
    # What `llama-server --reasoning-format none` does: the package's own default is another.
    given.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    given.ui = given.warmup = False
    return given


def main(path: str, port: str, slots: str = "16") -> None:
    """Serve until a signal ends the process."""
    server = xllamacpp.Server(parameters(path, int(port), int(slots)))
    print("listening on", server.listening_address, flush=True)  # noqa: T201
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
