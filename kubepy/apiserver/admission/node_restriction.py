"""A kubelet writes only what is its own: its Node, its Lease and CSINode, and the pods that are bound to it.

The Node authorizer decides by names; this plug-in by what is in the objects.
Source: plugin/pkg/admission/noderestriction.
"""

from collections.abc import Awaitable, Callable, Mapping

from kubepy.api import resources
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.node_credentials import NodeCredentials, signing_request_fault
from kubepy.apiserver.admission.node_pods import claim_fault, mirror_pod_fault, pod_status_fault
from kubepy.apiserver.admission.plugin import CREATE, DELETE, PODS, UPDATE, Plugin
from kubepy.apiserver.authn.user import node_name
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.lookup import Lookup, Object

_PODS, _NODES = resources.named("pods"), resources.named("nodes")
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
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    )
)
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
Check = Callable[[str, Attributes], Awaitable[str | None]]
PureCheck = Callable[[str, Attributes], str | None]


class NodeRestriction(Plugin):
    """See the module's docstring. Without `authorization` a pod's volumes alone say for whom tokens may be."""

    name = "NodeRestriction"
    operations = frozenset((CREATE, UPDATE, DELETE))
    subresources = None

    def __init__(self, lookup: Lookup, authorization: Authorization | None = None) -> None:
        self._credentials = NodeCredentials(lookup, authorization)
        self._checks: Mapping[tuple[str, str], Check] = {
            PODS: self._pod,
            ("", "nodes"): _waiting_for_nothing(node_fault),
            ("", "persistentvolumeclaims"): _waiting_for_nothing(claim_fault),
            ("", "serviceaccounts"): self._credentials.token,
            ("certificates.k8s.io", "podcertificaterequests"): self._credentials.pod_certificate,
            ("certificates.k8s.io", "certificatesigningrequests"): _waiting_for_nothing(signing_request_fault),
            ("coordination.k8s.io", "leases"): _waiting_for_nothing(lease_fault),
            ("storage.k8s.io", "csinodes"): _waiting_for_nothing(csi_node_fault),
            ("resource.k8s.io", "resourceslices"): _waiting_for_nothing(slice_fault),
        }
        self.targets = frozenset(self._checks)  # type: ignore[misc]  # what there is a check for

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden; NotFound and InternalError where other objects are not what was said of them."""
        node = node_name(attributes.user)
        if node is None:
            return
        if not node:
            raise forbid(attributes, f'could not determine node from user "{attributes.user.name}"')
        check = self._checks[attributes.resource.group, attributes.resource.plural]
        if why := await check(node, attributes):
            raise forbid(attributes, why)

    async def _pod(self, node: str, attributes: Attributes) -> str | None:
        subresource, operation = attributes.subresource, attributes.operation
        if subresource == "eviction":
            pod = await self._credentials.find(_PODS, attributes.name, attributes.namespace)
            own = pod["spec"].get("nodeName") == node
            return None if own else f"node {node} can only evict pods with spec.nodeName set to itself"
        if subresource == "status":
            return pod_status_fault(node, attributes.old, attributes.new)
        if subresource:
            return f"unexpected pod subresource \"{subresource}\", only 'status' and 'eviction' are allowed"
        if operation == CREATE:
            return mirror_pod_fault(node, attributes.new) or await self._owner_fault(node, attributes.new)
        if operation == DELETE:
            own = attributes.old["spec"].get("nodeName") == node
            return None if own else f'node "{node}" can only delete pods with spec.nodeName set to itself'
        return f'unexpected operation "{operation}", node "{node}" can only create and delete mirror pods'

    async def _owner_fault(self, node: str, pod: Object) -> str | None:
        uid = (await self._credentials.find(_NODES, node))["metadata"].get("uid")
        named = pod["metadata"]["ownerReferences"][0].get("uid")
        return None if named == uid else f"node {node} UID mismatch: expected {named} got {uid}"


def _waiting_for_nothing(check: PureCheck) -> Check:
    async def at_once(node: str, attributes: Attributes) -> str | None:
        return check(node, attributes)

    return at_once


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
    return f"is not allowed to modify labels: {', '.join(refused)}"


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


def lease_fault(node: str, attributes: Attributes) -> str | None:
    """A node writes its own lease."""
    if attributes.namespace != _LEASE_NAMESPACE:
        return f'can only access leases in the "{_LEASE_NAMESPACE}" system namespace'
    return _other_name(node, attributes, "node lease")


def csi_node_fault(node: str, attributes: Attributes) -> str | None:
    """A node writes its own CSINode."""
    return _other_name(node, attributes, "CSINode")


def slice_fault(node: str, attributes: Attributes) -> str | None:
    """A node makes and deletes the slices that name it; which ones it changes, the authorizer knows."""
    if attributes.operation == UPDATE:
        return None
    verb, obj = ("create", attributes.new) if attributes.operation == CREATE else ("delete", attributes.old)
    own = (obj.get("spec") or {}).get("nodeName") == node
    return None if own else f"can only {verb} ResourceSlice with the same NodeName as the requesting node"


def _other_name(node: str, attributes: Attributes, what: str) -> str | None:
    metadata = (attributes.object or attributes.old_object or {}).get("metadata") or {}
    name = attributes.name or metadata.get("name")
    return None if name == node else f"can only access {what} with the same name as the requesting node"


def _in_domain(domain: str, domains: tuple[str, ...]) -> bool:
    return any(domain == one or domain.endswith(f".{one}") for one in domains)
