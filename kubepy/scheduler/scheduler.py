"""The loop: take a pod, pick a node from the snapshot, assume it there, bind in the background.

Invariant: a pod that was assumed counts on its node until the watch tells of it or its binding has failed, so two
pods are never given the same room. The choice itself is `Profile.pick`, which is pure.
Source: pkg/scheduler/schedule_one.go, eventhandlers.go.
"""

import asyncio
from collections.abc import Mapping

from kubepy.api import errors, resources, selectors
from kubepy.api.meta import Object, controller_of, is_deleting
from kubepy.api.pods import is_terminal
from kubepy.client.client import Client
from kubepy.client.events import EventRecorder
from kubepy.client.informer import Informer
from kubepy.lib import log, tasks
from kubepy.lib.clock import SYSTEM, Clock, rfc3339
from kubepy.scheduler.framework import Profile, Unschedulable
from kubepy.scheduler.podinfo import PodInfo, read_pod
from kubepy.scheduler.profiles import Lookups, build_profiles
from kubepy.scheduler.queue import SchedulingQueue, Waiting, is_gated
from kubepy.scheduler.settings import SchedulerConfiguration
from kubepy.scheduler.snapshot import Snapshot

_log = log.get(__name__)
_PODS = resources.named("pods")
_OWNERS = {
    "ReplicaSet": resources.named("replicasets", "apps"),
    "StatefulSet": resources.named("statefulsets", "apps"),
    "ReplicationController": resources.named("replicationcontrollers"),
}
_BINDINGS_AT_ONCE = 64
_YIELD_EVERY = 16


class Scheduler:
    """Places the pods of its profiles."""

    def __init__(self, client: Client, settings: SchedulerConfiguration, *, clock: Clock = SYSTEM) -> None:
        self._client = client
        self._clock = clock
        self._recorder = EventRecorder(client, "default-scheduler")
        self.snapshot = Snapshot()
        self.queue = SchedulingQueue(clock)
        self._assumed: dict[str, str] = {}
        self._bindings = tasks.Scope()
        self._slots = asyncio.Semaphore(_BINDINGS_AT_ONCE)
        self._pods = Informer(client, _PODS, transform=_slim)
        self._nodes = Informer(client, resources.named("nodes"), transform=_slim)
        self._namespaces = Informer(client, resources.named("namespaces"))
        self._services = Informer(client, resources.named("services"), transform=_slim)
        self._claims = Informer(client, resources.named("persistentvolumeclaims"), transform=_slim)
        self._volumes = Informer(client, resources.named("persistentvolumes"), transform=_slim)
        self._owners = {kind: Informer(client, resource, transform=_slim) for kind, resource in _OWNERS.items()}
        self._services.add_indexer("namespace", lambda obj: [obj["metadata"]["namespace"]])
        lookups = Lookups(self._claims.get, self._volumes.get, self._kind_of)
        self.profiles: Mapping[str, Profile] = build_profiles(settings, lookups)
        self.snapshot.namespace_labels = self._labels_of_namespace
        self._connect()

    def _labels_of_namespace(self, name: str) -> Mapping[str, str]:
        namespace = self._namespaces.get(name)
        labels: Mapping[str, str] = (namespace or {"metadata": {}})["metadata"].get("labels") or {}
        return labels

    def _kind_of(self, pod: PodInfo) -> selectors.Selector | None:
        """What selects the pods that are of one kind with this one: its Services' and its owner's selectors."""
        found: list[selectors.Requirement] = []
        for service in self._services.by_index("namespace", pod.namespace):
            selector = service["spec"].get("selector")
            if selector and selector.items() <= pod.labels.items():
                found.extend(selectors.from_map(selector).requirements)
        controller = controller_of(pod.pod)
        if controller and (informer := self._owners.get(controller["kind"])):
            owner = informer.get(f"{pod.namespace}/{controller['name']}")
            if owner is not None:
                found.extend(_owner_selector(owner).requirements)
        return selectors.Selector(tuple(dict.fromkeys(found))) if found else None

    # -- news ------------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self._nodes.add_handler(on_add=self._node_added, on_update=self._node_changed, on_delete=self._node_gone)
        self._pods.add_handler(on_add=self._pod_seen, on_update=self._pod_changed, on_delete=self._pod_gone)
        for informer in (self._claims, self._volumes):
            informer.add_handler(on_add=self._volume_news, on_update=lambda _, new: self._volume_news(new))

    def _node_added(self, node: Object) -> None:
        self.snapshot.set_node(node)
        self.queue.tell("node-added")

    def _node_changed(self, old: Object, new: Object) -> None:
        if _placement_face(old) != _placement_face(new):
            self.snapshot.set_node(new)
            self.queue.tell("node-changed")

    def _node_gone(self, node: Object) -> None:
        self.snapshot.remove_node(node["metadata"]["name"])

    def _pod_seen(self, pod: Object) -> None:
        info = read_pod(pod)
        if is_terminal(pod):
            self._forget(info.uid)
        elif info.node:
            self._assumed.pop(info.uid, None)
            self.queue.drop(info.uid)
            self.snapshot.add_pod(info, info.node)
            self.queue.tell("pod-placed")
        elif is_deleting(pod):
            self.queue.drop(info.uid)
        elif self._is_ours(pod) and info.uid not in self._assumed:
            self.queue.put(info)

    def _is_ours(self, pod: Object) -> bool:
        return pod["spec"].get("schedulerName", "default-scheduler") in self.profiles and not is_gated(pod)

    def _pod_changed(self, old: Object, new: Object) -> None:
        if is_terminal(new) and not is_terminal(old) and new["spec"].get("nodeName"):
            self._pod_gone(new)
        elif _pod_face(old) != _pod_face(new):
            self._pod_seen(new)

    def _pod_gone(self, pod: Object) -> None:
        self._forget(pod["metadata"]["uid"])
        if pod["spec"].get("nodeName"):
            self.queue.tell("pod-gone")

    def _forget(self, uid: str) -> None:
        self._assumed.pop(uid, None)
        self.queue.drop(uid)
        self.snapshot.remove_pod(uid)

    def _volume_news(self, _: Object) -> None:
        self.queue.tell("volume-changed")

    # -- placing ---------------------------------------------------------------------------------------------------

    @property
    def synced(self) -> bool:
        """The snapshot shows the whole cluster."""
        return all(informer.synced for informer in self._informers())

    def _informers(self) -> list[Informer]:
        others = [self._services, self._claims, self._volumes, *self._owners.values()]
        return [self._nodes, self._pods, self._namespaces, *others]

    async def run(self) -> None:
        """Places pods until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for informer in self._informers():
                    group.create_task(informer.run(), name=f"informer-{informer.resource.qualified}")
                for informer in self._informers():
                    await informer.wait_synced()
                _log.info("snapshot complete", nodes=len(self.snapshot), waiting=len(self.queue))
                await self._place_all()
        finally:
            await self._bindings.close()
            await self._recorder.close()

    async def _place_all(self) -> None:
        placed = 0
        while True:
            waiting = await self.queue.take()
            await self._slots.acquire()
            if not self._place(waiting):
                self._slots.release()
            placed += 1
            if placed % _YIELD_EVERY == 0:
                await asyncio.sleep(0)  # lets bindings and news in

    def _place(self, waiting: Waiting) -> bool:
        """Picks a node and starts binding to it; False where there is none."""
        info = waiting.info
        profile = self.profiles[info.spec.get("schedulerName", "default-scheduler")]
        try:
            node = profile.pick(self.snapshot, info)
        except Unschedulable as verdict:
            self.queue.failed(info, verdict.plugins)
            self._bindings.start(self._tell_unschedulable(info, verdict.message), name=f"reject-{info.key}")
            return False
        self.snapshot.add_pod(info, node)
        self._assumed[info.uid] = node
        self._bindings.start(self._bind(info, node), name=f"bind-{info.key}")
        return True

    async def _bind(self, info: PodInfo, node: str) -> None:
        meta = info.pod["metadata"]
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta["name"], "namespace": info.namespace, "uid": info.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self._client.create(_PODS, binding, info.namespace, name=meta["name"], subresource="binding")
        except (errors.NotFound, errors.Conflict) as error:
            self._take_back(info)  # it is gone, or somebody else placed it
            if isinstance(error, errors.Conflict) and self._pods.get(info.key):
                self.queue.failed(info, frozenset())
            else:
                self.queue.drop(info.uid)
        except (errors.ApiError, ConnectionError) as error:
            self._take_back(info)
            self.queue.failed(info, frozenset())
            _log.warning("not bound", pod=info.key, node=node, error=str(error))
            self._recorder.event(info.pod, "Warning", "FailedScheduling", f"binding rejected: {error}")
        else:
            self.queue.drop(info.uid)
            text = f"Successfully assigned {info.key} to {node}"
            self._recorder.event(info.pod, "Normal", "Scheduled", text)
            _log.debug("bound", pod=info.key, node=node)
        finally:
            self._slots.release()

    def _take_back(self, info: PodInfo) -> None:
        if self._assumed.pop(info.uid, None) is not None:
            self.snapshot.remove_pod(info.uid)

    async def _tell_unschedulable(self, info: PodInfo, message: str) -> None:
        self._recorder.event(info.pod, "Warning", "FailedScheduling", message)
        cached = self._pods.get(info.key)
        pod = cached if cached is not None else info.pod
        old = next((c for c in (pod.get("status") or {}).get("conditions") or [] if c["type"] == "PodScheduled"), None)
        if old and (old["status"], old.get("reason"), old.get("message")) == ("False", "Unschedulable", message):
            return
        since = old["lastTransitionTime"] if old and old["status"] == "False" else rfc3339(self._clock.now())
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": since,
        }
        patch = {"status": {"conditions": [condition]}}
        try:
            await self._client.patch(
                _PODS, info.pod["metadata"]["name"], patch, info.namespace, kind="strategic", subresource="status"
            )
        except (errors.ApiError, ConnectionError) as error:
            _log.debug("condition not written", pod=info.key, error=str(error))


def _slim(obj: Object) -> Object:
    """Less what no rule reads."""
    obj["metadata"].pop("managedFields", None)
    return obj


def _owner_selector(owner: Object) -> selectors.Selector:
    selector = owner["spec"].get("selector") or {}
    if owner["kind"] == "ReplicationController":
        return selectors.from_map(selector)
    return selectors.from_label_selector(selector)


def _placement_face(node: Object) -> tuple[object, ...]:
    """What of a node decides who may go there."""
    status, spec = node.get("status") or {}, node.get("spec") or {}
    return (
        node["metadata"].get("labels"),
        spec.get("taints"),
        spec.get("unschedulable"),
        status.get("allocatable"),
        status.get("images"),
    )


def _pod_face(pod: Object) -> tuple[object, ...]:
    """What of a pod matters to placing it, or others."""
    meta, spec = pod["metadata"], pod["spec"]
    return meta.get("labels"), meta.get("deletionTimestamp"), spec, (pod.get("status") or {}).get("phase") == "Failed"
