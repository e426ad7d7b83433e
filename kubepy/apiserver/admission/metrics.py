"""What is counted of admission, webhooks and policies, under upstream's names; cheap where neither is about a write.

Source: apiserver pkg/admission/metrics/metrics.go, pkg/admission/plugin/policy/{validating,mutating}/metrics.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from kubepy.lib.distribution import Distribution

_STEP_BUCKETS: Final = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)
_CALL_BUCKETS: Final = (*_STEP_BUCKETS, 10, 25)
_CHECK_BUCKETS: Final = (0.0000005, 0.001, 0.01, 0.1, 1.0)
_CODE_MOST = 600
ADMIT, VALIDATING, VALIDATE = "admit", "validating", "validate"
WEBHOOK, POLICY = "webhook", "policy"
CALLING, INTERNAL, DENIED = "calling_webhook_error", "apiserver_internal_error", "no_error"
_BROKEN_OUT = "identified by name and broken out for each"
_CONDITIONS = f"{_BROKEN_OUT} kind containing matchConditions (webhook or policy), operation and"
_OF_RESOURCE = "identified by name of resource containing the match condition and broken out for each kind containing "
_CODES = "Codes greater than 600 are truncated to 600, to keep the metrics cardinality bounded."


@dataclass(frozen=True, slots=True)
class _Family:
    """One metric: a histogram where it has `bounds`, else a counter."""

    name: str
    text: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...] = ()


_STEP = _Family(
    "apiserver_admission_step_admission_duration_seconds",
    "Admission sub-step latency histogram in seconds, broken out for each operation and API resource and step type "
    "(validate or admit).",
    ("type", "operation", "rejected"),
    _STEP_BUCKETS,
)
_PLUGIN = _Family(
    "apiserver_admission_controller_admission_duration_seconds",
    f"Admission controller latency histogram in seconds, {_BROKEN_OUT} operation and API resource and type "
    "(validate or admit).",
    ("name", "type", "operation", "rejected"),
    _STEP_BUCKETS,
)
_CALL = _Family(
    "apiserver_admission_webhook_admission_duration_seconds",
    f"Admission webhook latency histogram in seconds, {_BROKEN_OUT} operation and API resource and type "
    "(validate or admit).",
    ("name", "type", "operation", "rejected"),
    _CALL_BUCKETS,
)
_REQUESTS = _Family(
    "apiserver_admission_webhook_request_total",
    f"Admission webhook request total, {_BROKEN_OUT} admission type (validating or mutating) and operation. Additional "
    f"labels specify whether the request was rejected or not and an HTTP status code. {_CODES}",
    ("name", "type", "operation", "code", "rejected"),
)
_REJECTIONS = _Family(
    "apiserver_admission_webhook_rejection_count",
    f"Admission webhook rejection count, {_BROKEN_OUT} admission type (validating or admit) and operation. Additional "
    "labels specify an error type (calling_webhook_error or apiserver_internal_error if an error occurred; no_error "
    "otherwise) and optionally a non-zero rejection code if the webhook rejects the request with an HTTP status code "
    f"(honored by the apiserver when the code is greater or equal to 400). {_CODES}",
    ("name", "type", "operation", "error_type", "rejection_code"),
)
_OPENED = _Family(
    "apiserver_admission_webhook_fail_open_count",
    f"Admission webhook fail open count, {_BROKEN_OUT} admission type (validating or mutating).",
    ("name", "type"),
)
_CONDITION_LABELS = ("name", "kind", "type", "operation")
_CONDITION_TIMES = _Family(
    "apiserver_admission_match_condition_evaluation_seconds",
    f"Admission match condition evaluation time in seconds, {_CONDITIONS} type (validate or admit).",
    _CONDITION_LABELS,
    _STEP_BUCKETS,
)
_CONDITION_FAULTS = _Family(
    "apiserver_admission_match_condition_evaluation_errors_total",
    f"Admission match condition evaluation errors count, {_OF_RESOURCE}matchConditions (webhook or policy), operation "
    "and admission type (validate or admit).",
    _CONDITION_LABELS,
)
_EXCLUSIONS = _Family(
    "apiserver_admission_match_condition_exclusions_total",
    f"Admission match condition evaluation exclusions count, {_OF_RESOURCE}matchConditions (webhook or policy), "
    "operation and admission type (validate or admit).",
    _CONDITION_LABELS,
)
_CHECKS = _Family(
    "apiserver_validating_admission_policy_check_total",
    "Validation admission policy check total, labeled by policy and further identified by binding and enforcement "
    "action taken.",
    ("policy", "policy_binding", "error_type", "enforcement_action"),
)
_CHECK_TIMES = _Family(
    "apiserver_validating_admission_policy_check_duration_seconds",
    "Validation admission latency for individual validation expressions in seconds, labeled by policy and further "
    "including binding and enforcement action taken.",
    _CHECKS.labels,
    _CHECK_BUCKETS,
)
_MUTATIONS = _Family(
    "apiserver_mutating_admission_policy_check_total",
    "Mutation admission policy check total, labeled by policy and further identified by binding.",
    ("policy", "policy_binding", "error_type"),
)
_MUTATION_TIMES = _Family(
    "apiserver_mutating_admission_policy_check_duration_seconds",
    "Mutation admission latency for individual mutation expressions in seconds, labeled by policy and binding.",
    _MUTATIONS.labels,
    _CHECK_BUCKETS,
)


class ConditionCounts:
    """What is counted of the match conditions of one webhook or policy, asked about one operation."""

    def __init__(self, metrics: "AdmissionMetrics", key: tuple[str, str, str, str]) -> None:
        self._metrics = metrics
        self._key = key

    def evaluated(self, seconds: float, faults: int, *, excluded: bool) -> None:
        """All were evaluated; `excluded` when one was false."""
        self._metrics.time(_CONDITION_TIMES, self._key).add(seconds)
        if faults:
            self._metrics.counts[_CONDITION_FAULTS][self._key] += faults
        if excluded:
            self._metrics.counts[_EXCLUSIONS][self._key] += 1


class AdmissionMetrics(Collector):
    """One a server. A webhook's `step` is ADMIT for what may change objects, VALIDATING for what may only refuse."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.counts: defaultdict[_Family, Counter[tuple[str, ...]]] = defaultdict(Counter)
        self._times: dict[tuple[_Family, tuple[str, ...]], Distribution] = {}
        registry.register(self)

    def time(self, family: _Family, key: tuple[str, ...]) -> Distribution:
        """Where times with these labels are counted."""
        found = self._times.get((family, key))
        if found is None:
            found = self._times[family, key] = Distribution(family.bounds)
        return found

    def step(self, kind: str, operation: str, *, rejected: bool) -> Distribution:
        """A round of the whole chain: admit or validate."""
        return self.time(_STEP, (kind, operation, _shown(rejected)))

    def plugin(self, name: str, kind: str, operation: str, *, rejected: bool) -> Distribution:
        """One plug-in's part of it."""
        return self.time(_PLUGIN, (name, kind, operation, _shown(rejected)))

    def called(self, name: str, step: str, operation: str, seconds: float, code: int, *, rejected: bool) -> None:
        """A webhook was asked; `code` is 200 or that of the fault."""
        shown = _shown(rejected)
        self.counts[_REQUESTS][name, step, operation, str(min(code, _CODE_MOST)), shown] += 1
        self.time(_CALL, (name, step, operation, shown)).add(seconds)

    def rejected(self, name: str, step: str, operation: str, error: str, code: int) -> None:
        """A write was refused because of a webhook: `error` is CALLING, INTERNAL or DENIED."""
        self.counts[_REJECTIONS][name, step, operation, error, str(min(code, _CODE_MOST))] += 1

    def opened(self, name: str, step: str) -> None:
        """A webhook failed and was passed over."""
        self.counts[_OPENED][name, step] += 1

    def conditions(self, name: str, kind: str, step: str, operation: str) -> ConditionCounts:
        """Of the match conditions of a WEBHOOK or POLICY."""
        return ConditionCounts(self, (name, kind, step, operation))

    def checked(self, policy: str, binding: str, error: str, action: str, seconds: float) -> None:
        """A validation did not pass, or was let pass with an error: `action` is deny, warn, audit or allow."""
        key = (policy, binding, error, action)
        self.counts[_CHECKS][key] += 1
        self.time(_CHECK_TIMES, key).add(seconds)

    def mutated(self, policy: str, binding: str, error: str, seconds: float) -> None:
        """A mutation was made, or failed."""
        key = (policy, binding, error)
        self.counts[_MUTATIONS][key] += 1
        self.time(_MUTATION_TIMES, key).add(seconds)

    def collect(self) -> Iterable[Metric]:
        """What was counted."""
        yield from self._histograms()
        for family in (_REQUESTS, _CHECKS, _MUTATIONS, _CONDITION_FAULTS, _EXCLUSIONS):
            counter = CounterMetricFamily(family.name.removesuffix("_total"), family.text, labels=family.labels)
            for key, count in self.counts[family].items():
                counter.add_metric(key, count)
            yield counter
        yield _plain(_REJECTIONS, self.counts[_REJECTIONS])
        yield _plain(_OPENED, self.counts[_OPENED])

    def _histograms(self) -> Iterable[Metric]:
        shown = {
            family: HistogramMetricFamily(family.name, family.text, labels=family.labels)
            for family in (_STEP, _PLUGIN, _CALL, _CONDITION_TIMES, _CHECK_TIMES, _MUTATION_TIMES)
        }
        summary = SummaryMetricFamily(
            f"{_STEP.name}_summary", _STEP.text.replace("histogram", "summary"), labels=_STEP.labels
        )
        for (family, key), found in self._times.items():
            found.render(shown[family], key)
            if family is _STEP and (count := sum(found.counts)):
                summary.add_metric(key, count, found.total)
        return (*shown.values(), summary)


def error_type(message: str) -> str:
    """What kind of failure a policy's message tells of, as upstream reads it."""
    if message.startswith("compilation"):
        return "compile_error"
    if message.startswith("validation failed due to running out of cost budget"):
        return "out_of_budget"
    return "invalid_error"


NO_ERROR: Final = "no_error"


def _shown(rejected: bool) -> str:
    return "true" if rejected else "false"


def _plain(family: _Family, counts: Counter[tuple[str, ...]]) -> Metric:
    """A counter whose name does not end in _total, which the library would put there: rendered without a type."""
    metric = Metric(family.name, family.text, "unknown")
    for key, count in counts.items():
        metric.add_sample(family.name, dict(zip(family.labels, key, strict=True)), count)
    return metric
