"""Lets PersistentVolumes go once they are not bound. Source: pkg/controller/volume/pvprotection."""

from kubepy.api import resources
from kubepy.api.errors import NotFound
from kubepy.api.meta import Object, key_of
from kubepy.controllers.controller import Context, Controller
from kubepy.controllers.volume_protection.finalizers import is_work, plan_finalizer

_VOLUMES = resources.named("persistentvolumes")
FINALIZER = "kubernetes.io/pv-protection"


def is_bound(volume: Object) -> bool:
    """Whether a claim has the volume."""
    return (volume.get("status") or {}).get("phase") == "Bound"


class VolumeProtectionController(Controller):
    """Works PersistentVolumes."""

    name = "persistentvolume-protection"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._volumes = self.watch(_VOLUMES)
        self.enqueue_from(self._volumes, lambda volume: [key_of(volume)] if is_work(volume, FINALIZER) else [])

    async def sync(self, key: str) -> None:
        volume = self._volumes.get(key)
        planned = plan_finalizer(volume, FINALIZER, used=is_bound(volume)) if volume else None
        if planned is None:
            return
        try:
            await self.client.update(_VOLUMES, planned)
        except NotFound:
            return
