"""What is counted of authentication, under upstream's names; a request costs two additions and two bisections.

Source: apiserver pkg/endpoints/filters/metrics.go, pkg/authentication/{request/x509,token/cache}; pkg/serviceaccount.
"""

import socket
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from kubepy.apiserver.config.reloads import digest
from kubepy.lib.distribution import Distribution

SUCCESS, FAILURE, ERROR = "success", "failure", "error"
HIT, MISS = "hit", "miss"
BOUNDS_S: Final = tuple(0.001 * 2**power for power in range(15))
_DAY_S: Final = 86400
_LEFT_BOUNDS_S: Final = (
    0, 1800, 3600, 7200, 21600, 43200, _DAY_S, 2 * _DAY_S, 4 * _DAY_S, 7 * _DAY_S, 30 * _DAY_S, 90 * _DAY_S,
    180 * _DAY_S, 360 * _DAY_S,
)  # fmt: skip
_JWT_BOUNDS_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_JWT: Final = (
    "Latency of jwt authentication operations in seconds. This is the time spent authenticating a token for cache "
    "miss only (i.e. when the token is not found in the cache)."
)
_INTERNAL: Final = frozenset(("admin", "client", "kube_proxy", "kubelet", "system:serviceaccount:kube-system:default"))
_TOKENS: Final = {
    "legacy_tokens": "Cumulative legacy service account tokens used",
    "legacy_auto_token_uses": "Cumulative auto-generated legacy tokens used",
    "legacy_manual_token_uses": "Cumulative manually created legacy tokens used",
    "invalid_legacy_auto_token_uses": "Cumulative invalid auto-generated legacy tokens used",
    "stale_tokens": "Cumulative stale projected service account tokens used",
    "valid_tokens": "Cumulative valid projected service account tokens used",
}


class AuthenticationMetrics(Collector):
    """One a server."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._users: Counter[str] = Counter()
        self._attempts: dict[str, Distribution] = {}
        self.cache: Counter[str] = Counter()
        """By HIT or MISS: whether a token was known yet."""
        self.fetches: Counter[str] = Counter()
        """By `ok` or `error`: how tokens came out that were not."""
        self.tokens: Counter[str] = Counter()
        """Service-account tokens by what sort they are; see _TOKENS."""
        self.certificates = Distribution(_LEFT_BOUNDS_S)
        """How long client certificates are still good for, in seconds."""
        self._jwt: dict[tuple[str, str], Distribution] = {}
        self._keys_fetched_s: dict[tuple[str, str], float] = {}
        self._key_sets: dict[str, str] = {}
        if registry is not None:
            registry.register(self)

    def observe_jwt(self, issuer: str, result: str, seconds: float) -> None:
        """Counts one token of an issuer that was not known yet."""
        self._jwt.setdefault((digest(issuer), result), Distribution(_JWT_BOUNDS_S)).add(seconds)

    def observe(self, result: str, seconds: float, username: str = "") -> None:
        """Counts one request."""
        found = self._attempts.get(result)
        if found is None:
            found = self._attempts[result] = Distribution(BOUNDS_S)
        found.add(seconds)
        if username:
            self._users[compressed(username)] += 1

    def fetched_keys(self, issuer: str, document: Mapping[str, Any] | None) -> None:
        """Notes that an issuer was asked for its keys, and what it said: None if it did not."""
        name = digest(issuer)
        self._keys_fetched_s[FAILURE if document is None else SUCCESS, name] = time.time()
        if document is not None:
            self._key_sets[name] = digest(orjson.dumps(document).decode())

    def collect(self) -> Iterable[Metric]:
        """All of it."""
        text = "Counter of authenticated requests broken out by username."
        yield _untyped("authenticated_user_requests", text, "username", self._users)
        text = "Counter of authenticated attempts."
        counts = {result: sum(found.counts) for result, found in self._attempts.items()}
        yield _untyped("authentication_attempts", text, "result", counts)
        text = "Authentication duration in seconds broken out by result."
        durations = HistogramMetricFamily("authentication_duration_seconds", text, labels=("result",))
        for result, found in self._attempts.items():
            found.render(durations, (result,))
        yield durations
        for name, counter in (("request", self.cache), ("fetch", self.fetches)):
            family = CounterMetricFamily(f"authentication_token_cache_{name}", "", labels=("status",))
            for status, count in counter.items():
                family.add_metric((status,), count)
            yield family
        tokens = HistogramMetricFamily(
            "apiserver_authentication_jwt_authenticator_latency_seconds", _JWT, labels=("jwt_issuer_hash", "result")
        )
        for key, found in self._jwt.items():
            found.render(tokens, key)
        yield tokens
        yield from self._of_keys()
        for name, text in _TOKENS.items():
            yield CounterMetricFamily(f"serviceaccount_{name}", text, value=self.tokens[name])
        text = "Distribution of the remaining lifetime on the certificate used to authenticate a request."
        left = HistogramMetricFamily("apiserver_client_certificate_expiration_seconds", text, labels=())
        self.certificates.render(left, ())
        yield left

    def _of_keys(self) -> Iterable[Metric]:
        head, server = "apiserver_authentication_jwt_authenticator_jwks_fetch_last_", digest(socket.gethostname())
        text = "Timestamp of the last JWKS fetch split by result, jwt issuer, and apiserver identity."
        labels = ("result", "jwt_issuer_hash", "apiserver_id_hash")
        fetched = GaugeMetricFamily(f"{head}timestamp_seconds", text, labels=labels)
        for (result, issuer), moment_s in self._keys_fetched_s.items():
            fetched.add_metric((result, issuer, server), moment_s)
        text = (
            "Information about the last JWKS fetched by the JWT authenticator with hash as label, split by jwt issuer "
        )
        labels = ("jwt_issuer_hash", "apiserver_id_hash", "hash")
        info = GaugeMetricFamily(f"{head}key_set_info", f"{text}and apiserver identity.", labels=labels)
        for issuer, key_set in self._key_sets.items():
            info.add_metric((issuer, server, key_set), 1)
        return fetched, info


def compressed(username: str) -> str:
    """A user's name as a label, of which there must not be many."""
    if username in _INTERNAL:
        return username
    return "email_id" if "@" in username else "other"


def _untyped(name: str, text: str, label: str, counts: dict[str, int]) -> Metric:
    """A counter whose name does not end in _total, which the library would put there."""
    family = Metric(name, text, "unknown")
    for key, count in counts.items():
        family.add_sample(name, {label: key}, count)
    return family
