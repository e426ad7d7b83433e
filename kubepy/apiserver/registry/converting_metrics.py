"""What is counted of webhooks that convert custom resources, under upstream's names.

Source: apiextensions-apiserver pkg/apiserver/conversion/metrics.go.
"""

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from kubepy.lib.distribution import Distribution

_DEFINITION_BOUNDS_S: Final = tuple(0.001 * 2**power for power in range(15))
_CALL_BOUNDS_S: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0)
CALL: Final = "conversion_webhook_call_failure"
PARTIAL: Final = "conversion_webhook_partial_response_failure"
INVALID: Final = "conversion_webhook_invalid_converted_object_failure"
"""Why a conversion fails: no answer, or one that is a failure; too few objects or too many; an object that is none."""
_BY_RESULT: Final = ("result", "failure_type")
_BY_DEFINITION: Final = ("crd_name", "from_version", "to_version", "succeeded")


class ConversionMetrics(Collector):
    """One a server."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], Distribution] = {}
        self._definitions: dict[tuple[str, str, str, str], Distribution] = {}

    def observe(self, definition: str, versions: tuple[str, str], failure: str, seconds: float) -> None:
        """Counts one question to the webhook of a definition; `failure` is empty if it went well."""
        key = ("failure" if failure else "success", failure)
        self._calls.setdefault(key, Distribution(_CALL_BOUNDS_S)).add(seconds)
        which = (definition, *versions, "false" if failure else "true")
        self._definitions.setdefault(which, Distribution(_DEFINITION_BOUNDS_S)).add(seconds)

    def collect(self) -> Iterable[Metric]:
        """All of it."""
        text = "Counter for conversion webhook requests with success/failure and failure error type"
        requests = CounterMetricFamily("apiserver_conversion_webhook_request", text, labels=_BY_RESULT)
        text = "Conversion webhook request latency"
        latency = HistogramMetricFamily("apiserver_conversion_webhook_duration_seconds", text, labels=_BY_RESULT)
        for key, found in self._calls.items():
            requests.add_metric(key, sum(found.counts))
            found.render(latency, key)
        name, text = "apiserver_crd_conversion_webhook_duration_seconds", "CRD webhook conversion duration in seconds"
        definitions = HistogramMetricFamily(name, text, labels=_BY_DEFINITION)
        for which, found in self._definitions.items():
            found.render(definitions, which)
        return requests, latency, definitions
