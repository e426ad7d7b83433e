"""Rules of Events made through events.k8s.io: complete from the start, and unchanged but for their series.

Both groups' Events are stored as the core group's, and judged in that form; the core group's own rules are looser.
Source: pkg/apis/core/validation/events.go.
"""

from typing import Any

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid, required
from kubepy.api.meta import Object
from kubepy.api.validation.core_events import validate_event
from kubepy.api.validation.equality import same
from kubepy.api.validation.meta import IMMUTABLE, validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import EVENT_SOURCE, OBJECT_REFERENCE, show

_UNSET = ("firstTimestamp", "lastTimestamp", "count", "source")
_IMMUTABLE = (
    ("involvedObject", "involvedObject"),
    ("reason", "reason"),
    ("message", "message"),
    ("source", "source"),
    ("firstTimestamp", "firstTimestamp"),
    ("lastTimestamp", "lastTimestamp"),
    ("count", "count"),
    ("reason", "reason"),  # upstream looks twice
    ("type", "type"),
    ("eventTime", "eventTime"),
    ("action", "action"),
    ("related", "related"),
    ("reportingComponent", "reportingController"),
    ("reportingInstance", "reportingInstance"),
)
_UNTEXTUAL: dict[str, Any] = {"firstTimestamp": None, "lastTimestamp": None, "eventTime": None, "count": 0}
_SHAPES = {"involvedObject": OBJECT_REFERENCE, "related": OBJECT_REFERENCE, "source": EVENT_SOURCE}


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
    for field, path in _IMMUTABLE:
        if not same(new.get(field), old.get(field), field):
            errors.append(invalid(path, _shown(new.get(field), field), IMMUTABLE))
    return errors


def _shown(value: Any, field: str) -> Any:
    """A value as Go has it, where it may be missing."""
    if field not in _SHAPES:
        return _UNTEXTUAL.get(field, "") if value is None else value
    return None if field == "related" and value is None else show(value or {}, _SHAPES[field])


RULES: dict[tuple[str, str], Rules] = {
    ("events.k8s.io", "Event"): Rules(create_event, update_event),
}
