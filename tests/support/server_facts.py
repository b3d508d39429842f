"""What real servers do, asked by plain requests: each fact is a function, and its answer a cell of docs/servers.md.

    python -m tests.support.server_facts llamacpp    start one and print its facts
    make docs                                        write docs/servers.md from tests/servers/facts.yaml

tests/servers/test_facts.py holds every cell against the server itself.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.servers import MODELS, RECIPES, RealServer

ROOT = Path(__file__).parents[2]
FACTS = ROOT / "tests" / "servers" / "facts.yaml"
PAGE = ROOT / "docs" / "servers.md"
BEGIN = "<!-- facts: written by `make docs` from tests/servers/facts.yaml -->\n"
END = "<!-- end of facts -->\n"

QUESTION = "What is 3*4+5*6?"
ENDLESS = "0" * 200  # the practice model goes on with zeros for ever
OPEN = "@@@@"  # it has no idea how to go on
HOT = 1.5
DRAWS = 8
CONTINUOUS = "transformers-continuous"
LIKELIEST = 50
"""More than llama.cpp keeps by default, and as many as transformers."""

NEVER_DRAWN = 1e-6
"""How seldom all draws fall among the likeliest tokens where nothing cuts the rest off."""


@dataclass(frozen=True)
class Reply:
    """One answer of a server."""

    status: int
    body: Any

    @property
    def choices(self) -> list[dict[str, Any]]:
        assert self.status == 200, self.body
        return list(self.body["choices"])

    @property
    def text(self) -> str:
        return str(self.choices[0]["message"].get("content") or "")

    @property
    def finish(self) -> str:
        return str(self.choices[0]["finish_reason"])

    @property
    def tokens(self) -> int:
        return int(self.body["usage"]["completion_tokens"])

    @property
    def refusal(self) -> str:
        """Status, where the message stands, and the code beside it if it is a word."""
        if not isinstance(self.body, dict):
            return f"{self.status}, plain text"
        error = self.body.get("error")
        if not isinstance(error, dict):
            return f"{self.status}, {next(iter(self.body))}"
        code = error.get("type") or error.get("code")
        return f"{self.status}, error.message ({code})"


def ask(server: RealServer, **fields: Any) -> Reply:
    """One greedy completion of 200 tokens at most, unless fields say otherwise; None leaves one out."""
    body = {
        "model": server.model,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": 200,
        "temperature": 0,
        **fields,
    }
    return Reply(*server.post({name: value for name, value in body.items() if value is not None}))


def sampled(server: RealServer, **fields: Any) -> Reply:
    """A completion at a high temperature, with what this server needs in order to sample."""
    return ask(server, temperature=HOT, **{**sampling_fields(server), **fields})


def sampling_fields(server: RealServer) -> dict[str, Any]:
    """The fields without which a server does not sample."""
    if server.name.startswith("transformers"):
        return {"generation_config": json.dumps({"do_sample": True})}
    return {}


def measured(server: RealServer) -> dict[str, str]:
    """Every fact of a server by its column."""
    found = {}
    for heading, columns in sorted(TABLES.items(), key=lambda item: item[0] == SAMPLING):
        if server.name == CONTINUOUS and (heading == SAMPLING or not found):
            first = sampled if heading == SAMPLING else ask
            server.kill()
            server.start()
            first(server)  # it sets how all later ones are sampled
        found |= {name: measure(server) for name, measure in columns.items()}
    return {name: found[name] for columns in TABLES.values() for name in columns}


def version(server: RealServer) -> str:
    return f"{server.recipe.package} {server.version}"


def owner(server: RealServer) -> str:
    return str(server.get("/models")["data"][0].get("owned_by"))


def window(server: RealServer) -> str:
    entry = server.get("/models")["data"][0]
    places = {"max_model_len": entry, "n_ctx": entry.get("meta") or {}}
    for name, place in places.items():
        if place.get(name):
            return ("meta." if place is not entry else "") + f"{name} {place[name]}"
    return "not shown"


def reasoning(server: RealServer) -> str:
    message = ask(server).choices[0]["message"]
    held = [name for name, value in message.items() if value and "abs*3=210" in str(value)]
    (name,) = held
    tag = ", with the end tag" if "</think>" in message[name] else ""
    return f"message.{name}{tag}"


def rendered(server: RealServer) -> str:
    messages = {"messages": [{"role": "user", "content": QUESTION}]}
    status, body = server.post(messages, "/../apply-template")
    if status == 200 and body["prompt"].endswith("<think>\n"):
        return "POST /apply-template"
    status, body = server.post({**messages, "model": server.model}, "/../tokenize")
    if status == 200 and "tokens" in body:
        given = {"tokens": body["tokens"], "model": server.model}
        status, body = server.post(given, "/../detokenize")
        if status == 200 and body["prompt"].endswith("<think>\n"):
            return "POST /tokenize, /detokenize"
    return "not shown"


def temperature(server: RealServer) -> str:
    if server.name == CONTINUOUS:
        texts = {_text(ask(server, temperature=0)) for _ in range(DRAWS)}
        return "the first request's, for all" if len(texts) > 1 else "honoured"
    texts = {_text(ask(server, temperature=HOT)) for _ in range(DRAWS)}
    return "honoured" if len(texts) > 1 else "ignored: greedy"


def top_p(server: RealServer) -> str:
    texts = {sampled(server, top_p=1e-6).text for _ in range(DRAWS)}
    return "honoured" if texts == {ask(server).text} else "ignored"


def several(server: RealServer) -> str:
    reply = sampled(server, n=4)
    found = [choice["message"].get("content") for choice in reply.choices]
    if len(found) == 1:
        return "ignored: 1 choice"
    counted = "of all" if reply.tokens > 2 * tokens(str(found[0])) else "of one"
    return f"{len(found)} choices, usage {counted}"


def none(server: RealServer) -> str:
    reply = ask(server, n=0)
    return f"{len(reply.choices)} choice" if reply.status == 200 else reply.refusal


def seed(server: RealServer) -> str:
    one, again = ([sampled(server, seed=number).text for number in range(DRAWS)] for _ in range(2))
    if one != again:
        return "ignored"
    return "honoured" if len(set(one)) > 1 else "all equal"


def neighbours(server: RealServer) -> str:
    """Whether n choices of one seed are those of the seeds that follow it."""
    choices = sampled(server, n=4, seed=1).choices
    if len(choices) == 1:
        return "one choice only"
    joint = [choice["message"].get("content") for choice in choices]
    apart = [sampled(server, seed=number).text for number in (1, 2, 3, 4)]
    equal = sum(a == b for a, b in zip(joint, apart, strict=True))
    return f"{equal} of 4 equal"


def hidden(server: RealServer) -> str:
    """What cuts off unlikely tokens though no request asks for it."""
    ranks, mass = _first_tokens(2.0)
    draws = 1
    while (1 - mass) ** draws > NEVER_DRAWN:
        draws += 1
    given = {"messages": [{"role": "user", "content": OPEN}], "max_tokens": 1, "temperature": 2.0}
    found = [ask(server, **given, **sampling_fields(server)) for _ in range(draws)]
    starts = {_text(reply) for reply in found}
    drawn = any(ranks.get(start, 0) >= LIKELIEST for start in starts)
    return "drawn" if drawn else f"never beyond the {LIKELIEST} likeliest"


def cap(server: RealServer) -> str:
    reply = ask(server, max_tokens=5)
    return f"{reply.tokens} tokens, {reply.finish}"


def other_cap(server: RealServer) -> str:
    reply = ask(server, max_tokens=None, max_completion_tokens=5)
    return "honoured" if (reply.tokens, reply.finish) == (5, "length") else "ignored"


def no_cap(server: RealServer) -> str:
    messages = [{"role": "user", "content": ENDLESS}]
    reply = ask(server, messages=messages, max_tokens=None)
    whole = reply.body["usage"]["total_tokens"]
    return "the window" if abs(whole - 4096) <= 1 else f"{reply.tokens} tokens"


def zero(server: RealServer) -> str:
    reply = ask(server, max_tokens=0)
    if reply.status != 200:
        return reply.refusal
    return "1 token" if reply.tokens == 1 else f"{reply.tokens} tokens"


def end_token(server: RealServer) -> str:
    reply = ask(server)
    assert reply.finish == "stop"
    message = reply.choices[0]["message"]
    texts = [message.get("reasoning"), "</think>", message.get("content")]
    text = "".join(texts) if texts[0] else reply.text
    extra = reply.tokens - tokens(text)
    assert extra in (0, 1), (reply.tokens, text)
    return "counted" if extra else "not counted"


def stop(server: RealServer) -> str:
    text = ask(server, stop=["answer"]).text
    if "boxed{219}" in text:
        return "ignored"
    return "kept in the text" if "answer" in text else "left out"


def unknown_field(server: RealServer) -> str:
    reply = ask(server, no_such_field=1)
    return "ignored" if reply.status == 200 else reply.refusal


def top_k(server: RealServer) -> str:
    texts = {sampled(server, top_k=1).text for _ in range(DRAWS)} if _takes_top_k(server) else None
    if texts is None:
        return ask(server, top_k=1).refusal
    return "honoured" if texts == {ask(server).text} else "ignored"


def unknown_model(server: RealServer) -> str:
    reply = ask(server, model="nobody/nothing")
    return "any is taken" if reply.status == 200 else reply.refusal


def long_prompt(server: RealServer) -> str:
    reply = ask(server, messages=[{"role": "user", "content": "7" * 5000}], max_tokens=2)
    return "taken" if reply.status == 200 else reply.refusal


def at_once(server: RealServer) -> str:
    """Whether a short request that is sent second ends first, which shows that it did not wait.

    Where a server samples although greedy draws were asked for, the long one may end at any token:
    a race that it leaves before the short one is sent shows nothing.
    """
    began = time.monotonic()
    messages = [{"role": "user", "content": ENDLESS}]
    ask(server, messages=messages, max_tokens=64)
    length = int(min(3000, 64 * 4 / (time.monotonic() - began)))

    def race() -> tuple[float, float, float]:
        ends: dict[str, float] = {}

        def work(name: str, tokens: int) -> None:
            ask(server, messages=messages, max_tokens=tokens)
            ends[name] = time.monotonic()

        long = threading.Thread(target=work, args=("long", length))
        long.start()
        time.sleep(0.2)
        sent = time.monotonic()
        work("short", 2)
        long.join()
        return sent, ends["short"], ends["long"]

    waited = 0
    for _ in range(30):
        sent, short, end = race()
        if short < end:
            return "side by side"
        waited += end > sent
        if waited == 3:
            return "one after another"
    raise AssertionError("no long request was in work when the short one was sent")


SAMPLING = "Sampling"
TABLES: Mapping[str, Mapping[str, Callable[[RealServer], str]]] = {
    "What a server shows": {
        "version": version,
        "owned_by": owner,
        "window in /models": window,
        "reasoning is in": reasoning,
        "rendered prompt": rendered,
    },
    SAMPLING: {
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "unlikely tokens": hidden,
        "seed": seed,
        "requests": at_once,
    },
    "Several choices": {
        "n = 4": several,
        "n = 0": none,
        "n = 4, seed 1 against seeds 1 to 4": neighbours,
    },
    "Caps and tokens": {
        "max_tokens 5": cap,
        "max_completion_tokens": other_cap,
        "max_tokens 0": zero,
        "no cap": no_cap,
        "end token in usage": end_token,
        "stop strings": stop,
    },
    "Refusals": {
        "unknown field": unknown_field,
        "unknown model": unknown_model,
        "prompt beyond the window": long_prompt,
    },
}
"""Heading of a table, heading of a column, and the function that asks for its cell."""

TITLES = {
    "vllm": "vLLM",
    "transformers": "transformers serve",
    "transformers-continuous": "transformers serve, continuous batching",
    "llamacpp": "llama.cpp",
    "litellm": "LiteLLM, before llama.cpp",
}
"""Server to its name on the page, in the order of the page."""


@cache
def _tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODELS / "late")


def tokens(text: str) -> int:
    """Tokens of a text by the checkpoint's own tokenizer, special ones left out."""
    return len(_tokenizer()(text, add_special_tokens=False)["input_ids"])


@cache
def _first_tokens(temperature: float) -> tuple[dict[str, int], float]:
    """Rank of each token as a completion's first one, by its text, and the mass beyond LIKELIEST."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(MODELS / "late", dtype=torch.float32)
    prompt = _tokenizer().apply_chat_template(
        [{"role": "user", "content": OPEN}], add_generation_prompt=True, return_tensors="pt"
    )
    ids = prompt["input_ids"] if not isinstance(prompt, torch.Tensor) else prompt
    with torch.inference_mode():
        logits = model(input_ids=ids).logits[0, -1]
    shares = torch.softmax(logits / temperature, -1)
    order = torch.argsort(shares, descending=True)
    texts = [_tokenizer().decode([int(token)]) for token in order]
    ranks = {text: rank for rank, text in reversed(list(enumerate(texts)))}
    return ranks, float(shares[order[LIKELIEST:]].sum())


def _text(reply: Reply) -> str:
    message = reply.choices[0]["message"]
    return str(message.get("reasoning") or message.get("content") or "")


def _takes_top_k(server: RealServer) -> bool:
    return ask(server, top_k=1).status == 200


def expected() -> dict[str, dict[str, str]]:
    """Server to column to cell, as the page has it."""
    return dict(yaml.safe_load(FACTS.read_text(encoding="utf-8")))


def tables() -> str:
    """The tables in Markdown: a row per server, a column per fact."""
    cells, lines = expected(), []
    for heading, columns in TABLES.items():
        lines += [f"### {heading}", "", f"| server | {' | '.join(columns)} |"]
        lines.append("|---" * (len(columns) + 1) + "|")
        for name, facts in cells.items():
            row = (facts[column] for column in columns)
            lines.append(f"| {TITLES[name]} | {' | '.join(row)} |")
        lines.append("")
    return "\n".join(lines)


def page() -> str:
    """docs/servers.md with the tables as they must be."""
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{tables()}\n{END}{tail}"


def main() -> None:
    """Start a server and print its facts as YAML, or write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=list(RECIPES), nargs="?", help="without it: write the page")
    if parser.parse_args().name is None:
        PAGE.write_text(page(), encoding="utf-8")
        return
    with RealServer(parser.parse_args().name) as server:
        found = measured(server)
    print(yaml.safe_dump({server.name: found}, sort_keys=False, width=200))  # noqa: T201


if __name__ == "__main__":
    main()
