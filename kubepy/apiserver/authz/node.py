"""The Node authorizer: a kubelet reads what the pods on its node refer to, and writes what is its own.

Relations are looked up when they are asked for, by way of the pods of that node: nothing has to be kept in step.
What no relation guards is allowed by the rules of the role `system:node`.
Source: plugin/pkg/auth/authorizer/node/node_authorizer.go and graph.go.
"""

from collections.abc import Callable, Iterable, Mapping

from kubepy.api import pod_references as refs
from kubepy.api import resources
from kubepy.api.selectors import parse_field_selector
from kubepy.apiserver.authn.user import NODE_PREFIX, NODES_GROUP, UserInfo, node_name
from kubepy.apiserver.authz.bootstrap_roles import NODE_RULES
from kubepy.apiserver.authz.decision import ALLOWED, NO_OPINION, Decision
from kubepy.apiserver.authz.rules import Resolved, quote, rule_allows
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.lookup import Lookup, Object

MIRROR = "kubernetes.io/config.mirror"
_PODS, _CLAIMS = resources.named("pods"), resources.named("persistentvolumeclaims")
_VOLUMES = resources.named("persistentvolumes")
_ATTACHMENTS = resources.named("volumeattachments", "storage.k8s.io")
_SLICES = resources.named("resourceslices", "resource.k8s.io")
_READS = ("get", "list", "watch")
_UNLISTED = "node authorizer does not support user rule resolution"
_LEASE_NAMESPACE = "kube-node-lease"
Check = Callable[[str, RequestInfo], Decision]


class NodeAuthorizer:
    """Decides for the users of group system:nodes; has no opinion on others."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._checks: Mapping[tuple[str, str], Check] = {
            ("", "secrets"): self._secret,
            ("", "configmaps"): self._config_map,
            ("", "persistentvolumeclaims"): self._claim,
            ("", "persistentvolumes"): self._volume,
            ("", "pods"): self._pod,
            ("", "nodes"): self._node,
            ("", "serviceaccounts"): self._service_account,
            ("resource.k8s.io", "resourceclaims"): self._resource_claim,
            ("resource.k8s.io", "resourceslices"): self._resource_slice,
            ("storage.k8s.io", "volumeattachments"): self._attachment,
            ("storage.k8s.io", "csinodes"): self._csi_node,
            ("coordination.k8s.io", "leases"): self._lease,
        }

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        """Whether the node may do it."""
        node = node_name(user)
        if node is None:
            nameless = NODES_GROUP in user.groups and user.name.startswith(NODE_PREFIX)
            return Decision(False, f"unknown node for user {quote(user.name)}") if nameless else NO_OPINION
        if info.is_resource and (check := self._checks.get((info.group, info.resource))):
            return check(node, info)
        return by_rules(info)

    def rules_for(self, user: UserInfo, namespace: str) -> Resolved:
        """Nothing: a node's rights come of what its pods refer to."""
        is_node = NODES_GROUP in user.groups and user.name.startswith(NODE_PREFIX)
        return Resolved((), (_UNLISTED,), incomplete=True) if is_node else Resolved()

    def _secret(self, node: str, info: RequestInfo) -> Decision:
        def related() -> bool:
            pods = self._pods(node, info.namespace)
            if any(info.name in refs.secret_names(pod["spec"]) for pod in pods):
                return True
            return any((info.namespace, info.name) in found for found in self._volume_secrets(node))

        return read_one(node, info, related)

    def _config_map(self, node: str, info: RequestInfo) -> Decision:
        pods = self._pods(node, info.namespace)
        return read_one(node, info, lambda: any(info.name in refs.config_map_names(pod["spec"]) for pod in pods))

    def _claim(self, node: str, info: RequestInfo) -> Decision:
        def related() -> bool:
            return any(info.name in refs.claim_names(pod) for pod in self._pods(node, info.namespace))

        if info.subresource == "status":
            if info.verb not in ("update", "patch"):
                return Decision(False, "can only get/update/patch this type")
            return related_or_not(node, info, related)
        return get_one(node, info, related)

    def _volume(self, node: str, info: RequestInfo) -> Decision:
        return get_one(node, info, lambda: any(volume == info.name for volume, _ in self._bound_volumes(node)))

    def _pod(self, node: str, info: RequestInfo) -> Decision:
        if info.subresource or info.verb not in _READS:
            return by_rules(info)
        if info.verb != "get" and selects_node(info.field_selector, node):
            return ALLOWED
        if info.verb != "get" and not info.name:
            return Decision(False, "can only list/watch pods with spec.nodeName field selector")

        def related() -> bool:
            pod = self._lookup.get(_PODS, info.name, info.namespace)
            return pod is not None and pod["spec"].get("nodeName") == node

        return related_or_not(node, info, related)

    def _node(self, node: str, info: RequestInfo) -> Decision:
        if info.verb in _READS and not info.subresource and info.name != node:
            which = f"'{info.name}'" if info.name else "all nodes"
            return Decision(False, f"node '{node}' cannot read {which}, only its own Node object")
        return by_rules(info)

    def _service_account(self, node: str, info: RequestInfo) -> Decision:
        def related() -> bool:
            pods = self._pods(node, info.namespace)
            return any(pod["spec"].get("serviceAccountName") == info.name for pod in pods)

        if info.verb == "get" and not info.subresource:
            return related_or_not(node, info, related)
        if info.verb != "create" or not info.name:
            return Decision(False, "can only create tokens for individual service accounts")
        if info.subresource != "token":
            return Decision(False, "can only create token subresource of serviceaccount")
        return related_or_not(node, info, related)

    def _resource_claim(self, node: str, info: RequestInfo) -> Decision:
        pods = self._pods(node, info.namespace)
        return get_one(node, info, lambda: any(info.name in refs.resource_claim_names(pod) for pod in pods))

    def _resource_slice(self, node: str, info: RequestInfo) -> Decision:
        if info.subresource:
            return Decision(False, "cannot authorize ResourceSlice subresources")
        if info.verb == "create":
            return ALLOWED
        if info.verb in ("list", "watch", "deletecollection"):
            if selects_node(info.field_selector, node):
                return ALLOWED
            return Decision(False, "can only list/watch/deletecollection resourceslices with nodeName field selector")
        found = self._lookup.get(_SLICES, info.name)
        return related_or_not(node, info, lambda: found is not None and found["spec"].get("nodeName") == node)

    def _attachment(self, node: str, info: RequestInfo) -> Decision:
        found = self._lookup.get(_ATTACHMENTS, info.name) if info.name else None
        return get_one(node, info, lambda: found is not None and found["spec"].get("nodeName") == node)

    def _csi_node(self, node: str, info: RequestInfo) -> Decision:
        if info.subresource:
            return Decision(False, "cannot authorize CSINode subresources")
        if info.verb not in ("get", "create", "update", "patch", "delete"):
            return Decision(False, "can only get, create, update, patch, or delete a CSINode")
        if info.verb != "create" and info.name != node:
            return Decision(False, "can only access CSINode with the same name as the requesting node")
        return ALLOWED

    def _lease(self, node: str, info: RequestInfo) -> Decision:
        if info.verb not in ("get", "create", "update", "patch", "delete"):
            return Decision(False, "can only get, create, update, patch, or delete a node lease")
        if info.namespace != _LEASE_NAMESPACE:
            return Decision(False, f"can only access leases in the {quote(_LEASE_NAMESPACE)} system namespace")
        if info.verb != "create" and info.name != node:
            return Decision(False, "can only access node lease with the same name as the requesting node")
        return ALLOWED

    def _pods(self, node: str, namespace: str | None = None) -> list[Object]:
        """The pods on the node that relate it to other objects; a mirror pod, made by the node itself, does not."""
        pods = self._lookup.list(_PODS, namespace or None, fields={"spec.nodeName": node})
        return [pod for pod in pods if MIRROR not in (pod["metadata"].get("annotations") or {})]

    def _bound_volumes(self, node: str) -> Iterable[tuple[str, str]]:
        """(volume, namespace of its claim) of the volumes that pods on the node use."""
        for pod in self._pods(node):
            namespace = pod["metadata"]["namespace"]
            for name in refs.claim_names(pod):
                claim = self._lookup.get(_CLAIMS, name, namespace)
                if claim and (volume := claim["spec"].get("volumeName")):
                    yield volume, namespace

    def _volume_secrets(self, node: str) -> Iterable[set[tuple[str, str]]]:
        for name, namespace in self._bound_volumes(node):
            if volume := self._lookup.get(_VOLUMES, name):
                yield refs.volume_secret_refs(volume, namespace)


def selects_node(field_selector: str, node: str) -> bool:
    """Whether a field selector takes only what is on the node."""
    try:
        return parse_field_selector(field_selector).exact("spec.nodeName") == node
    except ValueError:  # refused when it comes to be used
        return False


def by_rules(info: RequestInfo) -> Decision:
    """Whether the role system:node allows it."""
    return ALLOWED if any(rule_allows(rule, info) for rule in NODE_RULES) else NO_OPINION


def read_one(node: str, info: RequestInfo, related: Callable[[], bool]) -> Decision:
    """Reading (also watching) one named object of a namespace that is related to the node."""
    if info.verb not in _READS:
        return Decision(False, "can only read resources of this type")
    if info.subresource:
        return Decision(False, "cannot read subresource")
    if not info.namespace:
        return Decision(False, "can only read namespaced object of this type")
    return related_or_not(node, info, related)


def get_one(node: str, info: RequestInfo, related: Callable[[], bool]) -> Decision:
    """Getting one object that is related to the node."""
    if info.verb != "get":
        return Decision(False, "can only get individual resources of this type")
    if info.subresource:
        return Decision(False, "cannot get subresource")
    return related_or_not(node, info, related)


def related_or_not(node: str, info: RequestInfo, related: Callable[[], bool]) -> Decision:
    """Allowed when the named object is related to the node."""
    if not info.name:
        return Decision(False, "No Object name found")
    return ALLOWED if related() else Decision(False, f"no relationship found between node '{node}' and this object")
