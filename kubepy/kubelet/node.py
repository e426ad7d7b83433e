"""Keep this node's Node object and Lease: register, report when something changed or it is time, renew.

Invariants: registering never takes away what others set on the Node; a status is sent only when it differs or every
`status_report_s`; the Lease is renewed every quarter of its duration whatever else happens.
Source: pkg/kubelet/kubelet_node_status.go; component-helpers/apimachinery/lease.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from kubepy.api import errors, resources
from kubepy.client.client import Client
from kubepy.client.events import EventRecorder
from kubepy.client.transport import Unreachable
from kubepy.kubelet import machine
from kubepy.kubelet.config import KubeletConfig
from kubepy.kubelet.node_status import NodeFacts, lease, node_status, reconcile_existing, render_node, status_changed
from kubepy.kubelet.runtime.base import Runtime, RuntimeFault
from kubepy.lib import log
from kubepy.lib.backoff import Backoff
from kubepy.lib.clock import Clock, rfc3339_micro

Object = dict[str, Any]

VERSION = "v1.37.0+kubepy"
_NODES, _LEASES = resources.named("nodes"), resources.named("leases", "coordination.k8s.io")
_NAMESPACE = "kube-node-lease"
_IMAGES_MOST = 50
_log = log.get(__name__)


class NodeKeeper:
    """The Node of this kubelet. `network_fault` says why pods get no network, or nothing."""

    def __init__(  # the parts of a kubelet that make its node
        self,
        config: KubeletConfig,
        client: Client,
        runtime: Runtime,
        *,
        clock: Clock,
        recorder: EventRecorder,
        host_ips: Sequence[str],
        network_fault: Callable[[], str],
        hostname: str,
    ) -> None:
        self._config = config
        self._client = client
        self._runtime = runtime
        self._clock = clock
        self._recorder = recorder
        self._host_ips = host_ips
        self._network_fault = network_fault
        self._hostname = hostname
        self._wake = asyncio.Event()
        self._sent: Object = {}
        self._sent_at = 0.0
        self._seen: Object | None = None
        self.node: Object = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": config.node_name}}
        self.capacity = machine.capacity(_existing(config.root_dir), config.max_pods)
        self.allocatable = machine.allocatable(
            self.capacity, [config.system_reserved, config.kube_reserved], config.eviction_hard
        )
        self.pressure: dict[str, bool] = {}

    def wake(self) -> None:
        """Something that the status shows may have changed."""
        self._wake.set()

    def seen(self, node: Object) -> None:
        """The Node as the API has it now."""
        self._seen = node

    async def run(self) -> None:
        """Registers, then reports and renews until cancelled."""
        await self._register()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._report(), name="node status")
            group.create_task(self._renew(), name="node lease")

    async def _register(self) -> None:
        backoff = Backoff(0.2, 7.0)
        while True:
            try:
                await self._register_once()
                return
            except (errors.ApiError, Unreachable) as error:
                _log.warning("not registered yet", node=self._config.node_name, why=str(error))
                await self._clock.sleep(backoff.next())

    async def _register_once(self) -> None:
        name = self._config.node_name
        facts = await self._facts()
        wanted = render_node(
            facts,
            labels=self._config.node_labels,
            taints=self._config.register_taints,
            provider_id=self._config.provider_id,
        )
        if self._config.register_node:
            try:
                node = await self._client.create(_NODES, wanted)
                _log.info("registered", node=name)
            except errors.AlreadyExists:
                node = await self._client.get(_NODES, name)
                if patch := reconcile_existing(node, wanted):
                    node = await self._client.patch(_NODES, name, patch)
        else:
            node = await self._client.get(_NODES, name)
        self.node = self._seen = {**node, "kind": "Node", "apiVersion": "v1"}
        self._recorder.event(self._about(), "Normal", "Starting", "Starting kubelet.")
        if limitation := self._runtime.limitation():
            text = f"This machine's capability bounding set is not whole: {limitation}"
            self._recorder.event(self._about(), "Warning", "CapabilitiesMissing", text)
        await self._send(node_status(facts, node.get("status") or {}))

    async def _facts(self) -> NodeFacts:
        faults = []
        images: list[tuple[Sequence[str], int]] = []
        version = ""
        try:
            version, _ = await self._runtime.version()
            found = sorted(await self._runtime.images(), key=lambda image: -image.size_bytes)[:_IMAGES_MOST]
            images = [((*i.digests, *i.names), i.size_bytes) for i in found if i.names or i.digests]
        except RuntimeFault as fault:
            faults.append(f"container runtime is down: {fault}")
        if network := self._network_fault():
            faults.append(
                "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
                f"message:docker: network plugin is not ready: {network}"
            )
        self.pressure = machine.pressure(_existing(self._config.root_dir), self._config.eviction_hard)
        kinds = [("InternalIP", ip) for ip in self._host_ips]
        return NodeFacts(
            name=self._config.node_name,
            now=self._clock.now(),
            addresses=(*kinds, ("Hostname", self._hostname)),
            capacity=self.capacity,
            allocatable=self.allocatable,
            info=machine.info(f"{self._runtime.name}://{version}", VERSION),
            images=images,
            faults=faults,
            pressure=self.pressure,
            kubelet_port=self._config.port,
        )

    async def _report(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._report_once()
            except (errors.ApiError, Unreachable) as error:
                _log.warning("node status not taken", why=str(error))
            period_s = 1.0 if self._is_unready() else self._config.status_update_s
            try:
                async with asyncio.timeout(period_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _is_unready(self) -> bool:
        return any(c["type"] == "Ready" and c["status"] != "True" for c in self._sent.get("conditions") or [])

    async def _report_once(self) -> None:
        known = (self._seen or {}).get("status") or self._sent
        new = node_status(await self._facts(), known)
        due = self._clock.monotonic() - self._sent_at >= self._config.status_report_s
        if due or status_changed(new, known):
            await self._send(new)

    async def _send(self, status: Object) -> None:
        name = self._config.node_name
        try:
            patch = {"status": {**status, "addresses": [*status["addresses"], {"$patch": "replace"}]}}
            node = await self._client.patch(_NODES, name, patch, kind="strategic", subresource="status")
        except errors.NotFound:
            if self._config.register_node:
                await self._register_once()
            return
        self._tell_changes(self._sent, status)
        self._sent, self._sent_at, self._seen = status, self._clock.monotonic(), node

    def _tell_changes(self, old: Object, new: Object) -> None:
        def ready(status: Object) -> str:
            return next((c["status"] for c in status.get("conditions") or [] if c["type"] == "Ready"), "")

        if ready(old) != ready(new):
            reason = "NodeReady" if ready(new) == "True" else "NodeNotReady"
            text = f"Node {self._config.node_name} status is now: {reason}"
            self._recorder.event(self._about(), "Normal", reason, text)
            _log.info("node status", ready=ready(new))

    def _about(self) -> Object:
        """The Node as events name it: upstream uses the node's name as uid, and `kubectl describe` looks for that."""
        name = self._config.node_name
        return {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "uid": name}}

    async def _renew(self) -> None:
        duration_s = self._config.lease_duration_s
        backoff = Backoff(0.2, 7.0)
        while True:
            try:
                await self._renew_once(duration_s)
                backoff.reset()
                wait_s = duration_s / 4
            except (errors.ApiError, Unreachable) as error:
                _log.warning("lease not renewed", why=str(error))
                wait_s = backoff.next()
            await self._clock.sleep(wait_s)

    async def _renew_once(self, duration_s: int) -> None:
        name = self._config.node_name
        now = rfc3339_micro(self._clock.now())
        spec = {"holderIdentity": name, "leaseDurationSeconds": duration_s, "renewTime": now}
        try:
            await self._client.patch(_LEASES, name, {"spec": spec}, _NAMESPACE)
        except errors.NotFound:
            uid = self.node["metadata"].get("uid", "")
            await self._client.create(_LEASES, lease(name, duration_s, now, uid), _NAMESPACE)


def _existing(path: Any) -> Any:
    """The path, or the nearest folder above it that exists."""
    while not path.exists():
        path = path.parent
    return path
