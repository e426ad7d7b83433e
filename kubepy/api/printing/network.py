"""Rows of Services, endpoints, Ingresses, policies and address ranges.

Source: pkg/printers/internalversion/printers.go.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kubepy.api.meta import Object, name_of
from kubepy.api.printing.columns import AGE, NAME, Cells, Column, Printer, Printers, wide
from kubepy.api.printing.text import NONE, UNSET, age_of, cut_list, labels_text, or_else, part, selector_text

_MOST_SHOWN = 3


def _ingress_points(obj: Object) -> list[str]:
    """The addresses of a load balancer, sorted, each once."""
    points = part(obj, "status", "loadBalancer").get("ingress") or []
    return sorted({point.get("ip") or point.get("hostname") or "" for point in points} - {""})


def _external_ip(obj: Object) -> str:
    spec = part(obj, "spec")
    fixed = list(spec.get("externalIPs") or [])
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return ",".join(fixed) or NONE
        case "LoadBalancer":
            return ",".join(_ingress_points(obj) + fixed) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName", ""))
    return "<unknown>"


def _port(port: Mapping[str, Any]) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port', 0)}{node_port}/{port.get('protocol', '')}"


def _service(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP") or NONE]
    return [
        name_of(obj),
        spec.get("type", ""),
        addresses[0] or NONE,
        _external_ip(obj),
        ",".join(map(_port, spec.get("ports") or [])) or NONE,
        age_of(obj, now),
        labels_text(spec.get("selector")),
    ]


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _endpoints_text(subsets: Sequence[Mapping[str, Any]]) -> str:
    if not subsets:
        return NONE
    shown = []
    for subset in subsets:
        addresses = [address["ip"] for address in subset.get("addresses") or []]
        if not subset.get("ports"):
            shown += addresses
        for port in subset.get("ports") or []:
            shown += [_host_port(address, port["port"]) for address in addresses]
    return cut_list(shown, _MOST_SHOWN)


def _endpoints(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), _endpoints_text(obj.get("subsets") or []), age_of(obj, now)]


def _slice_port(port: Mapping[str, Any]) -> str:
    return str(or_else(port.get("port"), or_else(port.get("name"), "*")))


def _endpoint_slice(obj: Object, now: datetime) -> Cells:
    ports = [_slice_port(port) for port in obj.get("ports") or []]
    addresses = [address for endpoint in obj.get("endpoints") or [] for address in endpoint.get("addresses") or []]
    return [
        name_of(obj),
        obj.get("addressType", ""),
        cut_list(ports, _MOST_SHOWN) or UNSET,
        cut_list(addresses, _MOST_SHOWN) or UNSET,
        age_of(obj, now),
    ]


def _hosts_text(rules: Sequence[Mapping[str, Any]]) -> str:
    """The rules' hosts; the number of those left out counts rules, hostless ones too, as upstream's does."""
    hosts: list[str] = []
    is_cut = False
    for rule in rules:
        if len(hosts) == _MOST_SHOWN:
            is_cut = True
        elif rule.get("host"):
            hosts.append(rule["host"])
    text = ",".join(hosts) or "*"
    return f"{text} + {len(rules) - _MOST_SHOWN} more..." if is_cut else text


def _ingress(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    return [
        name_of(obj),
        or_else(spec.get("ingressClassName"), NONE),
        _hosts_text(spec.get("rules") or []),
        ",".join(_ingress_points(obj)),
        "80, 443" if spec.get("tls") else "80",
        age_of(obj, now),
    ]


def _ingress_class(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    parameters = NONE
    if reference := spec.get("parameters"):
        group = f".{reference['apiGroup']}" if reference.get("apiGroup") is not None else ""
        parameters = f"{reference.get('kind', '')}{group}/{reference.get('name', '')}"
    return [name_of(obj), spec.get("controller", ""), parameters, age_of(obj, now)]


def _network_policy(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), selector_text(part(obj, "spec").get("podSelector")), age_of(obj, now)]


def _service_cidr(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), ",".join(part(obj, "spec").get("cidrs") or []), age_of(obj, now)]


def _ip_address(obj: Object, _now: datetime) -> Cells:
    reference = part(obj, "spec").get("parentRef")
    if not reference:
        return [name_of(obj), NONE]
    group = reference.get("group")
    resource = f"{reference.get('resource', '')}.{group}" if group else reference.get("resource", "")
    steps = [resource.lower(), reference.get("namespace"), reference.get("name", "")]
    return [name_of(obj), "/".join(step for step in steps if step)]


PRINTERS: Printers = {
    ("", "Service"): Printer(
        (
            NAME,
            Column("Type", "How the service is exposed."),
            Column("Cluster-IP", "The service's address inside the cluster."),
            Column("External-IP", "The addresses that reach the service from outside."),
            Column("Port(s)", "The ports that the service exposes."),
            AGE,
            wide("Selector", "The labels of the pods that the service's traffic goes to."),
        ),
        _service,
    ),
    ("", "Endpoints"): Printer((NAME, Column("Endpoints", "Addresses and ports that are ready."), AGE), _endpoints),
    ("discovery.k8s.io", "EndpointSlice"): Printer(
        (
            NAME,
            Column("AddressType", "The type of the slice's addresses."),
            Column("Ports", "The ports that each endpoint exposes."),
            Column("Endpoints", "The endpoints' addresses."),
            AGE,
        ),
        _endpoint_slice,
    ),
    ("networking.k8s.io", "Ingress"): Printer(
        (
            NAME,
            Column("Class", "The IngressClass that configures this ingress."),
            Column("Hosts", "Hosts that incoming requests are matched against."),
            Column("Address", "Addresses of the load balancer."),
            Column("Ports", "Ports that are open; 443 with TLS."),
            AGE,
        ),
        _ingress,
    ),
    ("networking.k8s.io", "IngressClass"): Printer(
        (
            NAME,
            Column("Controller", "The controller that handles this class."),
            Column("Parameters", "A resource with further parameters."),
            AGE,
        ),
        _ingress_class,
    ),
    ("networking.k8s.io", "NetworkPolicy"): Printer(
        (NAME, Column("Pod-Selector", "The pods that the policy applies to."), AGE), _network_policy
    ),
    ("networking.k8s.io", "ServiceCIDR"): Printer(
        (NAME, Column("CIDRs", "The ranges that services get addresses from."), AGE), _service_cidr
    ),
    ("networking.k8s.io", "IPAddress"): Printer(
        (NAME, Column("ParentRef", "The resource that holds the address.")), _ip_address
    ),
}
