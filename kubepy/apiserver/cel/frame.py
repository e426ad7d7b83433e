"""One evaluation of an expression, and what it has cost so far."""

from collections.abc import Callable
from typing import Any, Final

from kubepy.apiserver.cel.errors import CostExceeded

LIST_COST: Final = 10
"""What making a list costs, as upstream counts."""
MAP_COST: Final = 30
OBJECT_COST: Final = 40


class Frame:
    """One evaluation: what its variables are, what it has cost and may cost.

    `limit` is what it may cost here; `most` what it may cost at all, which is more on a loop that must not be held up.
    """

    __slots__ = ("cost", "idle", "limit", "most", "values")

    def __init__(self, values: dict[str, Any], limit: int, most: int) -> None:
        self.values = values
        self.cost = 0
        self.idle = 0
        """What of its cost took no time."""
        self.limit = limit
        self.most = most

    def charge(self, cost: int) -> None:
        """Spends. Raises CostExceeded."""
        self.cost += cost
        if self.cost > self.limit:
            raise CostExceeded

    def charge_idly(self, cost: int) -> None:
        """Spends on what others do. Raises CostExceeded."""
        self.idle += cost
        self.limit = min(self.limit + cost, self.most)
        self.charge(cost)


Step = Callable[[Frame], Any]
