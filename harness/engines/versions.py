"""Which versions of the engines' libraries were tried, and what was run on each.

The lower bounds of pyproject.toml's extras are the oldest versions here, and `harness doctor` holds what is
installed against them. A version between two that were tried is expected to work, and is named as not tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version


@dataclass(frozen=True, slots=True)
class Package:
    """A library of an engine.

    Args:
        name: of its distribution.
        extra: of ours that installs it.
        engine: what needs it, in words.
        tried: version to what was run on it, oldest first; the first is the lower bound.
        read: versions whose source was read for what the engine uses, and not run.
        needed: whether every installation needs it.
    """

    name: str
    extra: str
    engine: str
    tried: dict[str, str]
    read: tuple[str, ...] = ()
    needed: bool = False

    @property
    def lower(self) -> str:
        """The lower bound: the oldest version that was tried."""
        return next(iter(self.tried))

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"pip install 'reasoning-harness[{self.extra}]'"

    def check(self) -> tuple[str, str]:
        """The installed version as a word of `harness doctor` and its line."""
        try:
            found = version(self.name)
        except PackageNotFoundError:
            if self.needed:
                return "missing", f"{self.name}: needed for {self.engine}: {self.install}"
            return "note", f"no {self.name}, for {self.engine}: {self.install}"
        return self.judge(found)

    def judge(self, found: str) -> tuple[str, str]:
        """A version as a word of `harness doctor` and its line.

        Args:
            found: the version, with its build: "2.13.0+cpu".
        """
        # A build for another device is the same version.
        public = Version(found).public
        if Version(public) < Version(self.lower):
            return "old", (
                f"{self.name} {found}: {self.engine} needs {self.lower} or later: "
                f"pip install --upgrade '{self.name}>={self.lower}'"
            )
        if public in self.tried:
            return "ok", f"{self.name} {found}, which was tried"
        if public in self.read:
            return "ok", f"{self.name} {found}: its source was read, but it was not run"
        newer = Version(public) > Version(next(reversed(self.tried)))
        return "note", (
            f"{self.name} {found} was not tried{', it is newer' if newer else ''}: "
            f"{', '.join(self.tried)} {'was' if len(self.tried) == 1 else 'were'}"
        )


PACKAGES = (
    Package(
        "torch",
        "transformers",
        "the transformers engine",
        {"2.6.0": "tests/engines/hf, fixed batches, transformers 4.57.1", "2.13.0": "all tests"},
        needed=True,
    ),
    Package(
        "transformers",
        "transformers",
        "the transformers engine",
        {
            "4.57.1": "tests/engines/hf, fixed batches",
            "5.19.0": "tests/engines, beside vLLM 0.32.0",
            "5.24.0": "all tests",
        },
        needed=True,
    ),
    Package(
        "psutil",
        "transformers",
        "continuous batching of the transformers engine on CPUs",
        {"5.9.8": "tests/engines/hf, fixed batches, transformers 4.57.1", "7.2.2": "all tests"},
    ),
    Package(
        "vllm",
        "vllm",
        "the vllm engine",
        {
            "0.28.0": "greedy text, caps, stop strings, loops, budgets of tests/engines/vllm",
            "0.32.0": "tests/engines",
        },
        read=("0.33.0",),
    ),
    Package(
        "ray",
        "ray",
        "the ray engine",
        {"2.40.0": "a local cluster of tests/engines/ray", "2.60.0": "tests/engines"},
    ),
    Package(
        "lm-eval",
        "lm-eval",
        "the lm_eval engine and tasks",
        {"0.4.13": "tests/engines"},
    ),
    Package(
        "accelerate",
        "lm-eval",
        "lm-eval's own transformers model, lm_eval:hf",
        {"1.15.0": "tests/engines"},
    ),
)
"""All of them, in the order in which `harness doctor` prints them."""
