"""What an object counts for in a ResourceQuota, and which quotas mean it. Pure.

Source: pkg/quota/v1/evaluator/core.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from kubepy.api import instants, pods, quantity, resources
from kubepy.api.amounts import Amounts, add, lift, pod_total
from kubepy.api.errors import qualified
from kubepy.api.meta import Object
from kubepy.api.resources import Resource

_PLAIN_COUNTS = frozenset(
    ("configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services")
)
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_CLASS_SUFFIX = ".storageclass.storage.k8s.io/"
_CLAIM_CLASS = "volume.beta.kubernetes.io/storage-class"
_DEVICES = ".deviceclass.resource.k8s.io/devices"
_DEVICES_OF_ALL = 32
"""As many devices as a claim of all of them may be given."""
_ALWAYS_SET = frozenset(("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))


def usage_of(group: str, plural: str, obj: Object, now: datetime | None = None) -> Amounts:
    """What one object counts for; with `now`, a pod that should be gone long since counts for nothing."""
    counts: Amounts = {f"count/{qualified(group, plural)}": "1"}
    if (group, plural) == ("resource.k8s.io", "resourceclaims"):
        return counts | resource_claim_usage(obj)
    if group:
        return counts
    if plural == "pods":
        return counts | pod_usage(obj, now)
    if plural in _PLAIN_COUNTS:
        counts[plural] = "1"
    if plural == "services":
        counts |= service_usage(obj)
    elif plural == "persistentvolumeclaims":
        counts |= claim_usage(obj)
    return counts


def pod_usage(pod: Object, now: datetime | None = None) -> Amounts:
    """The pod itself, its requests and its limits, unless it is over."""
    if pods.is_terminal(pod) or (now is not None and _is_overdue(pod, now)):
        return {}
    requests = pod_total(pod["spec"], "requests", overhead=True)
    limits = pod_total(pod["spec"], "limits", overhead=True)
    usage: Amounts = {"pods": "1"} | {name: requests[name] for name in _COMPUTE if name in requests}
    usage |= {f"requests.{name}": amount for name, amount in requests.items()}
    usage |= {name: amount for name, amount in requests.items() if name.startswith("hugepages-")}
    return usage | {f"limits.{name}": limits[name] for name in _COMPUTE if name in limits}


def _is_overdue(pod: Object, now: datetime) -> bool:
    """Its node was lost, perhaps, and nobody can tell its end."""
    meta = pod["metadata"]
    ends = instants.parse(meta.get("deletionTimestamp") or "")
    grace_s = meta.get("deletionGracePeriodSeconds")
    return ends is not None and grace_s is not None and now > ends + timedelta(seconds=grace_s)


def service_usage(service: Object) -> Amounts:
    """Load balancers and node ports of a Service."""
    spec = service["spec"]
    kind, ports = spec.get("type"), len(spec.get("ports") or ())
    if kind == "NodePort":
        return {"services.nodeports": str(ports)}
    if kind != "LoadBalancer":
        return {}
    if spec.get("allocateLoadBalancerNodePorts") is False:
        ports = sum(1 for port in spec.get("ports") or () if port.get("nodePort"))
    return {"services.loadbalancers": "1", "services.nodeports": str(ports)}


def claim_usage(claim: Object) -> Amounts:
    """Storage of a claim, in all and by class."""
    name = (claim["metadata"].get("annotations") or {}).get(_CLAIM_CLASS) or claim["spec"].get("storageClassName")
    usage: Amounts = {}
    requested = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage")
    allocated = ((claim.get("status") or {}).get("allocatedResources") or {}).get("storage")
    if requested is not None and allocated is not None and quantity.compare(allocated, requested) > 0:
        requested = allocated  # an expansion that was taken back still holds what it was given
    if requested is not None:
        usage["requests.storage"] = requested
    if name:
        usage[f"{name}{_CLASS_SUFFIX}persistentvolumeclaims"] = "1"
        if requested is not None:
            usage[f"{name}{_CLASS_SUFFIX}requests.storage"] = requested
    return usage


def resource_claim_usage(claim: Object) -> Amounts:
    """The devices that a claim asks for, by class; of requests with alternatives, the most that may come."""
    usage: Amounts = {}
    for request in ((claim.get("spec") or {}).get("devices") or {}).get("requests") or ():
        wanted: Amounts = {}
        for one in [request["exactly"]] if request.get("exactly") else request.get("firstAvailable") or ():
            mode = one.get("allocationMode") or "ExactCount"
            count = one.get("count") or 1 if mode == "ExactCount" else _DEVICES_OF_ALL
            lift(wanted, {f"{one.get('deviceClassName') or ''}{_DEVICES}": str(count)})
        add(usage, wanted)
    return usage


def unset_faults(pod: Object, hard: Mapping[str, Any]) -> list[str]:
    """The resources of a quota that some container of a new pod says nothing about, with those containers."""
    faults = []
    for name in sorted(_ALWAYS_SET & hard.keys()):
        part, _, resource = name.rpartition(".")
        part = part or "requests"
        lacking = [
            container["name"]
            for container in pods.containers_of(pod["spec"])
            if resource not in ((container.get("resources") or {}).get(part) or {})
        ]
        own = ((pod["spec"].get("resources") or {}).get(part) or {}).get(resource)
        if lacking and own is None:
            faults.append(f"{name} for: {','.join(sorted(lacking))}")
    return faults


def scope_terms(spec: Mapping[str, Any]) -> list[Any]:
    """The scopes of a quota, written either way, as requirements."""
    listed = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    return [*listed, *((spec.get("scopeSelector") or {}).get("matchExpressions") or ())]


def is_in_scopes(quota: Object, plural: str, obj: Object) -> bool:
    """Whether the quota's scopes mean the object: pods have scopes, and claims one of their own."""
    return all(matches_scope(term, plural, obj) for term in scope_terms(quota.get("spec") or {}))


def matches_scope(term: Mapping[str, Any], plural: str, obj: Object) -> bool:
    """Whether one requirement means the object."""
    if term.get("scopeName") == "VolumeAttributesClass":
        return plural == "persistentvolumeclaims" and _matches_class_of_claim(term, obj)
    return plural == "pods" and _is_in_scope(term, obj["spec"])


def _matches_class_of_claim(term: Mapping[str, Any], claim: Object) -> bool:
    """By the class that is asked for, the one it has and the one it is on its way to: any of them counts."""
    status = claim.get("status") or {}
    named = (
        (claim.get("spec") or {}).get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    names = [str(name) for name in named if name]
    return any(_matches_name(term, name) for name in names or [""])


def _matches_name(term: Mapping[str, Any], name: str) -> bool:
    operator, values = term.get("operator"), term.get("values") or ()
    if operator == "In":
        return name in values
    if operator == "NotIn":
        return name not in values
    return bool(name) is (operator != "DoesNotExist")


def _is_in_scope(term: Mapping[str, Any], spec: Object) -> bool:
    scope = term.get("scopeName")
    if scope in ("Terminating", "NotTerminating"):
        return (spec.get("activeDeadlineSeconds") is not None) is (scope == "Terminating")
    if scope in ("BestEffort", "NotBestEffort"):
        return (pods.qos_class(spec) == pods.BEST_EFFORT) is (scope == "BestEffort")
    if scope == "CrossNamespacePodAffinity":
        return _crosses_namespaces(spec)
    return _matches_name(term, spec.get("priorityClassName") or "")


def _crosses_namespaces(spec: Object) -> bool:
    affinity = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        terms = list(rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        preferred = rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [one.get("podAffinityTerm") or {} for one in preferred]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False


def counted_names(hard: Mapping[str, Any]) -> set[str]:
    """The qualified names (`pods`, `deployments.apps`) of the resources whose objects a quota counts."""
    wanted = set()
    for name in hard:
        if name.startswith("count/"):
            wanted.add(name.removeprefix("count/"))
        elif name.startswith("services."):
            wanted.add("services")
        elif name.endswith(_DEVICES):
            wanted.add("resourceclaims.resource.k8s.io")
        elif name.endswith(("persistentvolumeclaims", "requests.storage")):
            wanted.add("persistentvolumeclaims")
        elif name in _PLAIN_COUNTS:
            wanted.add(name)
        else:
            wanted.add("pods")
    return wanted


def counted_resources(hard: Mapping[str, Any], others: Iterable[Resource] = ()) -> Iterator[Resource]:
    """Those resources, as far as they are built in or among `others`."""
    wanted = counted_names(hard)
    for resource in (*others, *(row for row in resources.BUILT_IN if row.stored_as)):
        if resource.namespaced and resource.qualified in wanted:
            wanted.discard(resource.qualified)
            yield resource
