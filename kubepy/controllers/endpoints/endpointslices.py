"""The loop that writes EndpointSlices; which slices there should be is decided in slices.py.

Source: pkg/controller/endpointslice/endpointslice_controller.go.
"""

from kubepy.api import errors, resources
from kubepy.api.meta import Object, is_deleting
from kubepy.controllers.controller import Context
from kubepy.controllers.endpoints.backends import backends, families_of
from kubepy.controllers.endpoints.base import SERVICES, ServiceController
from kubepy.controllers.endpoints.slices import MANAGED_BY, OUR_NAME, SERVICE_NAME, plan_slices
from kubepy.controllers.expectations import Expectations

_SLICES = resources.named("endpointslices", "discovery.k8s.io")
_NODES = resources.named("nodes")
_ZONE = "topology.kubernetes.io/zone"


def _index_by_service(found: Object) -> list[str]:
    labels = found["metadata"].get("labels") or {}
    if labels.get(MANAGED_BY) != OUR_NAME or SERVICE_NAME not in labels:
        return []
    return [f"{found['metadata']['namespace']}/{labels[SERVICE_NAME]}"]


class EndpointSliceController(ServiceController):
    """Writes the slices of each Service that has a selector."""

    name = "endpointslice"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._slices = self.watch(_SLICES)
        self._nodes = self.watch(_NODES)
        self._slices.add_indexer("service", _index_by_service)
        self._expectations = Expectations(context.clock)
        self._slices.add_handler(on_add=self._slice_added, on_update=self._slice_changed, on_delete=self._slice_gone)

    def _slice_added(self, found: Object) -> None:
        for key in _index_by_service(found):
            self._expectations.creation_seen(key)
            self.queue.add(key)

    def _slice_changed(self, old: Object, new: Object) -> None:
        for key in {*_index_by_service(old), *_index_by_service(new)}:
            self.queue.add(key)

    def _slice_gone(self, found: Object) -> None:
        for key in _index_by_service(found):
            self._expectations.deletion_seen(key, found["metadata"]["uid"])
            self.queue.add(key)

    async def sync(self, key: str) -> None:
        service = self._services.get(key)
        if service is None:
            self._expectations.forget(key)
            return  # the garbage collector takes its slices
        spec = service["spec"]
        if is_deleting(service) or not spec.get("selector") or spec.get("type") == "ExternalName":
            return
        if not self._expectations.satisfied(key):
            return  # the cache does not show what was written last: its event brings us back
        pods = self.selected_pods(service)
        zones = self._zones()
        current = self._slices.by_index("service", key)
        for family in families_of(service):
            ours = [found for found in current if found["addressType"] == family]
            plan = plan_slices(service, SERVICES, family, backends(service, pods, family), ours, zones)
            for body in plan.create:
                await self._create(key, body)
            for body in plan.update:
                await self.client.update(_SLICES, body)
            for body in plan.delete:
                await self._delete(key, body)

    def _zones(self) -> dict[str, str]:
        return {
            node["metadata"]["name"]: zone
            for node in self._nodes.items()
            if (zone := (node["metadata"].get("labels") or {}).get(_ZONE))
        }

    async def _create(self, key: str, body: Object) -> None:
        self._expectations.expect_creations(key, 1)
        try:
            await self.client.create(_SLICES, body)
        except errors.ApiError as error:
            self._expectations.creation_seen(key)
            if not (isinstance(error, errors.Forbidden) and "is being terminated" in error.message):
                raise
        except ConnectionError:
            self._expectations.creation_seen(key)
            raise

    async def _delete(self, key: str, body: Object) -> None:
        meta = body["metadata"]
        self._expectations.expect_deletion(key, meta["uid"])
        try:
            await self.client.delete(_SLICES, meta["name"], meta["namespace"], uid=meta["uid"])
        except (errors.NotFound, errors.Conflict):
            self._expectations.deletion_seen(key, meta["uid"])
