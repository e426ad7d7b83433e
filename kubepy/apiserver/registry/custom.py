"""What a CustomResourceDefinition makes: rows, strategies, rules and printers, for the engine that serves all kinds.

Pure but for the caches' making, which is the engine's. A custom object is pruned, defaulted and validated by its
structural schema; it is stored at the storage version, and served at every served one (conversion: None).
Source: apiextensions-apiserver pkg/apiserver/customresource_handler.go, pkg/registry/customresource.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubepy.api import definitions, names, schemas
from kubepy.api.errors import BadRequest, FieldError, invalid
from kubepy.api.go_values import json_type
from kubepy.api.meta import Object
from kubepy.api.printing.columns import Printer
from kubepy.api.printing.custom import custom_printer
from kubepy.api.resources import Resource, Subresource
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules
from kubepy.api.versions import newest_first
from kubepy.apiserver.cel.pacing import slice_here
from kubepy.apiserver.registry import structural
from kubepy.apiserver.registry.correlation import ABSENT
from kubepy.apiserver.registry.embedded_objects import embeds, faults_of_embedded, mistyped_embedded
from kubepy.apiserver.registry.json_path import find
from kubepy.apiserver.registry.kept import Kept
from kubepy.apiserver.registry.list_types import faults_of_lists
from kubepy.apiserver.registry.scale_paths import faults_of_scale
from kubepy.apiserver.registry.schema_values import faults_of_value
from kubepy.apiserver.registry.strategy import Strategy

if TYPE_CHECKING:
    from kubepy.apiserver.registry.rule_tree import Node

_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_READ_WRITE = ("get", "patch", "update")
_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_OPEN: Mapping[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@dataclass(frozen=True, slots=True)
class Custom:
    """One version of a custom kind. `scale` has specReplicasPath, statusReplicasPath and labelSelectorPath."""

    row: Resource
    schema: Mapping[str, Any]
    scale: Mapping[str, str] | None
    columns: Sequence[Mapping[str, Any]] | None
    printer: Printer = field(compare=False)
    """Made of the columns."""
    compiled: "CompiledRules" = field(compare=False)
    selectable: Mapping[str, str]
    """Field selectors of this version: their JSON paths."""
    kept: Kept
    """How the cache, which all versions share, keeps objects."""
    stored_version: str
    webhook: Mapping[str, Any] | None
    """spec.conversion.webhook, where conversion is its business."""
    is_mixed: bool
    """Whether the store may hold objects of more than one version."""
    embeds: bool
    """Whether there may be whole objects inside of one."""
    deprecation: str = ""
    """What whoever asks for this version is warned of."""

    def decode(self, obj: Object) -> list[str]:
        """Prunes an object in place; what was unknown, as strict decoding tells of it. Raises BadRequest.

        That is its own metadata's first, and last that of objects inside of it.
        """
        meta = obj.get("metadata")
        if meta is not None and not isinstance(meta, dict):
            why = f"json: cannot unmarshal {json_type(meta)} into Go struct field .metadata of type v1.ObjectMeta"
            raise schemas.decode_fault(self.row.api_version, self.row.kind, why)
        own: list[str] = []
        embedded: list[str] = []
        for path, inner in structural.metadata_in(self.schema, obj):
            is_own = path == "metadata"
            found = self._meta_faults(inner, "" if is_own else path)
            (own if is_own else embedded).extend(fault.replace('"', f'"{path}.', 1) for fault in found)
        if self.embeds and (fault := mistyped_embedded(self.schema, obj)) is not None:
            raise schemas.decode_fault(self.row.api_version, self.row.kind, str(fault))
        pruned = sorted(structural.prune(self.schema, obj))
        return [*own, *(f'unknown field "{path}"' for path in pruned), *embedded]

    def _meta_faults(self, meta: Any, path: str) -> list[str]:
        """Unknown fields of an object's metadata; `path` is that of one inside of the object. Raises BadRequest."""
        version, kind = self.row.api_version, self.row.kind
        try:
            return schemas.normalise(_object_meta(), meta, version, kind)
        except BadRequest as fault:
            if not path:
                raise
            why = fault.message.partition(f"cannot be handled as a {kind}: ")[2]
            raise schemas.decode_fault(version, kind, str(invalid(path, meta, why))) from fault

    def typed_schema(self) -> definitions.Schema:
        """The schema with the fields that every object has, as owners of fields are tracked by."""
        properties = {
            **(self.schema.get("properties") or {}),
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"$ref": f"#/$defs/{_OBJECT_META}"},
        }
        return definitions.schema_from({**self.schema, "type": "object", "properties": properties})

    def selected(self, obj: Object) -> dict[str, str]:
        """What field selectors of this version see of an object."""
        return {label: _selected(path, obj) for label, path in self.selectable.items()}

    def fill_defaults(self, obj: Object) -> None:
        """Sets the schema's defaults in place."""
        structural.fill_defaults(self.schema, obj)

    def faults(
        self, obj: Object, old: Any = ABSENT, warnings: list[str] | None = None, *, of_meta: Sequence[FieldError] = ()
    ) -> list[FieldError]:
        """What is wrong with the object, faults of its metadata first; what rules let pass goes to `warnings`."""
        found = [*of_meta, *faults_of_value(self.schema, obj, old=old)]
        found += faults_of_scale(self.scale, obj) if self.scale is not None else []
        found += faults_of_embedded(self.schema, obj) if self.embeds else []
        if old is ABSENT or not faults_of_lists(self.schema, old):
            found += faults_of_lists(self.schema, obj)
        if not self.compiled.exist:
            return found
        if any(fault.reason in _BLOCKING for fault in found):
            return [*found, _NOT_CHECKED]
        return found + self.compiled.check(obj, old, warnings)

    def rules(self, warnings: list[str] | None = None) -> Rules:
        """The rules that the engine runs."""
        namespaced = self.row.namespaced

        def create(obj: Object) -> list[FieldError]:
            found = validate_metadata(obj, namespaced, names.is_dns1123_subdomain, standard_finalizers=False)
            return self.faults(obj, of_meta=found)

        def update(new: Object, old: Object) -> list[FieldError]:
            found = validate_metadata_update(new, old, standard_finalizers=False)
            return self.faults(new, old, warnings, of_meta=found)

        return Rules(create=create, update=update, status=update)


def _object_meta() -> definitions.Schema:
    return definitions.definition(_OBJECT_META)


class CompiledRules:
    """The rules of a schema, compiled when the first object is judged by them."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.exist = structural.has_rules(schema)
        self._schema = schema
        self._tree: Node | None = None

    def check(self, obj: Object, old: Any, warnings: list[str] | None) -> list[FieldError]:
        """What the rules find wrong. Raises TooLong on a loop that they would hold up."""
        from kubepy.apiserver.registry import rule_tree  # only who has rules pays for what compiles them

        if self._tree is None:
            self._tree = rule_tree.compile_rules(self._schema)
        return rule_tree.Run(warnings, slice_here()).check(self._tree, obj, old) if self._tree is not None else []


_BLOCKING = frozenset(
    (
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    )
)
"""Why rules could stumble over a value: it is not what they were written for."""
_NOT_CHECKED = FieldError(
    "<nil>",
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


class CustomStrategy(Strategy):
    """Custom objects: everything but metadata and status counts as spec; without a status subresource, status too."""

    tracks_generation = True
    allows_unconditional_update = False
    status_keeps_metadata = True

    def __init__(self, resource: Resource, custom: Custom) -> None:
        super().__init__(resource)
        self._indexed = custom.kept.indexed

    def fields(self, obj: Object) -> dict[str, str]:
        return {label: _selected(path, obj) for label, path in self._indexed.items()}

    def reset_status(self, obj: Object) -> None:
        obj.pop("status", None)

    def is_spec_changed(self, new: Object, old: Object) -> bool:
        skipped = {"apiVersion", "kind", "metadata"} | ({"status"} if self.has_status else set())
        return any(new.get(name) != old.get(name) for name in (new.keys() | old.keys()) - skipped)


def customs_of(definition: Object) -> list[Custom]:
    """Every served version, the storage version's row first known by `storage_version` of the others."""
    spec = definition["spec"]
    indexed = {label: path for version in spec["versions"] for label, path in _selectable(version).items()}
    stored = next(version for version in spec["versions"] if version.get("storage"))
    kept = Kept(
        f"{spec['group']}/{stored['name']}",
        _schema(spec, stored) if (definition["metadata"].get("generation") or 1) > 1 else None,
        indexed,
        by_webhook=_webhook(spec) is not None,
    )
    return [_custom(definition, version, stored["name"], kept) for version in spec["versions"] if version.get("served")]


def _webhook(spec: Object) -> Mapping[str, Any] | None:
    conversion = spec.get("conversion") or {}
    return conversion.get("webhook") if conversion.get("strategy") == "Webhook" else None


def _schema(spec: Object, version: Object) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = (version.get("schema") or {}).get("openAPIV3Schema") or _OPEN
    return {**schema, "x-kubernetes-preserve-unknown-fields": True} if spec.get("preserveUnknownFields") else schema


def _selectable(version: Object) -> dict[str, str]:
    paths = [each["jsonPath"] for each in version.get("selectableFields") or ()]
    return {path.removeprefix("."): path for path in paths}


def _selected(path: str, obj: Object) -> str:
    value = next(iter(find(path, obj)), None)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _deprecation(spec: Object, version: Object) -> str:
    if (warning := version.get("deprecationWarning")) is not None:
        return str(warning)
    group, kind = spec["group"], spec["names"]["kind"]
    rank = newest_first(version["name"])
    lasting = [each["name"] for each in spec["versions"] if each.get("served") and not each.get("deprecated")]
    newer = sorted((name for name in lasting if newest_first(name) < rank), key=newest_first)
    advice = f"; use {group}/{newer[0]} {kind}" if newer else ""
    return f"{group}/{version['name']} {kind} is deprecated{advice}"


def _custom(definition: Object, version: Object, stored: str, kept: Kept) -> Custom:
    spec = definition["spec"]
    found, subresources = spec["names"], version.get("subresources") or {}
    accepted = (definition.get("status") or {}).get("acceptedNames") or {}
    subs: list[Subresource] = []
    if "status" in subresources:
        subs.append(Subresource("status", _READ_WRITE, found["kind"]))
    if "scale" in subresources:
        subs.append(Subresource("scale", _READ_WRITE, "Scale", "autoscaling", "v1"))
    row = Resource(
        group=spec["group"],
        version=version["name"],
        kind=found["kind"],
        plural=found["plural"],
        singular=found.get("singular") or found["kind"].lower(),
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(accepted.get("shortNames") or ()),
        categories=tuple(accepted.get("categories") or ()),
        subresources=tuple(subs),
        verbs=_VERBS,
        stored_as=f"{spec['group']}/{found['plural']}",
        storage_group=None if version["name"] == stored else spec["group"],
        storage_version=None if version["name"] == stored else stored,
        listed_as=accepted.get("listKind") or found.get("listKind") or "",
    )
    schema = _schema(spec, version)
    return Custom(
        row=row,
        schema=schema,
        scale=subresources.get("scale"),
        columns=version.get("additionalPrinterColumns"),
        printer=custom_printer(version.get("additionalPrinterColumns")),
        compiled=CompiledRules(schema),
        selectable=_selectable(version),
        kept=kept,
        stored_version=stored,
        webhook=_webhook(spec),
        is_mixed=len((definition.get("status") or {}).get("storedVersions") or ()) > 1,
        embeds=embeds(schema),
        deprecation=_deprecation(spec, version) if version.get("deprecated") else "",
    )
