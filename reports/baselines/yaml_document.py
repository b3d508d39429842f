"""YAML files of ours and of users, with faults reported by file, line and field.

Every plain value is read as the text that stands in the file, and the model that it is held against
makes numbers of it. YAML's own rules would read `no` as False, 2025-06-10 as a date, 010 as 8, and
drop the last digit of 80.0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from reprlib import Repr
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from harness.errors import DataError
from harness.yaml_bounds import PARSER, TooMuch, check_bounds

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from yaml import SafeLoader as _Parser
else:
    _Parser = PARSER

_Model = TypeVar("_Model", bound=BaseModel)
_NULL, _MERGE, _TEXT, _MAPPING, _SEQUENCE = (
    f"tag:yaml.org,2002:{name}" for name in ("null", "merge", "str", "map", "seq")
)
_OF_A_CLASS = re.compile(r"Input should be a valid dictionary( or instance of \w+)?")
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlevel = 1
_NULLS = ("", "~", "null", "Null", "NULL")
Field = Sequence[str | int]
"""A place in a document: the keys and list positions that lead to it."""


class _Loader(_Parser):
    """Tells empty values, `null` and merge keys from all other values, which are text."""

    def resolve(self, kind: type[Node], value: str, implicit: Any) -> str:
        """The tag of a node without one of its own; `implicit` says whether it is unquoted."""
        if kind is not ScalarNode:
            return _MAPPING if kind is MappingNode else _SEQUENCE
        if implicit[0] and value in _NULLS:
            return _NULL
        return _MERGE if implicit[0] and value == "<<" else _TEXT


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A file's text and what it holds: dictionaries, lists, text and None."""

    path: Path
    text: str
    content: Any

    def parse(self, model: type[_Model]) -> _Model:
        """Hold the whole document against a model. DataError names line, field and value."""
        try:
            return model.model_validate(self.content)
        except ValidationError as error:
            first, *others = sorted(
                error.errors(include_url=False),
                key=lambda one: (
                    one["type"] != "extra_forbidden"
                ),  # perhaps what is missing, misspelt
            )
            message = _said(first) + f" (and {len(others)} more)" * bool(others)
            raise self.error(first["loc"], message) from error

    def error(self, field: Field, message: str) -> DataError:
        """The error that a field deserves: file, line, field, message."""
        line = _line(_compose(self.path, self.text), field)
        place = f", line {line}" * bool(field and line)
        name = ".".join(map(str, field))
        return DataError(f"{self.path}{place}: " + f"{name}: " * bool(name) + message)


def read_yaml(path: Path) -> YamlDocument:
    """Read one file.

    Raises:
        DataError: a file that cannot be read, that is no YAML, or in which a key stands twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start})") from error
    try:
        check_bounds(text)
    except TooMuch as error:
        raise DataError(f"{path}, {error}") from error
    except yaml.YAMLError as error:
        raise _not_yaml(path, text, error) from error
    node = _compose(path, text)
    return YamlDocument(path, text, None if node is None else _Content(path).of(node))


def _compose(path: Path, text: str) -> Node | None:
    try:
        return _Loader(text).get_single_node()
    except yaml.YAMLError as error:
        raise _not_yaml(path, text, error) from error


def _not_yaml(path: Path, text: str, error: yaml.YAMLError) -> DataError:
    mark = getattr(error, "problem_mark", None)
    end = max(len(text.splitlines()), 1)  # libyaml counts on beyond the last line
    line = f", line {min(mark.line + 1, end)}" if mark else ""
    problem = getattr(error, "problem", None) or getattr(error, "reason", "no YAML")
    return DataError(f"{path}{line}: not valid YAML ({problem})")


def _said(fault: ErrorDetails) -> str:
    """What is wrong with a field, and the value that it has, cut short."""
    if fault["type"] == "extra_forbidden":
        return f"no field is called {fault['loc'][-1]!r}"
    message = fault["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
    message = _OF_A_CLASS.sub("fields and their values are needed", message)
    if fault["type"] == "missing" or isinstance(fault["input"], dict):
        return message
    return f"{message}, not {_SHORT.repr(fault['input'])}"


class _Content:
    """Dictionaries, lists, text and None from nodes; what aliases name is made once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: dict[int, Any] = {}

    def of(self, node: Node) -> Any:
        """What a node holds."""
        if isinstance(node, ScalarNode):
            return None if node.tag == _NULL else node.value
        if id(node) not in self._made:
            self._made[id(node)] = (
                self._mapping(node)
                if isinstance(node, MappingNode)
                else [self.of(item) for item in node.value]
            )
        return self._made[id(node)]

    def _mapping(self, node: MappingNode) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                for other in value.value if isinstance(value, SequenceNode) else [value]:
                    if not isinstance(other, MappingNode):
                        raise self._error(key, "<<", "takes a mapping, or a list of mappings")
                    merged = {**self.of(other), **merged}
            elif not isinstance(key, ScalarNode):
                raise self._error(key, "a key", "is text")
            elif key.value in own:  # YAML would keep the last one and say nothing
                raise self._error(key, key.value, "stands twice in one mapping; keep one")
            else:
                own[key.value] = self.of(value)
        return {**merged, **own}

    def _error(self, node: Node, name: str, message: str) -> DataError:
        return DataError(f"{self._path}, line {node.start_mark.line + 1}: {name}: {message}")


def _line(node: Node | None, field: Field) -> int | None:
    """The line of a field, or of the innermost part of it that is there."""
    if node is None:
        return None
    line = node.start_mark.line
    for part in field:
        if isinstance(node, MappingNode):
            pair = _pair(node, str(part))
            if pair is not None:
                line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
    return line + 1


def _pair(mapping: MappingNode, key: str) -> tuple[Node, Node] | None:
    """A key with its value: the mapping's own, or one of a mapping merged into it."""
    merged: list[Node] = []
    for name, value in mapping.value:
        if name.value == key:
            return name, value
        if name.tag == _MERGE:
            merged += value.value if isinstance(value, SequenceNode) else [value]
    found = (_pair(other, key) for other in merged if isinstance(other, MappingNode))
    return next((pair for pair in found if pair is not None), None)
