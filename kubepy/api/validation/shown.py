"""How upstream shows whole objects in its messages: its internal types as JSON, which have Go's names and every field.

A field that was not set is shown as Go's zero value: null for a pointer, a list or a map, "" for text, 0 for a number.
Source: apimachinery pkg/util/validation/field (ErrorBody) and pkg/apis/core/types.go, for the order of the fields.
"""

from collections.abc import Callable, Mapping
from typing import Any

from kubepy.api.errors import Rendered, rendered
from kubepy.api.meta import Object

Shape = Mapping[str, tuple[str, Any]]
"""By Go's name of a field: its name on the wire, and its zero value or, where it has fields itself, what shows it."""


def _nested(shape: Shape) -> Callable[[Any], Any]:
    return lambda value: None if value is None else fields_of(value, shape)


def each_of(shape: Shape) -> Callable[[Any], Any]:
    """What shows a list of objects."""
    return lambda values: None if values is None else [fields_of(value, shape) for value in values]


def fields_of(obj: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """The fields of one object, by their names in Go."""
    made = {}
    for name, (field, zero) in shape.items():
        value = obj.get(field)
        made[name] = zero(value) if callable(zero) else zero if value is None else value
    return made


def texts(*fields: str) -> Shape:
    """Fields of text held by value, whose names differ in the first letter's case alone."""
    return {field[0].upper() + field[1:]: (field, "") for field in fields}


_EXPRESSION: Shape = {**texts("key", "operator"), "Values": ("values", None)}
NODE_SELECTOR_TERM: Shape = {
    "MatchExpressions": ("matchExpressions", each_of(_EXPRESSION)),
    "MatchFields": ("matchFields", each_of(_EXPRESSION)),
}
VOLUME_NODE_AFFINITY: Shape = {
    "Required": ("required", _nested({"NodeSelectorTerms": ("nodeSelectorTerms", each_of(NODE_SELECTOR_TERM))})),
}
_PROFILE: Shape = {"Type": ("type", ""), "LocalhostProfile": ("localhostProfile", None)}
SECCOMP_PROFILE = _PROFILE
SECURITY_CONTEXT: Shape = {
    "Capabilities": ("capabilities", _nested({"Add": ("add", None), "Drop": ("drop", None)})),
    "Privileged": ("privileged", None),
    "SELinuxOptions": ("seLinuxOptions", _nested(texts("user", "role", "type", "level"))),
    "WindowsOptions": (
        "windowsOptions",
        _nested(
            {
                "GMSACredentialSpecName": ("gmsaCredentialSpecName", None),
                "GMSACredentialSpec": ("gmsaCredentialSpec", None),
                "RunAsUserName": ("runAsUserName", None),
                "HostProcess": ("hostProcess", None),
            }
        ),
    ),
    "RunAsUser": ("runAsUser", None),
    "RunAsGroup": ("runAsGroup", None),
    "RunAsNonRoot": ("runAsNonRoot", None),
    "ReadOnlyRootFilesystem": ("readOnlyRootFilesystem", None),
    "AllowPrivilegeEscalation": ("allowPrivilegeEscalation", None),
    "ProcMount": ("procMount", None),
    "SeccompProfile": ("seccompProfile", _nested(_PROFILE)),
    "AppArmorProfile": ("appArmorProfile", _nested(_PROFILE)),
}
SERVICE_PORT: Shape = {
    "Name": ("name", ""),
    "Protocol": ("protocol", ""),
    "AppProtocol": ("appProtocol", None),
    "Port": ("port", 0),
    "TargetPort": ("targetPort", 0),
    "NodePort": ("nodePort", 0),
}
POD_RESOURCE_CLAIM: Shape = {
    "Name": ("name", ""),
    "ResourceClaimName": ("resourceClaimName", None),
    "ResourceClaimTemplateName": ("resourceClaimTemplateName", None),
}
TAINT: Shape = {**texts("key", "value", "effect"), "TimeAdded": ("timeAdded", None)}
NODE_ADDRESS = texts("type", "address")
NODE_CONFIG_SOURCE: Shape = {"ConfigMap": ("configMap", None)}
IP: Shape = {"IP": ("ip", "")}
ROLE_REF: Shape = {"APIGroup": ("apiGroup", ""), "Kind": ("kind", ""), "Name": ("name", "")}
_ROLLING: Shape = {"MaxUnavailable": ("maxUnavailable", 0), "MaxSurge": ("maxSurge", 0)}
DEPLOYMENT_STRATEGY: Shape = {"Type": ("type", ""), "RollingUpdate": ("rollingUpdate", _nested(_ROLLING))}
ROLLING_STATEFUL_SET: Shape = {"Partition": ("partition", 0), "MaxUnavailable": ("maxUnavailable", None)}
STATEFUL_SET_STRATEGY: Shape = {
    "Type": ("type", ""),
    "RollingUpdate": ("rollingUpdate", _nested(ROLLING_STATEFUL_SET)),
}
_SUCCESS_RULE: Shape = {"SucceededIndexes": ("succeededIndexes", None), "SucceededCount": ("succeededCount", None)}
SUCCESS_POLICY: Shape = {"Rules": ("rules", each_of(_SUCCESS_RULE))}
DISRUPTION_BUDGET: Shape = {
    "MinAvailable": ("minAvailable", None),
    "Selector": ("selector", None),
    "MaxUnavailable": ("maxUnavailable", None),
    "UnhealthyPodEvictionPolicy": ("unhealthyPodEvictionPolicy", None),
}
CSI_NODE_DRIVER: Shape = {
    "Name": ("name", ""),
    "NodeID": ("nodeID", ""),
    "TopologyKeys": ("topologyKeys", None),
    "Allocatable": ("allocatable", None),
}
TOLERATION: Shape = {
    **texts("key", "operator", "value", "effect"),
    "TolerationSeconds": ("tolerationSeconds", None),
}
OBJECT_REFERENCE: Shape = {
    **texts("kind", "namespace", "name"),
    "UID": ("uid", ""),
    "APIVersion": ("apiVersion", ""),
    **texts("resourceVersion", "fieldPath"),
}
EVENT_SOURCE: Shape = texts("component", "host")
SCOPE_SELECTOR: Shape = {
    "MatchExpressions": ("matchExpressions", each_of({**texts("scopeName", "operator"), "Values": ("values", None)})),
}
TRUST_BUNDLE_PROJECTION: Shape = {
    "Name": ("name", None),
    "SignerName": ("signerName", None),
    "LabelSelector": ("labelSelector", None),
    "Optional": ("optional", None),
    "Path": ("path", ""),
}
OWNER_REFERENCE: Shape = {
    "apiVersion": ("apiVersion", ""),
    "kind": ("kind", ""),
    "name": ("name", ""),
    "uid": ("uid", ""),
}
"""Of apimachinery's own types, which have names for the wire; what may be left out of them is added where it is set."""
FIELD_PATH = Rendered("{}")
"""Upstream's path of a field where it gives that as the bad value: a struct of which nothing is exported."""


def show(obj: Object, shape: Shape) -> Rendered:
    """One object."""
    return rendered(fields_of(obj, shape))


def show_all(objs: list[Object], shape: Shape) -> Rendered:
    """A list of them; null for an empty one, which is what most empty ones are to Go."""
    return rendered([fields_of(obj, shape) for obj in objs] or None)


def show_owner(owner: Object) -> Rendered:
    """An OwnerReference."""
    extra = {field: owner[field] for field in ("controller", "blockOwnerDeletion") if owner.get(field) is not None}
    return rendered({**fields_of(owner, OWNER_REFERENCE), **extra})
