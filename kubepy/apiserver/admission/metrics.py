"""What is counted of admission, webhooks and policies, under upstream's names; cheap where neither is about a write.

Source: apiserver pkg/admission/metrics/metrics.go, pkg/admission/plugin/policy/validating/metrics.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from kubepy.lib.distribution import Distribution

_WEBHOOK: Final = "apiserver_admission_webhook_"
_STEP_BUCKETS: Final = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)
_BUCKETS: Final = (*_STEP_BUCKETS, 10, 25)
_CODE_MOST = 600
ADMIT, VALIDATING = "admit", "validating"
CALLING, INTERNAL, DENIED = "calling_webhook_error", "apiserver_internal_error", "no_error"

_STEP = (
    "Admission sub-step latency histogram in seconds, broken out for each operation and API resource and step type "
    "(validate or admit)."
)
_DURATION = (
    "Admission webhook latency histogram in seconds, identified by name and broken out for each operation and API "
    "resource and type (validate or admit)."
)
_REQUESTS = (
    "Admission webhook request total, identified by name and broken out for each admission type (validating or "
    "mutating) and operation."
)
_REJECTIONS = (
    "Admission webhook rejection count, identified by name and broken out for each admission type (validating or "
    "admit) and operation."
)
_OPENED = (
    "Admission webhook fail open count, identified by name and broken out for each admission type (validating or "
    "mutating)."
)
_CHECKS = (
    "Validation admission policy check total, labeled by policy and further identified by binding and enforcement "
    "action taken."
)


class AdmissionMetrics(Collector):
    """One a server. A `step` is ADMIT for what may change objects, VALIDATING for what may only refuse."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._steps: dict[tuple[str, str, bool], Distribution] = {}
        self._durations: dict[tuple[str, ...], Distribution] = {}
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._rejections: Counter[tuple[str, ...]] = Counter()
        self._opened: Counter[tuple[str, ...]] = Counter()
        self._checks: Counter[tuple[str, ...]] = Counter()
        registry.register(self)

    def step(self, kind: str, operation: str, seconds: float, rejected: bool) -> None:
        """A round of the whole chain: admit or validate."""
        found = self._steps.get((kind, operation, rejected))
        if found is None:
            found = self._steps[kind, operation, rejected] = Distribution(_STEP_BUCKETS)
        found.add(seconds)

    def called(self, name: str, step: str, operation: str, seconds: float, code: int, *, rejected: bool) -> None:
        """A webhook was asked; `code` is 200 or that of the fault."""
        shown = "true" if rejected else "false"
        self._requests[name, step, operation, str(min(code, _CODE_MOST)), shown] += 1
        key = (name, step, operation, shown)
        found = self._durations.get(key)
        if found is None:
            found = self._durations[key] = Distribution(_BUCKETS)
        found.add(seconds)

    def rejected(self, name: str, step: str, operation: str, error: str, code: int) -> None:
        """A write was refused because of a webhook: `error` is CALLING, INTERNAL or DENIED."""
        self._rejections[name, step, operation, error, str(min(code, _CODE_MOST))] += 1

    def opened(self, name: str, step: str) -> None:
        """A webhook failed and was passed over."""
        self._opened[name, step] += 1

    def checked(self, policy: str, binding: str, error: str, action: str) -> None:
        """A validation did not pass: `action` is deny, warn or audit."""
        self._checks[policy, binding, error, action] += 1

    def collect(self) -> Iterable[Metric]:
        """What was counted."""
        yield from self._histograms()
        what = ("name", "type", "operation")
        requests = CounterMetricFamily(f"{_WEBHOOK}request", _REQUESTS, labels=(*what, "code", "rejected"))
        _fill(requests, self._requests)
        by = ("policy", "policy_binding", "error_type", "enforcement_action")
        checks = CounterMetricFamily("apiserver_validating_admission_policy_check", _CHECKS, labels=by)
        _fill(checks, self._checks)
        yield requests
        yield checks
        labels = (*what, "error_type", "rejection_code")
        yield _plain(f"{_WEBHOOK}rejection_count", _REJECTIONS, labels, self._rejections)
        yield _plain(f"{_WEBHOOK}fail_open_count", _OPENED, ("name", "type"), self._opened)

    def _histograms(self) -> Iterable[Metric]:
        labels = ("type", "operation", "rejected")
        steps = HistogramMetricFamily("apiserver_admission_step_admission_duration_seconds", _STEP, labels=labels)
        for (kind, operation, rejected), found in self._steps.items():
            found.render(steps, (kind, operation, "true" if rejected else "false"))
        calls = HistogramMetricFamily(f"{_WEBHOOK}admission_duration_seconds", _DURATION, labels=("name", *labels))
        for key, found in self._durations.items():
            found.render(calls, key)
        return steps, calls


def _fill(family: CounterMetricFamily, counts: Counter[tuple[str, ...]]) -> None:
    for key, count in counts.items():
        family.add_metric(key, count)


def _plain(name: str, text: str, labels: tuple[str, ...], counts: Counter[tuple[str, ...]]) -> Metric:
    """A counter whose name does not end in _total, which the library would put there: rendered without a type."""
    family = Metric(name, text, "unknown")
    for key, count in counts.items():
        family.add_sample(name, dict(zip(labels, key, strict=True)), count)
    return family
