"""Ways in which a credential gets into what is shown or stored, and what must be left of each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import run_command
from harness.credentials import hidden, without_credentials

KEY = "sk-4f9aQ1zz"

WAYS = {
    "user and password": f"--base-url http://me:{KEY}@host:1/v1",
    "user alone": f"--base-url http://{KEY}@host/v1",
    "upper-case scheme": f"--base-url HTTP://me:{KEY}@host/v1",
    "another scheme": f"socks5h://me:{KEY}@proxy:1080",
    "password that holds an @": f"http://me:p@{KEY}@host/v1",
    "password that holds a slash": f"http://me:p/{KEY}@host/v1",
    "password that holds a colon": f"http://me:a:{KEY}@host/v1",
    "password that holds a question mark": f"http://me:p?{KEY}@host/v1",
    "two servers": f"http://host/v1,https://me:{KEY}@other/v1",
    "query": f"https://host/v1?api-version=1&x={KEY}",
    "query of the first of two": f"https://host/v1?x={KEY},https://other/v1",
    "fragment": f"https://host/v1#{KEY}",
    "header": f"--engine-arg header.Authorization=Bearer {KEY}",
    "header of another name": f"--engine-arg=header.X-Team=a b {KEY}",
    "key in the body": f'--engine-arg body.api_key="{KEY}"',
    "token in the body": f"body.access_token={KEY}",
    "nested in the body": f'body.extra={{"user": "me", "api_key": "{KEY}"}}',
    "Python's quotes": f"engine-args {{'header.authorization': '{KEY}', 'k': 1}}",
    "secret with a quote": f'body.secret="a\\"{KEY}"',
    "password in words": f"password: {KEY}",
    "equals sign": f"token={KEY}",
    "environment": f"OPENAI_API_KEY={KEY} harness run",
    "Hugging Face": f"HF_TOKEN={KEY}",
    "bearer of a server's refusal": f"Incorrect header: Bearer {KEY} is unknown",
    "exception with its address": f"ClientConnectorError: Cannot connect to 'http://me:{KEY}@host:1/v1'",
    "signed address": f"https://bucket/file?X-Signature={KEY}&expires=1",
    "cookie": f"Cookie: session={KEY}",
}

KEPT = (
    "--base-url http://host:8000/v1 --max-tokens 100 --prompt a=b",
    "max_tokens=100 tokens_per_minute=5 eos_token: </s> key: is text, a tokenizer=path",
    "https://host:8000/v1/models, http://[::1]:8000/v1",
    "the key '1' is no text; write it in quotes",
    "mail me@host or a:b@c",
)


@pytest.mark.parametrize("way", WAYS)
def test_a_credential_is_hidden(way: str) -> None:
    assert KEY not in without_credentials(WAYS[way])
    assert "***" in without_credentials(WAYS[way])
    assert without_credentials(without_credentials(WAYS[way])) == without_credentials(WAYS[way])


@pytest.mark.parametrize("text", KEPT)
def test_what_is_none_is_kept(text: str) -> None:
    assert without_credentials(text) == text


def test_fields_are_hidden_by_name_at_any_depth() -> None:
    given = {"url": f"http://u:{KEY}@h/v1", "body": [{"api_key": KEY, "n": 1}], "header.X": KEY}
    assert hidden(given) == {"url": "http://***@h/v1", "body": [{"api_key": "***", "n": 1}],
                             "header.X": "***"}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_no_message_of_a_command_holds_it(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["report", WAYS[way]]) == 2
    assert KEY not in capsys.readouterr().err


def test_a_wrongly_typed_setting_is_told_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    for settings in (
        f"model: m\ntasks: practice_integer\nengine_arg: {{header.Authorization: [{KEY}]}}\n",
        f"model: m\ntasks: practice_integer\napi_key: {KEY}\n",
        f"model: m\ntasks: practice_integer\nbase_url: [http://u:{KEY}@h/v1]\n",
    ):
        path.write_text(settings)
        assert run_command(["run", "--config", str(path), "-o", str(tmp_path / "run")]) == 2
        assert KEY not in capsys.readouterr().err


def test_a_manifest_holds_none_of_the_command(tmp_path: Path) -> None:
    model = Path(__file__).parent.parent / "examples" / "practice-model" / "late"
    command = [sys.executable, "-m", "harness", "run", "--model", str(model), "--tasks", "practice_integer",
               "--limit", "1", "--k", "1", "-o", str(tmp_path / "run"), "--system-prompt", f"token={KEY}"]  # fmt: skip
    subprocess.run(command, capture_output=True, check=True)
    assert KEY not in (tmp_path / "run" / "manifest.json").read_text()
