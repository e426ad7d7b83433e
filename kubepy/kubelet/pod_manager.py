"""The pods of this node: from the API and from the folder of static pods, each with its worker.

Invariants: a pod has at most one worker; a static pod is known to the API by its mirror pod, whose status is the static
pod's; what runs here and belongs to no pod is ended, but never before the API's pods are known.
Source: pkg/kubelet/pod/pod_manager.go, mirror_client.go; pkg/kubelet/kubelet_pods.go HandlePodCleanups.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from kubepy.api import errors, resources
from kubepy.client.informer import Informer
from kubepy.client.transport import Unreachable
from kubepy.kubelet.admission import admit
from kubepy.kubelet.pod_worker import PodWorker
from kubepy.kubelet.podspec import HASH, MIRROR, annotations, full_name, is_mirror, is_terminal, uid_of
from kubepy.kubelet.runtime.base import Brief, RuntimeEvent, RuntimeFault, State
from kubepy.kubelet.sandboxes import remove_pod
from kubepy.kubelet.services import NodeServices
from kubepy.kubelet.volumes.base import VolumeFault
from kubepy.lib import log, tasks
from kubepy.lib.backoff import Backoff

Object = dict[str, Any]

_PODS = resources.named("pods")
_RELIST_S = 60.0
_ORPHAN_GRACE_S = 10.0
_log = log.get(__name__)


class PodManager:
    """See the module. `pods` follows the API's pods of this node."""

    def __init__(self, services: NodeServices, pods: Informer, node: Callable[[], Object]) -> None:
        self._services = services
        self._pods = pods
        self._node = node
        self.workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._mirrors: dict[str, Object] = {}
        self._static: dict[str, Object] = {}
        self._adopted: dict[str, set[str]] = {}
        self._chores = tasks.Scope()
        self._mirror_wake = asyncio.Event()

    # Looking up

    def api_pod(self, uid: str) -> Object | None:
        """The pod in the API that shows this pod's status."""
        static = self._static.get(uid)
        if static is not None:
            return self._mirrors.get(full_name(static))
        worker = self.workers.get(uid)
        if worker is None:
            return None
        pod = self._pods.get(f"{worker.pod['metadata']['namespace']}/{worker.pod['metadata']['name']}")
        return pod if pod is not None and uid_of(pod) == uid else worker.pod

    def find(self, namespace: str, name: str, uid: str = "") -> PodWorker | None:
        """The worker of a pod by name."""
        for worker in self.workers.values():
            meta = worker.pod["metadata"]
            if meta["namespace"] == namespace and meta["name"] == name and (not uid or worker.uid == uid):
                return worker
        return None

    def all_pods(self) -> list[Object]:
        """Every pod with its newest status."""
        return [{**w.pod, "status": self._services.statuses.get(w.uid) or w.pod.get("status") or {}}
                for w in self.workers.values()]  # fmt: skip

    # Events of the runtime

    async def run(self) -> None:
        """Adopts what runs, then follows pods and runtime until cancelled."""
        await self._adopt()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_runtime(), name="runtime events")
            await self._pods.wait_synced()
            self._pods.add_handler(on_add=self._seen, on_update=lambda _, new: self._seen(new), on_delete=self._gone)
            group.create_task(self._clean_up_for_ever(), name="clean-up")
            group.create_task(self._keep_mirrors(), name="mirror pods")

    async def _adopt(self) -> None:
        backoff = Backoff(0.5, 10.0)
        while True:
            try:
                listed = await self._services.runtime.all()
                break
            except RuntimeFault as fault:
                _log.warning("runtime does not answer", why=str(fault))
                await asyncio.sleep(backoff.next())
        found: dict[str, set[str]] = defaultdict(set)
        for brief in listed:
            found[brief.pod.uid].add(brief.id)
        self._adopted = dict(found)

    async def _follow_runtime(self) -> None:
        backoff = Backoff(0.2, 5.0)
        while True:
            try:
                async for event in self._services.runtime.events():
                    backoff.reset()
                    self._happened(event)
            except RuntimeFault as fault:
                _log.warning("runtime events ended", why=str(fault))
            await asyncio.sleep(backoff.next())
            await self._compare()

    def _happened(self, event: RuntimeEvent) -> None:
        worker = self.workers.get(event.pod_uid)
        if worker is not None and event.action != "create":
            worker.touched(event.id)

    async def _compare(self) -> list[Brief]:
        """Lists all containers and wakes workers whose snapshots differ: what events missed."""
        try:
            listed = await self._services.runtime.all()
        except RuntimeFault:
            return []
        here = {brief.id for brief in listed}
        for brief in listed:
            worker = self.workers.get(brief.pod.uid)
            if worker is not None and _is_stale(worker, brief):
                worker.touched(brief.id)
        for worker in self.workers.values():
            for container_id in (worker.containers.keys() | worker.sandboxes.keys()) - here:
                worker.touched(container_id)
        return listed

    # Pods of the API

    def _seen(self, pod: Object) -> None:
        if is_mirror(pod):
            self._mirrors[full_name(pod)] = pod
            self._mirror_wake.set()
            for uid, static in self._static.items():
                if full_name(static) == full_name(pod):
                    self._services.statuses.resend(uid)
            return
        uid = uid_of(pod)
        worker = self.workers.get(uid)
        if worker is not None:
            worker.update(pod)
            self._services.statuses.resend(uid)
        else:
            self._start(pod)

    def _gone(self, pod: Object) -> None:
        if is_mirror(pod):
            self._mirrors.pop(full_name(pod), None)
            self._mirror_wake.set()
            return
        worker = self.workers.get(uid_of(pod))
        if worker is not None:
            worker.remove(pod)

    def _start(self, pod: Object) -> None:
        uid = uid_of(pod)
        status = pod.get("status") or {}
        adopted = self._adopted.pop(uid, set())
        if is_terminal(status) and not adopted and not pod["metadata"].get("deletionTimestamp"):
            self.workers[uid] = worker = PodWorker(pod, self._services)
        else:
            self.workers[uid] = worker = PodWorker(pod, self._services, adopted)
            others = [w.pod for w in self.workers.values() if w is not worker and not w.is_ending]
            refusal = None if adopted or status.get("startTime") else admit(pod, others, self._node())
            if refusal is not None:
                self._services.recorder.event(pod, "Warning", refusal[0], refusal[1])
                worker.give_up(*refusal)
        task = tasks.spawn(worker.run(), name=f"pod {full_name(pod)}")
        self._tasks[uid] = task
        task.add_done_callback(lambda _: self._ended(uid))

    def _ended(self, uid: str) -> None:
        self._tasks.pop(uid, None)
        self.workers.pop(uid, None)

    # Static pods

    def node_seen(self) -> None:
        """The Node is there: mirror pods, which it owns, can be made."""
        self._mirror_wake.set()

    def set_static(self, pods: Iterable[Object]) -> None:
        """The static pods are these now."""
        wanted = {uid_of(pod): pod for pod in pods}
        for uid in self._static.keys() - wanted.keys():
            del self._static[uid]
            if worker := self.workers.get(uid):
                worker.remove()
        for uid, pod in wanted.items():
            if uid not in self._static:
                self._static[uid] = pod
                self._start(pod)
        self._mirror_wake.set()

    async def _keep_mirrors(self) -> None:
        """Each static pod has exactly its own mirror in the API."""
        backoff = Backoff(0.5, 30.0)
        while True:
            self._mirror_wake.clear()
            timeout_s = _RELIST_S
            try:
                await self._sync_mirrors()
                backoff.reset()
            except (errors.ApiError, Unreachable) as error:
                _log.warning("mirror pods not brought up to date", why=str(error))
                timeout_s = backoff.next()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._mirror_wake.wait()

    async def _sync_mirrors(self) -> None:
        wanted = {full_name(pod): pod for pod in self._static.values()}
        for name, mirror in list(self._mirrors.items()):
            pod = wanted.get(name)
            if (
                pod is None
                or annotations(mirror).get(MIRROR) != annotations(pod).get(HASH)
                or (mirror["metadata"].get("deletionTimestamp"))
            ):
                await self._delete_mirror(mirror)
                self._mirrors.pop(name, None)
        for name, pod in wanted.items():
            if name not in self._mirrors and self._node().get("metadata", {}).get("uid"):
                await self._create_mirror(pod)

    async def _delete_mirror(self, mirror: Object) -> None:
        meta = mirror["metadata"]
        with suppress(errors.NotFound, errors.Conflict):
            await self._services.client.delete(
                _PODS, meta["name"], meta["namespace"], grace_period_s=0, uid=meta["uid"]
            )

    async def _create_mirror(self, pod: Object) -> None:
        meta = {k: v for k, v in pod["metadata"].items() if k != "uid"}
        meta["annotations"] = {**annotations(pod), MIRROR: annotations(pod)[HASH]}
        node = self._node()["metadata"]
        meta["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "Node", "name": node["name"], "uid": node["uid"], "controller": True}
        ]
        with suppress(errors.AlreadyExists):
            made = await self._services.client.create(
                _PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod["spec"]}
            )
            self._mirrors[full_name(pod)] = made
            self._services.statuses.resend(uid_of(pod))

    # Orphans

    async def _clean_up_for_ever(self) -> None:
        while True:
            listed = await self._compare()
            await self._clean_up(listed)
            await asyncio.sleep(_RELIST_S)

    async def _clean_up(self, listed: list[Brief]) -> None:
        """Ends and removes what belongs to no pod."""
        orphans: dict[str, list[Brief]] = defaultdict(list)
        for brief in listed:
            if brief.pod.uid not in self.workers:
                orphans[brief.pod.uid].append(brief)
        for uid, briefs in orphans.items():
            _log.info("ending a pod that nobody wants", pod=f"{briefs[0].pod.namespace}/{briefs[0].pod.name}", uid=uid)
            self._chores.start(remove_pod(self._services, briefs, grace_s=_ORPHAN_GRACE_S), name=f"orphan {uid}")
        for uid in self._services.volumes.known_pods():
            if uid not in self.workers and uid not in orphans:
                try:
                    await self._services.volumes.unmount(uid)
                except (VolumeFault, OSError) as fault:
                    _log.warning("volumes of a pod that is gone stay", uid=uid, why=str(fault))

    async def close(self) -> None:
        """Leaves every container as it is."""
        await self._chores.close()
        await tasks.cancel(*self._tasks.values())


def _is_stale(worker: PodWorker, brief: Brief) -> bool:
    if brief.sandbox:
        sandbox = worker.sandboxes.get(brief.id)
        return sandbox is None or sandbox.ready != (brief.state is State.RUNNING)
    known = worker.containers.get(brief.id)
    return known is None or known.state is not brief.state
