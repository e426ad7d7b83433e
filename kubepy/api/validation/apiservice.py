"""Rules of APIServices.

Source: kube-aggregator pkg/apis/apiregistration/validation/validation.go.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.checks import checked, spec_of
from kubepy.api.validation.meta import NameCheck, validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules

_MOST_GROUP_PRIORITY, _MOST_VERSION_PRIORITY = 20_000, 1_000


def _is_version_and_group(spec: Object) -> NameCheck:
    expected = f"{spec.get('version') or ''}.{spec.get('group') or ''}"

    def check(name: str) -> list[str]:
        if faults := names.is_path_segment_name(name):
            return faults
        return [] if name == expected else [f'must be `spec.version+"."+spec.group`: "{expected}"']

    return check


def _priority(spec: Object, field: str, most: int) -> list[FieldError]:
    value = spec.get(field) or 0
    if 0 < value <= most:
        return []
    return [invalid(f"spec.{field}", value, f"must be positive and less than {most}")]


def _local(spec: Object) -> list[FieldError]:
    errors = []
    if bundle := spec.get("caBundle"):
        size = len(bundle.rstrip("=")) * 3 // 4
        errors.append(invalid("spec.caBundle", f"{size} bytes", "local APIServices may not have a caBundle"))
    if spec.get("insecureSkipTLSVerify"):
        why = "local APIServices may not have insecureSkipTLSVerify"
        errors.append(invalid("spec.insecureSkipTLSVerify", True, why))
    return errors


def _remote(spec: Object, service: Object) -> list[FieldError]:
    errors = [required(f"spec.service.{field}") for field in ("namespace", "name") if not service.get(field)]
    port = service.get("port")
    for text in names.is_port_number(443 if port is None else port):
        errors.append(invalid("spec.service.port", port, f"port is not valid: {text}"))
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        errors.append(invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present"))
    return errors


def create_api_service(obj: Object) -> list[FieldError]:
    """Faults of a new APIService: its name is made of version and group."""
    spec = spec_of(obj)
    errors = validate_metadata(obj, False, _is_version_and_group(spec))
    group, version = spec.get("group") or "", spec.get("version") or ""
    if group:
        errors += checked(group, "spec.group", names.is_dns1123_subdomain)
    elif version != "v1":
        why = "only v1 may have an empty group and it better be legacy kube"
        errors.append(required("spec.group", why))
    errors += checked(version, "spec.version", names.is_dns1035_label)
    errors += _priority(spec, "groupPriorityMinimum", _MOST_GROUP_PRIORITY)
    errors += _priority(spec, "versionPriority", _MOST_VERSION_PRIORITY)
    service = spec.get("service")
    return errors + (_local(spec) if service is None else _remote(spec, service))


def update_api_service(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed APIService."""
    return validate_metadata_update(new, old) + create_api_service(new)


def api_service_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of an APIService's status."""
    errors = validate_metadata_update(new, old)
    for index, condition in enumerate((new.get("status") or {}).get("conditions") or ()):
        if condition.get("status") not in ("True", "False", "Unknown"):
            path = f"status.conditions[{index}].status"
            errors.append(not_supported(path, condition.get("status", ""), ("True", "False", "Unknown")))
    return errors


RULES: dict[tuple[str, str], Rules] = {
    ("apiregistration.k8s.io", "APIService"): Rules(create_api_service, update_api_service, api_service_status),
}
