"""The loop that keeps the pods of ReplicaSets and of ReplicationControllers; decisions are in plan.py."""

from collections.abc import Iterable
from typing import ClassVar

from kubepy.api import errors, resources, selectors
from kubepy.api.meta import Object, controller_of, is_deleting, key_of, owner_reference
from kubepy.api.resources import Resource
from kubepy.controllers.batches import run_slow_start
from kubepy.controllers.controller import Context, Controller
from kubepy.controllers.expectations import Expectations
from kubepy.controllers.indexers import index_by_controller, index_orphans
from kubepy.controllers.ownership import claim_objects, plan_claim
from kubepy.controllers.pods import pod_from_template
from kubepy.controllers.replicaset import plan
from kubepy.lib import log
from kubepy.lib.workqueue import Retry

_log = log.get(__name__)
_PODS = resources.named("pods")


class ReplicaSetController(Controller):
    """Works ReplicaSets."""

    name = "replicaset"
    workers = 8
    component: ClassVar[str] = "replicaset-controller"
    resource: ClassVar[Resource] = resources.named("replicasets", "apps")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._expectations = Expectations(context.clock)
        self._recorder = context.recorder(self.component)
        self._sets = self.watch(self.resource)
        self._pods = self.watch(_PODS)
        self._pods.add_indexer("controller", index_by_controller)
        self._pods.add_indexer("namespace-orphans", index_orphans)
        self.enqueue_from(self._sets, lambda obj: [key_of(obj)])
        self._pods.add_handler(on_add=self._pod_added, on_update=self._pod_changed, on_delete=self._pod_gone)

    @staticmethod
    def selector_of(owner: Object) -> selectors.Selector:
        """What the owner's pods are recognised by."""
        return selectors.from_label_selector(owner["spec"].get("selector") or {})

    def _owner_key(self, pod: Object) -> str | None:
        controller = controller_of(pod)
        if controller is None or controller["kind"] != self.resource.kind:
            return None
        owner = self._sets.get(f"{pod['metadata']['namespace']}/{controller['name']}")
        return key_of(owner) if owner and owner["metadata"]["uid"] == controller["uid"] else None

    def _selecting(self, pod: Object) -> Iterable[str]:
        """The sets that may want to adopt an orphan."""
        labels = pod["metadata"].get("labels") or {}
        namespace = pod["metadata"]["namespace"]
        for owner in self._sets.items():
            if owner["metadata"]["namespace"] == namespace and self.selector_of(owner).matches(labels):
                yield key_of(owner)

    def _pod_added(self, pod: Object) -> None:
        if is_deleting(pod):
            self._pod_gone(pod)
        elif key := self._owner_key(pod):
            self._expectations.creation_seen(key)
            self.queue.add(key)
        elif controller_of(pod) is None:
            for key in self._selecting(pod):
                self.queue.add(key)

    def _pod_changed(self, old: Object, new: Object) -> None:
        if is_deleting(new) and not is_deleting(old):
            self._pod_gone(new)
            return
        was, now = self._owner_key(old), self._owner_key(new)
        for key in {was, now} - {None}:
            self.queue.add(str(key))
        if now is None and controller_of(new) is None:
            for key in self._selecting(new):
                self.queue.add(key)

    def _pod_gone(self, pod: Object) -> None:
        if key := self._owner_key(pod):
            self._expectations.deletion_seen(key, pod["metadata"]["uid"])
            self.queue.add(key)

    async def sync(self, key: str) -> None:
        owner = self._sets.get(key)
        if owner is None:
            self._expectations.forget(key)
            return
        pods = plan.active(await self._claim(owner))
        failure = None
        if self._expectations.satisfied(key) and not is_deleting(owner):
            failure = await self._carry_out(owner, key, pods)
        await self._write_status(owner, key, pods, failure)
        if failure is not None:
            raise Retry

    async def _claim(self, owner: Object) -> list[Object]:
        meta = owner["metadata"]
        mine = self._pods.by_index("controller", meta["uid"])
        orphans = self._pods.by_index("namespace-orphans", meta["namespace"])
        claim = plan_claim(owner, self.selector_of(owner), [*mine, *orphans])
        if not claim.adopt and not claim.release:
            return claim.owned
        claim = type(claim)(claim.owned, plan.active(claim.adopt), claim.release)
        return await claim_objects(self.client, owner, self.resource, _PODS, claim)

    async def _carry_out(self, owner: Object, key: str, pods: list[Object]) -> tuple[str, str] | None:
        todo = plan.plan_replicas(owner["spec"].get("replicas", 1), pods, self.context.clock.now())
        try:
            if todo.create:
                await self._create(owner, key, todo.create)
            for pod in todo.delete:
                await self._delete(owner, key, pod)
        except errors.ApiError as error:
            if isinstance(error, errors.Forbidden) and "is being terminated" in error.message:
                return None  # the namespace goes, and takes the set with it
            return ("FailedCreate" if todo.create else "FailedDelete"), error.message
        return None

    async def _create(self, owner: Object, key: str, count: int) -> None:
        self._expectations.expect_creations(key, count)
        template = owner["spec"]["template"]
        body = pod_from_template(template, owner, owner_reference(owner, self.resource))
        made = 0

        async def create_one() -> None:
            nonlocal made
            pod = await self.client.create(_PODS, body, owner["metadata"]["namespace"])
            made += 1
            self._recorder.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")

        try:
            await run_slow_start(count, create_one)
        except errors.ApiError as error:
            self._recorder.event(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
            raise
        finally:
            for _ in range(count - made):
                self._expectations.creation_seen(key)
            _log.info("pods created", kind=self.resource.kind, key=key, wanted=count, made=made)

    async def _delete(self, owner: Object, key: str, pod: Object) -> None:
        meta = pod["metadata"]
        self._expectations.expect_deletion(key, meta["uid"])
        try:
            await self.client.delete(_PODS, meta["name"], meta["namespace"], uid=meta["uid"])
        except (errors.NotFound, errors.Conflict):
            self._expectations.deletion_seen(key, meta["uid"])  # gone already, or another by that name
        except ConnectionError:
            self._expectations.deletion_seen(key, meta["uid"])
            raise
        except errors.ApiError as error:
            self._expectations.deletion_seen(key, meta["uid"])
            self._recorder.event(owner, "Warning", "FailedDelete", f"Error deleting: {error.message}")
            raise
        else:
            self._recorder.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {meta['name']}")

    async def _write_status(self, owner: Object, key: str, pods: list[Object], failure: tuple[str, str] | None) -> None:
        now = self.context.clock.now()
        status = plan.plan_status(owner, pods, failure, now)
        if status != {
            name: value for name, value in (owner.get("status") or {}).items() if value or name == "replicas"
        }:
            await self.client.update(self.resource, {**owner, "status": status}, subresource="status")
        wait_s = plan.next_availability_s(pods, owner["spec"].get("minReadySeconds", 0), now)
        if wait_s is not None:
            self.queue.add_after(key, wait_s)


class ReplicationController(ReplicaSetController):
    """Works ReplicationControllers: the same loop, an older kind with a plain map for a selector."""

    name = "replicationcontroller"
    component = "replication-controller"
    resource = resources.named("replicationcontrollers")

    @staticmethod
    def selector_of(owner: Object) -> selectors.Selector:
        return selectors.from_label_selector({"matchLabels": owner["spec"].get("selector") or {}})
