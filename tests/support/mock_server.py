"""A chat-completions server that replies by a script: right or wrong, late, or not at all.

In a test it runs on a thread of its own; `python -m tests.support.mock_server --help` runs it as a
process, where GET /stats returns what it has received and POST /reset starts afresh.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support import server_kinds
from tests.support.limiters import Limiter

_BACKLOG = 4096  # connections that wait to be accepted

Reply = Callable[[dict[str, Any], int], Any]
"""Given a body and the number of its request, returns a text, a (status, body) or a message."""


@dataclass
class Script:
    """How the server behaves; shares are drawn for each request.

    Args:
        reply: the text of a completion.
        mean: of the lognormal latency in seconds; 0 answers at once.
        sigma: of its logarithm.
        failures: shares of requests that end in "500", "429", "drop" or "truncated".
        retry_after: header of a 429.
        models: what /v1/models lists.
        key: the bearer token that it requires, if any.
        context: tokens of prompt and completion together; more is refused as vLLM does.
        hold: replies wait until so many requests are in flight.
        vllm: whether /models names vLLM as the owner, and /version answers.
        kind: of server that it replies as, see `server_kinds`; for a proxy that of the one behind
            is `behind`.
        behind: likewise.
        drops: fields that never reach what samples.
        batching: whether a `transformers` server draws all samples as its first request says.
        root: of the model's entry, and the path in llama.cpp's /props.
        listed: whether there is a list of models.
        pricing: what the list says of a model's price.
        usage: further fields of each reply's usage.
        guards: whether it knows `repetition_detection`; None refuses the field in any form.
        budgets: whether it knows `thinking_token_budget`; None refuses the field in any form.
        efforts: the values of `reasoning_effort` that it accepts; None takes any.
        rendered: the prompt for the variables of a chat template, for /tokenize and /detokenize,
            where a token is a character; None has neither.
        applies: whether it shows that prompt at llama.cpp's /apply-template instead.
        seed: of latencies and failures.
        limiter: refuses requests to /chat/completions for its rate limit.
        limit_headers: of its refusals, given the seconds until a request is granted.
        models_status: of the list of models, instead of the list; the first so many requests.
    """

    reply: Reply = lambda body, number: "<think>hm</think>\\boxed{4}"
    mean: float = 0.0
    sigma: float = 0.5
    failures: Mapping[str, float] = field(default_factory=dict)
    retry_after: str | None = None
    models: tuple[str, ...] = ("mock",)
    key: str | None = None
    context: int | None = None
    hold: int = 0
    vllm: bool = False
    kind: str = ""
    behind: str = ""
    drops: tuple[str, ...] = ()
    batching: bool = False
    root: str | None = None
    listed: bool = True
    pricing: Any = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    guards: bool | None = False
    budgets: bool | None = False
    efforts: tuple[str, ...] | None = None
    rendered: Callable[[Mapping[str, Any]], str] | None = None
    applies: bool = False
    seed: int = 0
    limiter: Limiter | None = None
    limit_headers: Callable[[float], Mapping[str, str]] = lambda wait: {}
    models_status: tuple[int, float] = (200, 0)


class Mock:
    """The server's handlers, and what it has received."""

    def __init__(self, script: Script) -> None:
        self.script, self.down = script, False
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        self.random = random.Random(self.script.seed if seed is None else seed)
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answered: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.full = asyncio.Event()  # as many requests are in flight as the script asks for
        self.arrivals: list[float] = []
        self.last_reply = 0.0
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.cpu_at_reset = usage.ru_utime + usage.ru_stime

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 26)
        app.add_routes(
            [
                web.get("/v1/models", self.list_models),
                web.post("/v1/chat/completions", self.complete),
                web.get("/version", self.version),
                web.get("/props", self.props),
                web.get("/openapi.json", self.described),
                web.get("/model/info", self.deployments),
                web.post("/tokenize", self.tokenize),
                web.post("/detokenize", self.detokenize),
                web.post("/apply-template", self.apply_template),
                web.get("/health", self.health),
                web.get("/stats", self.stats),
                web.post("/reset", self.start_over),
            ]
        )
        return app

    async def health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def version(self, _: web.Request) -> web.Response:
        if not self.script.vllm:
            raise web.HTTPNotFound
        return web.json_response({"version": "0.0.mock"})

    async def props(self, _: web.Request) -> web.Response:
        path = self.script.root or self.script.models[0]
        return _found(server_kinds.props(self.script.kind, path, self.script.context))

    async def described(self, _: web.Request) -> web.Response:
        return _found(server_kinds.described(self.script.kind))

    async def deployments(self, _: web.Request) -> web.Response:
        if self.script.kind != "litellm":
            raise web.HTTPNotFound
        info = {"max_input_tokens": self.script.context}
        rows = [
            {"model_name": id, "litellm_params": {"model": f"hosted_vllm/{id}"}, "model_info": info}
            for id in self.script.models
        ]
        return web.json_response({"data": rows})

    async def tokenize(self, request: web.Request) -> web.Response:
        if self.script.rendered is None:
            raise web.HTTPNotFound
        body = await request.json()
        if self.script.applies:  # llama.cpp's own takes another field, and ignores these
            return web.json_response({"tokens": []})
        text = body.get("prompt")
        if text is None:
            text = self.script.rendered(body.get("chat_template_kwargs", {}))
        return web.json_response({"tokens": [ord(letter) for letter in text]})

    async def apply_template(self, request: web.Request) -> web.Response:
        if self.script.rendered is None or not self.script.applies:
            raise web.HTTPNotFound
        body = await request.json()
        return web.json_response(
            {"prompt": self.script.rendered(body.get("chat_template_kwargs", {}))}
        )

    async def detokenize(self, request: web.Request) -> web.Response:
        tokens = (await request.json())["tokens"]
        return web.json_response({"prompt": "".join(map(chr, tokens))})

    async def list_models(self, request: web.Request) -> web.Response:
        if refused := self.wrong_key(request):
            return refused
        if not self.script.listed:
            raise web.HTTPNotFound
        script, kind = self.script, "vllm" if self.script.vllm else self.script.kind
        status, times = script.models_status
        self.outcomes["listed"] += 1
        if status != 200 and self.outcomes["listed"] <= times:
            waits = {"Retry-After": script.retry_after} if script.retry_after else {}
            return error(status, "no list of models now", waits)
        extra = {} if script.pricing is None else {"pricing": script.pricing}
        entries = [
            server_kinds.entry(kind, id, context=script.context, root=script.root)
            for id in script.models
        ]
        return web.json_response({"data": [{**entry, **extra} for entry in entries]})

    async def stats(self, _: web.Request) -> web.Response:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return web.json_response(
            {
                "requests": len(self.arrivals),
                "most_in_flight": self.most_in_flight,
                "first_request": self.arrivals[0] if self.arrivals else None,
                "last_request": self.arrivals[-1] if self.arrivals else None,
                "last_reply": self.last_reply,
                "answered": dict(self.answered),
                "cpu": usage.ru_utime + usage.ru_stime - self.cpu_at_reset,
            }
        )

    async def start_over(self, request: web.Request) -> web.Response:
        self.reset((await request.json()).get("seed"))
        return web.Response()

    def wrong_key(self, request: web.Request) -> web.Response | None:
        sent = request.headers.get("Authorization", "")
        if self.script.key is None or sent == f"Bearer {self.script.key}":
            return None
        # Some servers quote the key that they refuse.
        return error(401, f"Incorrect API key provided: {sent.removeprefix('Bearer ')}")

    async def complete(self, request: web.Request) -> web.StreamResponse:
        now = time.time()
        if refused := self.wrong_key(request):
            return refused
        body = json.loads(await request.read())
        number = len(self.arrivals)
        self.arrivals.append(now)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return self.limited() or await self.respond(request, body, number)
        finally:
            self.in_flight -= 1
            self.last_reply = time.time()

    def limited(self) -> web.Response | None:
        """The refusal for the rate limit, if the request is beyond it."""
        limiter = self.script.limiter
        wait = limiter.take(time.monotonic()) if limiter is not None else 0.0
        if not wait:
            return None
        self.outcomes["limited"] += 1
        return error(429, "rate limit", self.script.limit_headers(wait))

    async def respond(
        self, request: web.Request, body: dict[str, Any], number: int
    ) -> web.StreamResponse:
        if refused := self.refused_kind(body):
            return refused
        failure = await self.take_time()
        self.outcomes[failure or "answered"] += 1
        if failure == "500":
            return error(500, "internal")
        if failure == "429":
            headers = {"Retry-After": self.script.retry_after} if self.script.retry_after else {}
            return error(429, "too many requests", headers)
        if failure == "drop" and request.transport is not None:
            request.transport.abort()
            return web.Response()
        prompt = body["messages"][-1]["content"]
        n_prompt = len(prompt) // 4
        if refused := self.refused_field(body):
            return refused
        reply = self.script.reply(body, number)
        if isinstance(reply, tuple):
            waits = {"Retry-After": self.script.retry_after} if self.script.retry_after else {}
            return web.json_response(reply[1], status=reply[0], headers=waits)
        cap = body.get("max_tokens") or body.get("max_completion_tokens") or 16
        if self.script.context and n_prompt + cap > self.script.context:
            return error(400, f"'max_tokens' is too large: {cap}. This model's maximum context "
                              f"length is {self.script.context} tokens and your request has "
                              f"{n_prompt} input tokens")  # fmt: skip
        answer = completion(reply, n_prompt)
        answer["usage"].update(self.script.usage)
        if "llamacpp" in (self.script.kind, self.script.behind):
            answer["timings"] = {"predicted_n": answer["usage"]["completion_tokens"]}
        if failure == "truncated":
            text = json.dumps(answer)
            return web.Response(text=text[: len(text) // 2], content_type="application/json")
        self.answered[prompt] += 1
        return web.json_response(answer)

    def refused_kind(self, body: dict[str, Any]) -> web.Response | None:
        """The refusal of a model or a field by the server, or by the one behind it."""
        script = self.script
        named = server_kinds.refusal(script.kind, {"model": body["model"]}, script.models)
        kept = {name: value for name, value in body.items() if name not in script.drops}
        kind = script.behind or script.kind
        if refused := named or server_kinds.refusal(kind, kept, (body["model"],)):
            return web.json_response(refused[1], status=refused[0])
        sampled = json.loads(body.get("generation_config") or "{}").get("do_sample")
        below = sampled and not script.batching and body.get("temperature", 1) < 0
        if kind == "transformers" and below:
            return error(500, "`temperature` has to be a strictly positive float")
        return None

    def refused_field(self, body: Mapping[str, Any]) -> web.Response | None:
        """The refusal of a field that the server does not know in this form."""
        detection = body.get("repetition_detection")
        if detection is not None and not _takes(self.script.guards, detection["min_count"]):
            return error(400, "repetition_detection: not like this")
        budget = body.get("thinking_token_budget")
        if budget is not None and not _takes(self.script.budgets, budget):
            return error(400, "thinking_token_budget is set but reasoning_config is not configured")
        effort, known = body.get("reasoning_effort"), self.script.efforts
        if effort is not None and known is not None and effort not in known:
            return error(422, f"reasoning_effort: {effort} is none of {known}")
        return None

    async def take_time(self) -> str | None:
        """Wait for the latency of a reply; returns what goes wrong with it, if anything."""
        failure, seconds = self.draw()
        await asyncio.sleep(seconds)
        if self.most_in_flight < self.script.hold:
            await self.full.wait()
        self.full.set()
        return "drop" if self.down else failure

    def draw(self) -> tuple[str | None, float]:
        point, failure = self.random.random(), None
        for name, share in self.script.failures.items():
            if 0 <= point < share:
                failure = name
            point -= share
        if not self.script.mean:
            return failure, 0.0
        middle = math.log(self.script.mean) - self.script.sigma**2 / 2
        return failure, self.random.lognormvariate(middle, self.script.sigma)


def _found(answer: Any) -> web.Response:
    if answer is None:
        raise web.HTTPNotFound
    return web.json_response(answer)


def _takes(knows: bool | None, number: object) -> bool:
    """Whether a field is taken: a number where it is known, anything where it is ignored."""
    return knows is not None and (not knows or isinstance(number, int))


def error(status: int, message: str, headers: Mapping[str, str] = {}) -> web.Response:
    return web.json_response({"error": {"message": message}}, status=status, headers=headers)


def completion(reply: Any, n_prompt: int) -> dict[str, Any]:
    """The JSON of a completion, from a text or from a choice with further fields."""
    choice = reply if isinstance(reply, dict) else {"message": {"content": reply}}
    text = str(choice["message"].get("content") or "")
    n_tokens = max(1, len(text) // 4)
    usage = {"prompt_tokens": n_prompt, "completion_tokens": n_tokens}
    return {
        "choices": [{"index": 0, "finish_reason": "stop", **choice}],
        "usage": {**usage, **choice.get("usage", {})},
    }


class Running:
    """A mock on a thread with a loop of its own; it can go down and come back on its port."""

    def __init__(self, script: Script | None = None) -> None:
        self.mock = Mock(script or Script())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Running:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def up(self) -> None:
        self._wait(self._up())

    def down(self) -> None:
        """Drop every connection, and stop listening."""
        self._wait(self._down())

    def _wait(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _up(self) -> None:
        self.mock.down, self.mock.full = False, asyncio.Event()
        self._runner = web.AppRunner(self.mock.app(), shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, "127.0.0.1", self.port, reuse_address=True, backlog=_BACKLOG
        )
        await site.start()

    async def _down(self) -> None:
        self.mock.down = True
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.mock.full.set()  # for a request that was accepted at that very moment


class Answers:
    """Replies to the problems of a task: right by a given share, as long as is asked for."""

    def __init__(self, answers: Mapping[str, str], right: float, size: int) -> None:
        self._answers = dict(answers)
        self._wrong = list(self._answers.values())
        self._right, self._random = right, random.Random(0)
        filler = "so we check once more what was given and continue from there; "
        self._reasoning = (filler * (size // len(filler) + 1))[: max(0, size - 60)]

    def __call__(self, body: dict[str, Any], number: int) -> str:
        prompt = body["messages"][-1]["content"]
        answer = next((a for s, a in self._answers.items() if s in prompt), "0")
        if self._random.random() >= self._right:
            answer = self._random.choice([w for w in self._wrong if w != answer] or ["0"])
        return f"<think>Try {number}: {self._reasoning}</think>So it is \\boxed{{{answer}}}."


def task_answers(task: str, limit: int | None = None) -> dict[str, str]:
    """Statements and reference answers of a task of ours."""
    from harness.data.datasets import load_problems
    from harness.registry import tasks

    problems = load_problems(tasks()[task], None, limit=limit)
    return {problem.statement: problem.answer or "" for problem in problems}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--task", default="practice_math")
    parser.add_argument("--model", default="mock")
    parser.add_argument("--mean", type=float, default=0.0, help="seconds of latency")
    parser.add_argument("--bytes", type=int, default=8000, help="length of a reply")
    parser.add_argument("--right", type=float, default=1.0, help="share of right answers")
    parser.add_argument("--failure", action="append", default=[], metavar="NAME=SHARE")
    options = parser.parse_args()
    shares = (option.partition("=") for option in options.failure)
    failures = {name: float(share) for name, _, share in shares}
    answers = Answers(task_answers(options.task), options.right, options.bytes)
    script = Script(
        reply=answers,
        mean=options.mean,
        failures=failures,
        models=(options.model,),
        seed=options.port,
    )
    web.run_app(
        Mock(script).app(), host="127.0.0.1", port=options.port, print=None, access_log=None,
        backlog=_BACKLOG,
    )  # fmt: skip


if __name__ == "__main__":
    main()
