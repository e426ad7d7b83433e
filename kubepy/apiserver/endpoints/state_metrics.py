"""What there is at the moment: objects, watches, what was told to them, and how long etcd took; read when asked for.

Source: apiserver pkg/endpoints/metrics, pkg/storage/etcd3/metrics.
"""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.served import Served
from kubepy.storage.timing import Durations

_LONG = ("verb", "group", "version", "resource", "subresource", "scope", "component")


@runtime_checkable
class Timed(Protocol):
    """A store that measures its calls."""

    @property
    def durations(self) -> Durations:
        """How long each sort of call took."""


class StateMetrics(Collector):
    """Over the engine's caches and its store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterable[Metric]:
        """Every family."""
        stored = [served for served in self._engine.all_served() if not served.converts]
        yield from _objects(stored)
        yield from _watches(stored)
        if isinstance(self._engine.store, Timed):
            yield _etcd(self._engine.store.durations, stored)


def _objects(stored: Iterable[Served]) -> Iterable[Metric]:
    text = "Number of stored objects at the time of last check split by kind"
    old = GaugeMetricFamily("apiserver_storage_objects", text, labels=("resource",))
    new = GaugeMetricFamily("apiserver_resource_objects", text, labels=("group", "resource"))
    for served in stored:
        row = served.resource
        old.add_metric((row.qualified,), len(served.cache))
        new.add_metric((row.group, row.plural), len(served.cache))
    return old, new


def _watches(stored: Iterable[Served]) -> Iterable[Metric]:
    text = "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope"
    running = GaugeMetricFamily("apiserver_longrunning_requests", text, labels=_LONG)
    text = "Number of currently registered watchers for a given resource"
    registered = GaugeMetricFamily("apiserver_registered_watchers", text, labels=("group", "version", "kind"))
    text = "Number of events sent in watch clients"
    events = CounterMetricFamily("apiserver_watch_events", text, labels=("group", "version", "kind"))
    for served in stored:
        row, cache = served.resource, served.cache
        labels = (row.group, row.version, row.kind)
        if cache.events_told:
            events.add_metric(labels, cache.events_told)
        if cache.watchers:
            registered.add_metric(labels, cache.watchers)
        for scope, count in cache.watchers_by_scope().items():
            running.add_metric(("WATCH", row.group, row.version, row.plural, "", scope, "apiserver"), count)
    return running, registered, events


def _etcd(durations: Durations, stored: Iterable[Served]) -> Metric:
    known = {served.resource.stored_as: (served.resource.group, served.resource.plural) for served in stored}
    text = "Etcd request latency in seconds for each operation and object type."
    family = HistogramMetricFamily("etcd_request_duration_seconds", text, labels=("operation", "group", "resource"))
    for (operation, folder), found in durations.items():
        found.render(family, (operation, *known.get(folder, ("", folder))))
    return family
