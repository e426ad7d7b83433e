"""The rules of resource names, quantities and requirements ("cpu", "hugepages-2Mi", "example.com/gpu").

Source: pkg/apis/core/helper/helpers.go and pkg/apis/core/validation, validateResourceRequirements.
"""

from collections.abc import Callable, Collection
from typing import Any

from kubepy.api import names, quantity
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, not_found, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.fields import dns_label, qualified_name
from kubepy.api.validation.meta import NOT_NEGATIVE

ResourceNameCheck = Callable[[str, str], list[FieldError]]

CONTAINER_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage"})
_OBJECT_COUNTS = frozenset(
    {
        "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
        "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    }
)  # fmt: skip
QUOTA_RESOURCES = (
    CONTAINER_RESOURCES
    | {f"{kind}.{name}" for kind in ("requests", "limits") for name in CONTAINER_RESOURCES}
    | {"requests.storage"}
    | _OBJECT_COUNTS
)
_STANDARD = QUOTA_RESOURCES | {"storage"}
_POD_RESOURCES = frozenset({"cpu", "memory"})


def is_huge_page(name: str) -> bool:
    return name.startswith("hugepages-")


def is_quota_huge_page(name: str) -> bool:
    return name.startswith(("hugepages-", "requests.hugepages-"))


def is_native(name: str) -> bool:
    """Whether Kubernetes itself defines the resource."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """Whether it is a resource that nodes advertise: fully qualified, whole numbers only."""
    return not is_native(name) and not name.startswith("requests.") and not names.is_qualified_name(f"requests.{name}")


def may_overcommit(name: str) -> bool:
    """Whether its limit may be above its request."""
    return is_native(name) and not is_huge_page(name)


def is_quota_resource(name: str) -> bool:
    return name in QUOTA_RESOURCES or is_quota_huge_page(name)


def resource_name(name: str, path: str) -> list[FieldError]:
    """Any resource name: qualified, and a standard one where it has no prefix."""
    errors = qualified_name(name, path)
    if not errors and "/" not in name and name not in _STANDARD and not is_quota_huge_page(name):
        return [invalid(path, name, "must be a standard resource type or fully qualified")]
    return errors


def container_resource_name(name: str, path: str) -> list[FieldError]:
    """A resource that a container can ask for."""
    errors = resource_name(name, path)
    if "/" not in name:
        if name not in CONTAINER_RESOURCES and not is_huge_page(name):
            errors.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        errors.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return errors


def pod_resource_name(name: str, path: str) -> list[FieldError]:
    """A resource that can be asked for at the level of the pod."""
    errors = resource_name(name, path)
    if errors or name in _POD_RESOURCES or is_huge_page(name):
        return errors
    return [not_supported(path, name, ("cpu", "hugepages-", "memory"))]


def quota_resource_name(name: str, path: str) -> list[FieldError]:
    """A resource that a quota can limit."""
    errors = resource_name(name, path)
    if "/" not in name and not is_quota_resource(name):
        errors.append(invalid(path, name, "must be a standard resource for quota"))
    return errors


def resource_quantity(name: str, amount: Any, path: str) -> list[FieldError]:
    """Not negative; a whole number where the resource is counted."""
    number = quantity.nano(amount)
    errors = [] if number >= 0 else [invalid(path, quantity.canonical(amount), NOT_NEGATIVE)]
    if (name in _OBJECT_COUNTS or is_extended(name)) and number % 1_000_000_000:
        errors.append(invalid(path, quantity.canonical(amount), "must be an integer"))
    return errors


def resource_requirements(
    resources: Object | None, path: str, claims: Collection[str] = (), *, name: ResourceNameCheck | None = None
) -> list[FieldError]:
    """Faults in requests, limits and claims. `claims` are the pod's; `name` judges resource names."""
    if not resources:
        return []
    check = name or container_resource_name
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    errors: list[FieldError] = []
    for key, amount in limits.items():
        errors += _amount(key, amount, f"{path}.limits[{key}]", check)
    for key, amount in requests.items():
        errors += _amount(key, amount, f"{path}.requests[{key}]", check)
        errors += _against_limit(key, amount, limits, path)
    asked = requests.keys() | limits.keys()
    if any(map(is_huge_page, asked)) and not asked & _POD_RESOURCES:
        errors.append(forbidden(path, "HugePages require cpu or memory"))
    if used := resources.get("claims"):
        errors += _claims(used, f"{path}.claims", claims)
    return errors


def _amount(name: str, amount: Any, path: str, check: ResourceNameCheck) -> list[FieldError]:
    if name in _POD_RESOURCES:  # the usual case, at the price of one look
        return [] if quantity.nano(amount) >= 0 else resource_quantity(name, amount, path)
    errors = check(name, path) + resource_quantity(name, amount, path)
    if is_huge_page(name) and not _is_multiple_of_page(name, amount):
        why = f"{quantity.canonical(amount)} is not positive integer multiple of {name}"
        errors.append(invalid(path, quantity.canonical(amount), why))
    return errors


def _is_multiple_of_page(name: str, amount: Any) -> bool:
    try:
        page = quantity.nano(name.removeprefix("hugepages-"))
    except ValueError:
        return False
    number = quantity.nano(amount)
    return page > 0 and number > 0 and number % page == 0


def _against_limit(name: str, amount: Any, limits: Object, path: str) -> list[FieldError]:
    if name not in limits:
        why = "Limit must be set for non overcommitable resources"
        return [] if may_overcommit(name) else [required(f"{path}.limits", why)]
    limit = limits[name]
    order = quantity.compare(amount, limit)
    if order and not may_overcommit(name):
        why = f"must be equal to {name} limit of {quantity.canonical(limit)}"
    elif order > 0:
        why = f"must be less than or equal to {name} limit of {quantity.canonical(limit)}"
    else:
        return []
    return [invalid(f"{path}.requests", quantity.canonical(amount), why)]


def _claims(used: list[Object], path: str, known: Collection[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, claim in enumerate(used):
        at = f"{path}[{index}]"
        name, request = claim.get("name") or "", claim.get("request") or ""
        if not name:
            errors.append(required(at))
            continue
        key = f"{name}/{request}" if request else name
        if request:
            errors += dns_label(request, f"{at}.request")
        overlaps = name in seen or key in seen or (not request and any(s.startswith(f"{name}/") for s in seen))
        if overlaps:
            errors.append(duplicate(at, name if name in seen or not request else key))
        seen.add(key)
        if name not in known:
            tail = ": " + ", ".join(sorted(known)) if known else " which is empty"
            fault = not_found(at, name)
            text = f"{fault.message}: must be one of the names in pod.spec.resourceClaims{tail}"
            errors.append(FieldError(fault.field, fault.reason, text))
    return errors
