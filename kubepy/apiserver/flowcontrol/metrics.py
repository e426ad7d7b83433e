"""Flow control's metrics under upstream's names: made of plain numbers when they are asked for.

Source: apiserver pkg/util/flowcontrol/metrics/metrics.go.
"""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from kubepy.apiserver.flowcontrol.levels import Level, Levels

_PREFIX: Final = "apiserver_flowcontrol_"
_FLOW: Final = ("priority_level", "flow_schema")


class FlowMetrics(Collector):
    """Reads the levels and their tallies."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels

    def collect(self) -> Iterable[Metric]:
        """Every family."""
        yield from self._counters()
        yield from self._flow_gauges()
        yield from self._histograms()
        yield from self._level_gauges()

    def _counters(self) -> Iterable[Metric]:
        text = "Number of requests rejected by API Priority and Fairness subsystem"
        rejected = CounterMetricFamily(f"{_PREFIX}rejected_requests", text, labels=(*_FLOW, "reason"))
        text = "Number of requests executed by API Priority and Fairness subsystem"
        dispatched = CounterMetricFamily(f"{_PREFIX}dispatched_requests", text, labels=_FLOW)
        for labels, tally in self._levels.tallies.items():
            dispatched.add_metric(labels, tally.dispatched)
            for reason, count in tally.rejected.items():
                rejected.add_metric((*labels, reason), count)
        return rejected, dispatched

    def _flow_gauges(self) -> Iterable[Metric]:
        rows = (
            ("current_executing_requests", "executing", "Number of requests in any stage of execution (a WATCH: its "
             "start) in the API Priority and Fairness subsystem"),
            ("current_executing_seats", "seats", "Seats occupied by the requests that execute in the API Priority and "
             "Fairness subsystem"),
            ("current_inqueue_requests", "waiting", "Number of requests currently pending in queues of the API "
             "Priority and Fairness subsystem"),
            ("current_inqueue_seats", "waiting_seats", "Number of seats currently pending in queues of the API "
             "Priority and Fairness subsystem"),
        )  # fmt: skip
        for name, attribute, text in rows:
            family = GaugeMetricFamily(_PREFIX + name, text, labels=_FLOW)
            for labels, tally in self._levels.tallies.items():
                family.add_metric(labels, getattr(tally, attribute))
            yield family

    def _histograms(self) -> Iterable[Metric]:
        waited = _family(
            "request_wait_duration_seconds", "Length of time a request spent waiting in its queue", "execute"
        )
        executed = _family("request_execution_seconds", "Duration of request execution (a WATCH: its start)", "type")
        widths = _family("work_estimated_seats", "Number of estimated seats associated with requests")
        lengths = _family(
            "request_queue_length_after_enqueue", "Length of queue as seen by each request after it is enqueued"
        )
        for labels, tally in self._levels.tallies.items():
            tally.waited.render(waited, (*labels, "true"))
            tally.waited_in_vain.render(waited, (*labels, "false"))
            tally.executed.render(executed, (*labels, "regular"))
            tally.widths.render(widths, labels)
            tally.lengths.render(lengths, labels)
        return waited, executed, widths, lengths

    def _level_gauges(self) -> Iterable[Metric]:
        for name, text, read in _LEVEL_GAUGES:
            family = GaugeMetricFamily(_PREFIX + name, text, labels=("priority_level",))
            for level in self._levels.by_name.values():
                family.add_metric((level.name,), read(level))
            yield family


_LEVEL_GAUGES: Final[tuple[tuple[str, str, Callable[[Level], float]], ...]] = (
    ("nominal_limit_seats", "Nominal number of execution seats configured for each priority level",
     lambda level: level.bounds.nominal),
    ("lower_limit_seats", "Configured lower bound on number of execution seats available to each priority level",
     lambda level: level.bounds.least),
    ("upper_limit_seats", "Configured upper bound on number of execution seats available to each priority level",
     lambda level: level.bounds.most),
    ("current_limit_seats", "current derived number of execution seats available to each priority level",
     lambda level: level.queues.limit),
    ("demand_seats_high_watermark", "High watermark, over last adjustment period, of demand_seats",
     lambda level: level.demand.high),
    ("demand_seats_average", "Time-weighted average, over last adjustment period, of demand_seats",
     lambda level: level.demand.average),
    ("demand_seats_stdev", "Time-weighted standard deviation, over last adjustment period, of demand_seats",
     lambda level: level.demand.deviation),
    ("demand_seats_smoothed", "Smoothed seat demands", lambda level: level.demand.smoothed),
    ("current_r", "R(time of last change)", lambda level: level.queues.r),
)  # fmt: skip


def _family(name: str, text: str, *more: str) -> HistogramMetricFamily:
    return HistogramMetricFamily(_PREFIX + name, text, labels=(*_FLOW, *more))
