"""What an object counts for in a ResourceQuota, and which quotas mean it. Pure.

Source: pkg/quota/v1/evaluator/core.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kubepy.api import pods
from kubepy.api.errors import qualified
from kubepy.apiserver.admission.pod_amounts import Amounts, pod_total
from kubepy.apiserver.lookup import Object

_PLAIN_COUNTS = frozenset(
    ("configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services")
)
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_CLASS_SUFFIX = ".storageclass.storage.k8s.io/"
_CLAIM_CLASS = "volume.beta.kubernetes.io/storage-class"
_ALWAYS_SET = frozenset(("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))


def usage_of(group: str, plural: str, obj: Object) -> Amounts:
    """What one object counts for."""
    counts: Amounts = {f"count/{qualified(group, plural)}": "1"}
    if group:
        return counts
    if plural in _PLAIN_COUNTS and not (plural == "pods" and pods.is_terminal(obj)):
        counts[plural] = "1"
    if plural == "pods":
        counts |= pod_usage(obj)
    elif plural == "services":
        counts |= service_usage(obj)
    elif plural == "persistentvolumeclaims":
        counts |= claim_usage(obj)
    return counts


def pod_usage(pod: Object) -> Amounts:
    """Requests and limits of a pod that is not over."""
    if pods.is_terminal(pod):
        return {}
    requests = pod_total(pod["spec"], "requests", overhead=True)
    limits = pod_total(pod["spec"], "limits", overhead=True)
    usage: Amounts = {name: requests[name] for name in _COMPUTE if name in requests}
    usage |= {f"requests.{name}": amount for name, amount in requests.items()}
    usage |= {name: amount for name, amount in requests.items() if name.startswith("hugepages-")}
    return usage | {f"limits.{name}": limits[name] for name in _COMPUTE if name in limits}


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
    if requested is not None:
        usage["requests.storage"] = requested
    if name:
        usage[f"{name}{_CLASS_SUFFIX}persistentvolumeclaims"] = "1"
        if requested is not None:
            usage[f"{name}{_CLASS_SUFFIX}requests.storage"] = requested
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


def is_in_scopes(quota: Object, plural: str, obj: Object) -> bool:
    """Whether the quota's scopes mean the object; only pods are ever in a scope."""
    spec = quota.get("spec") or {}
    terms: Sequence[Any] = [
        *({"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()),
        *((spec.get("scopeSelector") or {}).get("matchExpressions") or ()),
    ]
    if not terms:
        return True
    return plural == "pods" and all(_is_in_scope(term, obj["spec"]) for term in terms)


def _is_in_scope(term: Mapping[str, Any], spec: Object) -> bool:
    scope, operator, values = term.get("scopeName"), term.get("operator"), term.get("values") or ()
    if scope in ("Terminating", "NotTerminating"):
        return (spec.get("activeDeadlineSeconds") is not None) is (scope == "Terminating")
    if scope in ("BestEffort", "NotBestEffort"):
        return (pods.qos_class(spec) == pods.BEST_EFFORT) is (scope == "BestEffort")
    if scope == "CrossNamespacePodAffinity":
        return _crosses_namespaces(spec)
    name = spec.get("priorityClassName") or ""
    if operator == "In":
        return name in values
    if operator == "NotIn":
        return name not in values
    return bool(name) is (operator != "DoesNotExist")


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
