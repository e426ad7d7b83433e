"""A kubelet writes only what is its own: its Node, its Lease and CSINode, and the pods that are bound to it.

The Node authorizer decides by names; this plug-in by what is in the objects.
Source: plugin/pkg/admission/noderestriction.
"""

from collections.abc import Callable, Mapping

from kubepy.api import resources
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, DELETE, PODS, UPDATE, Plugin
from kubepy.apiserver.admission.service_account import MIRROR
from kubepy.apiserver.authn.user import NODES_GROUP, node_name
from kubepy.apiserver.authz import pod_references as refs
from kubepy.apiserver.lookup import Lookup, Object

_PODS = resources.named("pods")
_LEASE_NAMESPACE = "kube-node-lease"
_RESTRICTED_PREFIX = "node-restriction.kubernetes.io/"
_OWN_LABELS = frozenset(
    (
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.kubernetes.io/region",
        "failure-domain.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    )
)
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
Check = Callable[[str, Attributes], str | None]


class NodeRestriction(Plugin):
    """See the module's docstring."""

    name = "NodeRestriction"
    operations = frozenset((CREATE, UPDATE, DELETE))
    subresources = None

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._checks: Mapping[tuple[str, str], Check] = {
            PODS: self._pod,
            ("", "nodes"): node_fault,
            ("", "persistentvolumeclaims"): claim_fault,
            ("", "serviceaccounts"): self._token,
            ("coordination.k8s.io", "leases"): lease_fault,
            ("storage.k8s.io", "csinodes"): csi_node_fault,
            ("resource.k8s.io", "resourceslices"): slice_fault,
        }
        self.targets = frozenset(self._checks)  # type: ignore[misc]  # what there is a check for

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        node = node_name(attributes.user)
        if node is None:
            return
        if not node:
            raise forbid(attributes, f'could not determine node from user "{attributes.user.name}" in {NODES_GROUP}')
        check = self._checks[attributes.resource.group, attributes.resource.plural]
        if why := check(node, attributes):
            raise forbid(attributes, why)

    def _pod(self, node: str, attributes: Attributes) -> str | None:
        subresource, operation = attributes.subresource, attributes.operation
        if subresource == "eviction":
            pod = self._lookup.get(_PODS, attributes.name, attributes.namespace)
            own = pod is not None and pod["spec"].get("nodeName") == node
            return None if own else f'node "{node}" can only evict pods with spec.nodeName set to itself'
        if subresource == "status":
            return pod_status_fault(node, attributes.old, attributes.new)
        if subresource:
            return f'unexpected pod subresource "{subresource}", only "status" and "eviction" are allowed'
        if operation == CREATE:
            return mirror_pod_fault(node, attributes.new)
        if operation == DELETE:
            own = attributes.old["spec"].get("nodeName") == node
            return None if own else f'node "{node}" can only delete pods with spec.nodeName set to itself'
        return f'unexpected operation "{operation}", node "{node}" can only create and delete mirror pods'

    def _token(self, node: str, attributes: Attributes) -> str | None:
        if attributes.subresource != "token" or attributes.operation != CREATE:
            return None
        ref = (attributes.new.get("spec") or {}).get("boundObjectRef") or {}
        if ref.get("kind") != "Pod" or ref.get("apiVersion") != "v1" or not ref.get("name"):
            return "node requested token not bound to a pod"
        if not ref.get("uid"):
            return "node requested token with a pod binding without a uid"
        pod = self._lookup.get(_PODS, ref["name"], attributes.namespace)
        if pod is None:
            return f'pod "{ref["name"]}" not found'
        if pod["metadata"].get("uid") != ref["uid"]:
            return f"the UID in the bound object reference ({ref['uid']}) does not match the UID in record"
        if pod["spec"].get("nodeName") != node:
            return "node requested token bound to a pod scheduled on a different node"
        return None


def mirror_pod_fault(node: str, pod: Object) -> str | None:
    """Why the node may not create this pod, or None."""
    metadata, spec = pod["metadata"], pod["spec"]
    if MIRROR not in (metadata.get("annotations") or {}):
        return f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
    if spec.get("nodeName") != node:
        return f'node "{node}" can only create pods with spec.nodeName set to itself'
    owners = metadata.get("ownerReferences") or []
    if len(owners) > 1:
        return f'node "{node}" can only create pods with a single owner reference set to itself'
    if owners and (owners[0].get("kind"), owners[0].get("name")) != ("Node", node):
        return f'node "{node}" can only create pods with an owner reference set to itself'
    for what, found in (
        ("a service account", spec.get("serviceAccountName")),
        ("secrets", refs.secret_names(spec)),
        ("configmaps", refs.config_map_names(spec)),
        ("persistentvolumeclaims", refs.claim_names(pod)),
        ("resourceclaims", spec.get("resourceClaims")),
    ):
        if found:
            return f'node "{node}" can not create pods that reference {what}'
    return None


def pod_status_fault(node: str, old: Object, new: Object) -> str | None:
    """Why the node may not write this status, or None."""
    if old["spec"].get("nodeName") != node:
        return f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
    if (old["metadata"].get("labels") or {}) != (new["metadata"].get("labels") or {}):
        return f'node "{node}" cannot update labels through pod status'
    before, after = old.get("status") or {}, new.get("status") or {}
    if before.get("resourceClaimStatuses") != after.get("resourceClaimStatuses"):
        return f'node "{node}" cannot update resource claim statuses'
    return None


def node_fault(node: str, attributes: Attributes) -> str | None:
    """Why the node may not write this Node, or None."""
    metadata = (attributes.object or attributes.old_object or {})["metadata"]
    name = attributes.name or metadata.get("name")
    if name != node:
        return f'node "{node}" is not allowed to modify node "{name}"'
    if attributes.operation == DELETE:
        return None
    new, old = attributes.new, attributes.old_object or {}
    if attributes.operation == UPDATE and (new.get("spec") or {}).get("taints") != (old.get("spec") or {}).get(
        "taints"
    ):
        return f'node "{node}" is not allowed to modify taints'
    old_metadata = old.get("metadata") or {}
    if attributes.operation == UPDATE and metadata.get("ownerReferences") != old_metadata.get("ownerReferences"):
        return f'node "{node}" is not allowed to modify ownerReferences'
    changed = changed_labels(metadata.get("labels") or {}, old_metadata.get("labels") or {})
    refused = sorted(label for label in changed if not is_own_label(label))
    if not refused:
        return None
    if attributes.operation == CREATE:
        return f'node "{node}" is not allowed to set the following labels: {", ".join(refused)}'
    return f'node "{node}" is not allowed to modify labels: {", ".join(refused)}'


def changed_labels(new: Mapping[str, str], old: Mapping[str, str]) -> set[str]:
    """The labels that are added, removed or changed."""
    return {label for label in new.keys() | old.keys() if new.get(label) != old.get(label)}


def is_own_label(label: str) -> bool:
    """Whether a kubelet may set this label on its Node: known ones, and all outside Kubernetes' own domains."""
    if label.startswith(_RESTRICTED_PREFIX):
        return False
    domain, slash, _ = label.partition("/")
    if not slash:
        return True
    if domain.endswith(_RESTRICTED_PREFIX.rstrip("/")):
        return False
    if not _in_domain(domain, ("kubernetes.io", "k8s.io")):
        return True
    return label in _OWN_LABELS or _in_domain(domain, _OWN_DOMAINS)


def claim_fault(node: str, attributes: Attributes) -> str | None:
    """A node writes the status of claims, nothing else."""
    if attributes.subresource == "status" and attributes.operation == UPDATE:
        return None
    return f'unexpected operation "{attributes.operation}", node "{node}" may only update the status of a claim'


def lease_fault(node: str, attributes: Attributes) -> str | None:
    """A node writes its own lease."""
    if attributes.namespace != _LEASE_NAMESPACE:
        return f'can only access leases in the "{_LEASE_NAMESPACE}" system namespace'
    return _other_name(node, attributes, "node lease")


def csi_node_fault(node: str, attributes: Attributes) -> str | None:
    """A node writes its own CSINode."""
    return _other_name(node, attributes, "CSINode")


def slice_fault(node: str, attributes: Attributes) -> str | None:
    """A node writes the slices that name it."""
    found = ((attributes.object or attributes.old_object or {}).get("spec") or {}).get("nodeName")
    return None if found == node else "can only create or modify ResourceSlice with the same NodeName as the node"


def _other_name(node: str, attributes: Attributes, what: str) -> str | None:
    metadata = (attributes.object or attributes.old_object or {}).get("metadata") or {}
    name = attributes.name or metadata.get("name")
    return None if name == node else f"can only access {what} with the same name as the requesting node"


def _in_domain(domain: str, domains: tuple[str, ...]) -> bool:
    return any(domain == one or domain.endswith(f".{one}") for one in domains)
