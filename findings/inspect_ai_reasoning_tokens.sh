#!/usr/bin/env bash
# inspect_ai 0.3.285: `--reasoning-tokens N` is sent to no server behind the providers vllm, sglang and openai-api. The
# request has no field for it, nothing warns or refuses, and the log states the budget as if it had held; only the help
# says that the option is for Claude. `--reasoning-effort` is sent, any text of it. vLLM's own field of a budget,
# thinking_token_budget, gets there in extra_body.
#
# What it does to evals: a log of an open model "at a budget of 20 reasoning tokens" is one without any. Two logs of
# different budgets then differ by the luck of the draws alone, and a curve of accuracy over budgets is flat.
#
# Output seen:
#   vllm        sent effort: high   sent of a budget: nothing   in the log: reasoning_tokens 20
#   sglang      sent effort: high   sent of a budget: nothing   in the log: reasoning_tokens 20
#   openai-api  sent effort: high   sent of a budget: nothing   in the log: reasoning_tokens 20
#
# The harness sends vLLM's field, checks at the start that the server keeps to it and in each sample that it did, and
# refuses a budget where it cannot (docs/engines.md).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet inspect-ai==0.3.285 openai==3.57.0
cd "$work"
venv/bin/python - <<'EOF'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log

bodies: list[dict] = []


class Server(BaseHTTPRequestHandler):
    """Answers as vLLM does, and keeps what it was sent."""

    def log_message(self, *_: object) -> None:
        pass

    def reply(self, value: dict) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.reply({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "vllm"}]})

    def do_POST(self) -> None:
        bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        message = {"role": "assistant", "content": "4", "reasoning": "two and two"}
        self.reply({
            "id": "1", "object": "chat.completion", "created": 0, "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9},
        })


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
found = []
for provider, model in [("vllm", "vllm/m"), ("sglang", "sglang/m"), ("openai-api", "openai-api/local/m")]:
    bodies.clear()
    (log,) = eval(
        Task(dataset=[Sample(input="What is 2+2?", target="4")]), model=model,
        model_base_url=f"http://127.0.0.1:{server.server_port}/v1", model_args={"api_key": "none"},
        reasoning_tokens=20, reasoning_effort="high", display="none", log_dir="logs",
    )
    assert log.status == "success", log.error
    (body,) = bodies
    budget = {name for name, value in body.items() if value == 20 or "budget" in name or "token" in name}
    stored = read_eval_log(log.location, header_only=True).eval.model_generate_config
    found.append((body.get("reasoning_effort"), sorted(budget), stored.reasoning_tokens))
    print(f"{provider:11} sent effort: {body.get('reasoning_effort')}   sent of a budget: "
          f"{', '.join(sorted(budget)) or 'nothing'}   in the log: reasoning_tokens {stored.reasoning_tokens}")
assert found == [("high", [], 20)] * 3, found
EOF
