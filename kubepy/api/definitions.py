"""The OpenAPI definitions of the served release, as nodes to walk: `Schema`.

Loaded once as slices of bytes (a few milliseconds, no descriptions in memory) and parsed a definition at a time when
something first walks into it. A node carries what merging, pruning and applying need: the kind of value, and how lists
and maps are keyed. Left to others: decoding by these nodes (decoding.py), documents for clients (openapi.py).

Source: the definitions in package kubernetes-validate; the x-kubernetes extensions as structured-merge-diff reads them.
"""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

SCHEMA_FOLDER: Final = ("kubernetes-json-schema", "v1.37.0-local", "_definitions.json")

META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
_EXTENSIONS: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
_SPECIAL: Final = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    META + "Time": "time",
    META + "MicroTime": "micro-time",
    META + "FieldsV1": "any",
    META + "Patch": "any",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
    _EXTENSIONS + "JSON": "any",
    _EXTENSIONS + "JSONSchemaPropsOrArray": "props-or",
    _EXTENSIONS + "JSONSchemaPropsOrBool": "props-or",
    _EXTENSIONS + "JSONSchemaPropsOrStringArray": "props-or",
    _EXTENSIONS + "CustomResourceSubresourceStatus": "any",
}
JSON_SCHEMA_PROPS: Final = _EXTENSIONS + "JSONSchemaProps"


class Schema:
    """One node: a struct, map, list or scalar, with how it merges.

    `kind` is struct, map, list, string, bytes, boolean, int32, int64, number, quantity, int-or-string, time,
    micro-time, props-or (a JSONSchemaProps or something plainer) or any. `properties` are a struct's fields; `items`
    is what a list holds or what a map's values are. `name` is the definition's, empty for what is written in place.
    """

    __slots__ = (
        "_items", "_properties", "_raw", "kind", "list_type", "map_keys", "map_type", "merge_key", "name",
        "patch_strategy", "preserve_unknown", "required",
    )  # fmt: skip

    def __init__(self, raw: dict[str, Any], name: str = "", use: dict[str, Any] | None = None) -> None:
        self._raw = raw
        self.name = name
        self.kind = _SPECIAL.get(name) or _kind_of(raw)
        self.required: frozenset[str] = frozenset(raw.get("required") or ())
        self._properties: dict[str, Schema] | None = None
        self._items: Schema | None = None
        marks = {**raw, **(use or {})}
        strategy = marks.get("x-kubernetes-patch-strategy") or ""
        self.patch_strategy: tuple[str, ...] = tuple(strategy.split(",")) if strategy else ()
        self.merge_key: str = marks.get("x-kubernetes-patch-merge-key") or ""
        self.list_type: str = marks.get("x-kubernetes-list-type") or ""
        self.map_keys: tuple[str, ...] = tuple(marks.get("x-kubernetes-list-map-keys") or ())
        self.map_type: str = marks.get("x-kubernetes-map-type") or ""
        self.preserve_unknown = bool(marks.get("x-kubernetes-preserve-unknown-fields"))

    @property
    def properties(self) -> dict[str, "Schema"]:
        if self._properties is None:
            found = self._raw.get("properties") or {}
            self._properties = {field: schema_from(raw) for field, raw in found.items()}
        return self._properties

    @property
    def items(self) -> "Schema":
        """What the list holds, or the map's values are; `any` where the schema does not say."""
        if self._items is None:
            raw = self._raw.get("items" if self.kind == "list" else "additionalProperties")
            self._items = schema_from(raw) if isinstance(raw, dict) else ANY
        return self._items

    def child(self, field: str) -> "Schema":
        """The schema of a struct's field or of a map's value; `any` below what is unknown."""
        if self.kind == "struct":
            return self.properties.get(field, ANY)
        return self.items if self.kind == "map" else ANY

    def is_atomic(self) -> bool:
        """True when one manager owns the value as a whole (structured-merge-diff's rule)."""
        if self.kind in ("struct", "map"):
            return self.map_type == "atomic"
        if self.kind == "list":
            return self.list_type not in ("map", "set")
        return True

    def __repr__(self) -> str:
        return f"Schema({self.name or self.kind})"


def _kind_of(raw: dict[str, Any]) -> str:
    stated = raw.get("type")
    kind = next((k for k in stated if k != "null"), None) if isinstance(stated, list) else stated
    if raw.get("x-kubernetes-int-or-string"):
        return "int-or-string"
    if kind == "object" or (kind is None and "properties" in raw):
        if "additionalProperties" in raw:
            return "map"
        return "struct" if "properties" in raw or not raw.get("x-kubernetes-preserve-unknown-fields") else "any"
    if kind == "array":
        return "list"
    if kind == "string":
        return "bytes" if raw.get("format") == "byte" else "string"
    if kind == "integer":
        return "int32" if raw.get("format") == "int32" else "int64"
    return {"boolean": "boolean", "number": "number"}.get(kind or "", "any")


def schema_from(raw: dict[str, Any]) -> Schema:
    """The node for one piece of a JSON schema; a `$ref` leads to the definition's shared node where it adds nothing."""
    reference = raw.get("$ref")
    if reference is None:
        return Schema(raw)
    name = reference.rpartition("/")[2]
    if not any(key.startswith("x-kubernetes-") for key in raw):
        return definition(name)
    return Schema(_parsed(name), name, raw)


ANY: Final = Schema({})


class _File(msgspec.Struct):
    defs: dict[str, msgspec.Raw] = msgspec.field(name="$defs")


class _Kind(msgspec.Struct):
    group: str
    version: str
    kind: str


class _Kinds(msgspec.Struct):
    kinds: list[_Kind] = msgspec.field(name="x-kubernetes-group-version-kind", default_factory=list)


def definitions_bytes() -> bytes:
    """The file as shipped; the package itself, and the validator that it imports, stay unloaded."""
    found = importlib.util.find_spec("kubernetes_validate")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("kubernetes_validate")
    return Path(found.submodule_search_locations[0]).joinpath(*SCHEMA_FOLDER).read_bytes()


@cache
def _slices() -> dict[str, msgspec.Raw]:
    return msgspec.json.decode(definitions_bytes(), type=_File).defs


def raw_definition(name: str) -> dict[str, Any]:
    """One definition as shipped, prose and all; parsed anew at each call. Raises KeyError."""
    return msgspec.json.decode(_slices()[name])  # type: ignore[no-any-return]


def _parsed(name: str) -> dict[str, Any]:
    """One definition without its prose, which would be most of what is kept in memory."""
    parsed = raw_definition(name)
    for field in parsed.get("properties", {}).values():
        field.pop("description", None)
    parsed.pop("description", None)
    return parsed


@cache
def definition(name: str) -> Schema:
    """The shared node of a definition. Raises KeyError."""
    return Schema(_parsed(name), name)


@cache
def _names_by_kind() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for name, raw in _slices().items():
        if b"x-kubernetes-group-version-kind" not in bytes(raw):
            continue
        for entry in msgspec.json.decode(raw, type=_Kinds).kinds:
            api_version = f"{entry.group}/{entry.version}" if entry.group else entry.version
            found.setdefault((api_version, entry.kind), name)
    return found


def definition_name(api_version: str, kind: str) -> str | None:
    return _names_by_kind().get((api_version, kind))


def definition_names() -> list[str]:
    return list(_slices())


def schema_of(api_version: str, kind: str) -> Schema | None:
    """The schema of a built-in kind, or None."""
    name = definition_name(api_version, kind)
    return definition(name) if name else None
