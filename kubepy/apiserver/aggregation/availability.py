"""Whether an extension server is there, as the condition Available tells it. Pure.

The checks of what backs it come first, in upstream's order; the last one, asking for its discovery, is the shell's.
Source: kube-aggregator pkg/controllers/status/remote/remote_available_controller.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kubepy.api.meta import Object
from kubepy.apiserver.aggregation.remote import AVAILABLE, Remote
from kubepy.apiserver.proxying.service_places import port_name


@dataclass(frozen=True, slots=True)
class Verdict:
    """The condition, but for its time."""

    status: str
    reason: str
    message: str


LOCAL = Verdict("True", "Local", "Local APIServices are always available")
PASSED = Verdict("True", "Passed", "all checks passed")


def failed_discovery(why: str) -> Verdict:
    """The verdict on a server that does not answer for what it is registered for."""
    return Verdict("False", "FailedDiscoveryCheck", why)


def check_backing(remote: Remote, service: Object | None, slices: list[Object]) -> Verdict | None:
    """What stands in the way of asking the server; None if nothing does."""
    wanted = remote.service
    where = f'service/{wanted.name} in "{wanted.namespace}"'
    if service is None:
        return Verdict("False", "ServiceNotFound", f"{where} is not present")
    if (service["spec"].get("type") or "ClusterIP") != "ClusterIP":
        return None
    name = port_name(service, str(wanted.port))
    if name is None:
        return Verdict("False", "ServicePortError", f"{where} is not listening on port {wanted.port}")
    if not slices:
        return Verdict("False", "EndpointsNotFound", f"cannot find endpointslices for {where}")
    if not any(_has_ready(found, name) for found in slices):
        why = f'endpointslices for {where} have no addresses with port name "{name}"'
        return Verdict("False", "MissingEndpoints", why)
    return None


def _has_ready(found: Object, wanted_port: str) -> bool:
    ready = any((one.get("conditions") or {}).get("ready") is not False for one in found.get("endpoints") or ())
    ports: Iterable[Object] = found.get("ports") or ()
    return ready and any((port.get("name") or "") == wanted_port and port.get("port") for port in ports)


def with_verdict(api_service: Object, verdict: Verdict, now: str) -> Object:
    """The APIService with the verdict as its condition; the time is that of the last change of its status."""
    status = api_service.get("status") or {}
    conditions = list(status.get("conditions") or ())
    at = next((i for i, one in enumerate(conditions) if one.get("type") == AVAILABLE), len(conditions))
    known = conditions[at] if at < len(conditions) else {}
    same = known.get("status") == verdict.status
    wanted = {
        "type": AVAILABLE,
        "status": verdict.status,
        "lastTransitionTime": known.get("lastTransitionTime") if same else now,
        "reason": verdict.reason,
        "message": verdict.message,
    }
    if known == wanted:
        return api_service
    return {**api_service, "status": {**status, "conditions": [*conditions[:at], wanted, *conditions[at + 1 :]]}}
