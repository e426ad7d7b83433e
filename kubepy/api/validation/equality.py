"""Whether two objects mean the same to upstream, whose types tell absent from zero only in some fields.

Invariant: what a client may leave out without changing its meaning never counts as a change; a pointer field that is
set to zero (`runAsUser: 0`, `storageClassName: ""`, `labelSelector: {}`) always does.
Source: apimachinery pkg/api/equality, Semantic.DeepEqual, on the Go types of staging/src/k8s.io/api.
"""

from typing import Any

# Fields that Go holds by value: zero or false is the same as absent.
_PLAIN = frozenset(
    {
        "availableReplicas", "chapAuthDiscovery", "chapAuthSession", "containerPort", "failureThreshold", "generation",
        "hostIPC", "hostNetwork", "hostPID", "hostPort", "initialDelaySeconds", "lun", "minReadySeconds", "nodePort",
        "observedGeneration", "partition", "paused", "periodSeconds", "port", "publishNotReadyAddresses", "readOnly",
        "readyReplicas", "seconds", "stdin", "stdinOnce", "successThreshold", "timeoutSeconds", "tty", "unschedulable",
        "updatedReplicas", "weight",
    }
)  # fmt: skip
# Fields that Go holds as a map or a struct by value: an empty object is the same as none.
_MAPS = frozenset(
    {
        "annotations", "attributes", "binaryData", "data", "hard", "labels", "limits", "matchLabels", "metadata",
        "nodeSelector", "options", "overhead", "parameters", "requests", "resources", "spec", "status", "strategy",
        "stringData", "updateStrategy", "userAnnotations", "volumeAttributes",
    }
)  # fmt: skip
# Text that Go holds by pointer: empty is not the same as absent.
_POINTERS_TO_TEXT = frozenset(
    {
        "apiGroup", "appProtocol", "claimName", "endpointsNamespace", "hostnameOverride", "ingressClassName",
        "loadBalancerClass", "localhostProfile", "runtimeClassName", "secretNamespace", "service", "stopSignal",
        "storageClassName", "volumeAttributesClassName",
    }
)  # fmt: skip


def same(new: Any, old: Any, field: str = "") -> bool:
    """Whether two values of `field` mean the same."""
    if new is old or new == old:
        return True
    if isinstance(new, dict) and isinstance(old, dict):
        return all(same(new.get(key), old.get(key), key) for key in new.keys() | old.keys())
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(same(a, b) for a, b in zip(new, old, strict=True))
    if not new and not old:
        return says_nothing(new, field) and says_nothing(old, field)
    if new is None or old is None:
        return says_nothing(new if old is None else old, field)
    return False


def says_nothing(value: Any, field: str) -> bool:
    """Whether a value of `field` is what Go shows for one that was never set."""
    if value is None or value == []:
        return True
    if value == "":
        return field not in _POINTERS_TO_TEXT
    if isinstance(value, dict):
        return field in _MAPS and all(says_nothing(inner, key) for key, inner in value.items())
    return not value and field in _PLAIN
