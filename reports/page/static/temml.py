"""Build step: put Temml, the renderer of mathematics in pages, among the files of the package.

setuptools runs it (pyproject.toml, `tool.setuptools.cmdclass`); it is not installed. Temml comes from
npm and is optional: without npm or a network the package is built without it, and pages leave the
mathematics of samples as it was written.
"""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from setuptools.command.build_py import build_py

PACKAGE = "temml@0.13.5"
SHA512 = "aPkDDgunanpLNL0ql32HbolqLep+w8DRcVXRql7rWrMt/PhczdLgL4UBYYVU3BYjCNjkGq4EqwIicu/zWr1iOg=="
TARGET = Path(__file__).with_name("temml.min.js")
SECONDS = 120


def fetch() -> str:
    """The script behind its licence. ValueError for another file than the one that is pinned."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", PACKAGE, "--silent", "--pack-destination", folder]
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS, cwd=folder)
        (archive,) = Path(folder).glob("*.tgz")
        packed = archive.read_bytes()
    if base64.b64encode(hashlib.sha512(packed).digest()).decode() != SHA512:
        raise ValueError(f"{PACKAGE} is not the file whose digest is known")
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        names = ("package/LICENSE", "package/dist/temml.min.js")
        licence, script = (files.extractfile(name).read().decode() for name in names)  # type: ignore[union-attr]
    return f"/*! {PACKAGE}, https://temml.org\n\n{licence.strip()}\n*/\n{script}"


class BuildWithTemml(build_py):
    """Fetch Temml before the package data is collected."""

    def run(self) -> None:
        """Build; a failure to fetch is a warning."""
        known = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
        if not known.startswith(f"/*! {PACKAGE},"):
            try:
                TARGET.write_text(fetch(), encoding="utf-8")
            except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
                self.warn(f"mathematics in samples stays as written: no {PACKAGE} ({error})")
        self.__dict__.pop("data_files", None)  # collected before the file was there
        super().run()

    def get_source_files(self) -> list[str]:
        """What an sdist holds: this file too, which no package lists."""
        return [*super().get_source_files(), str(Path(__file__).relative_to(Path.cwd()))]
