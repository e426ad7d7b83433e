"""What the API server counts about its requests, under upstream's names; cheap enough for the hot path.

A request costs one dictionary look-up, an addition and a bisection: plain numbers, which are rendered when asked for.
Source: apiserver pkg/endpoints/metrics/metrics.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from kubepy.apiserver.endpoints.shown_metrics import Shown, ShownMetrics
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib.distribution import Distribution

_BOUNDS_S: Final = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
_KEPT: Final = 5000
_READING: Final = frozenset(("get", "list", "watch"))
_CONNECTS: Final = frozenset(("attach", "exec", "log", "portforward", "proxy"))
_METHODS: Final = {"create": "POST", "update": "PUT", "head": "GET"}
_LABELS: Final = ("verb", "group", "version", "resource", "subresource", "scope", "component")
_DURATION: Final = (
    "Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, "
    "scope and component."
)
_TOTAL: Final = (
    "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, "
    "component, and HTTP response code."
)


class InFlight:
    """How many requests of one kind are under way."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def end(self) -> None:
        """One has ended."""
        self.count -= 1


@dataclass(slots=True)
class _Counted:
    """The requests of one sort; what streams has no `durations`."""

    labels: tuple[str, ...]
    dry_run: str
    durations: Distribution | None
    by_status: dict[int, int] = field(default_factory=dict)


class Metrics(Collector):
    """One registry a server, so that servers in one process do not share counters."""

    def __init__(self, shown: Shown | None = None) -> None:
        self.registry = CollectorRegistry()
        self._shown = ShownMetrics(self.registry, shown) if shown else None
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.reading, self.mutating = InFlight(), InFlight()
        self._counted: dict[tuple[object, ...], _Counted] = {}
        self.registry.register(self)

    def begin(self, info: RequestInfo) -> InFlight:
        """Counts a request as under way until its `end`."""
        found = self.reading if info.verb in _READING else self.mutating
        found.count += 1
        return found

    def observe(
        self, info: RequestInfo, status: int, seconds: float, *, applies: bool = False, dry_run: bool = False
    ) -> None:
        """Counts one answer."""
        scope = scope_of(info)
        key: tuple[object, ...] = (info.verb, info.group, info.version, info.resource, info.subresource, scope)
        if not info.is_resource:
            key = (info.path, info.verb)
        elif applies or dry_run:
            key = (*key, applies, dry_run)
        counted = self._counted.get(key)
        if counted is None:
            if len(self._counted) >= _KEPT:  # made-up names must not grow it without end
                return
            counted = self._counted[key] = _make(info, scope, applies=applies, dry_run=dry_run)
        counted.by_status[status] = counted.by_status.get(status, 0) + 1
        if counted.durations is not None:
            counted.durations.add(seconds)

    def collect(self) -> Iterable[Metric]:
        """What was counted of requests."""
        total = CounterMetricFamily("apiserver_request", _TOTAL, labels=(*_LABELS, "dry_run", "code"))
        durations = HistogramMetricFamily("apiserver_request_duration_seconds", _DURATION, labels=(*_LABELS, "dry_run"))
        for counted in self._counted.values():
            labels = (*counted.labels, counted.dry_run)
            for status, count in counted.by_status.items():
                total.add_metric((*labels, str(status)), count)
            if counted.durations is not None:
                counted.durations.render(durations, labels)
        text = "Maximal number of currently used inflight request limit of this apiserver per request kind"
        inflight = GaugeMetricFamily("apiserver_current_inflight_requests", text, labels=("request_kind",))
        inflight.add_metric(("readOnly",), self.reading.count)
        inflight.add_metric(("mutating",), self.mutating.count)
        return total, durations, inflight

    def render(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry if self._shown is None else self._shown)


def _make(info: RequestInfo, scope: str, *, applies: bool, dry_run: bool) -> _Counted:
    if info.is_resource:
        verb = "APPLY" if applies else _verb(info)
        labels = (verb, info.group, info.version, info.resource, info.subresource, scope, "apiserver")
        streams = labels[0] in ("WATCH", "CONNECT")
    else:
        labels = (info.verb.upper(), "", "", "", info.path, "", "apiserver")
        streams = False
    return _Counted(labels, "All" if dry_run else "", None if streams else Distribution(_BOUNDS_S))


def _verb(info: RequestInfo) -> str:
    if info.subresource in _CONNECTS:
        return "CONNECT"
    return _METHODS.get(info.verb) or info.verb.upper()


def scope_of(info: RequestInfo) -> str:
    """How much a request is about: one object, a namespace, the cluster; empty for what is no resource."""
    if not info.is_resource:
        return ""
    if info.name or info.verb == "create":
        return "resource"
    return "namespace" if info.namespace else "cluster"
