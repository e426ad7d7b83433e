"""The rules of environment variables and of references to fields and resources of the pod.

Source: pkg/apis/core/validation, ValidateEnv and ValidateEnvFrom; pkg/apis/core/pods/helpers.go; pkg/fieldpath.
"""

from collections.abc import Iterable

from kubepy.api import names, quantity
from kubepy.api.errors import FieldError, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.fields import dns_label, dns_subdomain, missing, qualified_name
from kubepy.api.validation.meta import mask_trailing_dash
from kubepy.api.validation.paths import local_file_path

ENV_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
VOLUME_FIELDS = (
    "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid",
)  # fmt: skip
_KNOWN_FIELDS = frozenset(
    {*ENV_FIELDS, *VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase", "spec.host"}
)
_RESOURCE_FIELDS = tuple(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_SIZE_DIVISORS = ("1", *(f"1{unit}" for unit in "kMGTPE"), *(f"1{unit}i" for unit in "KMGTPE"))
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_FILE_KEY_LIMIT = 128


def validate_env(variables: Iterable[Object], path: str) -> list[FieldError]:
    """Faults in a container's `env`."""
    errors: list[FieldError] = []
    for index, variable in enumerate(variables):
        name = variable.get("name")
        if not name:
            errors.append(required(f"{path}[{index}].name"))
        elif not (name.isascii() and name.isidentifier()):  # the usual names need no closer look
            errors += [invalid(f"{path}[{index}].name", name, text) for text in names.is_env_var_name(name)]
        source = variable.get("valueFrom")
        if source is not None:
            errors += _value_from(source, variable.get("value"), f"{path}[{index}].valueFrom")
    return errors


def validate_env_from(sources: Iterable[Object], path: str) -> list[FieldError]:
    """Faults in a container's `envFrom`."""
    errors: list[FieldError] = []
    for index, source in enumerate(sources):
        at = f"{path}[{index}]"
        if prefix := source.get("prefix"):
            errors += [invalid(f"{at}.prefix", prefix, text) for text in names.is_env_var_name(prefix)]
        found = [field for field in ("configMapRef", "secretRef") if source.get(field) is not None]
        for field in found:
            errors += _prefix_of_name(source[field].get("name"), f"{at}.{field}.name")
        if not found:
            errors.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(found) > 1:
            errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _prefix_of_name(name: str | None, path: str) -> list[FieldError]:
    """A reference that, for compatibility, is judged like a generateName."""
    if not name:
        return [required(path)]
    return [invalid(path, name, text) for text in names.is_dns1123_subdomain(mask_trailing_dash(name))]


def validate_field_ref(ref: Object, path: str, supported: Iterable[str]) -> list[FieldError]:
    """Faults in an ObjectFieldSelector that may name one of the `supported` fields, or one label or annotation."""
    if faults := missing(ref, path, "apiVersion") or missing(ref, path, "fieldPath"):
        return faults
    field = ref["fieldPath"]
    base, key = split_subscript(field)
    if ref["apiVersion"] != "v1":
        why = f"unsupported pod version: {ref['apiVersion']}"
    elif key is not None and base not in ("metadata.annotations", "metadata.labels"):
        why = f"field label does not support subscript: {field}"
    elif key is None and field not in _KNOWN_FIELDS:
        why = f"field label not supported: {field}"
    else:
        if key is not None:
            return qualified_name(key.lower() if base == "metadata.annotations" else key, path)
        named = "spec.nodeName" if field == "spec.host" else field
        return [] if named in supported else [not_supported(f"{path}.fieldPath", named, sorted(supported))]
    return [invalid(f"{path}.fieldPath", field, f"error converting fieldPath: {why}")]


def split_subscript(field: str) -> tuple[str, str | None]:
    """`metadata.labels['a']` as (`metadata.labels`, `a`); anything else as (itself, None)."""
    base, bracket, rest = field.partition("['")
    if base and bracket and rest.endswith("']"):
        return base, rest[:-2]
    return field, None


def validate_resource_ref(ref: Object, path: str, *, in_volume: bool) -> list[FieldError]:
    """Faults in a ResourceFieldSelector; in a volume it must name the container."""
    errors: list[FieldError] = []
    name = ref.get("resource") or ""
    if in_volume and not ref.get("containerName"):
        errors.append(required(f"{path}.containerName"))
    elif not name:
        errors.append(required(f"{path}.resource"))
    elif name not in _RESOURCE_FIELDS and not _is_huge_pages(name):
        errors.append(not_supported(f"{path}.resource", name, _RESOURCE_FIELDS))
    return errors + _divisor(name, ref.get("divisor"), f"{path}.divisor")


def _is_huge_pages(name: str) -> bool:
    return name.startswith(("limits.hugepages-", "requests.hugepages-"))


def _divisor(name: str, divisor: str | int | float | None, path: str) -> list[FieldError]:
    if divisor in (None, "") or not quantity.nano(divisor):
        return []
    shown = quantity.canonical(divisor)
    kind = name.partition(".")[2]
    noun = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}.get(kind)
    if kind == "cpu":
        if shown not in ("1m", "1"):
            return [invalid(path, name, "only divisor's values 1m and 1 are supported with the cpu resource")]
    elif (noun or _is_huge_pages(name)) and shown not in _SIZE_DIVISORS:
        values = ", ".join(_SIZE_DIVISORS)
        why = f"only divisor's values {values} are supported with the {noun or 'hugepages'} resource"
        return [invalid(path, name, why)]
    return []


def _value_from(source: Object, value: str | None, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    found = 0
    for field in _SOURCES:
        ref = source.get(field)
        if ref is None:
            continue
        found += 1
        at = f"{path}.{field}"
        if field == "fieldRef":
            errors += validate_field_ref(ref, at, ENV_FIELDS)
        elif field == "resourceFieldRef":
            errors += validate_resource_ref(ref, at, in_volume=False)
        elif field == "fileKeyRef":
            errors += _file_key(ref, at)
        else:
            errors += _key_selector(ref, at)
    if not found:
        listed = ", ".join(f"`{field}`" for field in _SOURCES[:-1])
        errors.append(invalid(path, "", f"must specify one of: {listed} or `{_SOURCES[-1]}`"))
    elif value:
        errors.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif found > 1:
        errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _key_selector(ref: Object, path: str) -> list[FieldError]:
    errors = dns_subdomain(ref.get("name") or "", f"{path}.name")
    key = ref.get("key")
    if not key:
        return [*errors, required(f"{path}.key")]
    return errors + [invalid(f"{path}.key", key, text) for text in names.is_config_key(key)]


def _file_key(ref: Object, path: str) -> list[FieldError]:
    errors = missing(ref, path, "key", "path", "volumeName")
    if key := ref.get("key"):
        errors += [invalid(f"{path}.key", key, text) for text in names.is_env_var_name(key)]
        if len(key) > _FILE_KEY_LIMIT:
            errors.append(invalid(f"{path}.key", key, f"must be no more than {_FILE_KEY_LIMIT} characters"))
    if name := ref.get("volumeName"):
        errors += dns_label(name, f"{path}.volumeName")
    return errors + local_file_path(ref.get("path") or "", f"{path}.path")
