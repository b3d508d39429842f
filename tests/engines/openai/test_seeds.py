"""Whether a server keeps to seeds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from harness.engines import make_engine
from harness.engines.openai.seeds import Seeds, remark_on_seeds, try_seeds
from harness.engines.openai.server import Refusal, TransientError
from harness.engines.settings import EngineSettings
from harness.sampling import Sampling
from tests.support.mock_server import Running, Script


def reply(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}, "finish_reason": "length"}]}


class Server:
    """Answers with random words, drawn as its kind does; counts its requests in flight."""

    def __init__(self, draw: Callable[[Server, int], random.Random]) -> None:
        self._draw = draw
        self.shared = random.Random(1)
        self.bodies: list[Mapping[str, Any]] = []
        self.most = self._now = 0

    async def ask(self, fields: Mapping[str, Any]) -> Any:
        self.bodies.append(fields)
        self._now += 1
        self.most = max(self.most, self._now)
        generator, words = self._draw(self, fields["seed"]), []
        for _ in range(8):
            await asyncio.sleep(0)  # the others' turn
            words.append(str(generator.random()))
        self._now -= 1
        return reply(" ".join(words))


def own(server: Server, seed: int) -> random.Random:
    return random.Random(seed)


def reseeded(server: Server, seed: int) -> random.Random:
    """One generator for all requests, as `transformers serve` has it."""
    server.shared.seed(seed)
    return server.shared


def ignored(server: Server, seed: int) -> random.Random:
    return server.shared


def constant(server: Server, seed: int) -> random.Random:
    return random.Random(0)


@pytest.mark.parametrize(
    ("draw", "found", "said"),
    [
        (own, Seeds.KEPT, None),
        (reseeded, Seeds.ALONE, "keeps to a seed only while no other request is in flight"),
        (ignored, Seeds.IGNORED, "ignores seeds, as two requests with one seed gave two texts"),
        (constant, Seeds.UNKNOWN, "gave one text for two seeds"),
    ],
)
def test_what_the_texts_tell(
    draw: Callable[[Server, int], random.Random], found: Seeds, said: str | None
) -> None:
    server = Server(draw)
    assert asyncio.run(try_seeds(server.ask, 7, "max_tokens", 4000)) is found
    line = remark_on_seeds(found, "http://a/v1")
    assert line is None if said is None else said in str(line)
    assert server.most == (4 if found in (Seeds.KEPT, Seeds.ALONE) else 1)
    assert {body["max_tokens"] for body in server.bodies} == {48}
    assert not {"temperature", "top_p"} & set(server.bodies[0])  # the run's own, which `ask` sends


def test_the_cap_of_the_run_is_kept() -> None:
    server = Server(own)
    asyncio.run(try_seeds(server.ask, 7, "max_completion_tokens", 12))
    assert {body["max_completion_tokens"] for body in server.bodies} == {12}


@pytest.mark.parametrize("error", [Refusal(400, "no seed"), TransientError("busy")])
def test_a_server_that_fails_is_left_to_the_run(error: Exception) -> None:
    async def ask(fields: Mapping[str, Any]) -> Any:
        raise error

    assert asyncio.run(try_seeds(ask, 7, "max_tokens", None)) is None
    assert remark_on_seeds(None, "http://a/v1") is None


def test_a_seeded_run_on_a_server_that_ignores_seeds_says_so_once() -> None:
    notices: list[str] = []
    texts = random.Random(3)
    script = Script(reply=lambda body, number: f"{texts.random()} {texts.random()}")
    sampling = Sampling(k=4, temperature=0.6, top_p=0.95, max_tokens=50)
    with Running(script) as server:
        engine = make_engine(
            EngineSettings(
                engine="openai", model="mock", base_url=server.url, seeded=True,
                samplings=(sampling,), notify=notices.append,
            )
        )  # fmt: skip
        assert engine.fingerprint()["seeds"] == "ignored"
        assert sum("ignores seeds" in line for line in notices) == 1
        probes = [body for body in server.mock.bodies if "story" in str(body["messages"])]
        assert {(body["temperature"], body["top_p"]) for body in probes} == {(0.6, 0.95)}
        asyncio.run(engine.close())


def test_greedy_and_unseeded_runs_try_no_seeds() -> None:
    with Running(Script()) as server:
        for seeded, temperature in ((True, 0.0), (False, 0.6)):
            sampling = Sampling(temperature=temperature, max_tokens=50)
            engine = make_engine(
                EngineSettings(engine="openai", model="mock", base_url=server.url, seeded=seeded,
                               samplings=(sampling,))
            )  # fmt: skip
            assert "seeds" not in engine.fingerprint()
            asyncio.run(engine.close())
        assert not any("story" in str(body["messages"]) for body in server.mock.bodies)
