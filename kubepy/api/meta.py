"""What every object has: its key, uid, owners, labels and annotations, read off plain dicts.

Objects are plain dicts as they come off the wire (`Object`); absent and null mean the same here. Nothing in this
module changes what it is given unless its name says so (`set_`, `add_`, `remove_`).

Source: apimachinery pkg/apis/meta/v1 (ObjectMeta, OwnerReference, controller_ref.go) and pkg/apis/meta/v1/meta.go.
"""

import uuid
from typing import Any, Protocol

Object = dict[str, Any]


class HasKind(Protocol):
    """What an owner reference needs to know of a resource; `api.resources.Resource` has it."""

    @property
    def api_version(self) -> str: ...

    @property
    def kind(self) -> str: ...


def new_uid() -> str:
    return str(uuid.uuid4())


def metadata(obj: Object) -> Object:
    """The object's metadata, made if it is missing: what the caller sets in it stays with the object."""
    meta = obj.get("metadata")
    if meta is None:
        meta = obj["metadata"] = {}
    return meta


def name_of(obj: Object) -> str:
    return (obj.get("metadata") or {}).get("name") or ""


def namespace_of(obj: Object) -> str:
    return (obj.get("metadata") or {}).get("namespace") or ""


def uid_of(obj: Object) -> str:
    return (obj.get("metadata") or {}).get("uid") or ""


def resource_version_of(obj: Object) -> str:
    return (obj.get("metadata") or {}).get("resourceVersion") or ""


def key_of(obj: Object) -> str:
    """`namespace/name`, or `name` where there is no namespace: what work queues and informers go by."""
    meta = obj.get("metadata") or {}
    name: str = meta.get("name") or ""
    namespace = meta.get("namespace")
    return f"{namespace}/{name}" if namespace else name


def join_key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def split_key(key: str) -> tuple[str, str]:
    """(namespace, name); the namespace is empty for cluster-scoped objects."""
    namespace, slash, name = key.partition("/")
    return (namespace, name) if slash else ("", key)


def is_deleting(obj: Object) -> bool:
    return bool((obj.get("metadata") or {}).get("deletionTimestamp"))


def labels_of(obj: Object) -> dict[str, str]:
    return (obj.get("metadata") or {}).get("labels") or {}


def annotations_of(obj: Object) -> dict[str, str]:
    return (obj.get("metadata") or {}).get("annotations") or {}


def set_label(obj: Object, key: str, value: str) -> None:
    _map_in(metadata(obj), "labels")[key] = value


def set_annotation(obj: Object, key: str, value: str) -> None:
    _map_in(metadata(obj), "annotations")[key] = value


def remove_annotation(obj: Object, key: str) -> None:
    meta = metadata(obj)
    annotations = meta.get("annotations") or {}
    annotations.pop(key, None)
    if not annotations:
        meta.pop("annotations", None)


def _map_in(meta: Object, field: str) -> Object:
    found = meta.get(field)
    if found is None:
        found = meta[field] = {}
    return found


def finalizers_of(obj: Object) -> list[str]:
    return (obj.get("metadata") or {}).get("finalizers") or []


def add_finalizer(obj: Object, finalizer: str) -> bool:
    """True when it was not there before."""
    meta = metadata(obj)
    found = meta.get("finalizers") or []
    if finalizer in found:
        return False
    meta["finalizers"] = [*found, finalizer]
    return True


def remove_finalizer(obj: Object, finalizer: str) -> bool:
    """True when it was there; the empty list goes with its last entry."""
    meta = metadata(obj)
    found = meta.get("finalizers") or []
    if finalizer not in found:
        return False
    left = [entry for entry in found if entry != finalizer]
    if left:
        meta["finalizers"] = left
    else:
        del meta["finalizers"]
    return True


def owners_of(obj: Object) -> list[Object]:
    return (obj.get("metadata") or {}).get("ownerReferences") or []


def controller_of(obj: Object) -> Object | None:
    """The owner reference with `controller: true`, or None."""
    for reference in owners_of(obj):
        if reference.get("controller"):
            return reference
    return None


def owner_of(obj: Object) -> Object | None:
    """The controller's reference, or else the first owner's, or None."""
    owners = owners_of(obj)
    return controller_of(obj) or (owners[0] if owners else None)


def is_owned_by(obj: Object, uid: str) -> bool:
    return any(reference.get("uid") == uid for reference in owners_of(obj))


def is_controlled_by(obj: Object, owner: Object) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == uid_of(owner)


def owner_reference(owner: Object, resource: HasKind, *, controller: bool = True, block: bool = True) -> Object:
    """The reference to put into a dependent's metadata; `block` is blockOwnerDeletion."""
    reference: Object = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": name_of(owner),
        "uid": uid_of(owner),
    }
    if controller:
        reference["controller"] = True
    if block:
        reference["blockOwnerDeletion"] = True
    return reference


def object_reference(obj: Object, resource: HasKind, *, field_path: str = "") -> Object:
    """An ObjectReference (events, subjects of bindings) to `obj`."""
    reference: Object = {"kind": resource.kind, "apiVersion": resource.api_version, "name": name_of(obj)}
    for field, value in (
        ("namespace", namespace_of(obj)),
        ("uid", uid_of(obj)),
        ("resourceVersion", resource_version_of(obj)),
        ("fieldPath", field_path),
    ):
        if value:
            reference[field] = value
    return reference


def condition_of(obj: Object, kind: str) -> Object | None:
    """The entry of `status.conditions` of that type, or None."""
    for condition in (obj.get("status") or {}).get("conditions") or []:
        if condition.get("type") == kind:
            return condition  # type: ignore[no-any-return]
    return None


def is_condition_true(obj: Object, kind: str) -> bool:
    condition = condition_of(obj, kind)
    return condition is not None and condition.get("status") == "True"
