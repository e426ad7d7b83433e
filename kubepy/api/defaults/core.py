"""Defaults of the kinds of the core group other than pods and Services.

Also done here is what upstream does in conversion, because there is only one version: base64 of `stringData`, the
singular and plural of pod networks.
Source: pkg/apis/core/v1/defaults.go and conversion.go.
"""

from base64 import b64encode
from collections.abc import Callable

from kubepy.api.defaults.pod import default_pod_template, default_resource_list
from kubepy.api.defaults.volumes import default_claim_spec, default_persistent_source
from kubepy.api.meta import Object

_NAME_LABEL = "kubernetes.io/metadata.name"


def default_replication_controller(obj: Object) -> None:
    """One replica, that of the template's labels."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    template = spec.get("template")
    if template is not None:
        default_pod_template(template)
        labels = (template.get("metadata") or {}).get("labels")
        if labels and not spec.get("selector"):
            spec["selector"] = dict(labels)
        meta = obj.setdefault("metadata", {})
        if labels and not meta.get("labels"):
            meta["labels"] = dict(labels)
    obj.setdefault("status", {}).setdefault("replicas", 0)


def default_secret(obj: Object) -> None:
    """The type, and the plain text among the data, which then is gone."""
    if not obj.get("type"):
        obj["type"] = "Opaque"
    plain = obj.pop("stringData", None)
    if plain:
        encoded = {key: b64encode((value or "").encode()).decode() for key, value in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def default_namespace(obj: Object) -> None:
    """The phase, and a label with the name, by which selectors can find the namespace."""
    meta = obj.setdefault("metadata", {})
    if meta.get("name"):
        labels = meta.get("labels") or {}
        if labels.get(_NAME_LABEL) != meta["name"]:
            meta["labels"] = {**labels, _NAME_LABEL: meta["name"]}
    _phase(obj, "Active")


def default_node(obj: Object) -> None:
    """All of the capacity can be allocated unless the kubelet says otherwise."""
    spec, status = obj.setdefault("spec", {}), obj.setdefault("status", {})
    if spec.get("podCIDR") and not spec.get("podCIDRs"):
        spec["podCIDRs"] = [spec["podCIDR"]]
    elif spec.get("podCIDRs"):
        spec["podCIDR"] = spec["podCIDRs"][0]
    for field in ("capacity", "allocatable"):
        default_resource_list(status.get(field))
    if status.get("allocatable") is None and status.get("capacity") is not None:
        status["allocatable"] = dict(status["capacity"])
    # Go writes these by value, and clients read them without looking.
    status.setdefault("daemonEndpoints", {}).setdefault("kubeletEndpoint", {}).setdefault("Port", 0)
    info = status.setdefault("nodeInfo", {})
    for field in _NODE_INFO:
        info.setdefault(field, "")


_NODE_INFO = (
    "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion",
    "kubeProxyVersion", "operatingSystem", "architecture",
)  # fmt: skip


def default_persistent_volume(obj: Object) -> None:
    """Kept after its claim is gone, with a file system."""
    spec = obj.setdefault("spec", {})
    default_resource_list(spec.get("capacity"))
    default_persistent_source(spec)
    if not spec.get("persistentVolumeReclaimPolicy"):
        spec["persistentVolumeReclaimPolicy"] = "Retain"
    if not spec.get("volumeMode"):
        spec["volumeMode"] = "Filesystem"
    _phase(obj, "Pending")


def default_persistent_volume_claim(obj: Object) -> None:
    """A file system; both ways to name a data source say the same."""
    spec = obj.setdefault("spec", {})
    default_claim_spec(spec)
    resources = spec.setdefault("resources", {})
    for field in ("requests", "limits"):
        default_resource_list(resources.get(field))
    align_data_sources(spec)
    _phase(obj, "Pending")


def align_data_sources(spec: Object) -> None:
    """Both ways to name a data source say the same; what the older may not name by itself is dropped there."""
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and not _is_claim_or_snapshot(source):
        del spec["dataSource"]
        source = None
    if ref is None and source is not None:
        spec["dataSourceRef"] = dict(source)
    elif ref is not None and source is None and not ref.get("namespace"):
        spec["dataSource"] = {key: value for key, value in ref.items() if key != "namespace"}


def _is_claim_or_snapshot(source: Object) -> bool:
    """Whether the older field may name it by itself: any other source is dropped there, as it was before the newer."""
    kind = (source.get("apiGroup") or "", source.get("kind"))
    return kind in (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))


def default_limit_range(obj: Object) -> None:
    """For containers: the limit is the maximum, the request is the limit, else the minimum."""
    for item in obj.setdefault("spec", {}).get("limits") or ():
        for field in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
            default_resource_list(item.get(field))
        if item.get("type") == "Container":
            limit = {**(item.get("max") or {}), **(item.get("default") or {})}
            request = {**(item.get("min") or {}), **limit, **(item.get("defaultRequest") or {})}
            item.update({"default": limit} if limit else {})
            item.update({"defaultRequest": request} if request else {})


def default_resource_quota(obj: Object) -> None:
    """Amounts are rounded; nothing is limited that is not named."""
    default_resource_list(obj.setdefault("spec", {}).get("hard"))
    for field in ("hard", "used"):
        default_resource_list(obj.setdefault("status", {}).get(field))


def default_endpoints(obj: Object) -> None:
    """Ports are TCP."""
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            if not port.get("protocol"):
                port["protocol"] = "TCP"


def default_event(obj: Object) -> None:
    """What Go writes by value."""
    obj.setdefault("involvedObject", {})
    obj.setdefault("source", {})
    for field in ("reportingComponent", "reportingInstance"):
        obj.setdefault(field, "")
    for field in ("firstTimestamp", "lastTimestamp", "eventTime"):
        obj.setdefault(field, None)


def _phase(obj: Object, phase: str) -> None:
    status = obj.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = phase


DEFAULTS: dict[tuple[str, str, str], Callable[[Object], None]] = {
    ("", "v1", "Endpoints"): default_endpoints,
    ("", "v1", "Event"): default_event,
    ("", "v1", "LimitRange"): default_limit_range,
    ("", "v1", "Namespace"): default_namespace,
    ("", "v1", "Node"): default_node,
    ("", "v1", "PersistentVolume"): default_persistent_volume,
    ("", "v1", "PersistentVolumeClaim"): default_persistent_volume_claim,
    ("", "v1", "ReplicationController"): default_replication_controller,
    ("", "v1", "ResourceQuota"): default_resource_quota,
    ("", "v1", "Secret"): default_secret,
}
