"""What a Pod's status may say.

Source: pkg/apis/core/validation, ValidatePodStatusUpdate and its helpers.
"""

from kubepy.api import names, pods
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.fields import (
    dns_label,
    dns_subdomain,
    ip_address,
    one_per_family,
    qualified_name,
    required_name,
    user_id,
)
from kubepy.api.validation.meta import IMMUTABLE
from kubepy.api.validation.shown import IP, show_all

_SYSTEM_CONDITIONS = frozenset({"PodScheduled", "Ready", "Initialized"})
_STATUSES = (
    ("containerStatuses", "containers"),
    ("initContainerStatuses", "initContainers"),
    ("ephemeralContainerStatuses", "ephemeralContainers"),
)
_MAPPED = ("containerName", "resourceName", "requestName")
_ANY_CONTAINER = "must match the name of an entry in spec.initContainers.name or spec.containers.name"
_ANY_REQUEST = (
    "must match the extended resource name of an entry in spec.initContainers.resources.requests or "
    "spec.containers.resources.requests"
)
_HEALTH = ("Healthy", "Unhealthy", "Unknown")


def validate_pod_status(new: Object, old: Object) -> list[FieldError]:
    """Faults in a changed status, metadata aside."""
    status, before = new.get("status") or {}, old.get("status") or {}
    errors: list[FieldError] = []
    for index, condition in enumerate(status.get("conditions") or ()):
        at, kind = f"status.conditions[{index}]", condition.get("type") or ""
        errors += _generation(condition, at)
        if kind not in _SYSTEM_CONDITIONS:
            errors += qualified_name(kind, f"{at}.Type")
    if pods.node_name(new) != pods.node_name(old):
        errors.append(forbidden("status.nodeName", "may not be changed directly"))
    nominated = status.get("nominatedNodeName") or ""
    if nominated and nominated != before.get("nominatedNodeName"):
        errors += dns_subdomain(nominated, "status.nominatedNodeName")
        if pods.node_name(old):
            why = "may not be set on pods that are already bound to a node"
            errors.append(forbidden("status.nominatedNodeName", why))
    errors += _generation(status, "status")
    qos = status.get("qosClass")
    if qos and before.get("qosClass") and qos != before["qosClass"]:
        errors.append(invalid("status.qosClass", qos, IMMUTABLE))
    errors += _transitions(status, before, old.get("spec") or {})
    errors += _claims(status.get("resourceClaimStatuses") or [], new.get("spec") or {})
    errors += _extended_claim(status.get("extendedResourceClaimStatus"), new.get("spec") or {})
    errors += _addresses(status.get("podIPs") or [], before.get("podIPs") or [], "status.podIPs")
    errors += _host_addresses(status, before)
    is_windows = ((new.get("spec") or {}).get("os") or {}).get("name") == "windows"
    for field, _ in _STATUSES:
        errors += _users(status.get(field) or [], f"status.{field}", is_windows=is_windows)
    for field, containers in _STATUSES:
        errors += _allocations(status.get(field) or [], new.get("spec") or {}, containers, f"status.{field}")
    return errors


def _generation(holder: Object, path: str) -> list[FieldError]:
    number = holder.get("observedGeneration") or 0
    return [invalid(f"{path}.observedGeneration", number, "must be a non-negative integer")] if number < 0 else []


def _transitions(status: Object, before: Object, spec: Object) -> list[FieldError]:
    """A container that ended for good stays ended."""
    errors: list[FieldError] = []
    for field, containers in _STATUSES:
        own = {} if field == "ephemeralContainerStatuses" else {c.get("name"): c for c in spec.get(containers) or ()}
        now = {entry.get("name"): entry for entry in status.get(field) or ()}
        for index, entry in enumerate(before.get(field) or ()):
            name, ended = entry.get("name"), (entry.get("state") or {}).get("terminated")
            if ended is None or name not in now or (now[name].get("state") or {}).get("terminated") is not None:
                continue
            if name not in own or not _may_restart(own[name], ended.get("exitCode") or 0, spec):
                why = "may not be transitioned to non-terminated state"
                errors.append(forbidden(f"status.{field}[{index}].state", why))
    return errors


def _may_restart(container: Object, code: int, spec: Object) -> bool:
    """By a rule for its exit code, by its own policy or by the pod's; all do where any container may restart all."""
    everyone = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    if any(
        rule.get("action") == "RestartAllContainers" for c in everyone for rule in c.get("restartPolicyRules") or ()
    ):
        return True
    for rule in container.get("restartPolicyRules") or ():
        codes = rule.get("exitCodes") or {}
        if (code in (codes.get("values") or ())) == (codes.get("operator") == "In"):
            return True
    policy = container.get("restartPolicy") or spec.get("restartPolicy")
    return policy not in ("Never", "OnFailure") or (policy == "OnFailure" and code != 0)


def _claims(statuses: list[Object], spec: Object) -> list[FieldError]:
    known = {claim.get("name") for claim in spec.get("resourceClaims") or ()}
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, status in enumerate(statuses):
        at, name = f"status.resourceClaimStatuses[{index}].name", status.get("name") or ""
        if name not in known:
            errors.append(invalid(at, name, "must match the name of an entry in `spec.resourceClaims`"))
        if name in seen:
            errors.append(duplicate(at, name))
        seen.add(name)
        if status.get("resourceClaimName") is not None:
            claim = status["resourceClaimName"]
            errors += [invalid(at, claim, text) for text in names.is_dns1123_subdomain(claim)]
    return errors


def _extended_claim(claim: Object | None, spec: Object) -> list[FieldError]:
    """The claim that was made for the pod's extended resources."""
    if claim is None:
        return []
    path = "status.extendedResourceClaimStatus"
    mappings = claim.get("requestMappings") or []
    containers = {c.get("name"): c for field in ("initContainers", "containers") for c in spec.get(field) or ()}
    errors = [] if mappings else [required(f"{path}.requestMappings", "at least one request mapping is required")]
    seen: set[tuple[str, ...]] = set()
    for index, mapping in enumerate(mappings):
        at = f"{path}.requestMappings[{index}]"
        name, resource, request = (mapping.get(field) or "" for field in _MAPPED)
        if name not in containers:
            errors.append(invalid(f"{at}.containerName", name, _ANY_CONTAINER))
        elif resource not in ((containers[name].get("resources") or {}).get("requests") or {}):
            errors.append(invalid(f"{at}.resourceName", resource, _ANY_REQUEST))
        errors += dns_label(request, f"{path}.requestName")
        if (name, resource, request) in seen:
            errors += [duplicate(f"{at}.{field}", mapping.get(field) or "") for field in _MAPPED]
        seen.add((name, resource, request))
    return errors + required_name(claim.get("resourceClaimName"), f"{path}.resourceClaimName")


def _addresses(entries: list[Object], before: list[Object], path: str) -> list[FieldError]:
    """What is there already is not judged again."""
    addresses, kept = [entry.get("ip") or "" for entry in entries], {entry.get("ip") for entry in before}
    errors: list[FieldError] = []
    for index, address in enumerate(addresses):
        errors += [] if address in kept else ip_address(address, f"{path}[{index}]")
    return errors + one_per_family(addresses, path, show_all(entries, IP))


def _host_addresses(status: Object, before: Object) -> list[FieldError]:
    entries = status.get("hostIPs") or []
    if not entries:
        return []
    errors: list[FieldError] = []
    if (status.get("hostIP") or "") != (entries[0].get("ip") or ""):
        errors.append(invalid("status.hostIPs[0].ip", entries[0].get("ip") or "", "must be equal to `hostIP`"))
    return errors + _addresses(entries, before.get("hostIPs") or [], "status.hostIPs")


def _users(statuses: list[Object], path: str, *, is_windows: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, status in enumerate(statuses):
        at, user = f"{path}[{index}].user.linux", (status.get("user") or {}).get("linux")
        if user is None:
            continue
        if is_windows:
            errors.append(forbidden(at, "cannot be set for a windows pod"))
            continue
        errors += user_id(user.get("uid"), f"{at}.uid") + user_id(user.get("gid"), f"{at}.gid")
        for number, group in enumerate(user.get("supplementalGroups") or ()):
            errors += user_id(group, f"{at}.supplementalGroups[{number}]")
    return errors


def _allocations(statuses: list[Object], spec: Object, field: str, path: str) -> list[FieldError]:
    containers = {container.get("name"): container for container in spec.get(field) or ()}
    errors: list[FieldError] = []
    for index, status in enumerate(statuses):
        at, allocated = f"{path}[{index}].allocatedResourcesStatus", status.get("allocatedResourcesStatus") or []
        if allocated and field == "ephemeralContainers":
            errors.append(forbidden(at, "must not be specified in container status"))
        else:
            errors += _allocated(allocated, containers.get(status.get("name")), at)
    return errors


def _allocated(allocated: list[Object], container: Object | None, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, entry in enumerate(allocated):
        at, name = f"{path}[{index}]", entry.get("name") or ""
        if container is not None:
            errors += _allocated_name(name, container.get("resources") or {}, f"{at}.name")
        seen: set[str] = set()
        for number, resource in enumerate(entry.get("resources") or ()):
            where, ident = f"{at}.resources[{number}]", resource.get("resourceID") or ""
            if (health := resource.get("health") or "") not in _HEALTH:
                errors.append(not_supported(f"{where}.health", health, _HEALTH))
            if ident in seen:
                errors.append(duplicate(f"{where}.resourceID", ident))
            seen.add(ident)
    return errors


def _allocated_name(name: str, resources: Object, path: str) -> list[FieldError]:
    if name.startswith("claim:"):
        claims = resources.get("claims") or ()
        known = {f"claim:{c['name']}/{c['request']}" if c.get("request") else f"claim:{c['name']}" for c in claims}
        why = (
            "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or "
            "'claim:<claimName>' if request is empty"
        )
    else:
        known = set(resources.get("requests") or ())
        why = "must match one of the container's resource requests"
    return [] if name in known else [invalid(path, name, why)]
