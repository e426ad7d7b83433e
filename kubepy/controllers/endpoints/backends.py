"""What the pods behind a Service offer: addresses, ports by number, and whether they want traffic.

Pure; shared by Endpoints and EndpointSlices. Source: staging/src/k8s.io/endpointslice/utils.go,
pkg/controller/endpoint/endpoints_controller.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kubepy.api.meta import Object, is_deleting
from kubepy.api.pods import is_ready, is_terminal

PortKey = tuple[tuple[str, str, int | None, str | None], ...]
"""(name, protocol, number, application protocol) of each port, in the Service's order."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One pod behind a Service; `serving` is readiness even of a pod that is on its way out."""

    pod: Object
    address: str
    ports: PortKey
    ready: bool
    serving: bool
    terminating: bool
    hostname: str


def find_port(pod: Object, port: Object) -> int | None:
    """The number that a Service's port has on this pod, or None where the pod does not offer it."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target or int(port["port"])
    for container in (pod["spec"].get("containers") or []) + (pod["spec"].get("initContainers") or []):
        for offered in container.get("ports") or []:
            if offered.get("name") == target and offered.get("protocol", "TCP") == port.get("protocol", "TCP"):
                return int(offered["containerPort"])
    return None


def ports_of(service: Object, pod: Object) -> PortKey:
    """The Service's ports as this pod offers them; those that it does not offer are left out."""
    return tuple(
        (port.get("name", ""), port.get("protocol", "TCP"), number, port.get("appProtocol"))
        for port in service["spec"].get("ports") or []
        if (number := find_port(pod, port)) is not None
    )


def family_of(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def address_of(pod: Object, family: str) -> str | None:
    """The pod's address of that family."""
    status = pod.get("status") or {}
    for entry in status.get("podIPs") or []:
        if entry.get("ip") and family_of(entry["ip"]) == family:
            return str(entry["ip"])
    address = status.get("podIP")
    return address if address and family_of(address) == family else None


def backends(service: Object, pods: Iterable[Object], family: str) -> list[Backend]:
    """The pods that stand behind the Service with an address of `family`, finished ones left out."""
    publish_all = bool(service["spec"].get("publishNotReadyAddresses"))
    found = []
    for pod in pods:
        if is_terminal(pod) or not (address := address_of(pod, family)):
            continue
        serving, terminating = is_ready(pod), is_deleting(pod)
        found.append(
            Backend(
                pod=pod,
                address=address,
                ports=ports_of(service, pod),
                ready=publish_all or (serving and not terminating),
                serving=serving,
                terminating=terminating,
                hostname=_hostname(service, pod),
            )
        )
    found.sort(key=lambda backend: backend.pod["metadata"]["name"])
    return found


def _hostname(service: Object, pod: Object) -> str:
    """The name that DNS gives the pod below the Service: only where its subdomain is the Service."""
    spec = pod["spec"]
    same = spec.get("subdomain") == service["metadata"]["name"]
    return str(spec.get("hostname", "")) if same else ""


def target_reference(pod: Object) -> Object:
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}


def is_headless(service: Object) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")


def families_of(service: Object) -> list[str]:
    """Address families that the Service is served in."""
    return list(service["spec"].get("ipFamilies") or ["IPv4"])
