"""What is counted of authorization, under upstream's names: how requests come out, and which authorizer says so.

Source: apiserver pkg/endpoints/filters/metrics.go, pkg/authorization/metrics.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from kubepy.apiserver.authz.decision import Decision
from kubepy.lib.distribution import Distribution

_BOUNDS_S: Final = tuple(0.001 * 2**power for power in range(15))
_DECISIONS: Final = (
    "Total number of terminal decisions made by an authorizer split by authorizer type, name, and decision."
)


class AuthorizationMetrics(Collector):
    """One a server."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._attempts: dict[str, Distribution] = {}
        self.decisions: Counter[tuple[str, str, str]] = Counter()
        """By the authorizer's type and name and whether it `allowed` or `denied`."""
        if registry is not None:
            registry.register(self)

    def observe(self, decision: Decision, seconds: float) -> None:
        """Counts how one request came out."""
        result = "allowed" if decision.allowed else "denied" if decision.denied else "no-opinion"
        found = self._attempts.get(result)
        if found is None:
            found = self._attempts[result] = Distribution(_BOUNDS_S)
        found.add(seconds)

    def collect(self) -> Iterable[Metric]:
        """All of it."""
        text = "Counter of authorization attempts broken down by result. It can be either 'allowed', 'denied', "
        text += "'no-opinion' or 'error'."
        attempts = CounterMetricFamily("authorization_attempts", text, labels=("result",))
        text = "Authorization duration in seconds broken out by result."
        durations = HistogramMetricFamily("authorization_duration_seconds", text, labels=("result",))
        for result, found in self._attempts.items():
            attempts.add_metric((result,), sum(found.counts))
            found.render(durations, (result,))
        decisions = CounterMetricFamily(
            "apiserver_authorization_decisions", _DECISIONS, labels=("type", "name", "decision")
        )
        for key, count in self.decisions.items():
            decisions.add_metric(key, count)
        return attempts, durations, decisions
