"""Rules of Events made through events.k8s.io: complete from the start, and unchanged but for their series.

Both groups' Events are stored as the core group's, and judged in that form; the core group's own rules are looser.
Source: pkg/apis/core/validation/events.go.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid, required
from kubepy.api.meta import Object
from kubepy.api.validation.checks import unchanged
from kubepy.api.validation.core_events import validate_event
from kubepy.api.validation.equality import same
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules

_UNSET = ("firstTimestamp", "lastTimestamp", "count", "source")
_IMMUTABLE = {
    "involvedObject": "involvedObject",
    "reason": "reason",
    "message": "message",
    "source": "source",
    "firstTimestamp": "firstTimestamp",
    "lastTimestamp": "lastTimestamp",
    "count": "count",
    "type": "type",
    "eventTime": "eventTime",
    "action": "action",
    "related": "related",
    "reportingComponent": "reportingController",
    "reportingInstance": "reportingInstance",
}


def _series(obj: Object) -> list[FieldError]:
    series = obj.get("series")
    if series is None:
        return []
    errors = []
    if (series.get("count") or 0) < 2:
        errors.append(invalid("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        errors.append(required("series.lastObservedTime"))
    return errors


def create_event(obj: Object) -> list[FieldError]:
    """Faults of a new Event."""
    errors = validate_event(obj, controller_field="reportingController")
    errors += validate_metadata(obj, True, names.is_dns1123_subdomain) + _series(obj)
    if not obj.get("eventTime"):
        errors.append(required("eventTime"))
    kind = obj.get("type") or ""
    if kind not in ("Normal", "Warning"):
        errors.append(invalid("type", "", f"has invalid value: {kind}"))
    errors += [invalid(field, "", "needs to be unset") for field in _UNSET if obj.get(field)]
    return errors


def update_event(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed Event: its series alone goes on."""
    errors = validate_event(new, controller_field="reportingController") + validate_metadata_update(new, old)
    if not same(new.get("series"), old.get("series")):
        errors += _series(new)
    for field, path in _IMMUTABLE.items():
        errors += unchanged(new.get(field), old.get(field), path)
    return errors


RULES: dict[tuple[str, str], Rules] = {
    ("events.k8s.io", "Event"): Rules(create_event, update_event),
}
