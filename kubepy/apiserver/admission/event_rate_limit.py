"""Events are taken only so fast: from all together, from a namespace, from a user, or about one thing from one source.

Source: plugin/pkg/admission/eventratelimit.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubepy.api.errors import FieldError, TooManyRequests, invalid, not_supported
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.plugin import Plugin
from kubepy.lib.clock import SYSTEM, Clock

_CACHE_SIZE = 4096
_TYPES = ("Namespace", "Server", "SourceAndObject", "User")


@dataclass(frozen=True, slots=True)
class Limit:
    """So many events a second, and so many at once, for each key of the type; the keys of `size` are remembered."""

    type: str
    qps: int
    burst: int
    size: int = _CACHE_SIZE


class _Bucket:
    """Tokens that come back at a steady rate."""

    __slots__ = ("at", "tokens")

    def __init__(self, limit: Limit, now: float) -> None:
        self.tokens, self.at = float(limit.burst), now

    def take(self, limit: Limit, now: float) -> bool:
        self.tokens = min(limit.burst, self.tokens + (now - self.at) * limit.qps)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class EventRateLimit(Plugin):
    """See the module's docstring."""

    name = "EventRateLimit"
    targets = frozenset((("", "events"), ("events.k8s.io", "events")))

    def __init__(self, limits: Sequence[Limit], clock: Clock = SYSTEM) -> None:
        self._limits = [(limit, OrderedDict[str, _Bucket]()) for limit in limits]
        self._clock = clock

    async def validate(self, attributes: Attributes) -> None:
        """Raises TooManyRequests; every limit counts the event, whatever the others say."""
        fault: TooManyRequests | None = None
        now = self._clock.monotonic()
        for limit, buckets in self._limits:
            key = _KEYS[limit.type](attributes)
            bucket = buckets.get(key)
            if bucket is None:
                bucket = buckets[key] = _Bucket(limit, now)
                if len(buckets) > limit.size:
                    buckets.popitem(last=False)
            buckets.move_to_end(key)
            if not bucket.take(limit, now):
                why = f"limit reached on type {limit.type} for key {key}"
                fault = TooManyRequests(f"Too many requests: {why}")
        if fault is not None:
            raise fault


def _source_and_object(attributes: Attributes) -> str:
    event = attributes.new
    about = event.get("involvedObject") or event.get("regarding") or {}
    source = event.get("source") or event.get("deprecatedSource") or {}
    parts = [source.get("component"), source.get("host")]
    parts += [about.get(field) for field in ("kind", "namespace", "name", "uid", "apiVersion")]
    return "".join(str(part) for part in parts if part)


_KEYS: Mapping[str, Callable[[Attributes], str]] = {
    "Server": lambda attributes: "",
    "Namespace": lambda attributes: attributes.namespace,
    "User": lambda attributes: attributes.user.name,
    "SourceAndObject": _source_and_object,
}


def parse_limits(document: Mapping[str, Any]) -> list[Limit]:
    """A Configuration of eventratelimit.admission.k8s.io. Raises ValueError."""
    found = document.get("limits") or []
    faults: list[FieldError] = [] if found else [invalid("limits", found, "must not be empty")]
    for index, limit in enumerate(found):
        path = f"limits[{index}]"
        if limit.get("type") not in _TYPES:
            faults.append(not_supported(f"{path}.type", limit.get("type") or "", _TYPES))
        faults += [
            invalid(f"{path}.{field}", limit.get(field) or 0, "must be positive")
            for field in ("burst", "qps")
            if not (limit.get(field) or 0) > 0
        ]
        if (limit.get("cacheSize") or 0) < 0:
            faults.append(invalid(f"{path}.cacheSize", limit["cacheSize"], "must not be negative"))
    if faults:
        raise ValueError("; ".join(map(str, faults)))
    return [Limit(one["type"], one["qps"], one["burst"], one.get("cacheSize") or _CACHE_SIZE) for one in found]
