"""Keeps the kernel's rules in step with Services and EndpointSlices, change by change.

Changes of one moment go in one transaction. When one is refused the table is made anew from what is known, which also
happens at the start, so that whatever somebody did to the rules is mended. Rules outlive the process: while it
restarts, traffic goes on. Source: pkg/proxy/nftables/proxier.go for the order of things.
"""

import asyncio
import time
from collections.abc import Callable, Iterable

from kubepy.api import resources
from kubepy.api.meta import Object, key_of
from kubepy.client.client import Client
from kubepy.client.informer import Informer
from kubepy.lib import log
from kubepy.lib.commands import CommandError
from kubepy.proxy.kernel import apply_rules, forget_connections
from kubepy.proxy.ruleset import EMPTY, render_base, render_service
from kubepy.proxy.services import ServicePort, service_ports
from kubepy.proxy.state import ProxyState

_log = log.get(__name__)
_SERVICES = resources.named("services")
_SLICES = resources.named("endpointslices", "discovery.k8s.io")
_SERVICE_NAME = "kubernetes.io/service-name"
_HEADLESS = "service.kubernetes.io/headless"
_GATHER_S = 0.02
_RESYNC_S = 3600.0
_RETRY_S = 5.0

KeysOf = Callable[[Object], list[str]]


class Proxier:
    """The Services of a node."""

    def __init__(self, client: Client, *, node: str, pod_cidr: str) -> None:
        self._node = node
        self._pod_cidr = pod_cidr
        self._state = ProxyState()
        self._ports: dict[str, list[ServicePort]] = {}
        self._dirty: set[str] = set()
        self._changed = asyncio.Event()
        self._services = Informer(client, _SERVICES, transform=_slim)
        self._slices = Informer(client, _SLICES, label_selector=f"!{_HEADLESS}", transform=_slim)
        self._slices.add_indexer("service", _service_of)
        for informer, keys_of in ((self._services, _own_key), (self._slices, _service_of)):
            self._follow(informer, keys_of)
        self.synced_at = 0.0
        """When the kernel last had everything, by the monotonic clock; 0: never."""
        self.queued_at = 0.0
        """When the oldest change that the kernel does not have came; 0: there is none."""

    def _follow(self, informer: Informer, keys_of: KeysOf) -> None:
        def note(*versions: Object) -> None:
            for version in versions:
                self._dirty.update(keys_of(version))
            self.queued_at = self.queued_at or time.monotonic()
            self._changed.set()

        informer.add_handler(on_add=note, on_update=note, on_delete=note)

    async def run(self) -> None:
        """Follows changes until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in (self._services, self._slices):
                group.create_task(informer.run(), name=f"informer-{informer.resource.qualified}")
            for informer in (self._services, self._slices):
                await informer.wait_synced()
            whole = True
            while True:
                wait_s = _RESYNC_S
                try:
                    await self._sync(whole=whole)
                    whole = False
                except CommandError as error:
                    _log.warning("rules refused, making the table anew", error=str(error))
                    whole, wait_s = True, _RETRY_S
                try:
                    async with asyncio.timeout(wait_s):
                        await self._changed.wait()
                    await asyncio.sleep(_GATHER_S)
                except TimeoutError:
                    whole = True

    async def _sync(self, *, whole: bool) -> None:
        self._changed.clear()
        dirty, self._dirty = self._dirty, set()
        began = time.monotonic()
        before = {key: self._ports.get(key, []) for key in dirty}
        script = "".join(self._plan(key) for key in sorted(dirty))
        if whole:
            script = render_base(self._pod_cidr) + self._state.whole()
        await apply_rules(script)
        self.synced_at, self.queued_at = time.monotonic(), time.monotonic() if self._dirty else 0.0
        for key, ports in before.items():
            await self._forget_stale(ports, self._ports.get(key, []))
        if script:
            _log.info("rules applied", services=len(dirty), whole=whole, ms=round(1000 * (self.synced_at - began), 1))

    def _plan(self, key: str) -> str:
        service = self._services.get(key)
        ports = service_ports(service, self._slices.by_index("service", key), self._node) if service else []
        if ports:
            self._ports[key] = ports
        else:
            self._ports.pop(key, None)
        return self._state.plan(key, render_service(ports, self._pod_cidr) if ports else EMPTY)

    async def _forget_stale(self, before: Iterable[ServicePort], after: Iterable[ServicePort]) -> None:
        """UDP clients of endpoints that went, and of Services that had none until now."""
        now = {(port.port_name, port.protocol): port for port in after}
        old = {(port.port_name, port.protocol): port for port in before}
        for key, port in old.items():
            if port.protocol == "udp":
                kept = now[key].anywhere if key in now else ()
                gone = sorted({ip for ip, _ in port.anywhere} - {ip for ip, _ in kept})
                if gone:
                    await self._forget(port, gone)
        for key, port in now.items():
            if port.protocol == "udp" and port.anywhere and not (key in old and old[key].anywhere):
                await self._forget(port, [])

    async def _forget(self, port: ServicePort, endpoints: list[str]) -> None:
        for address in (port.cluster_ip, *port.external_addresses):
            await forget_connections(protocol="udp", address=address, port=port.port, endpoints=endpoints)


def _own_key(service: Object) -> list[str]:
    return [key_of(service)]


def _service_of(found: Object) -> list[str]:
    name = (found["metadata"].get("labels") or {}).get(_SERVICE_NAME)
    return [f"{found['metadata']['namespace']}/{name}"] if name else []


def _slim(obj: Object) -> Object:
    """Less what no rule depends on: many nodes hold every Service."""
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "labels")
    obj["metadata"] = {name: meta[name] for name in kept if name in meta}
    for endpoint in obj.get("endpoints") or ():
        endpoint.pop("targetRef", None)
    return obj
