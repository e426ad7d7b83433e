"""Finds what warns about a kind. Kinds that nothing is ever said about are not here.

Source: WarningsOnCreate and WarningsOnUpdate of the strategies below pkg/registry.
"""

from collections.abc import Mapping

from kubepy.api.meta import Object
from kubepy.api.warnings import claims, workloads
from kubepy.api.warnings.definitions import warn_of_definition
from kubepy.api.warnings.labels import DEPRECATED, warn_of_address, warn_of_addresses, warn_of_range, warn_of_ranges
from kubepy.api.warnings.workloads import Warner

_INGRESS_CLASS = "kubernetes.io/ingress.class"
_HINTS, _MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_OURS = ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io")
_MOUNTABLE = "kubernetes.io/enforce-mountable-secrets"


def warn_of_service(service: Object, old: Object | None) -> list[str]:
    """Of fields that are ignored, deprecated, or written in a strange way."""
    spec = service.get("spec") or {}
    told: list[str] = []
    kind, outer = spec.get("type"), spec.get("externalIPs") or []
    if _HINTS in (service["metadata"].get("annotations") or {}):
        told.append(f"annotation {_HINTS} is deprecated, please use {_MODE} instead")
    headless = kind == "ClusterIP" and spec.get("clusterIP") == "None"
    if headless:
        ignored = (("loadBalancerIP", spec.get("loadBalancerIP")), ("externalIPs", outer))
        told += [f"spec.{name} is ignored for headless services" for name, value in ignored if value]
        if spec.get("sessionAffinity") not in (None, "None"):
            told.append("spec.SessionAffinity is ignored for headless services")
    else:
        told += warn_of_addresses(spec.get("clusterIPs") or (), "spec.clusterIPs")
    told += warn_of_addresses(outer, "spec.externalIPs")
    if outer and not headless and kind != "ExternalName":
        told.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    told += warn_of_address(spec.get("loadBalancerIP") or "", "spec.loadBalancerIP")
    told += warn_of_ranges(spec.get("loadBalancerSourceRanges") or (), "spec.loadBalancerSourceRanges")
    if kind == "ExternalName" and outer:
        told.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if kind != "ExternalName" and spec.get("externalName"):
        told.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        told.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return told


def warn_of_ingress(ingress: Object, old: Object | None) -> list[str]:
    """Of the annotation that was there before the field."""
    if old is None and (ingress["metadata"].get("annotations") or {}).get(_INGRESS_CLASS):
        return [f"annotation \"{_INGRESS_CLASS}\" is deprecated, please use 'spec.ingressClassName' instead"]
    return []


def warn_of_network_policy(policy: Object, old: Object | None) -> list[str]:
    """Of CIDRs that may mean two things."""
    spec = policy.get("spec") or {}
    told: list[str] = []
    for part, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(part) or ()):
            for place, peer in enumerate(rule.get(side) or ()):
                if block := peer.get("ipBlock"):
                    at = f"spec.{part}[{index}].{side}[{place}].ipBlock"
                    told += warn_of_range(block.get("cidr") or "", f"{at}.cidr")
                    told += warn_of_ranges(block.get("except") or (), f"{at}.except")
    return told


def warn_of_account(account: Object, old: Object | None) -> list[str]:
    """Of an annotation that is going away, when it is new."""
    had = _MOUNTABLE in ((old or {}).get("metadata", {}).get("annotations") or {})
    if _MOUNTABLE in (account["metadata"].get("annotations") or {}) and not had:
        why = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
        return [f"metadata.annotations[{_MOUNTABLE}]: {why}"]
    return []


def warn_of_node(node: Object, old: Object | None) -> list[str]:
    """Of fields that nobody reads, and of networks that may mean two things."""
    spec = node.get("spec") or {}
    told = ["spec.configSource: the feature is removed"] if spec.get("configSource") is not None else []
    if spec.get("externalID"):
        told.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
    return [*told, *warn_of_ranges(spec.get("podCIDRs") or (), "spec.podCIDRs")]


def warn_of_endpoints(endpoints: Object, old: Object | None) -> list[str]:
    """Of addresses, unless our own controller wrote them."""
    if _label(endpoints, "endpoints.kubernetes.io/managed-by") == "endpoint-controller":
        return []
    return [
        told
        for index, subset in enumerate(endpoints.get("subsets") or ())
        for field in ("addresses", "notReadyAddresses")
        for place, address in enumerate(subset.get(field) or ())
        for told in warn_of_address(address.get("ip") or "", f"subsets[{index}].{field}[{place}].ip")
    ]


def _label(obj: Object, name: str) -> str | None:
    return (obj["metadata"].get("labels") or {}).get(name)


def warn_of_runtime_class(runtime_class: Object, old: Object | None) -> list[str]:
    """Of labels of nodes."""
    selector = (runtime_class.get("scheduling") or {}).get("nodeSelector") or ()
    return [f"scheduling.nodeSelector: {DEPRECATED[key]}" for key in selector if key in DEPRECATED]


def warn_of_slice(endpoint_slice: Object, old: Object | None) -> list[str]:
    """Of addresses that are names, and of those in a strange form unless our own controllers wrote them."""
    told = []
    if old is None and endpoint_slice.get("addressType") == "FQDN":
        told.append("spec.addressType: FQDN endpoints are deprecated")
    if _label(endpoint_slice, "endpointslice.kubernetes.io/managed-by") not in _OURS:
        for index, endpoint in enumerate(endpoint_slice.get("endpoints") or ()):
            told += warn_of_addresses(endpoint.get("addresses") or (), f"endpoints[{index}].addresses")
    return told


def warn_of_pod_status(pod: Object, old: Object | None) -> list[str]:
    """Of the addresses of a pod and of its node."""
    status = pod.get("status") or {}
    return [
        told
        for field in ("podIPs", "hostIPs")
        for index, entry in enumerate(status.get(field) or ())
        for told in warn_of_address(entry.get("ip") or "", f"status.{field}[{index}].ip")
    ]


def warn_of_service_status(service: Object, old: Object | None) -> list[str]:
    """Of the addresses of a load balancer."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [*warn_of_addresses((entry.get("ip") or "" for entry in ingress), "status.loadBalancer.ingress")]


WARNERS: Mapping[tuple[str, str], Warner] = {
    ("", "Endpoints"): warn_of_endpoints,
    ("", "Node"): warn_of_node,
    ("", "PersistentVolume"): claims.warn_of_volume,
    ("", "PersistentVolumeClaim"): claims.warn_of_claim,
    ("", "Pod"): workloads.warn_of_single_pod,
    ("", "PodTemplate"): workloads.warn_of_pod_template,
    ("", "ReplicationController"): workloads.warn_of_named,
    ("", "Service"): warn_of_service,
    ("", "ServiceAccount"): warn_of_account,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): warn_of_definition,
    ("apps", "DaemonSet"): workloads.warn_of_template_owner,
    ("apps", "Deployment"): workloads.warn_of_named,
    ("apps", "ReplicaSet"): workloads.warn_of_named,
    ("apps", "StatefulSet"): workloads.warn_of_stateful_set,
    ("batch", "CronJob"): workloads.warn_of_cron_job,
    ("batch", "Job"): workloads.warn_of_job,
    ("discovery.k8s.io", "EndpointSlice"): warn_of_slice,
    ("networking.k8s.io", "Ingress"): warn_of_ingress,
    ("networking.k8s.io", "NetworkPolicy"): warn_of_network_policy,
    ("node.k8s.io", "RuntimeClass"): warn_of_runtime_class,
    ("storage.k8s.io", "CSIStorageCapacity"): claims.warn_of_capacity,
    ("storage.k8s.io", "StorageClass"): claims.warn_of_storage_class,
}

STATUS_WARNERS: Mapping[tuple[str, str], Warner] = {
    ("", "Pod"): warn_of_pod_status,
    ("", "Service"): warn_of_service_status,
}

DEPRECATED_KINDS: Mapping[str, str] = {
    "componentstatuses": "v1 ComponentStatus is deprecated in v1.19+",
    "endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}
"""Resources of the core group of whose every use is warned."""


def warner_for(group: str, kind: str) -> Warner | None:
    """What warns about the kind, or None."""
    return WARNERS.get((group, kind))


def status_warner_for(group: str, kind: str) -> Warner | None:
    """What warns about the kind's status, or None."""
    return STATUS_WARNERS.get((group, kind))
