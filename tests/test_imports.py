"""What the contracts of import-linter (pyproject.toml) cannot say: what is imported at load time, and how.

`make lint` checks who may import whom. Here heavy libraries are imported only inside functions, and
siblings in tasks/ and reports/ name each other relatively.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {
    "aiohttp", "antlr4", "datasets", "huggingface_hub", "latex2sympy2_extended", "lm_eval", "math_verify",
    "matplotlib", "numpy", "openai", "pandas", "pyarrow", "ray", "scipy", "sympy", "torch",
    "transformers", "vllm",
}  # fmt: skip
WORKER_ONLY = {"harness.graders.sympy_equality"}
"""Modules that only a worker process loads, when it is asked to: they may import what is heavy."""


@dataclass(frozen=True)
class Import:
    """One import of one module: the name as it is written, in full, and when it happens."""

    module: str
    target: str
    line: int
    level: int
    at_load: bool

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}: {self.target}"


def sources() -> dict[str, Path]:
    """Every module of the package under its import name."""
    found = {}
    for folder, package in (("harness", ""), ("tasks", "harness."), ("reports", "harness.")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not (path.parent / "__init__.py").exists():
                continue  # a build step, not a module
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[package + ".".join(parts).removesuffix(".__init__")] = path
    return found


SOURCES = sources()


def package_of(module: str) -> str:
    if SOURCES[module].name == "__init__.py":
        return module
    return module.rpartition(".")[0]


def imports_of(module: str, text: str) -> Iterator[Import]:
    package = package_of(module).split(".")

    def visit(node: ast.AST, at_load: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, 0, at_load)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:  # a name may be a submodule
                full = f"{base}.{alias.name}"
                target = full if full in SOURCES else base
                yield Import(module, target, node.lineno, node.level, at_load)
        for name, value in ast.iter_fields(node):
            in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            only_typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            later = name == "body" and (in_function or only_typing)
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from visit(child, at_load and not later)

    yield from visit(ast.parse(text), True)


IMPORTS = [
    found
    for module, path in SOURCES.items()
    for found in imports_of(module, path.read_text(encoding="utf-8"))
]


def is_heavy(found: Import) -> bool:
    """Whether a heavy library is imported as the module is loaded."""
    heavy = found.target.split(".")[0] in HEAVY or found.target in WORKER_ONLY
    return found.at_load and heavy and found.module not in WORKER_ONLY


def is_misspelt(found: Import) -> bool:
    """Whether an import in tasks/ or reports/ has the wrong form.

    Siblings of one package are imported relatively, everything else absolutely.
    """
    if not found.module.startswith(("harness.tasks", "harness.reports")):
        return False
    package = package_of(found.module)
    sibling = found.target in SOURCES and found.target.rpartition(".")[0] == package
    return found.level != (1 if sibling else 0)


def test_there_are_sources_to_read() -> None:
    assert {"harness.types", "harness.cli", "harness.tasks.aime", "harness.reports"} <= set(SOURCES)
    assert len(IMPORTS) > len(SOURCES)
    assert SOURCES.keys() >= WORKER_ONLY


def test_heavy_libraries_are_imported_where_they_are_used_and_not_before() -> None:
    assert [str(found) for found in IMPORTS if is_heavy(found)] == []


def test_siblings_are_imported_relatively_and_other_packages_absolutely() -> None:
    assert [str(found) for found in IMPORTS if is_misspelt(found)] == []


@pytest.mark.parametrize(
    ("module", "text", "heavy", "misspelt"),
    [
        ("harness.stats.metrics", "import numpy", True, False),
        ("harness.stats.metrics", "def f():\n    import numpy", False, False),
        ("harness.stats.metrics", "if TYPE_CHECKING:\n    import numpy", False, False),
        ("harness.stats.metrics", "try:\n    from scipy.stats import norm\nfinally: pass", True, False),
        ("harness.graders.math", "from harness.graders import sympy_equality", True, False),
        ("harness.graders.sympy_equality", "import sympy", False, False),
        ("harness.tasks.aime", "from harness.tasks.gpqa import TASKS", False, True),
        ("harness.tasks.aime", "from .gpqa import TASKS", False, False),
        ("harness.reports.page.site", "from . import output", False, False),
        ("harness.reports.page.site", "from ..tables import summary", False, True),
        ("harness.reports.page.site", "from harness.reports.tables import summary", False, False),
    ],
)  # fmt: skip
def test_the_rules_refuse_what_they_should(
    module: str, text: str, heavy: bool, misspelt: bool
) -> None:
    found = list(imports_of(module, text))
    assert any(map(is_heavy, found)) is heavy
    assert any(map(is_misspelt, found)) is misspelt


def test_the_command_line_and_all_tasks_load_nothing_heavy() -> None:
    code = (
        "import sys, harness.cli, harness.registry; harness.registry.tasks(); "
        f"print(sorted({HEAVY!r} & sys.modules.keys()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout == "[]\n"
