"""Defaults of NetworkPolicies, IngressClasses and EndpointSlices.

Source: pkg/apis/networking/v1/defaults.go, pkg/apis/discovery/v1/defaults.go.
"""

from kubepy.api.defaults.setting import Defaults, child, set_default
from kubepy.api.meta import Object


def default_network_policy(obj: Object) -> None:
    """TCP ports; a policy is about ingress, and about egress when it has egress rules."""
    spec = child(obj, "spec")
    for rule in [*(spec.get("ingress") or ()), *(spec.get("egress") or ())]:
        for port in rule.get("ports") or ():
            set_default(port, "protocol", "TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def default_ingress_class(obj: Object) -> None:
    """Parameters are cluster-wide."""
    parameters = child(obj, "spec").get("parameters")
    if parameters is not None:
        set_default(parameters, "scope", "Cluster")


def default_endpoint_slice(obj: Object) -> None:
    """Ports have no name and are TCP."""
    for port in obj.get("ports") or ():
        if port.get("name") is None:
            port["name"] = ""
        set_default(port, "protocol", "TCP")


DEFAULTS: Defaults = {
    ("networking.k8s.io", "v1", "NetworkPolicy"): default_network_policy,
    ("networking.k8s.io", "v1", "IngressClass"): default_ingress_class,
    ("discovery.k8s.io", "v1", "EndpointSlice"): default_endpoint_slice,
}
