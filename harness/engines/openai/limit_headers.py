"""What the headers of a refusal say of a server's rate limit: when to ask again, and its quota.

Servers differ in names and units; these are read:

- `Retry-After` (RFC 9110: seconds or a date), `retry-after-ms` (OpenAI, Azure), and either behind
  LiteLLM's prefix `llm_provider-`, which its proxy puts before the headers of the server behind it.
- `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` (OpenAI, Azure, Groq; "6m0s", "20ms").
- `anthropic-ratelimit-{requests,tokens,..}-{limit,remaining,reset}` (resets are times of RFC 3339).
- `x-ratelimit-{limit,remaining,reset}` (OpenRouter; its reset is in ms since 1970), and the same
  without `x-` (the IETF's draft; seconds).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_ASKED = 86_400.0  # a date from a wrong clock may be years ahead

_PROXY = "llm_provider-"
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?")
_UNITS = (86_400.0, 3600.0, 60.0, 1.0, 0.001)
_EPOCH_SECONDS, _EPOCH_MS = 1e9, 1e12  # a number from here on is a time, not a duration
_KINDS = ("requests", "tokens", "input-tokens", "output-tokens")
_FORMS = (
    *(("x-ratelimit-{part}-" + kind, kind) for kind in _KINDS),
    *((f"anthropic-ratelimit-{kind}-" + "{part}", kind) for kind in _KINDS),
    ("x-ratelimit-{part}", "requests"),
    ("ratelimit-{part}", "requests"),
)


@dataclass(frozen=True, slots=True)
class Quota:
    """What a refusal says of the limit that it ran into.

    Args:
        limit: requests, or tokens, that are granted; None where it does not say.
        reset: seconds until all of them are granted again.
        requests: whether it counts requests.
    """

    limit: float | None
    reset: float
    requests: bool


def asked_wait(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a reply asks to wait, at most a day; None where it does not.

    Args:
        headers: of the reply, whatever their case.
        now: the time to which a date is compared; the clock's by default.
    """
    lower = _lower(headers)
    milliseconds = _number(lower.get("retry-after-ms"))
    if milliseconds is not None:
        return min(max(0.0, milliseconds / 1000), LONGEST_ASKED)
    return retry_after(lower.get("retry-after"), now)


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, at most a day (RFC 9110, section 10.2.3).

    None without a header, or where it is neither a number nor an HTTP date.

    Args:
        value: of the header.
        now: the time to which a date is compared; the clock's by default.
    """
    if value is None:
        return None
    seconds = _number(value)
    if seconds is None:
        try:
            until = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = _until(until, now)
    return min(max(0.0, seconds), LONGEST_ASKED)


def quota(headers: Mapping[str, str], now: datetime | None = None) -> Quota | None:
    """The limit that a refusal ran into; None where its headers name none with a reset.

    Args:
        headers: of the reply, whatever their case.
        now: the time to which a date is compared; the clock's by default.
    """
    lower = _lower(headers)
    found: list[tuple[float, Quota]] = []
    for form, kind in _FORMS:
        limit, remaining = (
            _number(lower.get(form.format(part=part))) for part in ("limit", "remaining")
        )
        reset = _reset(lower.get(form.format(part="reset")), now)
        if reset is not None and remaining is not None:
            left = remaining / limit if limit else remaining
            found.append((left, Quota(limit, reset, kind == "requests")))
    # The one that is used up, or nearest to it: a request may need more tokens than remain.
    return min(found, key=lambda entry: entry[0])[1] if found else None


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by lower-case name; those of a server behind a proxy where the proxy has none."""
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    behind = {
        name.removeprefix(_PROXY): value for name, value in lower.items() if name.startswith(_PROXY)
    }
    return {**behind, **lower}


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _reset(text: str | None, now: datetime | None) -> float | None:
    """Seconds of a duration, from a number of seconds, or until a time; None if it is neither."""
    if not text:
        return None
    number = _number(text)
    if number is not None:
        if number >= _EPOCH_SECONDS:
            seconds = number / (1000 if number >= _EPOCH_MS else 1)
            number = seconds - (now or datetime.now(UTC)).timestamp()
    elif (found := _DURATION.fullmatch(text)) is not None:
        parts = zip(found.groups(), _UNITS, strict=True)
        number = sum((_number(part) or 0.0) * unit for part, unit in parts)
    else:
        try:
            number = _until(datetime.fromisoformat(text), now)
        except ValueError:
            return None
    return min(max(0.0, number), LONGEST_ASKED)


def _until(moment: datetime, now: datetime | None) -> float:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - (now or datetime.now(UTC))).total_seconds()
