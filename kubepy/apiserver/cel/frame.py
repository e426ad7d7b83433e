"""One evaluation of an expression, and what it has cost so far."""

from collections.abc import Callable
from typing import Any, Final

from kubepy.apiserver.cel.errors import CostExceeded

LIST_COST: Final = 10
"""What making a list costs, as upstream counts."""
MAP_COST: Final = 30


class Frame:
    """One evaluation: what its variables are, what it has cost and may cost."""

    __slots__ = ("cost", "limit", "values")

    def __init__(self, values: dict[str, Any], limit: int) -> None:
        self.values = values
        self.cost = 0
        self.limit = limit

    def charge(self, cost: int) -> None:
        """Spends. Raises CostExceeded."""
        self.cost += cost
        if self.cost > self.limit:
            raise CostExceeded


Step = Callable[[Frame], Any]
