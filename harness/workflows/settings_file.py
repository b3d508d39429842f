"""Settings in a YAML file: what a plain value stands for, and faults by file and line.

As in YAML 1.1 `yes` and `on` are true. But a number is decimal, so that 010 and 1:30 stay what they
are written as, a date stays text, and a key that stands twice is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from harness.errors import DataError
from harness.yaml_bounds import TooMuch, check_bounds

_DIGITS = 18
"""The most digits of a whole number."""

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9_]+|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]{1,4})?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_KEPT = ("bool", "null", "merge")


class _Loader(yaml.SafeLoader):
    """Reads settings; the rules of YAML for dates, octal and sexagesimal numbers are left out."""

    yaml_implicit_resolvers: Any = {}  # noqa: RUF012 - as the base class has it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in (
                "tag:yaml.org,2002:str",
                "tag:yaml.org,2002:merge",
            ):
                raise _at(key, f"the key {_shown(key)} is no text; write it in quotes")
            if key.value in seen:
                raise _at(key, f"{key.value!r} stands twice; keep one")
            if key.tag.endswith(":str"):
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        digits = str(self.construct_scalar(node)).replace("_", "")
        if len(digits.lstrip("+-")) > _DIGITS:
            raise _at(node, f"a number of more than {_DIGITS} digits")
        if not _INT.fullmatch(digits):
            raise _at(node, f"{_shown(node)} is no decimal number")
        return int(digits)


for _first, _rules in yaml.SafeLoader.yaml_implicit_resolvers.items():
    _Loader.yaml_implicit_resolvers[_first] = [
        (tag, rule) for tag, rule in _rules if tag.rpartition(":")[2] in _KEPT
    ]
for _name, _rule in (("float", _FLOAT), ("int", _INT)):
    _tag = f"tag:yaml.org,2002:{_name}"
    _whole = re.compile(rf"(?:{_rule.pattern})$")
    _Loader.add_implicit_resolver(_tag, _whole, list("-+.0123456789"))
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def read_settings(path: Path, option: str = "") -> dict[str, Any]:
    """The mapping in a YAML file.

    Args:
        path: the file.
        option: the option that named it, for messages.

    Raises:
        DataError: the file cannot be read, is no mapping, or is beyond the bounds; the line is named.
    """
    place = f"{option}{path}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{place}: cannot be read ({error})") from error
    try:
        check_bounds(text)
        values = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except TooMuch as error:
        raise DataError(f"{place}, {error}") from error
    except yaml.YAMLError as error:
        raise DataError(f"{place}: not valid YAML ({_problem(error)})") from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"{place}: a value that cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise DataError(f"{place}: a mapping of option names to values is needed")
    return values


def _at(node: yaml.Node, problem: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _shown(node: yaml.Node) -> str:
    return repr(node.value)[:60] if isinstance(node, yaml.ScalarNode) else "of several values"


def _problem(error: yaml.YAMLError) -> str:
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem and mark:
        return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
    return " ".join(str(error).split())
