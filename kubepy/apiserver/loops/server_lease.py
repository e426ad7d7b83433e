"""Each API server's Lease in kube-system: which servers there are, for people and for other servers.

It is named after the host, so that a server that starts again has its old one. Every server takes away those that
nobody renews any more. Plans are pure; `run` is the loop around them.
Source: KEP-1965; apiserver pkg/server/config.go, pkg/controlplane/controller/{leaderelection,apiserverleasegc}.
"""

import hashlib
import socket
from base64 import b32encode
from datetime import datetime, timedelta
from uuid import uuid4

from kubepy.api import resources
from kubepy.api.errors import ApiError, Conflict, NotFound
from kubepy.api.meta import Object
from kubepy.client.client import Client
from kubepy.lib import log
from kubepy.lib.clock import Clock, parse_rfc3339, rfc3339_micro
from kubepy.storage.base import StoreError

_LEASES = resources.named("leases", "coordination.k8s.io")
_NAMESPACE = "kube-system"
_LABEL, _COMPONENT = "apiserver.kubernetes.io/identity", "kube-apiserver"
_DURATION_S, _RENEW_S, _COLLECT_S = 3600, 10.0, 3600.0
_log = log.get(__name__)


def server_id(host: str) -> str:
    """The name of a host's server: the host's name and the component's, each with its length, hashed."""
    told = b"".join(len(part).to_bytes(2, "big") + part for part in (host.encode(), _COMPONENT.encode()))
    return "apiserver-" + b32encode(hashlib.sha256(told).digest()[:16]).decode().rstrip("=").lower()


def render_lease(host: str, holder: str, now: datetime) -> Object:
    """The Lease of a server that has just begun."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": server_id(host),
            "namespace": _NAMESPACE,
            "labels": {_LABEL: _COMPONENT, "kubernetes.io/hostname": host},
        },
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": _DURATION_S,
            "renewTime": rfc3339_micro(now),
        },
    }


def is_expired(lease: Object, now: datetime) -> bool:
    """Whether nobody renews it any more; one that does not say when it was renewed is nobody's, too."""
    spec = lease.get("spec") or {}
    renewed, duration_s = spec.get("renewTime"), spec.get("leaseDurationSeconds")
    if not renewed or not duration_s:
        return True
    return parse_rfc3339(renewed) + timedelta(seconds=duration_s) < now


class ServerLease:
    """Keeps one server's Lease."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._host = socket.gethostname()
        self._holder = f"{server_id(self._host)}_{uuid4()}"

    async def run(self) -> None:
        """Renews and collects until cancelled."""
        collect_at_s = 0.0
        while True:
            try:
                await self.renew()
                if self._clock.monotonic() >= collect_at_s:
                    await self.collect()
                    collect_at_s = self._clock.monotonic() + _COLLECT_S
            except (ApiError, StoreError) as fault:
                _log.warning("lease of the API server not kept", error=fault)
            await self._clock.sleep(_RENEW_S)

    async def renew(self) -> None:
        """Writes the Lease; whoever had it before has had it."""
        wanted = render_lease(self._host, self._holder, self._clock.now())
        try:
            found = await self._client.get(_LEASES, wanted["metadata"]["name"], _NAMESPACE)
        except NotFound:
            await self._client.create(_LEASES, wanted)
            return
        meta = {**found["metadata"], "labels": {**found["metadata"].get("labels", {}), **wanted["metadata"]["labels"]}}
        await self._client.update(_LEASES, {**found, "metadata": meta, "spec": {**found["spec"], **wanted["spec"]}})

    async def collect(self) -> None:
        """Takes away the Leases of servers that are gone."""
        now = self._clock.now()
        listed = await self._client.list(_LEASES, _NAMESPACE, label_selector=f"{_LABEL}={_COMPONENT}")
        for lease in listed["items"]:
            if is_expired(lease, now):
                await self._delete(lease)

    async def _delete(self, lease: Object) -> None:
        meta = lease["metadata"]
        try:
            await self._client.delete(_LEASES, meta["name"], _NAMESPACE, resource_version=meta["resourceVersion"])
        except (NotFound, Conflict):
            return  # somebody was faster, or renewed it
