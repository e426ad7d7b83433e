"""What is counted of auditing, under upstream's names.

Source: apiserver pkg/audit/metrics.go.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_EVENTS: Final = "Counter of audit events generated and sent to the audit backend."
_ERRORS: Final = (
    "Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error."
)
_LEVELS: Final = "Counter of policy levels for audit events (1 per request)."


class AuditMetrics(Collector):
    """One a server that audits."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.events = 0
        self.errors: Counter[str] = Counter()
        """By the backend that lost an event."""
        self.levels: Counter[str] = Counter()
        if registry is not None:
            registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """All of it."""
        events = CounterMetricFamily("apiserver_audit_event", _EVENTS)
        events.add_metric((), self.events)
        errors = CounterMetricFamily("apiserver_audit_error", _ERRORS, labels=("plugin",))
        for plugin, count in self.errors.items():
            errors.add_metric((plugin,), count)
        levels = CounterMetricFamily("apiserver_audit_level", _LEVELS, labels=("level",))
        for level, count in self.levels.items():
            levels.add_metric((level,), count)
        return events, errors, levels
