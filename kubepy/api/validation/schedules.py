"""Cron schedules and time zones as CronJobs name them.

The five fields, names of months and days, steps and ranges, and the `@every`, `@daily`, ... descriptors.
Source: github.com/robfig/cron/v3 ParseStandard (its error texts); pkg/apis/batch/validation (validateTimeZone).
"""

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kubepy.api.errors import FieldError, invalid
from kubepy.api.go_values import atoi

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: index for index, name in enumerate(_MONTH_NAMES, 1)}
_DAYS = {name: index for index, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_DESCRIPTORS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_GO_DURATION = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*")
_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}")
_ZONE_PREFIXES = ("TZ=", "CRON_TZ=")


class BadSchedule(ValueError):
    """A schedule that cannot be read; its text is upstream's."""


def _number(text: str, known: dict[str, int]) -> int:
    value = known.get(text.lower())
    if value is not None:
        return value
    try:
        number = atoi(text)
    except ValueError as fault:
        raise BadSchedule(f"failed to parse int from {text}: {fault}") from fault
    if number < 0:
        raise BadSchedule(f"negative number ({number}) not allowed: {text}")
    return number


def _check_range(expression: str, low: int, high: int, known: dict[str, int]) -> None:
    span, *step_parts = expression.split("/")
    if len(step_parts) > 1:
        raise BadSchedule(f"too many slashes: {expression}")
    ends = span.split("-")
    if ends[0] in ("*", "?"):
        start, end = low, high
    else:
        start = _number(ends[0], known)
        if len(ends) > 2:
            raise BadSchedule(f"too many hyphens: {expression}")
        end = _number(ends[1], known) if len(ends) == 2 else start
    step = 1
    if step_parts:
        step = _number(step_parts[0], {})
        if len(ends) == 1:
            end = high
    if start < low:
        raise BadSchedule(f"beginning of range ({start}) below minimum ({low}): {expression}")
    if end > high:
        raise BadSchedule(f"end of range ({end}) above maximum ({high}): {expression}")
    if start > end:
        raise BadSchedule(f"beginning of range ({start}) beyond end of range ({end}): {expression}")
    if step == 0:
        raise BadSchedule(f"step of range should be a positive number: {expression}")


def _check_zone_prefix(schedule: str) -> str:
    """The schedule without its time zone. Raises BadSchedule on an unknown zone."""
    if not schedule.startswith(_ZONE_PREFIXES):
        return schedule
    zone, _, rest = schedule.partition(" ")
    name = zone.partition("=")[2]
    if not is_known_zone(name):
        raise BadSchedule(f"provided bad location {name}: unknown time zone {name}")
    return rest.strip()


def check_schedule(schedule: str) -> None:
    """Raises BadSchedule where a schedule cannot be read."""
    if not schedule:
        raise BadSchedule("empty spec string")
    schedule = _check_zone_prefix(schedule)
    if schedule.startswith("@every "):
        duration = schedule.removeprefix("@every ")
        if not _GO_DURATION.fullmatch(duration):
            why = f'time: invalid duration "{duration}"'
            raise BadSchedule(f"failed to parse duration {schedule}: {why}")
        return
    if schedule.startswith("@"):
        if schedule not in _DESCRIPTORS:
            raise BadSchedule(f"unrecognized descriptor: {schedule}")
        return
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        raise BadSchedule(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    for field, (low, high, known) in zip(fields, _FIELDS, strict=True):
        for expression in filter(None, field.split(",")):
            _check_range(expression, low, high, known)


def is_known_zone(name: str) -> bool:
    """Whether the time zone database knows the name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def validate_schedule(schedule: str, path: str, *, zone: str | None, zone_was_inside: bool) -> list[FieldError]:
    """Faults of a schedule; a zone inside of it is tolerated where the stored object had one already."""
    errors = []
    try:
        check_schedule(schedule)
    except BadSchedule as fault:
        errors.append(invalid(path, schedule, str(fault)))
    if "TZ" in schedule:
        if not zone_was_inside:
            errors.append(invalid(path, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"))
        elif zone is not None:
            errors.append(invalid(path, schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule"))
    return errors


def validate_time_zone(zone: str | None, path: str) -> list[FieldError]:
    """Faults of a time zone's name."""
    if zone is None:
        return []
    if not zone:
        return [invalid(path, zone, "timeZone must be nil or non-empty string")]
    for part in zone.split("/"):
        if part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part):
            return [invalid(path, zone, f"unknown time zone {zone}")]
    if zone.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid(path, zone, why)]
    return [] if is_known_zone(zone) else [invalid(path, zone, f"unknown time zone {zone}")]
