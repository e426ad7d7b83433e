"""Objects without a server: a Lookup over a dict."""

from collections.abc import Mapping
from typing import Any

import pytest

from kubepy.api import resources, schemas
from kubepy.api.resources import Resource

Object = dict[str, Any]
FIELD_PATHS = {"spec.nodeName": ("spec", "nodeName")}


class Objects:
    """A Lookup whose objects are put in by hand."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._versions: dict[str, int] = {}

    def put(self, *objects: Object) -> "Objects":
        for obj in objects:
            resource = resources.by_kind(obj["apiVersion"], obj["kind"])
            assert resource is not None
            metadata = obj["metadata"]
            metadata.setdefault("uid", f"uid-{metadata['name']}")
            self._objects[resource.qualified, metadata.get("namespace", ""), metadata["name"]] = obj
            self._changed(resource)
        return self

    def remove(self, resource: Resource, name: str, namespace: str = "") -> None:
        del self._objects[resource.qualified, namespace, name]
        self._changed(resource)

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        return self._objects.get((resource.qualified, namespace or "", name))

    def list(
        self, resource: Resource, namespace: str | None = None, *, fields: Mapping[str, str] | None = None
    ) -> list[Object]:
        return [
            obj
            for (kind, where, _), obj in self._objects.items()
            if kind == resource.qualified
            and (not namespace or where == namespace)
            and all(read(obj, FIELD_PATHS[field]) == value for field, value in (fields or {}).items())
        ]

    def version(self, resource: Resource) -> int:
        return self._versions.get(resource.qualified, 0)

    async def fresh(self, resource: Resource) -> None:
        return None

    def _changed(self, resource: Resource) -> None:
        self._versions[resource.qualified] = self._versions.get(resource.qualified, 0) + 1


class OneVersion:
    """Kinds without conversions."""

    version = 1

    def equivalents(self, resource: Resource) -> list[Resource]:
        return []

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        return resources.by_kind(api_version, kind)

    def schema(self, resource: Resource) -> "schemas.Schema | None":
        return schemas.schema_of(resource.api_version, resource.kind)

    async def view(self, obj: Object, resource: Resource, subresource: str) -> Object:
        return obj

    async def settle(
        self, changed: Object, obj: Object, resource: Resource, subresource: str, *, strict: bool = False
    ) -> None:
        obj.clear()
        obj.update(changed)


def read(obj: Object, path: tuple[str, ...]) -> str:
    value: Any = obj
    for key in path:
        value = value.get(key) or {}
    return value or ""


@pytest.fixture
def objects() -> Objects:
    return Objects()
