"""Ages at the edges where one unit gives way to the next."""

from datetime import UTC, datetime

import pytest

from kubepy.api.printing.durations import between, render_duration, since

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1.5, "0s"),
        (0, "0s"),
        (119.9, "119s"),
        (2 * MINUTE, "2m"),
        (2 * MINUTE + 1, "2m1s"),
        (10 * MINUTE + 59, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (7 * HOUR + 59 * MINUTE, "7h59m"),
        (8 * HOUR + MINUTE, "8h"),
        (47 * HOUR, "47h"),
        (2 * DAY, "2d"),
        (2 * DAY + HOUR, "2d1h"),
        (8 * DAY + HOUR, "8d"),
        (2 * YEAR - DAY, "729d"),
        (2 * YEAR, "2y"),
        (2 * YEAR + DAY, "2y1d"),
        (8 * YEAR + DAY, "8y"),
    ],
)
def test_a_duration_shows_two_units_while_the_larger_is_small(seconds: float, text: str) -> None:
    assert render_duration(seconds) == text


def test_times_that_are_absent_or_broken_are_unknown() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert since(None, now) == since("", now) == since("yesterday", now) == "<unknown>"
    assert between("2026-01-01T00:00:00Z", None) == "<unknown>"
    assert between("2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z") == "5m"
