"""Defaults of RBAC, storage, scheduling, flow control, API registration and token requests.

Source: the defaults.go of pkg/apis/{rbac,storage,scheduling,flowcontrol,authentication}/v1 and of kube-aggregator.
"""

from kubepy.api.defaults.setting import Defaults, child, set_default
from kubepy.api.meta import Object

_RBAC, _STORAGE, _FLOW = "rbac.authorization.k8s.io", "storage.k8s.io", "flowcontrol.apiserver.k8s.io"
_TOKEN_LIFETIME_S = 60 * 60
_WEBHOOK_PORT = 443


def default_binding(obj: Object) -> None:
    """Roles, users and groups belong to RBAC's own group; service accounts to the core group."""
    set_default(child(obj, "roleRef"), "apiGroup", _RBAC)
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            set_default(subject, "apiGroup", _RBAC)


def default_storage_class(obj: Object) -> None:
    """Volumes are deleted with their claim, and made at once."""
    set_default(obj, "reclaimPolicy", "Delete")
    set_default(obj, "volumeBindingMode", "Immediate")


def default_csi_driver(obj: Object) -> None:
    """A driver that attaches, and knows persistent volumes only."""
    spec = child(obj, "spec")
    set_default(spec, "attachRequired", True)
    for field in ("podInfoOnMount", "storageCapacity", "requiresRepublish", "seLinuxMount"):
        set_default(spec, field, False)
    set_default(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType")
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def default_priority_class(obj: Object) -> None:
    """Pods of the class preempt others."""
    set_default(obj, "preemptionPolicy", "PreemptLowerPriority")


def default_flow_schema(obj: Object) -> None:
    """In the middle of the order."""
    spec = child(obj, "spec")
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = 1000


def default_priority_level(obj: Object) -> None:
    """Thirty shares, and queues of fifty."""
    spec = child(obj, "spec")
    if (exempt := spec.get("exempt")) is not None:
        set_default(exempt, "nominalConcurrencyShares", 0)
        set_default(exempt, "lendablePercent", 0)
    if (limited := spec.get("limited")) is None:
        return
    set_default(limited, "nominalConcurrencyShares", 30)
    set_default(limited, "lendablePercent", 0)
    queuing = (limited.get("limitResponse") or {}).get("queuing")
    if queuing is not None:
        for field, value in (("handSize", 8), ("queues", 64), ("queueLengthLimit", 50)):
            if not queuing.get(field):
                queuing[field] = value


def default_api_service(obj: Object) -> None:
    """Services are reached at 443."""
    service = child(obj, "spec").get("service")
    if service is not None:
        set_default(service, "port", _WEBHOOK_PORT)


def default_token_request(obj: Object) -> None:
    """Tokens last an hour."""
    set_default(child(obj, "spec"), "expirationSeconds", _TOKEN_LIFETIME_S)


DEFAULTS: Defaults = {
    (_RBAC, "v1", "RoleBinding"): default_binding,
    (_RBAC, "v1", "ClusterRoleBinding"): default_binding,
    (_STORAGE, "v1", "StorageClass"): default_storage_class,
    (_STORAGE, "v1", "CSIDriver"): default_csi_driver,
    ("scheduling.k8s.io", "v1", "PriorityClass"): default_priority_class,
    (_FLOW, "v1", "FlowSchema"): default_flow_schema,
    (_FLOW, "v1", "PriorityLevelConfiguration"): default_priority_level,
    ("apiregistration.k8s.io", "v1", "APIService"): default_api_service,
    ("authentication.k8s.io", "v1", "TokenRequest"): default_token_request,
}
