"""Lets VolumeAttributesClasses go once no claim and no volume names them.

Decided from caches alone, as upstream does: lists of all claims for every class would cost more than the chance that a
claim comes at the same moment is worth. Source: pkg/controller/volume/vacprotection.
"""

from collections.abc import Callable

from kubepy.api import resources
from kubepy.api.errors import NotFound
from kubepy.api.meta import Object, key_of
from kubepy.client.informer import Informer
from kubepy.controllers.controller import Context, Controller
from kubepy.controllers.volume_protection.finalizers import is_work, plan_finalizer

_CLASSES = resources.named("volumeattributesclasses", "storage.k8s.io")
_CLAIMS, _VOLUMES = resources.named("persistentvolumeclaims"), resources.named("persistentvolumes")
_BY_CLASS = "volumeAttributesClassName"
FINALIZER = "kubernetes.io/vac-protection"


def classes_of_claim(claim: Object) -> set[str]:
    """The classes that the claim asks for, has, or is on its way to."""
    status = claim.get("status") or {}
    names = (
        claim["spec"].get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    return {name for name in names if name}


def classes_of_volume(volume: Object) -> set[str]:
    """The class of the volume, if it has one."""
    name = volume["spec"].get("volumeAttributesClassName")
    return {name} if name else set()


class AttributesClassProtectionController(Controller):
    """Works VolumeAttributesClasses."""

    name = "volumeattributesclass-protection"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._classes = self.watch(_CLASSES)
        self.enqueue_from(self._classes, lambda found: [key_of(found)] if is_work(found, FINALIZER) else [])
        self._users = (self.watch(_CLAIMS), self.watch(_VOLUMES))
        self._follow(self._users[0], classes_of_claim)
        self._follow(self._users[1], classes_of_volume)

    def _follow(self, users: Informer, classes_of: Callable[[Object], set[str]]) -> None:
        """A class that is named no more may go."""
        users.add_indexer(_BY_CLASS, classes_of)
        users.add_handler(
            on_update=lambda old, new: self._enqueue(classes_of(old) - classes_of(new)),
            on_delete=lambda user: self._enqueue(classes_of(user)),
        )

    def _enqueue(self, names: set[str]) -> None:
        for name in names:
            self.queue.add(name)

    async def sync(self, key: str) -> None:
        found = self._classes.get(key)
        if found is None:
            return
        used = any(informer.by_index(_BY_CLASS, key) for informer in self._users)
        planned = plan_finalizer(found, FINALIZER, used=used)
        if planned is None:
            return
        try:
            await self.client.update(_CLASSES, planned)
        except NotFound:
            return
