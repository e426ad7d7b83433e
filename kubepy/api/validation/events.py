"""Rules of Events made through events.k8s.io: complete from the start, and unchanged but for their series.

Both groups' Events are stored as the core group's, and judged in that form; the core group's own rules are looser.
Source: pkg/apis/core/validation/events.go.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid, required
from kubepy.api.meta import Object, namespace_of
from kubepy.api.validation.checks import checked, unchanged
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules

_LIMITS = {"reportingInstance": 128, "action": 128, "reason": 128}
_NOTE_LIMIT = 1024
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


def _namespace(obj: Object) -> list[FieldError]:
    """An event lives in its object's namespace; in `default` for a cluster-wide object."""
    involved = (obj.get("involvedObject") or {}).get("namespace") or ""
    allowed = (involved,) if involved else ("", "default")
    if namespace_of(obj) in allowed:
        return []
    return [invalid("involvedObject.namespace", involved, "does not match event.namespace")]


def _texts(obj: Object) -> list[FieldError]:
    controller = obj.get("reportingComponent")
    errors = (
        checked(controller, "reportingController", names.is_qualified_name)
        if controller
        else [required("reportingController")]
    )
    for field, limit in _LIMITS.items():
        value = obj.get(field) or ""
        if not value:
            errors.append(required(field))
        elif len(value) > limit:
            errors.append(invalid(field, "", f"can have at most {limit} characters"))
    if len(obj.get("message") or "") > _NOTE_LIMIT:
        errors.append(invalid("message", "", f"can have at most {_NOTE_LIMIT} characters"))
    return errors


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
    errors = _namespace(obj)
    if obj.get("eventTime"):
        errors += _texts(obj)
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
    errors = validate_metadata_update(new, old) + _series(new)
    for field, path in _IMMUTABLE.items():
        errors += unchanged(new.get(field), old.get(field), path)
    return errors


RULES: dict[tuple[str, str], Rules] = {
    ("events.k8s.io", "Event"): Rules(create_event, update_event),
}
