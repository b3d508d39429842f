"""The one-way rule, read from the source with ast: who may import whom, and what only when called.

types, errors <- pure modules <- data, protocol, graders, engines <- store, runner <- workflows
<- registry, cli;  tasks and reports stand beside, and only registry and cli reach them.
"""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = (
    {"types", "scores", "errors", "parts"},
    {
        "answers",
        "letters",
        "prompts",
        "metrics",
        "uncertainty",
        "curves",
        "comparison",
        "power",
        "sequential",
        "gate",
        "effects",
        "nights",
        "contest",
        "selection",
        "breakdown",
        "marks",
        "scheduling",
    },
    {
        "protocol",
        "config",
        "readers",
        "cluster",
        "datasets",
        "standings",
        "scoring",
        "judge",
        "graders",
        "engines",
    },
    {
        "files",
        "lock",
        "store",
        "progress",
        "planning",
        "grading",
        "grading_ray",
        "rounds",
        "runner",
    },
    {"workflows"},
    {"registry", "cli", "exported"},
)
"""Parts of harness/, lowest first; a part imports its own layer and those below."""

PURE = LAYERS[0] | LAYERS[1] | {"protocol", "scoring"}
IO = {"asyncio", "io", "os", "shutil", "socket", "subprocess", "sys", "tempfile", "threading"}
BESIDE = {
    "tasks": {"types", "errors", "parts", "prompts", "datasets", "judge", "graders", "metrics"},
    "reports": {"types", "scores", "errors", "answers", "prompts", "metrics", "uncertainty", "curves",
                "comparison", "power", "sequential", "gate", "nights", "contest", "selection", "protocol",
                "files", "store", "effects"},
}  # fmt: skip
HEAVY = {
    "aiohttp", "antlr4", "datasets", "huggingface_hub", "latex2sympy2_extended", "lm_eval", "math_verify",
    "matplotlib", "numpy", "openai", "pandas", "pebble", "pyarrow", "ray", "scipy", "sympy", "torch",
    "transformers", "vllm",
}  # fmt: skip
WORKER_ONLY = {"harness.graders.sympy_convert"}
"""Modules that only a worker process loads, when it is asked to: they may import what is heavy."""


@dataclass(frozen=True)
class Import:
    """One import of one module: what, where, and whether it happens when the module is loaded."""

    module: str
    target: str
    line: int
    at_load: bool
    typing: bool

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}: {self.target}"


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] != "harness":
        parts.insert(0, "harness")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> dict[str, Path]:
    """Every module of the package under its import name."""
    return {
        module_name(path): path
        for folder in ("harness", "tasks", "reports")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


SOURCES = sources()


def imports_of(module: str, path: Path) -> Iterator[Import]:
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]

    def visit(node: ast.AST, at_load: bool, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, at_load, typing)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:  # a name may be a submodule
                full = f"{base}.{alias.name}"
                target = full if full in SOURCES else base
                yield Import(module, target, node.lineno, at_load, typing)
        for name, value in ast.iter_fields(node):
            later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and name == "body"
            only_typing = (
                isinstance(node, ast.If)
                and "TYPE_CHECKING" in ast.unparse(node.test)
                and name == "body"
            )
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from visit(child, at_load and not later, typing or only_typing)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), True, False)


IMPORTS = [found for module, path in SOURCES.items() for found in imports_of(module, path)]


def part(module: str) -> str:
    """The second name of a module in harness: the part of the design that it belongs to."""
    return [*module.split("."), ""][1]


def inside(target: str) -> bool:
    return target.split(".")[0] == "harness"


def broken(found: Import) -> bool:
    """Whether an import inside the package breaks the one-way rule."""
    here, there = part(found.module), part(found.target)
    if there in ("", here):
        return False
    if here in BESIDE:
        return there not in BESIDE[here]
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    if there in BESIDE:
        return here not in ("registry", "cli")
    return level[there] > level[here]


def test_there_are_sources_to_read() -> None:
    assert {"harness.types", "harness.cli", "harness.tasks.aime", "harness.reports"} <= set(SOURCES)
    assert len(IMPORTS) > len(SOURCES)


def test_every_module_has_a_place_in_the_layers() -> None:
    placed = set().union(*LAYERS, BESIDE, {"", "__main__"})
    assert {part(module) for module in SOURCES} <= placed


def test_imports_go_one_way() -> None:
    main = [i for i in IMPORTS if i.module == "harness.__main__"]
    assert {part(i.target) for i in main if inside(i.target)} == {"cli"}
    rest = [i for i in IMPORTS if inside(i.target) and i not in main]
    assert [str(i) for i in rest if broken(i)] == []


@pytest.mark.parametrize(
    ("module", "target", "refused"),
    [
        ("harness.stats.metrics", "harness.storage.run_folder", True),
        ("harness.storage.run_folder", "harness.stats.metrics", False),
        ("harness.graders.math", "harness.judge.sandbox", False),
        ("harness.pipeline.runner", "harness.workflows.evaluate", True),
        ("harness.data.datasets", "harness.tasks", True),
        ("harness.workflows.regrade", "harness.registry", True),
        ("harness.cli.report", "harness.reports.page.output", False),
        ("harness.tasks.aime", "harness.storage.run_folder", True),
        ("harness.reports.page.output", "harness.engines", True),
        ("harness.reports.page.output", "harness.tasks.aime", True),
        ("harness.reports.page.output", "harness.reports.tables.summary", False),
    ],
)
def test_the_rule_refuses_what_it_should(module: str, target: str, refused: bool) -> None:
    assert broken(Import(module, target, 1, at_load=True, typing=False)) is refused


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in SOURCES}
    for found in IMPORTS:
        if found.at_load and not found.typing and found.target != found.module:
            graph[found.module] |= {found.target} & SOURCES.keys()
    order = list(TopologicalSorter(graph).static_order())
    assert len(order) == len(SOURCES)


def test_pure_modules_touch_nothing_outside() -> None:
    touching = [i for i in IMPORTS if part(i.module) in PURE and i.target.split(".")[0] in IO]
    assert [str(i) for i in touching] == []


def test_heavy_libraries_are_imported_where_they_are_used_and_not_before() -> None:
    early = [
        i for i in IMPORTS
        if i.at_load and not i.typing and i.target.split(".")[0] in HEAVY
        and i.module not in WORKER_ONLY
    ]  # fmt: skip
    assert [str(i) for i in early] == []


def test_what_only_a_worker_loads_is_loaded_by_nobody_else() -> None:
    assert SOURCES.keys() >= WORKER_ONLY
    early = [i for i in IMPORTS if i.target in WORKER_ONLY and i.at_load and not i.typing]
    assert [str(i) for i in early] == []


def test_the_command_line_and_all_tasks_load_nothing_heavy() -> None:
    code = (
        "import sys, harness.cli, harness.registry; harness.registry.tasks(); "
        f"print(sorted({HEAVY!r} & sys.modules.keys()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout == "[]\n"


def test_tasks_and_reports_are_never_imported_by_their_bare_names() -> None:
    bare = [i for i in IMPORTS if i.target.split(".")[0] in ("tasks", "reports")]
    assert [str(i) for i in bare] == []


def test_siblings_in_tasks_and_reports_import_each_other_relatively() -> None:
    absolute = [
        found
        for found in IMPORTS
        if part(found.module) in BESIDE and part(found.target) == part(found.module)
        and "from harness." in SOURCES[found.module].read_text().splitlines()[found.line - 1]
    ]  # fmt: skip
    assert [str(i) for i in absolute] == []


# Packaging


def config() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def folder_of(package: str) -> Path:
    parts = package.split(".")
    beside = len(parts) > 1 and parts[1] in BESIDE
    return ROOT.joinpath(*(parts[1:] if beside else parts))


def test_the_list_of_packages_is_the_tree() -> None:
    listed = config()["options"]["packages"].split()
    there = [module for module, path in SOURCES.items() if path.name == "__init__.py"]
    assert sorted(listed) == sorted(there)
    assert all((folder_of(package) / "__init__.py").is_file() for package in listed)


def test_every_data_file_is_packaged_and_every_pattern_finds_one() -> None:
    patterns = {
        package: [pattern.strip() for pattern in value.split(",")]
        for package, value in config()["options.package_data"].items()
    }
    for package, globs in patterns.items():
        assert [p for p in globs if not list(folder_of(package).glob(p))] == [], package
    packages = sorted(config()["options"]["packages"].split(), key=len, reverse=True)
    for path in (p for top in ("harness", *BESIDE) for p in (ROOT / top).rglob("*")):
        if not path.is_file() or path.suffix in (".py", ".pyc"):
            continue
        package = next(p for p in packages if path.is_relative_to(folder_of(p)))
        inner = path.relative_to(folder_of(package)).as_posix()
        globs = patterns.get(package, [])
        assert any(fnmatch(inner, p) and inner.count("/") == p.count("/") for p in globs), path
