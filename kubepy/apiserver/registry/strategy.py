"""What is special about a kind, as hooks of one class: the engine calls them in one fixed order for every kind.

A strategy changes only the object it is given, never reads a clock or a store: what it needs is in the Context.
Validation and defaults are not here but in api/; a strategy says what is reset, kept and counted.
Source: apiserver pkg/registry/rest (RESTCreateStrategy, RESTUpdateStrategy, RESTDeleteStrategy) and
pkg/registry/*/*/strategy.go of Kubernetes.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from kubepy.api.disabled import drop_from_pod_spec
from kubepy.api.errors import FieldError
from kubepy.api.field_sets import Filter, excluding
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.api.validation.privileged import POD_SPECS
from kubepy.api.warnings.registry import status_warner_for, warner_for
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.registry.context import Context
from kubepy.storage.cache import ResourceCache

_NOT_SPEC = frozenset(("apiVersion", "kind", "metadata", "status"))


class Strategy:
    """The behaviour of a kind without peculiarities; subclasses override what theirs are."""

    tracks_generation: ClassVar[bool] = False
    """Whether metadata.generation counts the changes of the spec."""
    allows_create_on_update: ClassVar[bool] = False
    allows_unconditional_update: ClassVar[bool] = True
    status_keeps_metadata: ClassVar[bool] = False
    """Whether a write of the status leaves labels, annotations, owners and finalizers alone."""
    status_resets: ClassVar[Sequence[tuple[str, ...]]] = (("spec",),)
    """What a write of the status leaves alone, besides: nobody owns it because of such a write."""
    returns_deleted: ClassVar[bool] = False
    """Whether a delete answers the object that is gone, not a Status."""
    default_propagation: ClassVar[str | None] = "Background"
    """What becomes of dependents where a delete does not say; None for a kind that has none, whatever it says."""
    empty_status: ClassVar[Mapping[str, Any] | None] = None
    """The status of a new object (with a status subresource, {} if None); the client's is dropped."""
    selectable: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Field selectors beyond metadata.name and metadata.namespace: their paths."""
    unprivileged: tuple[str, ...] = ()
    """Where the kind holds the spec of pods of which no container may be privileged; empty if all may."""
    ttl_s: int = 0
    """Seconds until objects go away by themselves; 0 is never."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self._warner = warner_for(resource.group, resource.kind)
        self._status_warner = status_warner_for(resource.group, resource.kind)
        self._pod_spec = POD_SPECS.get((resource.group, resource.plural), ())
        self.has_status = resource.subresource("status") is not None
        self._counted: dict[str, Filter | None] = {}

    def attach(self, lookup: Lookup, cache: ResourceCache) -> None:
        """Hands over what a strategy may look at: called once, before anything else."""

    def resets(self, subresource: str) -> Sequence[tuple[str, ...]]:
        """The fields that this endpoint leaves as they are; "" is the main resource (upstream: GetResetFields)."""
        if subresource == "status":
            return (*self.status_resets, ("metadata",)) if self.status_keeps_metadata else self.status_resets
        return (("status",),) if self.has_status and not subresource else ()

    def counting(self, subresource: str) -> Filter | None:
        """Which fields a write through this endpoint can come to own; None for all."""
        paths = self.resets(subresource)
        return excluding(paths) if paths else None

    def counted(self, subresource: str) -> Filter | None:
        """As `counting`, made once."""
        if subresource not in self._counted:
            self._counted[subresource] = self.counting(subresource)
        return self._counted[subresource]

    def fields(self, obj: Object) -> dict[str, str]:
        """What field selectors are matched against, beside name and namespace."""
        return {label: _text_at(obj, path) for label, path in self.selectable.items()}

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        """Resets what a client may not say of a new object."""
        if self.has_status:
            self.reset_status(obj)
        self._drop_disabled(obj, None)
        if self.tracks_generation:
            obj["metadata"]["generation"] = 1

    def reset_status(self, obj: Object) -> None:
        """The status of an object as it begins."""
        obj["status"] = copy.deepcopy(dict(self.empty_status)) if self.empty_status else {}

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        """Keeps what the main resource may not change; counts the generation."""
        if self.has_status:
            keep(new, old, "status")
        self._drop_disabled(new, old)
        if self.tracks_generation:
            self.count_generation(new, old)

    def _drop_disabled(self, new: Object, old: Object | None) -> None:
        spec, before = new, old or {}
        for field in self._pod_spec:
            spec, before = spec.get(field) or {}, before.get(field) or {}
        if self._pod_spec:
            drop_from_pod_spec(spec, before)

    def count_generation(self, new: Object, old: Object) -> None:
        """Bumps metadata.generation if the spec (whatever is neither metadata nor status) differs."""
        if self.is_spec_changed(new, old):
            new["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1

    def is_spec_changed(self, new: Object, old: Object) -> bool:
        return any(new.get(field) != old.get(field) for field in (new.keys() | old.keys()) if field not in _NOT_SPEC)

    def prepare_for_status_update(self, new: Object, old: Object, ctx: Context) -> None:
        """Keeps all but the status; of metadata only what bookkeeping needs may change."""
        for field in (new.keys() | old.keys()) - {"apiVersion", "kind", "metadata", "status"}:
            keep(new, old, field)
        keep(new["metadata"], old["metadata"], "deletionTimestamp")
        if self.status_keeps_metadata:
            keep_metadata(new, old)

    def prepare_for_subresource(self, subresource: str, new: Object, old: Object, ctx: Context) -> None:
        """As prepare_for_update, for another subresource that takes the whole object."""

    def after_create(self, obj: Object, ctx: Context) -> None:
        """What follows a create that was stored."""

    async def after_delete(self, obj: Object, ctx: Context) -> None:
        """What follows the end of an object."""

    async def begin_write(self, obj: Object, old: Object | None, ctx: Context) -> None:
        """Reserves what the write needs (addresses, ports), right before validation. Raises ApiError."""

    async def rename_write(self, obj: Object, ctx: Context) -> None:
        """The object has another name than when `begin_write` reserved for it. Raises ApiError."""

    async def end_write(self, obj: Object, old: Object | None, ctx: Context, *, stored: bool | None) -> None:
        """Gives back or makes final what `begin_write` reserved; `stored` is None where nobody knows whether it was."""

    def grace_period_s(self, obj: Object, asked: int | None) -> int | None:
        """Seconds that a delete leaves the object, or None where deletes are at once."""
        return None

    def unauthorized(self, new: Object, old: Object | None) -> list[FieldError]:
        """What a new object, or a new status, asks for though its namespace may not have it: told of first."""
        return []

    def faults(self, obj: Object) -> list[FieldError]:
        """What only this server can judge of an object that has no other fault."""
        return []

    def warnings(self, obj: Object, old: Object | None) -> list[str]:
        """What to tell the client about an object that is accepted."""
        return self._warner(obj, old) if self._warner is not None else []

    def status_warnings(self, obj: Object, old: Object) -> list[str]:
        """What to tell the client about a status that is accepted."""
        return self._status_warner(obj, old) if self._status_warner is not None else []

    def finalizers_on_create(self, obj: Object) -> None:
        """Adds the finalizers that this kind is born with."""

    def is_deletable(self, obj: Object) -> bool:
        """Whether an object without metadata.finalizers may go (namespaces have spec.finalizers too)."""
        return True

    def begin_delete(self, obj: Object, ctx: Context) -> bool:
        """Changes the object for a delete that must wait; True if it waits though it has no finalizer yet."""
        return False


def keep(new: Object, old: Object, field: str) -> None:
    """`new[field]` becomes what it is in `old`, absence included."""
    if field in old:
        new[field] = old[field]
    else:
        new.pop(field, None)


def keep_metadata(new: Object, old: Object) -> None:
    """What clients set in metadata becomes what it is in `old` (upstream: ResetObjectMetaForStatus)."""
    for field in ("labels", "annotations", "ownerReferences", "finalizers"):
        keep(new["metadata"], old["metadata"], field)


def _text_at(obj: Object, path: tuple[str, ...]) -> str:
    value: Any = obj
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
