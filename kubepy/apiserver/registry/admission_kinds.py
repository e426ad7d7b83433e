"""`apiserver.admission.kinds.Kinds` over the engine: objects as webhooks and policies want to see them.

What admission is given is an object as it is stored; through `scale` a Scale is seen of it, and what is not the
resource's own kind (a Binding, an Eviction, options of a CONNECT) is seen as it is.
"""

import copy
from collections.abc import Sequence

from kubepy.api import patches, schemas
from kubepy.api.definitions import Schema
from kubepy.api.errors import BadRequest
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.registry import conversion, owning
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.json_path import put
from kubepy.apiserver.registry.scaling import scale_of
from kubepy.apiserver.registry.served import Served

_SCALE = "scale"


class EngineKinds:
    """See the module's docstring."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def version(self) -> int:
        return self._engine.changes

    def equivalents(self, resource: Resource) -> Sequence[Resource]:
        served = self._engine.find(resource.group, resource.version, resource.plural)
        if served is None:
            return ()
        return [
            other.resource
            for other in self._engine.all_served()
            if other.prefix == served.prefix and other.resource is not served.resource
        ]

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        served = (each.resource for each in self._engine.all_served())
        return next((row for row in served if row.kind == kind and row.api_version == api_version), None)

    def schema(self, resource: Resource) -> Schema | None:
        served = self._engine.find(resource.group, resource.version, resource.plural)
        return owning.schema_of(served) if served is not None else None

    async def view(self, obj: Object, resource: Resource, subresource: str) -> Object:
        served = self._engine.find(resource.group, resource.version, resource.plural)
        if served is None or obj.get("kind") != resource.kind:
            return obj
        if subresource == _SCALE:
            return scale_of(obj, served.custom)
        return conversion.from_storage(served, await conversion.read_one(served, obj))

    async def settle(
        self, changed: Object, obj: Object, resource: Resource, subresource: str, *, strict: bool = False
    ) -> None:
        served = self._engine.find(resource.group, resource.version, resource.plural)
        if served is None or obj.get("kind") != resource.kind:
            _decode(changed, obj["apiVersion"], obj["kind"], strict=strict)
        elif subresource == _SCALE:
            _put_replicas(served, changed, obj)
            return
        else:
            changed = self._whole(served, copy.deepcopy(changed), strict=strict)
            if served.converter is not None:
                changed = (await served.converter.convert([changed], obj["apiVersion"]))[0]
        obj.clear()
        obj.update(changed)

    @staticmethod
    def _whole(served: Served, changed: Object, *, strict: bool) -> Object:
        row = served.resource
        if served.custom is None:
            _decode(changed, row.api_version, row.kind, strict=strict)
        else:
            served.custom.decode(changed)
        conversion.complete(served, changed)
        return conversion.to_storage(served, changed)


def _decode(changed: Object, api_version: str, kind: str, *, strict: bool = False) -> None:
    """Raises BadRequest with the decoder's own words."""
    if changed.get("apiVersion") != api_version or changed.get("kind") != kind:
        raise BadRequest("the patch changes what the object is")
    try:
        schemas.decode_kind(api_version, kind, changed, strict=strict)
    except BadRequest as fault:
        raise BadRequest(patches.decoders_words(fault.message)) from fault


def _put_replicas(served: Served, scale: Object, obj: Object) -> None:
    _decode(scale, "autoscaling/v1", "Scale")
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    if served.custom is not None and served.custom.scale is not None:
        put(served.custom.scale["specReplicasPath"], obj, replicas)
    else:
        obj["spec"] = {**(obj.get("spec") or {}), "replicas": replicas}
