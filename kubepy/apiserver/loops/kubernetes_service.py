"""The Service `kubernetes` in `default`: how pods find the API, kept pointing at the servers that live.

Each server renews a key of its own below /registry/masterleases, which the store forgets when the server is gone; every
server writes the endpoints from the keys that are there. Plans are pure; `run` is the loop around them.
Source: pkg/controlplane/controller/kubernetesservice, pkg/controlplane/reconcilers/lease.go.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import orjson

from kubepy.api import resources
from kubepy.api.errors import AlreadyExists, ApiError, Conflict, NotFound
from kubepy.api.meta import Object
from kubepy.client.client import Client
from kubepy.lib import log
from kubepy.lib.clock import Clock
from kubepy.storage.base import KeyExists, KeyMissing, RevisionConflict, Store, StoreError

_SERVICES, _ENDPOINTS = resources.named("services"), resources.named("endpoints")
_SLICES = resources.named("endpointslices", "discovery.k8s.io")
_PREFIX = "/registry/masterleases/"
_PERIOD_S, _TTL_S = 10.0, 15
_TRIES = 3
_LEAVE_WITHIN_S = 1.0
_META = {"name": "kubernetes", "namespace": "default"}
_log = log.get(__name__)


def advertised_address(advertise: str, bind: str) -> str | None:
    """The address that others reach this server at; None where there is none but loopback."""
    for text in (advertise, bind):
        if text and not ip_address(text).is_unspecified and not ip_address(text).is_loopback:
            return text
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only asks which way it would go
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if ip_address(found).is_loopback else found


def render_service(address: str, port: int, node_port: int = 0) -> Object:
    """The Service, at the first address of the range."""
    entry: dict[str, Any] = {"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}
    if node_port:
        entry["nodePort"] = node_port
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**_META, "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {
            "clusterIP": address,
            "ports": [entry],
            "sessionAffinity": "None",
            "type": "NodePort" if node_port else "ClusterIP",
        },
    }


def render_endpoints(addresses: Sequence[str], port: int) -> Object:
    """The Endpoints; EndpointSlice mirroring leaves them alone, as the slice is written here too."""
    labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {**_META, "labels": labels},
        "subsets": [
            {
                "addresses": [{"ip": address} for address in addresses],
                "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
            }
        ],
    }


def render_slice(addresses: Sequence[str], port: int) -> Object:
    """The EndpointSlice."""
    is_v6 = ip_address(addresses[0]).version == 6
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**_META, "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv6" if is_v6 else "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }


def plan(found: Object, wanted: Object, fields: Sequence[str]) -> Object | None:
    """The object to write, or None when these fields are as wanted."""
    if all(found.get(field) == wanted.get(field) for field in fields):
        return None
    return {**found, **{field: wanted[field] for field in fields}}


class KubernetesService:
    """Keeps the Service, its Endpoints and its EndpointSlice for one server."""

    def __init__(self, client: Client, store: Store, clock: Clock, *, address: str | None, port: int) -> None:
        self._client, self._store, self._clock = client, store, clock
        self._address, self._port = address, port

    async def ensure_service(self, service_address: str, node_port: int) -> None:
        """Makes the Service if it is missing; one that is there is left as it is."""
        try:
            await self._client.get(_SERVICES, "kubernetes", "default")
        except NotFound:
            with suppress(AlreadyExists):  # another server was faster
                await self._client.create(_SERVICES, render_service(service_address, self._port, node_port))

    async def run(self) -> None:
        """Renews and reconciles until cancelled; then says that this server is gone."""
        if self._address is None:
            return
        try:
            while True:
                try:
                    await self.sync()
                except (ApiError, StoreError) as fault:
                    _log.warning("endpoints of the API not written", error=fault)
                await self._clock.sleep(_PERIOD_S)
        finally:
            await self._leave()

    async def sync(self) -> None:
        """One round."""
        await self._renew()
        entries, _ = await self._store.list(_PREFIX)
        addresses = sorted(entry.key.removeprefix(_PREFIX) for entry in entries)
        if addresses:
            await self._write(_ENDPOINTS, render_endpoints(addresses, self._port), ("subsets",))
            await self._write(_SLICES, render_slice(addresses, self._port), ("endpoints", "ports"))

    async def _write(self, resource: resources.Resource, wanted: Object, fields: Sequence[str]) -> None:
        for _ in range(_TRIES):
            try:
                try:
                    found = await self._client.get(resource, "kubernetes", "default")
                except NotFound:
                    await self._client.create(resource, wanted)
                    return
                changed = plan(found, wanted, fields)
                if changed is not None:
                    await self._client.update(resource, changed)
                return
            except (AlreadyExists, Conflict):
                continue  # another server wrote: look again

    async def _renew(self) -> None:
        key = f"{_PREFIX}{self._address}"
        value = orjson.dumps(
            {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": self._address},
             "subsets": [{"addresses": [{"ip": self._address}], "ports": [{"port": self._port}]}]}
        )  # fmt: skip
        try:
            found = await self._store.get(key)
            await self._store.update(key, value, revision=found.revision, ttl_s=_TTL_S)
        except KeyMissing:
            try:
                await self._store.create(key, value, ttl_s=_TTL_S)
            except KeyExists:
                return  # a server with our address was faster: it says the same
        except RevisionConflict:
            return

    async def _leave(self) -> None:
        key = f"{_PREFIX}{self._address}"
        try:
            async with asyncio.timeout(_LEAVE_WITHIN_S):
                found = await self._store.get(key)
                await self._store.delete(key, revision=found.revision)
        except (StoreError, TimeoutError) as fault:
            _log.debug("lease not taken back: it ends by itself", error=fault)
