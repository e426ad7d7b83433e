"""Lets PersistentVolumeClaims go once no pod needs them, and tells in their status whether one uses them.

Invariant: no claim goes on the word of a cache alone; a pod that is new may not be there yet. Lists of the server's
pods cost, so that claims are worked a namespace at a time: one list answers for all that wait.
Source: pkg/controller/volume/pvcprotection.
"""

from kubepy.api import resources
from kubepy.api.errors import Conflict, NotFound
from kubepy.api.meta import Object, condition_of, join_key, key_of, name_of, split_key, uid_of
from kubepy.client.client import Client
from kubepy.client.informer import Informer
from kubepy.controllers.controller import Context, Controller
from kubepy.controllers.volume_protection.claim_use import (
    UNUSED,
    claims_of,
    needs_for_good,
    plan_unused,
    tells_use,
    uses,
    weight_of,
)
from kubepy.controllers.volume_protection.finalizers import is_deletion_candidate, is_work, plan_finalizer
from kubepy.lib.clock import rfc3339
from kubepy.lib.workqueue import Retry

_CLAIMS, _PODS = resources.named("persistentvolumeclaims"), resources.named("pods")
_BY_CLAIM = "claim"
FINALIZER = "kubernetes.io/pvc-protection"


class _PodsOf:
    """The pods of a namespace: those of the cache at once, those of the server with one list when asked for."""

    def __init__(self, client: Client, cached: Informer, namespace: str) -> None:
        self._client = client
        self._cached = cached
        self._namespace = namespace
        self._live: list[Object] | None = None

    def cached(self, claim: Object) -> list[Object]:
        """Those that name the claim."""
        return self._cached.by_index(_BY_CLAIM, key_of(claim))

    async def live(self) -> list[Object]:
        """All of them."""
        if self._live is None:
            self._live = (await self._client.list(_PODS, self._namespace))["items"] or []
        return self._live


class ClaimProtectionController(Controller):
    """Works the claims of a namespace together; the queue's keys are namespaces."""

    name = "persistentvolumeclaim-protection"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._claims = self.watch(_CLAIMS)
        self._pods = self.watch(_PODS)
        self._pods.add_indexer(_BY_CLAIM, claims_of)
        self._waiting: dict[str, set[str]] = {}
        self._claims.add_handler(on_add=self._claim_came, on_update=self._claim_changed)
        self._pods.add_handler(on_add=self._pod_matters, on_update=self._pod_changed, on_delete=self._pod_matters)

    def _claim_came(self, claim: Object) -> None:
        """What its status tells may be old: pods come and go while nobody looks."""
        if is_work(claim, FINALIZER) or tells_use(claim):
            self._enqueue(key_of(claim))

    def _claim_changed(self, _: Object, claim: Object) -> None:
        if is_work(claim, FINALIZER) or (tells_use(claim) and condition_of(claim, UNUSED) is None):
            self._enqueue(key_of(claim))

    def _pod_matters(self, pod: Object) -> None:
        for key in claims_of(pod):
            self._enqueue(key)

    def _pod_changed(self, old: Object, new: Object) -> None:
        """A pod of the same name may have taken the place of one whose end nobody told of."""
        if uid_of(old) != uid_of(new):
            self._pod_matters(old)
            self._pod_matters(new)
        elif weight_of(old) != weight_of(new):
            self._pod_matters(new)

    def _enqueue(self, key: str) -> None:
        namespace, name = split_key(key)
        self._waiting.setdefault(namespace, set()).add(name)
        self.queue.add(namespace)

    async def sync(self, key: str) -> None:
        """Works what waits in the namespace; what does not come to rest waits for the next turn."""
        again = self._waiting.pop(key, set())
        found = [self._claims.get(join_key(key, name)) for name in again]  # before the pods: they must be newer
        pods = _PodsOf(self.client, self._pods, key)
        again &= {name_of(claim) for claim in found if claim is not None}
        try:
            for claim in found:
                if claim is not None and await self._settle(claim, pods):
                    again.discard(name_of(claim))
        finally:
            if again:
                self._waiting.setdefault(key, set()).update(again)
        if again:
            raise Retry

    async def _settle(self, claim: Object, pods: _PodsOf) -> bool:
        """Brings one claim to rest; False where it is to be planned again from a newer state."""
        try:
            planned = plan_finalizer(claim, FINALIZER, used=await _must_stay(claim, pods))
            if planned is not None:
                claim = await self.client.update(_CLAIMS, planned)
            if tells_use(claim):
                now = rfc3339(self.context.clock.now())
                told = plan_unused(claim, used=await _is_used(claim, pods), now=now)
                if told is not None:
                    await self.client.update(_CLAIMS, told, subresource="status")
        except Conflict:
            return False
        except NotFound:
            return True
        return True


async def _must_stay(claim: Object, pods: _PodsOf) -> bool:
    if not is_deletion_candidate(claim, FINALIZER) or any(needs_for_good(pod, claim) for pod in pods.cached(claim)):
        return True
    return any(needs_for_good(pod, claim) for pod in await pods.live())


async def _is_used(claim: Object, pods: _PodsOf) -> bool:
    if any(uses(pod, claim) for pod in pods.cached(claim)):
        return True
    return any(uses(pod, claim) for pod in await pods.live())
