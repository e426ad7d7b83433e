"""What is counted of the pod security standards, under upstream's names.

Source: k8s.io/pod-security-admission/metrics.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.pod_security.policy import Standard
from kubepy.apiserver.admission.pod_security.restricted import NEWEST

_WHAT: Final = ("request_operation", "resource", "subresource")
_RESOURCES: Final = {"pods": "pod", "namespaces": "namespace"}
ALLOW, DENY = "allow", "deny"


class PodSecurityMetrics(Collector):
    """One a server."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._evaluations: Counter[tuple[str, ...]] = Counter()
        self._exemptions: Counter[tuple[str, ...]] = Counter()
        self._errors: Counter[tuple[str, ...]] = Counter()
        if registry is not None:
            registry.register(self)

    def evaluated(self, decision: str, standard: Standard, mode: str, attributes: Attributes) -> None:
        """A pod, or what makes pods, was held against a standard."""
        version = "future" if standard.version != "latest" and standard.minor > NEWEST else standard.version
        self._evaluations[decision, standard.level, version, mode, *_what(attributes)] += 1

    def exempted(self, attributes: Attributes) -> None:
        """A request was not looked at."""
        self._exemptions[_what(attributes)] += 1

    def stumbled(self, attributes: Attributes) -> None:
        """A namespace's labels mean nothing, so that the strictest standard held."""
        self._errors["false", *_what(attributes)] += 1

    def collect(self) -> Iterable[Metric]:
        """All of it."""
        for name, text, labels, counts in (
            ("evaluations", "Number of policy evaluations that occurred, not counting ignored or exempt requests.",
             ("decision", "policy_level", "policy_version", "mode", *_WHAT), self._evaluations),
            ("exemptions", "Number of exempt requests, not counting ignored or out of scope requests.", _WHAT,
             self._exemptions),
            ("errors", "Number of errors preventing normal evaluation. Non-fatal errors may result in the latest "
             "restricted profile being used for evaluation.", ("fatal", *_WHAT), self._errors),
        ):  # fmt: skip
            family = CounterMetricFamily(f"pod_security_{name}", text, labels=labels)
            for key, count in counts.items():
                family.add_metric(key, count)
            yield family


def _what(attributes: Attributes) -> tuple[str, str, str]:
    resource = _RESOURCES.get(attributes.resource.plural, "controller")
    return attributes.operation.lower(), resource, attributes.subresource
