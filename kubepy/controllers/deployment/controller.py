"""The loop that carries out a Deployment's rollout: it makes, sizes, annotates and forgets ReplicaSets.

Decisions are in sets.py (which set is which), rolling.py (sizes) and status.py; here they are written.
Source: pkg/controller/deployment/deployment_controller.go, sync.go, recreate.go.
"""

import copy
from collections.abc import Iterable, Sequence

from kubepy.api import errors, resources, selectors
from kubepy.api.meta import Object, controller_of, is_deleting, key_of, owner_reference
from kubepy.api.pods import is_terminal
from kubepy.controllers.controller import Context, Controller
from kubepy.controllers.deployment import rolling, status
from kubepy.controllers.deployment import sets as s
from kubepy.controllers.indexers import index_by_controller, index_by_namespace
from kubepy.controllers.ownership import claim_objects, plan_claim
from kubepy.lib import log

_log = log.get(__name__)
_DEPLOYMENTS = resources.named("deployments", "apps")
_SETS = resources.named("replicasets", "apps")
_PODS = resources.named("pods")


class DeploymentController(Controller):
    """Works Deployments."""

    name = "deployment"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._recorder = context.recorder("deployment-controller")
        self._deployments = self.watch(_DEPLOYMENTS)
        self._sets = self.watch(_SETS)
        self._pods = self.watch(_PODS)
        self._sets.add_indexer("namespace", index_by_namespace)
        self._pods.add_indexer("controller", index_by_controller)
        self.enqueue_from(self._deployments, lambda obj: [key_of(obj)])
        self.enqueue_from(self._sets, self._owners)
        self._pods.add_handler(on_delete=self._pod_gone)

    def _owners(self, rs: Object) -> Iterable[str]:
        controller = controller_of(rs)
        namespace = rs["metadata"]["namespace"]
        if controller is not None:
            return [f"{namespace}/{controller['name']}"] if controller["kind"] == "Deployment" else []
        labels = rs["metadata"].get("labels") or {}
        return [
            key_of(deployment)
            for deployment in self._deployments.items()
            if deployment["metadata"]["namespace"] == namespace and _selector(deployment).matches(labels)
        ]

    def _pod_gone(self, pod: Object) -> None:
        """A Recreate rollout waits for the last old pod."""
        controller = controller_of(pod)
        rs = self._sets.get(f"{pod['metadata']['namespace']}/{controller['name']}") if controller else None
        for key in self._owners(rs) if rs else ():
            deployment = self._deployments.get(key)
            if deployment and (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
                self.queue.add(key)

    async def sync(self, key: str) -> None:
        cached = self._deployments.get(key)
        if cached is None:
            return
        deployment = {**cached}  # shallow copies take what the server answers; the cache stays as it is
        if not deployment["spec"].get("selector"):
            return  # selects everything: refused by validation today, possible in old storage
        owned = [{**rs} for rs in await self._claim(deployment)]
        new = s.find_new(deployment, owned)
        old = [rs for rs in owned if rs is not new]
        if is_deleting(deployment):
            await self._write_status(deployment, new, old)
        elif deployment["spec"].get("paused"):
            new = await self._annotate_new(deployment, new, old)
            await self._resize(deployment, rolling.plan_scale(deployment, new, old))
            await self._forget_history(deployment, old)
            await self._write_status(deployment, new, old)
        elif rolling.is_scaling(deployment, owned):
            await self._resize(deployment, rolling.plan_scale(deployment, new, old))
            await self._write_status(deployment, new, old)
        else:
            await self._roll(deployment, new, old)

    async def _claim(self, deployment: Object) -> list[Object]:
        namespace = deployment["metadata"]["namespace"]
        claim = plan_claim(deployment, _selector(deployment), self._sets.by_index("namespace", namespace))
        return await claim_objects(self.client, deployment, _DEPLOYMENTS, _SETS, claim)

    async def _roll(self, deployment: Object, new: Object | None, old: list[Object]) -> None:
        if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
            shrinking: rolling.Sizes = [(rs, 0) for rs in old if s.replicas(rs)]
            if shrinking:
                await self._resize(deployment, shrinking)
                await self._write_status(deployment, new, old)
                return
            if self._old_pods_run(old):
                await self._write_status(deployment, new, old)
                return
        made = new is None
        new = await self._annotate_new(deployment, new, old) or await self._create_set(deployment, old)
        if new is None:
            return  # a name was taken: the status says so, and the next sync takes another
        if not made:
            await self._resize(deployment, rolling.plan_rolling(deployment, new, old))
        if status.is_complete(deployment, deployment.get("status") or {}):
            await self._forget_history(deployment, old)
        await self._write_status(deployment, new, old, began=made)

    def _old_pods_run(self, old: Sequence[Object]) -> bool:
        return any(
            not is_terminal(pod) for rs in old for pod in self._pods.by_index("controller", rs["metadata"]["uid"])
        )

    async def _annotate_new(self, deployment: Object, new: Object | None, old: Sequence[Object]) -> Object | None:
        """The new set with its revision written on it, and on the Deployment; None stays None."""
        if new is None:
            return None
        number = max(s.next_revision(old), 1)
        wanted = s.annotations_for(deployment, new, number)
        min_ready_s = deployment["spec"].get("minReadySeconds", 0)
        if wanted != s.annotations(new) or new["spec"].get("minReadySeconds", 0) != min_ready_s:
            new = copy.deepcopy(new)
            new["metadata"]["annotations"] = wanted
            new["spec"]["minReadySeconds"] = min_ready_s
            new = await self.client.update(_SETS, new)
        await self._note_revision(deployment, s.annotations(new).get(s.REVISION, str(number)))
        return new

    async def _note_revision(self, deployment: Object, number: str) -> None:
        """Written through the status, so that it does not count as a change of the spec."""
        if s.annotations(deployment).get(s.REVISION) != number:
            meta = {**deployment["metadata"], "annotations": {**s.annotations(deployment), s.REVISION: number}}
            stored = await self.client.update(_DEPLOYMENTS, {**deployment, "metadata": meta}, subresource="status")
            deployment["metadata"] = stored["metadata"]

    async def _create_set(self, deployment: Object, old: Sequence[Object]) -> Object | None:
        meta = deployment["metadata"]
        collisions = (deployment.get("status") or {}).get("collisionCount", 0)
        body = _new_set(deployment, old, collisions)
        try:
            new = await self.client.create(_SETS, body, meta["namespace"])
        except errors.AlreadyExists:
            return await self._resolve_collision(deployment, body, collisions)
        except errors.ApiError as error:
            if not (isinstance(error, errors.Forbidden) and "is being terminated" in error.message):
                text = f'Failed to create new replica set "{body["metadata"]["name"]}": {error.message}'
                self._recorder.event(deployment, "Warning", "ReplicaSetCreateError", text)
            raise
        name = new["metadata"]["name"]
        if size := s.replicas(new):
            self._tell_scaled(deployment, name, 0, size)
        await self._note_revision(deployment, s.annotations(new)[s.REVISION])
        _log.info("replica set created", deployment=key_of(deployment), replica_set=name)
        return new

    async def _resolve_collision(self, deployment: Object, body: Object, collisions: int) -> Object | None:
        """The name is taken: by our own set that the cache does not show yet, or by another template's."""
        meta = deployment["metadata"]
        found = await self.client.get(_SETS, body["metadata"]["name"], meta["namespace"])
        controller = controller_of(found)
        if (
            controller
            and controller["uid"] == meta["uid"]
            and s.same_template(found["spec"]["template"], deployment["spec"]["template"])
        ):
            return found
        counted = {**(deployment.get("status") or {}), "collisionCount": collisions + 1}
        await self.client.update(_DEPLOYMENTS, {**deployment, "status": counted}, subresource="status")
        return None

    async def _resize(self, deployment: Object, sizes: rolling.Sizes) -> None:
        surge, _ = rolling.resolve_surge(deployment)
        memory = s.size_annotations(rolling.desired_of(deployment), surge)
        changed = {rs["metadata"]["uid"] for rs, _ in sizes}
        for rs, size in sizes:
            before = s.replicas(rs)
            body = copy.deepcopy(rs)
            body["spec"]["replicas"] = size
            body["metadata"].setdefault("annotations", {}).update(memory)
            stored = await self.client.update(_SETS, body)
            rs["spec"], rs["metadata"] = stored["spec"], stored["metadata"]
            self._tell_scaled(deployment, rs["metadata"]["name"], before, size)
        for rs in await self._stale_sizes(deployment, changed, memory):
            meta = rs["metadata"]
            await self.client.patch(_SETS, meta["name"], {"metadata": {"annotations": memory}}, meta["namespace"])

    async def _stale_sizes(self, deployment: Object, changed: set[str], memory: dict[str, str]) -> list[Object]:
        """Sets with pods that keep their size but remember another size of the Deployment."""
        owned = self._sets.by_index("namespace", deployment["metadata"]["namespace"])
        return [
            rs
            for rs in owned
            if (controller := controller_of(rs))
            and controller["uid"] == deployment["metadata"]["uid"]
            and rs["metadata"]["uid"] not in changed
            and s.replicas(rs)
            and not memory.items() <= s.annotations(rs).items()
        ]

    def _tell_scaled(self, deployment: Object, name: str, before: int, size: int) -> None:
        if before != size:
            way = "up" if size > before else "down"
            text = f"Scaled {way} replica set {name} from {before} to {size}"
            self._recorder.event(deployment, "Normal", "ScalingReplicaSet", text)

    async def _forget_history(self, deployment: Object, old: Sequence[Object]) -> None:
        limit = deployment["spec"].get("revisionHistoryLimit", 10)
        idle = [rs for rs in old if not is_deleting(rs)]
        idle = [rs for rs in idle if not s.replicas(rs) and not s.count(rs, "replicas")]
        idle = [rs for rs in idle if rs["metadata"].get("generation", 0) <= s.count(rs, "observedGeneration")]
        for rs in sorted(idle, key=s.revision)[: max(0, len(idle) - limit)]:
            meta = rs["metadata"]
            try:
                await self.client.delete(_SETS, meta["name"], meta["namespace"], uid=meta["uid"])
            except (errors.NotFound, errors.Conflict):
                continue

    async def _write_status(
        self, deployment: Object, new: Object | None, old: Sequence[Object], *, began: bool = False
    ) -> None:
        now = self.context.clock.now()
        wanted = status.plan_status(deployment, new, old, now, began=began)
        if wanted != deployment.get("status"):
            await self.client.update(_DEPLOYMENTS, {**deployment, "status": wanted}, subresource="status")
        progressing = next((c for c in wanted["conditions"] if c["type"] == "Progressing"), None)
        if progressing and progressing["reason"] == "ReplicaSetUpdated" and status.has_deadline(deployment):
            self.queue.add_after(key_of(deployment), status.seconds_left(deployment, progressing, now) + 1)


def _selector(deployment: Object) -> selectors.Selector:
    return selectors.from_label_selector(deployment["spec"]["selector"])


def _new_set(deployment: Object, old: Sequence[Object], collisions: int) -> Object:
    """The ReplicaSet for the Deployment's present template, sized as the rollout allows."""
    meta, spec = deployment["metadata"], deployment["spec"]
    name_hash = s.template_hash(spec["template"], collisions)
    template = copy.deepcopy(spec["template"])
    template.setdefault("metadata", {}).setdefault("labels", {})[s.HASH_LABEL] = name_hash
    selector = copy.deepcopy(spec["selector"])
    selector.setdefault("matchLabels", {})[s.HASH_LABEL] = name_hash
    surge, _ = rolling.resolve_surge(deployment)
    number = s.next_revision(old)
    body: Object = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name']}-{name_hash}",
            "namespace": meta["namespace"],
            "labels": template["metadata"]["labels"],
            "annotations": {
                **s.annotations_for(deployment, None, number),
                **s.size_annotations(rolling.desired_of(deployment), surge),
            },
            "ownerReferences": [owner_reference(deployment, _DEPLOYMENTS)],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": selector,
            "template": template,
        },
    }
    body["spec"]["replicas"] = rolling.plan_new_size(deployment, body, [body, *old])
    return body
