"""The texts of samples in compressed pieces: inside the page, or in files beside it.

A page that was opened from a folder may not read other files of it, but it may load scripts. So a
piece beside the page is a script of one call, which hands over what it holds under its own name:

    harnessChunk("0012-9f3ac1d07b52", "eJzt...")

The name ends in a digest of the contents, so that a page never takes the texts of another one.
"""

from __future__ import annotations

import base64
import hashlib
import re
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

from harness.errors import DataError

try:
    # A quarter of the CPU of zlib's level 1, and smaller; it exists for x86-64 and ARM64 alone.
    from isal.isal_zlib import compress
except ImportError:
    from zlib import compress

RAW_BYTES = 1 << 20
"""Bytes of JSON from which on a piece is closed: one is loaded to show one sample."""

PAGE_BYTES = 20_000_000
"""The largest page that holds its texts itself."""

_LEVEL = 1
_IN_MEMORY = 1 << 22
_OURS = re.compile(r"\d{4,}-[0-9a-f]{12}\.js")


class Chunks:
    """Collects pieces in a temporary file, and moves them to files once they are too many.

    Args:
        folder: where they go then; None keeps them in the page whatever their size.
        limit: bytes of pieces, as they are written, that stay in the page.
    """

    def __init__(self, folder: Path | None = None, limit: int = PAGE_BYTES) -> None:
        self.folder = folder
        self.names: list[str] = []
        self.size = 0
        self._sizes: list[int] = []
        self._beside = False
        self._limit = limit
        self._held = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - kept
        weakref.finalize(self, self._held.close)

    @property
    def beside(self) -> bool:
        """Whether the pieces are files."""
        return self._beside

    @property
    def embedded(self) -> Iterator[bytes]:
        """The pieces that the page holds, one after the other."""
        if self._beside:
            return
        self._held.seek(0)
        for size in self._sizes:
            yield self._held.read(size)

    def add(self, raw: bytes) -> None:
        """Add one piece; DataError where it cannot be written."""
        packed = compress(raw, _LEVEL)
        payload = base64.b64encode(packed)
        self.names.append(f"{len(self.names):04}-{hashlib.sha256(packed).hexdigest()[:12]}")
        if self._beside:
            self._write(self.names[-1], payload)
            return
        try:
            self._held.write(payload)
        except OSError as error:
            raise DataError(
                f"{tempfile.gettempdir()}: cannot be written ({error.strerror})"
            ) from error
        self._sizes.append(len(payload))
        self.size += len(payload)
        if self.size > self._limit:
            self.move_beside()

    def move_beside(self) -> None:
        """Write what the page would hold to files, and what is added from now on."""
        if self.folder is None or self._beside:
            return
        for name, payload in zip(self.names, self.embedded, strict=True):
            self._write(name, payload)
        self._beside = True
        self._held.close()
        self._sizes.clear()
        self.size = 0

    def finish(self) -> None:
        """Remove what an earlier report left in the folder; call it once the page is written."""
        if self.folder is None or not self.folder.is_dir():
            return
        mine = {f"{name}.js" for name in self.names} if self._beside else set()
        for path in self.folder.iterdir():
            if _OURS.fullmatch(path.name) and path.name not in mine:
                path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _write(self, name: str, payload: bytes) -> None:
        assert self.folder is not None  # noqa: S101 - move_beside saw to it
        path = self.folder / f"{name}.js"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'harnessChunk("%b","%b")\n' % (name.encode(), payload))
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror})") from error
