"""Nodes without a machine: they register, keep their Lease, and say of each pod what a real kubelet would say.

One Fleet holds any number of nodes and shares one watch on pods between them, so that thousands fit into one process.
Pods go Running at once and stay so; those of Jobs succeed after a moment; deleted ones are let go. Statuses come
from the real kubelet's status.py on containers that only exist as records.
Two annotations on a pod make it behave otherwise: RUN_FOR_S ends it after so many seconds, EXIT_CODE says how.
Source: pkg/kubemark; kwok's pod-ready and pod-complete stages.
"""

import asyncio
import hashlib
import ipaddress
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kubepy.api import errors, resources
from kubepy.client.client import Client
from kubepy.client.informer import Informer
from kubepy.client.transport import Unreachable
from kubepy.kubelet.node_status import NodeFacts, lease, node_status, render_node
from kubepy.kubelet.plan import Known, Observed
from kubepy.kubelet.podspec import annotations, init_containers, is_sidecar, is_terminal, main_containers, uid_of
from kubepy.kubelet.runtime.base import ContainerStatus, PodRef, SandboxStatus, State
from kubepy.kubelet.status import Facts, pod_status
from kubepy.lib import log
from kubepy.lib.clock import SYSTEM, Clock, parse_rfc3339, rfc3339_micro
from kubepy.lib.tasks import Scope
from kubepy.lib.workqueue import WorkQueue, run_workers

Object = dict[str, Any]

RUN_FOR_S = "hollow.kubepy.dev/run-for-seconds"
EXIT_CODE = "hollow.kubepy.dev/exit-code"
_LEASE_S, _RENEW_S, _STATUS_S = 40, 10.0, 300.0
_JOB_RUNS_S = 1.0
_WORKERS = 16
_NODES, _PODS, _LEASES = (
    resources.named("nodes"),
    resources.named("pods"),
    resources.named("leases", "coordination.k8s.io"),
)
_log = log.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HollowNode:
    """What one hollow node claims to be. `capacity` is what its pods may ask for."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()
    capacity: Mapping[str, str] = field(
        default_factory=lambda: {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "110"}
    )
    address: str = ""
    kubelet_port: int = 10250


class Fleet:
    """Hollow nodes that share one client and one watch. `run` registers them and keeps them alive."""

    def __init__(
        self, client: Client, nodes: Iterable[HollowNode], *, version: str = "v1.37.0", clock: Clock = SYSTEM
    ) -> None:
        self._client = client
        self._nodes = {node.name: node for node in nodes}
        self._version = version
        self._clock = clock
        one = next(iter(self._nodes)) if len(self._nodes) == 1 else ""
        self._pods = Informer(client, _PODS, field_selector=f"spec.nodeName={one}" if one else "")
        self._queue: WorkQueue[str] = WorkQueue()
        self._records: dict[str, _Record] = {}
        self._addresses: dict[str, _Addresses] = {}
        self._uids: dict[str, str] = {}
        self.registered = asyncio.Event()
        """Set once every node is there and Ready."""

    async def run(self) -> None:
        """Until cancelled."""
        self._pods.add_handler(on_add=self._seen, on_update=lambda _, new: self._seen(new), on_delete=self._gone)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pods.run(), name="hollow pods")
            tasks.create_task(run_workers(self._queue, _WORKERS, self._sync, name="hollow"), name="hollow workers")
            tasks.create_task(self._keep_alive(), name="hollow nodes")

    # Nodes

    async def _keep_alive(self) -> None:
        names = list(self._nodes)
        for start in range(0, len(names), _WORKERS):
            await asyncio.gather(*(self._register(name) for name in names[start : start + _WORKERS]))
        self.registered.set()
        if not names:  # nothing to renew: the loop below would never let go of the thread
            return
        scope = Scope()
        try:
            turn = 0
            while True:
                turn += 1
                pause = _RENEW_S / max(len(names), 1)
                for name in names:
                    scope.start(self._beat(name, report=turn % int(_STATUS_S / _RENEW_S) == 0), name=f"beat {name}")
                    await self._clock.sleep(pause)
        finally:
            await scope.close()

    async def _register(self, name: str) -> None:
        """Makes the Node and its Lease, again and again until the server takes them."""
        wait_s = 0.05
        while True:
            try:
                node = await self._create_node(name)
                self._uids[name] = node["metadata"]["uid"]
                await self._renew(name)
                return
            except (errors.ApiError, Unreachable) as error:
                _log.debug("registering again", node=name, why=str(error))
                await self._clock.sleep(wait_s * random.uniform(1, 1.5))
                wait_s = min(wait_s * 2, 5.0)

    async def _create_node(self, name: str) -> Object:
        node = self._nodes[name]
        wanted = render_node(self._facts(node), labels=node.labels, taints=node.taints)
        try:
            return await self._client.create(_NODES, wanted)
        except errors.AlreadyExists:
            old = await self._client.get(_NODES, name)
            patch = {"status": node_status(self._facts(node), old.get("status") or {})}
            return await self._client.patch(_NODES, name, patch, subresource="status", kind="strategic")

    async def _beat(self, name: str, *, report: bool) -> None:
        try:
            await self._renew(name)
            if report:
                await self._create_node(name)
        except (errors.ApiError, Unreachable) as error:
            _log.debug("heartbeat failed", node=name, why=str(error))

    async def _renew(self, name: str) -> None:
        now = rfc3339_micro(self._clock.now())
        try:
            await self._client.patch(_LEASES, name, {"spec": {"renewTime": now}}, "kube-node-lease")
        except errors.NotFound:
            await self._client.create(_LEASES, lease(name, _LEASE_S, now, self._uids.get(name, "")), "kube-node-lease")

    def _facts(self, node: HollowNode) -> NodeFacts:
        digest = hashlib.sha256(node.name.encode()).hexdigest()
        address = node.address or _made_up_address(node.name)
        return NodeFacts(
            name=node.name,
            now=self._clock.now(),
            addresses=(("InternalIP", address), ("Hostname", node.name)),
            capacity=node.capacity,
            allocatable=node.capacity,
            info={
                "machineID": digest[:32],
                "systemUUID": digest[:32],
                "bootID": digest[32:],
                "kernelVersion": "6.1.0",
                "osImage": "Hollow",
                "containerRuntimeVersion": "fake://0.1.0",
                "kubeletVersion": self._version,
                "kubeProxyVersion": self._version,
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
            kubelet_port=node.kubelet_port,
        )

    # Pods

    def _seen(self, pod: Object) -> None:
        if (pod["spec"].get("nodeName") or "") in self._nodes:
            self._queue.add(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}")

    def _gone(self, pod: Object) -> None:
        record = self._records.pop(uid_of(pod), None)
        addresses = self._addresses.get(pod["spec"].get("nodeName") or "")
        if record is not None and addresses is not None:
            addresses.give_back(record.ip)

    async def _sync(self, key: str) -> None:
        pod = self._pods.get(key)
        if pod is None:
            return
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        try:
            if pod["metadata"].get("deletionTimestamp"):
                await self._finish(pod)
                await self._client.delete(_PODS, name, namespace, grace_period_s=0, uid=uid_of(pod))
            elif not is_terminal(pod.get("status") or {}):
                await self._report(key, pod)
        except (errors.NotFound, errors.Conflict):
            _log.debug("pod changed meanwhile", pod=key)

    async def _report(self, key: str, pod: Object) -> None:
        node = pod["spec"]["nodeName"]
        record = self._records.get(uid_of(pod))
        if record is None:
            addresses = await self._addresses_of(node)
            record = self._records[uid_of(pod)] = _begin(pod, addresses, self._clock.now())
        left = _runs_for_s(pod) - (self._clock.now() - record.started).total_seconds()
        if 0 < left < float("inf"):
            self._queue.add_after(key, left)
        ended = record.started + timedelta(seconds=_runs_for_s(pod)) if left <= 0 else None
        await self._tell(pod, self.status_of(pod, record, ended=ended))

    async def _finish(self, pod: Object) -> None:
        """A pod that ran is told to be ready no more before it is let go: who waits for its end sees it end."""
        record = self._records.get(uid_of(pod))
        if record is not None and not is_terminal(pod.get("status") or {}):
            await self._tell(pod, self.status_of(pod, record, ended=self._clock.now()))

    async def _tell(self, pod: Object, status: Object) -> None:
        old = pod.get("status") or {}
        if any(old.get(k) != status.get(k) for k in ("phase", "podIP", "containerStatuses", "initContainerStatuses")):
            name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
            await self._client.patch(_PODS, name, {"status": status}, namespace, subresource="status")

    async def _addresses_of(self, node: str) -> "_Addresses":
        """The addresses of the node's range; made-up ones where nobody gives ranges to nodes."""
        if node not in self._addresses:
            cidr = (await self._client.get(_NODES, node))["spec"].get("podCIDR") or _made_up_cidr(node)
            self._addresses.setdefault(node, _Addresses(cidr))  # two pods may have asked at once
        return self._addresses[node]

    def status_of(self, pod: Object, record: "_Record", *, ended: datetime | None) -> Object:
        """What the pod's status is when its containers run, or have `ended` then."""
        node = self._nodes[pod["spec"]["nodeName"]]
        address = node.address or _made_up_address(node.name)
        observed = _imagine(pod, record, ended=ended)
        started = {c.id: True for c in observed.containers}
        facts = Facts(
            observed=observed,
            known=Known(startup=started),
            now=self._clock.now(),
            ready=started,
            host_ips=(address,),
            id_prefix="fake",
        )
        return pod_status(pod, facts)


class HollowKubelet(Fleet):
    """A fleet of one."""

    def __init__(self, client: Client, node_name: str, **node: Any) -> None:
        super().__init__(client, [HollowNode(name=node_name, **node)])


@dataclass(slots=True)
class _Record:
    started: datetime
    ip: str


def _begin(pod: Object, addresses: "_Addresses", now: datetime) -> _Record:
    """A pod's start, or what its status says of it when another fleet started it before."""
    status = pod.get("status") or {}
    if status.get("podIP") and status.get("startTime"):
        addresses.taken(status["podIP"])
        return _Record(parse_rfc3339(status["startTime"]), status["podIP"])
    return _Record(now, addresses.take())


class _Addresses:
    """The pod addresses of one node; those given back are used again."""

    def __init__(self, cidr: str) -> None:
        self._network = ipaddress.ip_network(cidr, strict=False)
        self._next = 1
        self._free: list[str] = []
        self._used: set[str] = set()

    def take(self) -> str:
        while True:
            address = self._free.pop() if self._free else self._following()
            if address not in self._used:
                self._used.add(address)
                return address

    def taken(self, address: str) -> None:
        self._used.add(address)

    def give_back(self, address: str) -> None:
        self._used.discard(address)
        self._free.append(address)

    def _following(self) -> str:
        self._next += 1
        return str(self._network.network_address + self._next)


def _made_up_cidr(node: str) -> str:
    """A /24 of 10.244.0.0/16 that the name alone decides: hollow traffic goes nowhere, so a clash is harmless."""
    return f"10.244.{hashlib.sha256(node.encode()).digest()[0]}.0/24"


def _made_up_address(node: str) -> str:
    digest = hashlib.sha256(node.encode()).digest()
    return f"172.30.{digest[0]}.{max(digest[1], 1)}"


def _runs_for_s(pod: Object) -> float:
    """Seconds until its containers end by themselves; infinity for a pod that serves."""
    told = annotations(pod).get(RUN_FOR_S)
    if told is not None:
        return float(told)
    owners = pod["metadata"].get("ownerReferences") or []
    return _JOB_RUNS_S if any(o.get("kind") == "Job" for o in owners) else float("inf")


def _imagine(pod: Object, record: _Record, *, ended: datetime | None) -> Observed:
    """The records of containers that would be there; the same at every call, so that a second sync writes nothing."""
    uid = uid_of(pod)
    ref = PodRef(uid, pod["metadata"]["name"], pod["metadata"]["namespace"])
    sandbox = SandboxStatus(id=f"{uid}-sandbox", pod=ref, ready=not ended, ips=(record.ip,))
    code = int(annotations(pod).get(EXIT_CODE, 0))
    containers = [(c, not is_sidecar(c), 0) for c in init_containers(pod)]
    containers += [(c, False, code) for c in main_containers(pod)]
    made = [
        ContainerStatus(
            id=hashlib.sha256(f"{uid}/{container['name']}".encode()).hexdigest(),
            name=container["name"],
            pod=ref,
            state=State.EXITED if done or ended else State.RUNNING,
            image=container.get("image", ""),
            image_id=f"fake://{container.get('image', '')}",
            started_at=record.started,
            finished_at=record.started if done else ended,
            exit_code=exit_code if ended else 0,
        )
        for container, done, exit_code in containers
    ]
    return Observed((sandbox,), tuple(made))
