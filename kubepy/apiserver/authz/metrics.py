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
_CALL_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_CONDITION_BOUNDS_S: Final = (0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25)
ALLOW, DENY = "allowed", "denied"
SUCCESS, ERROR, TIMEOUT, CANCELED = "success", "error", "timeout", "canceled"
_DECISIONS: Final = (
    "Total number of terminal decisions made by an authorizer split by authorizer type, name, and decision."
)


class AuthorizationMetrics(Collector):
    """One a server."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._attempts: dict[str, Distribution] = {}
        self.decisions: Counter[tuple[str, str, str]] = Counter()
        """By the authorizer's type and name and whether it `allowed` or `denied`."""
        self._calls: dict[tuple[str, str], Distribution] = {}
        self._opened: Counter[tuple[str, str]] = Counter()
        self.condition_errors: Counter[str] = Counter()
        """Of webhooks, by name: how often it could not be told whether a request is theirs, and that it is not."""
        self.condition_exclusions: Counter[str] = Counter()
        self._conditions: dict[str, Distribution] = {}
        if registry is not None:
            registry.register(self)

    def asked(self, name: str, result: str, seconds: float, *, fails_open: bool) -> None:
        """Counts a question to a webhook; `fails_open`: it has no opinion although it has no answer."""
        found = self._calls.setdefault((name, result), Distribution(_CALL_BOUNDS_S))
        found.add(seconds)
        if fails_open:
            self._opened[name, result] += 1

    def condition(self, name: str, seconds: float) -> None:
        """Counts that a webhook's conditions were looked at."""
        self._conditions.setdefault(name, Distribution(_CONDITION_BOUNDS_S)).add(seconds)

    def observe(self, decision: Decision, seconds: float) -> None:
        """Counts how one request came out."""
        result = ALLOW if decision.allowed else DENY if decision.denied else "no-opinion"
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
        return attempts, durations, decisions, *self._of_webhooks(), *self._of_conditions()

    def _of_webhooks(self) -> Iterable[Metric]:
        labels = ("name", "result")
        text = "Request latency in seconds."
        durations = HistogramMetricFamily("apiserver_authorization_webhook_duration_seconds", text, labels=labels)
        text = "Round-trips to authorization webhooks."
        calls = CounterMetricFamily("apiserver_authorization_webhook_evaluations", text, labels=labels)
        for key, found in self._calls.items():
            found.render(durations, key)
            calls.add_metric(key, sum(found.counts))
        text = "NoOpinion results due to webhook timeout or error."
        opened = CounterMetricFamily("apiserver_authorization_webhook_evaluations_fail_open", text, labels=labels)
        for key, count in self._opened.items():
            opened.add_metric(key, count)
        return durations, calls, opened

    def _of_conditions(self) -> Iterable[Metric]:
        head, labels = "apiserver_authorization_match_condition_evaluation_", ("type", "name")
        text = "Authorization match condition evaluation time in seconds, split by authorizer type and name."
        seconds = HistogramMetricFamily(f"{head}seconds", text, labels=labels)
        for name, found in self._conditions.items():
            found.render(seconds, ("Webhook", name))
        yield seconds
        for part, text, counts in (
            ("errors", "Total number of errors when an authorization webhook encounters a match condition error split "
             "by authorizer type and name.", self.condition_errors),
            ("exclusions", "Total number of exclusions when an authorization webhook is skipped because match "
             "conditions exclude it.", self.condition_exclusions),
        ):  # fmt: skip
            family = CounterMetricFamily(f"{head}{part}", text, labels=labels)
            for name, count in counts.items():
                family.add_metric(("Webhook", name), count)
            yield family
