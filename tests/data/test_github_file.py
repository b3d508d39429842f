"""A file of a repository: fetched once, checked, and kept; or the user's own copy."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.data.github_file import GitHubFile
from harness.errors import DataError

CONTENT = b"id,problem,answer\n1,What is 2+2?,4\n"
ASKED: list[str] = []


class Repository(BaseHTTPRequestHandler):
    """Answers every path that ends in rows.csv."""

    def do_GET(self) -> None:
        ASKED.append(self.path)
        self.send_response(200 if self.path.endswith("rows.csv") else 404)
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    ASKED.clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Repository) as server:
        monkeypatch.setattr(
            "harness.data.github_file._RAW", f"http://127.0.0.1:{server.server_port}"
        )
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def dataset(file: str = "sets/rows.csv", content: bytes = CONTENT) -> GitHubFile:
    return GitHubFile("own/sets", "0" * 40, file, hashlib.sha256(content).hexdigest(), ("rows",))


def test_it_is_fetched_once(repository: None) -> None:
    for _ in range(2):
        ((place, row),) = dataset().rows(None)
        assert (row["problem"], place.endswith("rows.csv, line 2")) == ("What is 2+2?", True)
    assert [f"/own/sets/{'0' * 40}/sets/rows.csv"] == ASKED
    assert dataset().source(None) == f"own/sets@{'0' * 40}"


def test_another_content_is_refused_and_not_kept(repository: None) -> None:
    for _ in range(2):
        with pytest.raises(
            DataError, match=r"rows\.csv: the file has the checksum [0-9a-f]{64}, not"
        ):
            list(dataset(content=b"something else").rows(None))
    assert len(ASKED) == 2


def test_what_is_not_there_names_the_copy_that_would_do(repository: None) -> None:
    with pytest.raises(DataError, match=r"404.*pass --data DIR holding rows\.csv"):
        list(dataset("sets/none.csv").rows(None))


def test_a_copy_of_the_users_needs_no_network(repository: None, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"id": "7"}\n')
    assert [row for _, row in dataset().rows(tmp_path)] == [{"id": "7"}]
    assert dataset().source(tmp_path).startswith("rows.jsonl sha256:")
    assert ASKED == []
