"""What the metrics tell of extension servers that are away, under upstream's names.

Source: kube-aggregator pkg/controllers/status/metrics/metrics.go.
"""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kubepy.apiserver.aggregation.availability import Verdict

_NAME = "aggregator_unavailable_apiservice"


class Unavailability(Collector):
    """A gauge for each APIService, and a counter of how often it went away, by reason."""

    def __init__(self) -> None:
        self._verdicts: dict[str, Verdict] = {}
        self._times: Counter[tuple[str, str]] = Counter()

    def tell(self, name: str, verdict: Verdict) -> None:
        """The verdict of now."""
        before = self._verdicts.get(name)
        is_news = before is None or (before.status, before.reason) != (verdict.status, verdict.reason)
        if verdict.status != "True" and is_news:
            self._times[name, verdict.reason] += 1
        self._verdicts[name] = verdict

    def forget(self, name: str) -> None:
        """The APIService is gone."""
        self._verdicts.pop(name, None)

    def collect(self) -> Iterator[Metric]:
        """Both families."""
        now = GaugeMetricFamily(
            _NAME,
            "Gauge of APIServices which are marked as unavailable broken down by APIService name.",
            labels=["name"],
        )
        for name, verdict in self._verdicts.items():
            now.add_metric([name], 0 if verdict.status == "True" else 1)
        times = CounterMetricFamily(
            _NAME,
            "Counter of APIServices which are marked as unavailable broken down by APIService name and reason.",
            labels=["name", "reason"],
        )
        for labels, count in self._times.items():
            times.add_metric(labels, count)
        yield from (now, times)
