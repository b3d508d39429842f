"""The rules of CONTRIBUTING.md that no linter knows; `python tests/style.py` lists what breaks them.

Files have at most 320 lines, functions at most 60 and five positional parameters. A public function
of four or more parameters has an `Args:` section, and its docstring names each kind of HarnessError
that it raises itself. The docstring of a command is its help text and is exempt from the last two.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

FOLDERS = ("harness", "tasks", "reports")
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Offence(NamedTuple):
    """What breaks which rule, and where."""

    rule: str
    place: str


def errors(trees: Iterable[ast.Module]) -> set[str]:
    """The names of HarnessError and of every class below it."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    known: set[str] = set()
    more = {"HarnessError"}
    while more - known:
        known |= more
        more = {c.name for c in classes for base in c.bases if ast.unparse(base) in known}
    return known


def offences(path: str, text: str, kinds: set[str]) -> Iterator[Offence]:
    """What one file breaks."""
    if (n_lines := len(text.splitlines())) > 320:
        yield Offence("files of more than 320 lines", f"{path}: {n_lines}")
    for function, owner in _functions(ast.parse(text), None):
        place = f"{path}:{function.lineno} {function.name}"
        if (n_lines := (function.end_lineno or 0) - function.lineno + 1) > 60:
            yield Offence("functions of more than 60 lines", f"{place}: {n_lines}")
        arguments = function.args.posonlyargs + function.args.args
        is_method = bool(arguments) and arguments[0].arg in ("self", "cls")
        if (count := len(arguments) - is_method) > 5:
            yield Offence("functions of more than five positional parameters", f"{place}: {count}")
        yield from _documented(place, function, owner, count + len(function.args.kwonlyargs), kinds)


def _documented(
    place: str, function: Function, owner: ast.ClassDef | None, count: int, kinds: set[str]
) -> Iterator[Offence]:
    names = [function.name, *([owner.name] if owner else [])]
    command = any("click." in ast.unparse(d) or "command" in ast.unparse(d)
                  for d in function.decorator_list)  # fmt: skip
    if command or any(name.startswith("_") and name != "__init__" for name in names):
        return
    text = ast.get_docstring(function) or ""
    if owner and function.name == "__init__":
        text += ast.get_docstring(owner) or ""
    if count >= 4 and "Args:" not in text:
        yield Offence("docstrings without Args", f"{place}: {count} parameters")
    raised = {_name(node.exc) for node in _inside(function) if isinstance(node, ast.Raise)}
    if missing := sorted(name for name in raised & kinds if name not in text):
        yield Offence("docstrings that leave out an error", f"{place}: {', '.join(missing)}")


def _functions(
    node: ast.AST, owner: ast.ClassDef | None
) -> Iterator[tuple[Function, ast.ClassDef | None]]:
    """Functions of a module and methods of its classes, but no functions inside functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield child, owner
        else:
            yield from _functions(child, child if isinstance(child, ast.ClassDef) else owner)


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions inside it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function | ast.Lambda | ast.ClassDef):
            yield child
            yield from _inside(child)


def _name(raised: ast.expr | None) -> str:
    return ast.unparse(raised.func if isinstance(raised, ast.Call) else raised) if raised else ""


def main() -> int:
    """Print every offence, then how many there are of each rule; 1 where there is one."""
    root = Path(__file__).parent.parent
    texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
             for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))}  # fmt: skip
    kinds = errors(map(ast.parse, texts.values()))
    found = [offence for path, text in texts.items() for offence in offences(path, text, kinds)]
    for offence in found:
        print(f"{offence.place} ({offence.rule})")
    for rule, count in Counter(offence.rule for offence in found).items():
        print(f"{count} {rule}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
