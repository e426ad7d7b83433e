"""Claims without a storage class and ingresses without an ingress class get the cluster's default one.

Of several defaults the newest counts.
Source: plugin/pkg/admission/storage/storageclass/setdefault; plugin/pkg/admission/network/defaultingressclass.
"""

from collections.abc import Sequence

from kubepy.api import resources
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.plugin import CREATE, Plugin
from kubepy.apiserver.lookup import Lookup, Object

_STORAGE = resources.named("storageclasses", "storage.k8s.io")
_INGRESS = resources.named("ingressclasses", "networking.k8s.io")
_IS_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_IS_DEFAULT_INGRESS = "ingressclass.kubernetes.io/is-default-class"
_CLAIM_CLASS = "volume.beta.kubernetes.io/storage-class"
_INGRESS_CLASS = "kubernetes.io/ingress.class"


class DefaultStorageClass(Plugin):
    """Fills in spec.storageClassName of claims that do not say anything; "" says "none"."""

    name = "DefaultStorageClass"
    operations = frozenset((CREATE,))
    targets = frozenset((("", "persistentvolumeclaims"),))

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attributes: Attributes) -> None:
        """Sets the class."""
        claim = attributes.new
        spec = claim.setdefault("spec", {})
        if spec.get("storageClassName") is not None or _CLAIM_CLASS in (claim["metadata"].get("annotations") or {}):
            return
        if chosen := choose_storage_class(self._lookup.list(_STORAGE)):
            spec["storageClassName"] = chosen


class DefaultIngressClass(Plugin):
    """Fills in spec.ingressClassName of ingresses that name no class, neither in the old way."""

    name = "DefaultIngressClass"
    operations = frozenset((CREATE,))
    targets = frozenset((("networking.k8s.io", "ingresses"),))

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attributes: Attributes) -> None:
        """Sets the class."""
        ingress = attributes.new
        spec = ingress.setdefault("spec", {})
        if spec.get("ingressClassName") is not None or _INGRESS_CLASS in (ingress["metadata"].get("annotations") or {}):
            return
        defaults = [obj for obj in self._lookup.list(_INGRESS) if is_default(obj, (_IS_DEFAULT_INGRESS,))]
        if defaults:
            spec["ingressClassName"] = newest(defaults)["metadata"]["name"]


def choose_storage_class(classes: Sequence[Object]) -> str | None:
    """The name of the default class, or None."""
    defaults = [obj for obj in classes if is_default(obj, _IS_DEFAULT)]
    return newest(defaults)["metadata"]["name"] if defaults else None


def is_default(obj: Object, annotations: Sequence[str]) -> bool:
    """Whether one of the annotations marks the class as default."""
    present = obj["metadata"].get("annotations") or {}
    return any(present.get(annotation) == "true" for annotation in annotations)


def newest(classes: Sequence[Object]) -> Object:
    """The class made last; of two made at once, the first by name."""
    by_name = sorted(classes, key=lambda obj: str(obj["metadata"]["name"]))
    return max(by_name, key=lambda obj: str(obj["metadata"].get("creationTimestamp") or ""))
