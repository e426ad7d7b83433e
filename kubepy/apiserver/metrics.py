"""What the API server counts about its requests, under upstream's names; cheap enough for the hot path.

A request costs two dictionary look-ups: the children of its labels are kept by what the request was about.
Source: apiserver pkg/endpoints/metrics/metrics.go.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from kubepy.apiserver.request_info import RequestInfo

_BUCKETS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)
_KEPT = 5000
_LONG = frozenset(("watch", "connect"))
_Key = tuple[str, str, str, str, str, str, int]


class Metrics:
    """One registry a server, so that servers in one process do not share counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        labels = ["verb", "group", "version", "resource", "subresource", "scope", "component"]
        self._total = Counter(
            "apiserver_request_total",
            "Counter of apiserver requests broken out for each verb, group, version, resource, scope, component and "
            "HTTP response code.",
            [*labels, "code", "dry_run"],
            registry=self.registry,
        )
        self._duration = Histogram(
            "apiserver_request_duration_seconds",
            "Response latency distribution in seconds for each verb, group, version, resource, subresource, scope and "
            "component.",
            [*labels, "dry_run"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.watches = Gauge(
            "apiserver_registered_watchers",
            "Number of currently registered watchers for a given resource",
            ["group", "version", "kind"],
            registry=self.registry,
        )
        self._children: dict[_Key, tuple[Counter, Histogram | None]] = {}

    def observe(self, info: RequestInfo, status: int, seconds: float) -> None:
        """Counts one answer."""
        key = (info.verb, info.group, info.version, info.resource, info.subresource, _scope(info), status)
        children = self._children.get(key)
        if children is None:
            if len(self._children) >= _KEPT:  # made-up resource names must not grow it without end
                return
            children = self._make(key)
        children[0].inc()
        if children[1] is not None:
            children[1].observe(seconds)

    def _make(self, key: _Key) -> tuple[Counter, Histogram | None]:
        verb, group, version, resource, subresource, scope, status = key
        labels = (verb.upper(), group, version, resource, subresource, scope, "apiserver")
        total = self._total.labels(*labels, str(status), "")
        duration = None if verb in _LONG else self._duration.labels(*labels, "")
        self._children[key] = (total, duration)
        return total, duration

    def render(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)


def _scope(info: RequestInfo) -> str:
    if not info.is_resource:
        return ""
    if info.name:
        return "resource"
    return "namespace" if info.namespace else "cluster"
