"""What a kubelet may write of pods and claims: mirror pods of its own that reach nothing, the status of its own. Pure.

Source: plugin/pkg/admission/noderestriction (admitPodCreate, admitPodStatus, admitPVCStatus).
"""

from collections.abc import Iterator

from kubepy.api import pod_references as refs
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.plugin import UPDATE
from kubepy.apiserver.admission.service_account import MIRROR
from kubepy.apiserver.lookup import Object

_RESIZING = frozenset(("capacity", "conditions", "allocatedResourceStatuses", "allocatedResources"))
"""Of a claim's status, what a node finds out when it makes a volume larger."""
_UNTOLD = frozenset(("resourceVersion", "managedFields"))


def mirror_pod_fault(node: str, pod: Object) -> str | None:
    """Why the node may not create this pod, or None; left to others: whether its owner is the Node of today."""
    metadata, spec = pod["metadata"], pod["spec"]
    if MIRROR not in (metadata.get("annotations") or {}):
        return f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
    if spec.get("nodeName") != node:
        return f'node "{node}" can only create pods with spec.nodeName set to itself'
    if why := _owner_fault(node, metadata.get("ownerReferences") or []):
        return why
    found = next(_reached(pod), None)
    return f'node "{node}" can not create pods that reference {found}' if found else None


def _owner_fault(node: str, owners: list[Object]) -> str | None:
    if len(owners) > 1:
        return f'node "{node}" can only create pods with a single owner reference set to itself'
    owner = owners[0] if owners else {}
    if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
        return f'node "{node}" can only create pods with an owner reference set to itself'
    if owner.get("controller") is not True:
        return f'node "{node}" can only create pods with a controller owner reference set to itself'
    if owner.get("blockOwnerDeletion") is True:
        return f'node "{node}" must not set blockOwnerDeletion on an owner reference'
    return None


def _reached(pod: Object) -> Iterator[str]:
    """The sorts of objects that the pod would give the node a way to."""
    spec = pod["spec"]
    volumes = spec.get("volumes") or ()
    if spec.get("serviceAccountName"):
        yield "a service account"
    if refs.secret_names(spec):
        yield "secrets"
    if refs.config_map_names(spec):
        yield "configmaps"
    sources = [source for volume in volumes for source in (volume.get("projected") or {}).get("sources") or ()]
    if any("clusterTrustBundle" in source for source in sources):
        yield "clustertrustbundles"
    if refs.claim_names(pod):
        yield "persistentvolumeclaims"
    if spec.get("resourceClaims"):
        yield "resourceclaims"


def pod_status_fault(node: str, old: Object, new: Object) -> str | None:
    """Why the node may not write this status, or None."""
    if old["spec"].get("nodeName") != node:
        return f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
    if (old["metadata"].get("labels") or {}) != (new["metadata"].get("labels") or {}):
        return f'node "{node}" cannot update labels through pod status'
    before, after = old.get("status") or {}, new.get("status") or {}
    if (before.get("resourceClaimStatuses") or []) != (after.get("resourceClaimStatuses") or []):
        return f'node "{node}" cannot update resource claim statues'
    if before.get("extendedResourceClaimStatus") != after.get("extendedResourceClaimStatus"):
        return f'node "{node}" cannot update extended resource claim status'
    return None


def claim_fault(node: str, attributes: Attributes) -> str | None:
    """Why the node may not write this of a claim, or None: it tells how far the growing of its volume has come."""
    if attributes.subresource != "status":
        return "may only update PVC status"
    if attributes.operation != UPDATE:
        return f'unexpected operation "{attributes.operation}"'
    if _without_resizing(attributes.old) != _without_resizing(attributes.new):
        return f'node "{node}" is not allowed to update fields other than status.quantity and status.conditions'
    return None


def _without_resizing(claim: Object) -> Object:
    metadata = {key: value for key, value in claim["metadata"].items() if key not in _UNTOLD and value}
    status = {key: value for key, value in (claim.get("status") or {}).items() if key not in _RESIZING}
    return {**claim, "metadata": metadata, "status": status}
