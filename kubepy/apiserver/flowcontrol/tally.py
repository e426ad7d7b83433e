"""What is counted of the requests of one FlowSchema at one priority level: plain numbers, rendered when asked for."""

from dataclasses import dataclass, field
from typing import Final

from kubepy.lib.distribution import Distribution

DURATIONS_S: Final = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
LENGTHS: Final = (0.0, 10, 25, 50, 100, 250, 500, 1000)
WIDTHS: Final = (1.0, 2, 4, 10)


def _durations() -> Distribution:
    return Distribution(DURATIONS_S)


@dataclass(slots=True)
class Tally:
    """`rejected` is by reason; `waited` of those that ran, `waited_in_vain` of the others."""

    dispatched: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    executing: int = 0
    seats: int = 0
    waiting: int = 0
    waiting_seats: int = 0
    waited: Distribution = field(default_factory=_durations)
    waited_in_vain: Distribution = field(default_factory=_durations)
    executed: Distribution = field(default_factory=_durations)
    widths: Distribution = field(default_factory=lambda: Distribution(WIDTHS))
    lengths: Distribution = field(default_factory=lambda: Distribution(LENGTHS))

    def reject(self, reason: str) -> None:
        """Counts a request that was turned away."""
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
