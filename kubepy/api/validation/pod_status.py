"""What a Pod's status may say.

Source: pkg/apis/core/validation, ValidatePodStatusUpdate and its helpers.
"""

from kubepy.api import names, pods
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, not_supported
from kubepy.api.meta import Object
from kubepy.api.validation.fields import dns_subdomain, ip_address, one_per_family, qualified_name, user_id
from kubepy.api.validation.meta import IMMUTABLE
from kubepy.api.validation.shown import IP, show, show_all

_SYSTEM_CONDITIONS = frozenset({"PodScheduled", "Ready", "Initialized"})
_STATUSES = (
    ("containerStatuses", "containers"),
    ("initContainerStatuses", "initContainers"),
    ("ephemeralContainerStatuses", "ephemeralContainers"),
)
_HEALTH = ("Healthy", "Unhealthy", "Unknown")


def validate_pod_status(new: Object, old: Object) -> list[FieldError]:
    """Faults in a changed status, metadata aside."""
    status, before = new.get("status") or {}, old.get("status") or {}
    errors: list[FieldError] = []
    for index, condition in enumerate(status.get("conditions") or ()):
        kind = condition.get("type") or ""
        if kind not in _SYSTEM_CONDITIONS:
            errors += qualified_name(kind, f"metadata.conditions[{index}].Type")
    if pods.node_name(new) != pods.node_name(old):
        errors.append(forbidden("status.nodeName", "may not be changed directly"))
    nominated = status.get("nominatedNodeName") or ""
    if nominated and nominated != before.get("nominatedNodeName"):
        errors += dns_subdomain(nominated, "status.nominatedNodeName")
    qos = status.get("qosClass")
    if qos and before.get("qosClass") and qos != before["qosClass"]:
        errors.append(invalid("status.qosClass", qos, IMMUTABLE))
    errors += _transitions(status, before, old.get("spec") or {})
    errors += _claims(status.get("resourceClaimStatuses") or [], new.get("spec") or {})
    errors += _addresses(status.get("podIPs") or [], "status.podIPs")
    errors += _host_addresses(status)
    for field, containers in _STATUSES:
        errors += _container_statuses(status.get(field) or [], new.get("spec") or {}, containers, f"status.{field}")
    return errors


def _transitions(status: Object, before: Object, spec: Object) -> list[FieldError]:
    """A container that ended for good stays ended."""
    sidecars = {c.get("name") for c in spec.get("initContainers") or () if pods.is_sidecar(c)}
    errors: list[FieldError] = []
    for field, containers in _STATUSES:
        policy = "Never" if containers == "ephemeralContainers" else spec.get("restartPolicy")
        own = {c.get("name"): c["restartPolicy"] for c in spec.get(containers) or () if c.get("restartPolicy")}
        now = {entry.get("name"): entry for entry in status.get(field) or ()}
        for index, entry in enumerate(before.get(field) or ()):
            name, ended = entry.get("name"), (entry.get("state") or {}).get("terminated")
            rule = own.get(name, policy)
            if ended is None or rule == "Always" or name in sidecars or name not in now:
                continue
            if rule == "OnFailure" and ended.get("exitCode"):
                continue
            if _has_rules(spec, containers, name):
                continue
            if (now[name].get("state") or {}).get("terminated") is None:
                why = "may not be transitioned to non-terminated state"
                errors.append(forbidden(f"status.{field}[{index}].state", why))
    return errors


def _has_rules(spec: Object, field: str, name: str | None) -> bool:
    """Whether the container may be restarted by its own rules, which decide per exit."""
    return any(c.get("name") == name and c.get("restartPolicyRules") for c in spec.get(field) or ())


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


def _addresses(entries: list[Object], path: str) -> list[FieldError]:
    addresses = [entry.get("ip") or "" for entry in entries]
    errors: list[FieldError] = []
    for index, address in enumerate(addresses):
        errors += ip_address(address, f"{path}[{index}]")
    errors += one_per_family(addresses, path, show_all(entries, IP))
    return errors + [
        duplicate(f"{path}[{index}]", show(entry, IP))
        for index, entry in enumerate(entries)
        if addresses[index] in addresses[:index]
    ]


def _host_addresses(status: Object) -> list[FieldError]:
    entries = status.get("hostIPs") or []
    if not entries:
        return []
    errors: list[FieldError] = []
    if (status.get("hostIP") or "") != (entries[0].get("ip") or ""):
        errors.append(invalid("status.hostIPs[0].ip", entries[0].get("ip") or "", "must be equal to `hostIP`"))
    return errors + _addresses(entries, "status.hostIPs")


def _container_statuses(statuses: list[Object], spec: Object, field: str, path: str) -> list[FieldError]:
    windows = (spec.get("os") or {}).get("name") == "windows"
    containers = {container.get("name"): container for container in spec.get(field) or ()}
    errors: list[FieldError] = []
    for index, status in enumerate(statuses):
        at = f"{path}[{index}]"
        user = (status.get("user") or {}).get("linux")
        if user is not None and windows:
            errors.append(forbidden(f"{at}.linux", "cannot be set for a windows pod"))
        elif user is not None:
            errors += user_id(user.get("uid"), f"{at}.linux.uid") + user_id(user.get("gid"), f"{at}.linux.gid")
            for number, group in enumerate(user.get("supplementalGroups") or ()):
                errors += user_id(group, f"{at}.linux.supplementalGroups[{number}]")
        allocated = status.get("allocatedResourcesStatus") or []
        if allocated and field == "ephemeralContainers":
            why = "must not be specified in container status"
            errors.append(forbidden(f"{at}.allocatedResourcesStatus", why))
        elif allocated:
            errors += _allocated(allocated, containers.get(status.get("name")), f"{at}.allocatedResourcesStatus")
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
