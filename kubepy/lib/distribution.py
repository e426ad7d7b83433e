"""A histogram in plain numbers: counting costs a bisection, and it is rendered for Prometheus when somebody asks."""

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client.core import HistogramMetricFamily


class Distribution:
    """`counts` of each bound and of what is above the last one."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Counts one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def render(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Adds it to a family, if anything was counted."""
        total, buckets = 0, []
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else f"{bound:g}", float(total)))
        if total:
            family.add_metric(labels, buckets, self.total)
