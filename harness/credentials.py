"""Credentials in what users give and servers quote, replaced by ***, so that it may be shown and stored. Pure.

Hidden are the user and password of a URL, its query and fragment, headers, and every value whose name says
that it is a key, a token, a password or the like. A URL that no parser takes is hidden up to its last @.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_HIDDEN = "***"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*:/{1,2}"  # a path makes one slash of two
_NEXT = rf"(?:,(?={_SCHEME})|[\s\"'<>|]|$)"
"""What ends a URL: white space, a quote, or a comma before another one."""
_STRONG = (
    r"(?:api|access|secret|private|license|auth)[-_]?key|(?:api|access|auth|hf|bearer|refresh|id)[-_]?token|"
    r"secret|passwd|password|pwd|passphrase|authorization|credentials?|cookie|signature"
)
_WEAK = r"(?<!_)key|(?<!_)token|auth|bearer|sig"
"""Words of prose as well: they name a credential only before an equals sign, or as a whole name."""
_NAME, _ANY = (
    rf"(?<![A-Za-z])(?:{words})(?![A-Za-z])" for words in (_STRONG, f"{_STRONG}|{_WEAK}")
)
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"

_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, flags), replacement)
    for pattern, flags, replacement in (
        # Credentials: up to the last @ before the path, and beyond where what stands there is no port.
        (rf"({_SCHEME})[^\s/?#\"'<>]*@", 0, rf"\1{_HIDDEN}@"),
        (rf"({_SCHEME})(?!\*\*\*@)[^\s/?#:@]*:(?!\d{{0,5}}(?:[/?#\s,\"']|$))[^\s\"'<>]*@", 0, rf"\1{_HIDDEN}@"),
        (rf"({_SCHEME}[^\s?#\"'<>]*)\?(?:(?!{_NEXT})[^#])+", 0, rf"\1?{_HIDDEN}"),
        (rf"({_SCHEME}[^\s#\"'<>]*)#(?:(?!{_NEXT}).)+", 0, rf"\1#{_HIDDEN}"),
        (r"(header\.[^\s=:'\"]+[\"']?\s*[=:]\s*+)(?!\*\*\*).+", re.DOTALL, rf"\1{_HIDDEN}"),
        (r"(?i)\b((?:bearer|basic)\s++)(?!\*\*\*)[A-Za-z0-9._~+/=-]{6,}", 0, rf"\1{_HIDDEN}"),
        (rf"(?i)((?:{_NAME}[\"']?\s*:|{_ANY}=)\s*+)(?:{_QUOTED}|(?!\*\*\*)[^\s,;}}\])\"']+)", 0, rf"\1{_HIDDEN}"),
    )
)  # fmt: skip


def without_credentials(text: str) -> str:
    """A text in which every credential is replaced by ***."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def hidden(value: Any, name: str = "") -> Any:
    """Decoded JSON in which every credential is replaced by ***.

    Args:
        value: of any depth.
        name: of the field that holds it.
    """
    if isinstance(value, Mapping):
        return {key: hidden(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(item, name) for item in value]
    if isinstance(value, str):
        if value and (name.startswith("header.") or re.search(rf"(?i){_ANY}", name)):
            return _HIDDEN
        return without_credentials(value)
    return value
