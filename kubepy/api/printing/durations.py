"""Ages as people read them: `45s`, `5m30s`, `3h`, `12d`, `2y4d`.

Two units while the larger one is small, then one: upstream's thresholds exactly, since users compare the outputs.
Source: apimachinery pkg/util/duration, HumanDuration.
"""

from datetime import datetime

UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def render_duration(seconds: float) -> str:
    """A duration in at most two units; `<invalid>` when it is more than a second negative."""
    total = int(seconds)
    if total < 0:
        return "<invalid>" if total < -1 else "0s"
    if total < 2 * _MINUTE:
        return f"{total}s"
    if total < 10 * _MINUTE:
        return _pair(total // _MINUTE, "m", total % _MINUTE, "s")
    if total < 3 * _HOUR:
        return f"{total // _MINUTE}m"
    if total < 8 * _HOUR:
        return _pair(total // _HOUR, "h", total % _HOUR // _MINUTE, "m")
    if total < 2 * _DAY:
        return f"{total // _HOUR}h"
    if total < 8 * _DAY:
        return _pair(total // _DAY, "d", total % _DAY // _HOUR, "h")
    if total < 2 * _YEAR:
        return f"{total // _DAY}d"
    if total < 8 * _YEAR:
        return _pair(total // _YEAR, "y", total // _DAY % 365, "d")
    return f"{total // _YEAR}y"


def parse_time(text: str | None) -> datetime | None:
    """An RFC 3339 time of the wire; None when absent or not a time."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def since(text: str | None, now: datetime) -> str:
    """The time passed since an RFC 3339 time."""
    then = parse_time(text)
    return UNKNOWN if then is None else render_duration((now - then).total_seconds())


def between(start: str | None, end: str | None) -> str:
    """The time from one RFC 3339 time to another."""
    first, last = parse_time(start), parse_time(end)
    return UNKNOWN if first is None or last is None else render_duration((last - first).total_seconds())
