"""Render a Node and its status: pure functions from facts of the machine to the API's object.

Invariant: a condition's transition time moves only when its status does; labels and taints that others put on the
Node are never removed. What is dear to find out is passed in; nothing here reads a file.
Source: pkg/kubelet/kubelet_node_status.go, pkg/kubelet/nodestatus/setters.go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kubepy.lib.clock import rfc3339

Object = dict[str, Any]

READY_MESSAGE = "kubelet is posting ready status"
_HEARTBEATS = ("lastHeartbeatTime",)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a node is and has. Memory and storage in bytes; `faults` are why it is not ready."""

    name: str
    now: datetime
    addresses: Sequence[tuple[str, str]]
    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]
    info: Mapping[str, str]
    images: Sequence[tuple[Sequence[str], int]] = ()
    faults: Sequence[str] = ()
    pressure: Mapping[str, bool] = field(default_factory=dict)
    kubelet_port: int = 10250
    volumes_in_use: Sequence[str] = ()
    runtime_handlers: Sequence[str] = ()


def default_labels(name: str, *, arch: str = "amd64", os: str = "linux") -> dict[str, str]:
    """The labels that every node bears."""
    return {
        "beta.kubernetes.io/arch": arch,
        "beta.kubernetes.io/os": os,
        "kubernetes.io/arch": arch,
        "kubernetes.io/hostname": name.lower(),
        "kubernetes.io/os": os,
    }


def render_node(
    facts: NodeFacts,
    *,
    labels: Mapping[str, str],
    taints: Sequence[Mapping[str, str]] = (),
    provider_id: str = "",
    unschedulable: bool = False,
) -> Object:
    """The Node with which a kubelet registers."""
    spec: Object = {}
    if taints:
        spec["taints"] = [dict(t) for t in taints]
    if provider_id:
        spec["providerID"] = provider_id
    if unschedulable:
        spec["unschedulable"] = True
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": facts.name,
            "labels": {**default_labels(facts.name), **labels},
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": spec,
        "status": node_status(facts, {}),
    }


def node_status(facts: NodeFacts, old: Object) -> Object:
    """The whole status; conditions that others own stay."""
    made = [_condition(kind, facts, old.get("conditions") or []) for kind in _CONDITIONS]
    kinds = set(_CONDITIONS)
    others = [c for c in old.get("conditions") or [] if c.get("type") not in kinds]
    return {
        "capacity": dict(facts.capacity),
        "allocatable": dict(facts.allocatable),
        "conditions": others + made,
        "addresses": [{"type": kind, "address": address} for kind, address in facts.addresses],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": facts.kubelet_port}},
        "nodeInfo": dict(facts.info),
        "images": [{"names": list(names), "sizeBytes": size} for names, size in facts.images],
        **({"volumesInUse": list(facts.volumes_in_use)} if facts.volumes_in_use else {}),
        **({"runtimeHandlers": [{"name": name} for name in facts.runtime_handlers]} if facts.runtime_handlers else {}),
    }


_CONDITIONS = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
_CALM = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}
_PRESSED = {
    "MemoryPressure": ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    "DiskPressure": ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    "PIDPressure": ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
}


def _condition(kind: str, facts: NodeFacts, old: Sequence[Object]) -> Object:
    if kind == "Ready":
        holds = not facts.faults
        message = (
            READY_MESSAGE if holds else f"[{', '.join(facts.faults)}]" if len(facts.faults) > 1 else facts.faults[0]
        )
        reason = "KubeletReady" if holds else "KubeletNotReady"
    else:
        holds = facts.pressure.get(kind, False)
        reason, message = (_PRESSED if holds else _CALM)[kind]
    status = "True" if holds else "False"
    before = next((c for c in old if c.get("type") == kind), None)
    same = before is not None and before.get("status") == status
    return {
        "type": kind,
        "status": status,
        "lastHeartbeatTime": rfc3339(facts.now),
        "lastTransitionTime": before["lastTransitionTime"] if same and before else rfc3339(facts.now),
        "reason": reason,
        "message": message,
    }


def status_changed(new: Object, old: Object) -> bool:
    """Whether anything but heartbeats differs: what makes a report due before its period is over."""
    keys = ("capacity", "allocatable", "addresses", "daemonEndpoints", "nodeInfo", "images", "volumesInUse")
    if any((new.get(k) or None) != (old.get(k) or None) for k in keys):
        return True
    before = {c.get("type"): _without_heartbeat(c) for c in old.get("conditions") or []}
    return any(before.get(c["type"]) != _without_heartbeat(c) for c in new["conditions"])


def _without_heartbeat(condition: Object) -> Object:
    return {k: v for k, v in condition.items() if k not in _HEARTBEATS}


def reconcile_existing(existing: Object, wanted: Object) -> Object | None:
    """A merge patch that brings an existing Node's default labels, annotations and missing taints up; None: nothing.

    Source: kubelet_node_status.go tryRegisterWithAPIServer (an existing Node is kept and brought up to date).
    """
    labels = existing["metadata"].get("labels") or {}
    notes = existing["metadata"].get("annotations") or {}
    new_labels = {k: v for k, v in wanted["metadata"]["labels"].items() if labels.get(k) != v}
    new_notes = {k: v for k, v in wanted["metadata"]["annotations"].items() if notes.get(k) != v}
    if not new_labels and not new_notes:
        return None
    metadata: Object = {}
    if new_labels:
        metadata["labels"] = new_labels
    if new_notes:
        metadata["annotations"] = new_notes
    return {"metadata": metadata}


def lease(name: str, duration_s: int, now: str, node_uid: str) -> Object:
    """The Lease that says that a node lives."""
    meta: Object = {"name": name, "namespace": "kube-node-lease"}
    if node_uid:
        meta["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node_uid}]
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": meta,
        "spec": {"holderIdentity": name, "leaseDurationSeconds": duration_s, "renewTime": now},
    }
