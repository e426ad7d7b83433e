"""Instants on the wire: metav1.Time drops fractions of a second, metav1.MicroTime keeps six digits; both say `Z`.

Only RFC 3339 passes, as Go's time.Parse reads it: a four-digit year, `T` between date and time, a zone at the end.

Source: apimachinery pkg/apis/meta/v1/time.go, micro_time.go.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII).fullmatch


@lru_cache(maxsize=1024)
def parse(text: str) -> datetime | None:
    """The moment in UTC (fractions cut after the sixth digit), or None when it is not RFC 3339."""
    found = _RFC3339(text)
    if not found:
        return None
    fraction = (found[2] or "")[:6].ljust(6, "0")
    try:
        return datetime.fromisoformat(f"{found[1]}.{fraction}{found[3]}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def normal_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment.year >= 1000 else f"{moment.year:04d}{moment:-%m-%dT%H:%M:%SZ}"


def normal_micro_time(moment: datetime) -> str:
    return f"{normal_time(moment)[:-1]}.{moment.microsecond:06d}Z"


def parse_fault(text: str) -> str:
    """How Go says that a text is no RFC 3339 instant."""
    layout = "2006-01-02T15:04:05Z07:00"
    rest, expected = _where(text)
    return f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as "{expected}"'


_STEPS = (
    (r"\d{4}", "2006"), ("-", "-"), (r"\d\d", "01"), ("-", "-"), (r"\d\d", "02"), ("T", "T"), (r"\d\d", "15"),
    (":", ":"), (r"\d\d", "04"), (":", ":"), (r"\d\d", "05"), (r"(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)", "Z07:00"),
)  # fmt: skip


def _where(text: str) -> tuple[str, str]:
    at = 0
    for pattern, expected in _STEPS:
        found = re.compile(pattern, re.ASCII).match(text, at)
        if not found:
            return text[at:], expected
        at = found.end()
    return text[at:], ""
