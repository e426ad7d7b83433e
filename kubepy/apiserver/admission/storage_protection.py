"""Volumes and claims in use are not lost: finalizers guard them, and only some claims may grow.

Source: plugin/pkg/admission/storage/storageobjectinuseprotection; plugin/pkg/admission/storage/persistentvolume/resize.
"""

from kubepy.api import quantity, resources
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, UPDATE, Plugin
from kubepy.apiserver.lookup import Lookup, Object

FINALIZERS = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
    "volumeattributesclasses": "kubernetes.io/vac-protection",
}
_CLASSES = resources.named("storageclasses", "storage.k8s.io")


class StorageObjectInUseProtection(Plugin):
    """Gives new claims, volumes and volume attributes classes the finalizer that keeps them while they are used."""

    name = "StorageObjectInUseProtection"
    operations = frozenset((CREATE,))
    targets = frozenset(
        (("", "persistentvolumeclaims"), ("", "persistentvolumes"), ("storage.k8s.io", "volumeattributesclasses"))
    )

    async def admit(self, attributes: Attributes) -> None:
        """Adds the finalizer."""
        metadata = attributes.new["metadata"]
        finalizer = FINALIZERS[attributes.resource.plural]
        if finalizer not in (metadata.get("finalizers") or ()):
            metadata["finalizers"] = [*(metadata.get("finalizers") or ()), finalizer]


class PersistentVolumeClaimResize(Plugin):
    """Lets only claims grow whose storage class says that it can make volumes larger."""

    name = "PersistentVolumeClaimResize"
    operations = frozenset((UPDATE,))
    targets = frozenset((("", "persistentvolumeclaims"),))

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        if not grows(attributes.new, attributes.old):
            return
        if (attributes.old.get("status") or {}).get("phase") != "Bound":
            raise forbid(attributes, "Only bound persistent volume claims can be expanded")
        name = attributes.old["spec"].get("storageClassName") or ""
        storage_class = self._lookup.get(_CLASSES, name) if name else None
        if storage_class is None or not storage_class.get("allowVolumeExpansion"):
            raise forbid(
                attributes,
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
                "support resize",
            )


def grows(new: Object, old: Object) -> bool:
    """Whether the claim asks for more than before."""
    return requested(new) > requested(old)


def requested(claim: Object) -> int:
    """The bytes that a claim asks for."""
    text = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage")
    return quantity.value(text) if text else 0
