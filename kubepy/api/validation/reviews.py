"""Rules of the questions that are asked by creating: access reviews, token reviews and token requests.

Source: pkg/apis/authorization/validation, pkg/apis/authentication/validation.
"""

from kubepy.api.errors import FieldError, invalid, required
from kubepy.api.meta import Object
from kubepy.api.validation.checks import spec_of
from kubepy.api.validation.rules import Rules

_AUTHZ, _AUTHN = "authorization.k8s.io", "authentication.k8s.io"
_LEAST_TOKEN_S, _MOST_TOKEN_S = 600, 1 << 32
_FREE_METADATA = ("managedFields", "creationTimestamp")


def _attributes(spec: Object) -> list[FieldError]:
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and other is not None:
        why = "cannot be specified in combination with resourceAttributes"
        return [invalid("spec.nonResourceAttributes", other, why)]
    if resource is None and other is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [invalid("spec.resourceAttributes", resource, why)]
    errors: list[FieldError] = []
    for field in ("fieldSelector", "labelSelector"):
        selector = (resource or {}).get(field)
        if selector is not None:
            errors += _selector_attributes(selector, f"spec.resourceAttributes.{field}")
    return errors


def _selector_attributes(selector: Object, path: str) -> list[FieldError]:
    raw, requirements = selector.get("rawSelector"), selector.get("requirements")
    if raw and requirements:
        return [invalid(f"{path}.rawSelector", raw, "may not specified at the same time as requirements")]
    if not raw and not requirements:
        return [required(f"{path}.requirements", f"when {path} is specified, requirements or rawSelector is required")]
    return []


def _bare(obj: Object, path: str, ignored: tuple[str, ...] = ()) -> list[FieldError]:
    """A review has no metadata of its own."""
    metadata = obj.get("metadata") or {}
    if any(value for field, value in metadata.items() if field not in (*_FREE_METADATA, *ignored)):
        return [invalid(path, metadata, "must be empty")]
    return []


def _subject(spec: Object) -> list[FieldError]:
    if spec.get("user") or spec.get("groups"):
        return []
    return [invalid("spec.user", spec.get("user") or "", "at least one of user or group must be specified")]


def create_subject_review(obj: Object) -> list[FieldError]:
    """Faults of a SubjectAccessReview."""
    spec = spec_of(obj)
    return _attributes(spec) + _subject(spec) + _bare(obj, "metadata")


def create_self_review(obj: Object) -> list[FieldError]:
    """Faults of a SelfSubjectAccessReview."""
    return _attributes(spec_of(obj)) + _bare(obj, "metadata")


def create_local_review(obj: Object) -> list[FieldError]:
    """Faults of a LocalSubjectAccessReview: it asks about its own namespace."""
    spec = spec_of(obj)
    errors = _attributes(spec) + _subject(spec) + _bare(obj, "metadata", ("namespace",))
    namespace = (obj.get("metadata") or {}).get("namespace")
    resource = spec.get("resourceAttributes")
    if resource is not None and (resource.get("namespace") or "") != (namespace or ""):
        path = "spec.resourceAttributes.namespace"
        errors.append(invalid(path, resource.get("namespace") or "", "must match metadata.namespace"))
    if spec.get("nonResourceAttributes") is not None:
        why = "disallowed on this kind of request"
        errors.append(invalid("spec.nonResourceAttributes", spec["nonResourceAttributes"], why))
    return errors


def _no_faults(_obj: Object) -> list[FieldError]:
    return []


def _never_updated(_new: Object, _old: Object) -> list[FieldError]:
    """A review is created only; there is nothing to change."""
    return []


def create_token_request(obj: Object) -> list[FieldError]:
    """Faults of a TokenRequest."""
    seconds, path = spec_of(obj).get("expirationSeconds") or 0, "spec.expirationSeconds"
    errors = []
    if seconds < _LEAST_TOKEN_S:
        errors.append(invalid(path, seconds, "may not specify a duration less than 10 minutes"))
    if seconds > _MOST_TOKEN_S:
        errors.append(invalid(path, seconds, "may not specify a duration larger than 2^32 seconds"))
    return errors


RULES: dict[tuple[str, str], Rules] = {
    (_AUTHZ, "SubjectAccessReview"): Rules(create_subject_review, _never_updated),
    (_AUTHZ, "SelfSubjectAccessReview"): Rules(create_self_review, _never_updated),
    (_AUTHZ, "LocalSubjectAccessReview"): Rules(create_local_review, _never_updated),
    (_AUTHZ, "SelfSubjectRulesReview"): Rules(_no_faults, _never_updated),
    (_AUTHN, "TokenReview"): Rules(_no_faults, _never_updated),
    (_AUTHN, "SelfSubjectReview"): Rules(_no_faults, _never_updated),
    (_AUTHN, "TokenRequest"): Rules(create_token_request, _never_updated),
}
