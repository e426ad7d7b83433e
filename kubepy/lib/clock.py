"""Time as an argument: the real clock, and the spelling of times on the wire.

Source of the spellings: metav1.Time (RFC 3339, whole seconds) and metav1.MicroTime (six digits).
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What tells the time and waits; a virtual one makes a test of hours take none."""

    def now(self) -> datetime:
        """The present, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go backwards."""

    async def sleep(self, seconds: float) -> None:
        """Returns after so many seconds."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


SYSTEM: Clock = SystemClock()


def rfc3339(moment: datetime) -> str:
    """`2026-01-02T03:04:05Z`, as metav1.Time is written."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(moment: datetime) -> str:
    """`2026-01-02T03:04:05.000000Z`, as metav1.MicroTime is written."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> datetime:
    """The moment that either spelling tells, in UTC; finer than microseconds is cut off. Raises ValueError."""
    return datetime.fromisoformat(text).astimezone(UTC)
