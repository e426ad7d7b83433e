"""The rules of Events of the core group: nearly anything goes, for the sake of old clients.

Events of events.k8s.io, which are the same objects, are judged more strictly (events.py).
Source: pkg/apis/core/validation/events.go, legacyValidateEvent.
"""

from kubepy.api.errors import FieldError, invalid, required
from kubepy.api.meta import Object
from kubepy.api.names import is_path_segment_name
from kubepy.api.validation.fields import dns_subdomain, qualified_name
from kubepy.api.validation.meta import validate_metadata
from kubepy.api.validation.rules import Rules

_TEXT_LIMIT, _NOTE_LIMIT = 128, 1024


def validate_event(event: Object, *, controller_field: str = "reportingComponent") -> list[FieldError]:
    """Faults in an Event of the core group; `controller_field` is what the request's group calls the controller."""
    namespace = (event.get("metadata") or {}).get("namespace") or ""
    involved = (event.get("involvedObject") or {}).get("namespace") or ""
    at, why = "involvedObject.namespace", "does not match event.namespace"
    errors: list[FieldError] = []
    if not event.get("eventTime"):
        matches = namespace == involved if involved else namespace in ("", "default")
        errors += [] if matches else [invalid(at, involved, why)]
    else:
        if not involved and namespace not in ("default", "kube-system"):
            errors.append(invalid(at, involved, why))
        errors += _new_style(event, controller_field)
    return errors + dns_subdomain(namespace, "namespace")


def _new_style(event: Object, controller_field: str) -> list[FieldError]:
    controller = event.get("reportingComponent") or ""
    errors = [] if controller else [required(controller_field)]
    errors += qualified_name(controller, controller_field)
    for field in ("reportingInstance", "action", "reason"):
        text = event.get(field) or ""
        if not text:
            errors.append(required(field))
        if len(text.encode()) > _TEXT_LIMIT:
            errors.append(invalid(field, "", f"can have at most {_TEXT_LIMIT} characters"))
    if len((event.get("message") or "").encode()) > _NOTE_LIMIT:
        errors.append(invalid("message", "", f"can have at most {_NOTE_LIMIT} characters"))
    return errors


def _event_create(event: Object) -> list[FieldError]:
    """What all objects must have is looked at only when the rest is right."""
    return validate_event(event) or validate_metadata(event, True, is_path_segment_name)


RULES = {("", "Event"): Rules(_event_create, lambda new, old: validate_event(new))}
