"""The small kinds of the core group: namespaces, nodes, secrets, events, volumes, quotas.

Source: pkg/registry/core/{namespace,node,secret,event,persistentvolume,persistentvolumeclaim,resourcequota,
serviceaccount,limitrange}.
"""

import base64
from collections.abc import Sequence
from typing import ClassVar

from kubepy.api.defaults.core import align_data_sources
from kubepy.api.disabled import drop_foreign_source, drop_from_status
from kubepy.api.meta import Object, new_uid
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.strategy import Strategy, keep
from kubepy.lib.clock import rfc3339

KUBERNETES = "kubernetes"
_SINCE = "lastPhaseTransitionTime"


class NamespaceStrategy(Strategy):
    """A namespace waits in Terminating until its content is gone: `spec.finalizers`, taken away by `finalize`."""

    returns_deleted = True
    selectable: ClassVar = {"status.phase": ("status", "phase")}

    def reset_status(self, obj: Object) -> None:
        obj["status"] = {"phase": "Active"}

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        spec = obj.get("spec") or {}
        finalizers = list(spec.get("finalizers") or ())
        if KUBERNETES not in finalizers:
            finalizers.append(KUBERNETES)
        obj["spec"] = {"finalizers": finalizers}
        if name := obj["metadata"].get("name"):  # without one it is refused, by validation
            obj["metadata"]["labels"] = {**(obj["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": name}

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_update(new, old, ctx)
        keep(new, old, "spec")
        labels = {**(new["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": new["metadata"]["name"]}
        new["metadata"]["labels"] = labels

    def resets(self, subresource: str) -> Sequence[tuple[str, ...]]:
        return (("status",),) if subresource == "finalize" else super().resets(subresource)

    def prepare_for_subresource(self, subresource: str, new: Object, old: Object, ctx: Context) -> None:
        keep(new, old, "status")  # finalize

    def is_deletable(self, obj: Object) -> bool:
        return not (obj.get("spec") or {}).get("finalizers")

    def begin_delete(self, obj: Object, ctx: Context) -> bool:
        if self.is_deletable(obj):
            return False
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
        return True


class NodeStrategy(Strategy):
    """Nodes register with their status; a later update of the node itself leaves it alone.

    How a kubelet is configured is not said here any more, but by what said it before.
    """

    selectable: ClassVar = {"spec.unschedulable": ("spec", "unschedulable")}

    def fields(self, obj: Object) -> dict[str, str]:
        return {"spec.unschedulable": "true" if (obj.get("spec") or {}).get("unschedulable") else "false"}

    def reset_status(self, obj: Object) -> None:
        if obj.get("status") is None:
            obj["status"] = {}

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        (obj.get("spec") or {}).pop("configSource", None)
        (obj.get("status") or {}).pop("config", None)

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_update(new, old, ctx)
        if (old.get("spec") or {}).get("configSource") is None:
            (new.get("spec") or {}).pop("configSource", None)

    def prepare_for_status_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_status_update(new, old, ctx)
        if (old.get("status") or {}).get("config") is None:
            (new.get("status") or {}).pop("config", None)


class SecretStrategy(Strategy):
    """stringData is written into data, and never stored or answered."""

    selectable: ClassVar = {"type": ("type",)}

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        _merge_string_data(obj)

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_update(new, old, ctx)
        _merge_string_data(new)
        if not new.get("type"):
            keep(new, old, "type")


def _merge_string_data(obj: Object) -> None:
    plain = obj.pop("stringData", None)
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


class EventStrategy(Strategy):
    """Events go away by themselves after an hour."""

    allows_create_on_update = True
    default_propagation = None
    ttl_s = 3600
    selectable: ClassVar = {
        "involvedObject.kind": ("involvedObject", "kind"),
        "involvedObject.namespace": ("involvedObject", "namespace"),
        "involvedObject.name": ("involvedObject", "name"),
        "involvedObject.uid": ("involvedObject", "uid"),
        "involvedObject.apiVersion": ("involvedObject", "apiVersion"),
        "involvedObject.resourceVersion": ("involvedObject", "resourceVersion"),
        "involvedObject.fieldPath": ("involvedObject", "fieldPath"),
        "reason": ("reason",),
        "reportingComponent": ("reportingComponent",),
        "source": ("source", "component"),
        "type": ("type",),
    }

    def fields(self, obj: Object) -> dict[str, str]:
        fields = super().fields(obj)
        fields["source"] = fields["source"] or obj.get("reportingComponent") or ""
        return fields


class PersistentVolumeStrategy(Strategy):
    """Volumes are born Pending; the volume controller takes them on. The status says since when its phase is so."""

    returns_deleted = True

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        obj["status"] = {"phase": "Pending", _SINCE: rfc3339(ctx.now)}

    def prepare_for_status_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_status_update(new, old, ctx)
        status, before = new.setdefault("status", {}), old.get("status") or {}
        is_told = status.get(_SINCE) and status[_SINCE] != before.get(_SINCE)
        if is_told:
            return
        if status.get("phase") != before.get("phase"):
            status[_SINCE] = rfc3339(ctx.now)
        else:
            keep(status, before, _SINCE)


class PersistentVolumeClaimStrategy(Strategy):
    """Claims are born Pending, and filled from what is in their own namespace."""

    returns_deleted = True

    def reset_status(self, obj: Object) -> None:
        obj["status"] = {"phase": "Pending"}

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        spec = obj.get("spec") or {}
        if drop_foreign_source(spec, None):
            align_data_sources(spec)

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_update(new, old, ctx)
        spec = new.get("spec") or {}
        if drop_foreign_source(spec, old.get("spec")):
            align_data_sources(spec)

    def prepare_for_status_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_status_update(new, old, ctx)
        drop_from_status(new.get("status") or {}, old.get("status") or {}, "healthStatus")


class ServiceAccountStrategy(Strategy):
    """Of a secret an account knows only the name."""

    returns_deleted = True

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        _keep_names(obj)

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_update(new, old, ctx)
        _keep_names(new)


def _keep_names(account: Object) -> None:
    if secrets := account.get("secrets"):
        account["secrets"] = [{"name": ref["name"]} if ref.get("name") else {} for ref in secrets]


class LimitRangeStrategy(Strategy):
    """A PUT may create one; one without a name gets any."""

    allows_create_on_update = True

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        if not obj["metadata"].get("name"):
            obj["metadata"]["name"] = new_uid()


class ReturnsDeletedStrategy(Strategy):
    """A kind whose delete answers the object that is gone."""

    returns_deleted = True


class CreatesOnUpdateStrategy(Strategy):
    """A kind that a PUT may create."""

    allows_create_on_update = True


class GenerationStrategy(Strategy):
    """A kind of which nothing is special but that its generation is counted."""

    tracks_generation = True


class GenerationCreatesOnUpdateStrategy(Strategy):
    """Counted, and a PUT may create it."""

    tracks_generation = True
    allows_create_on_update = True


class PlainStatusStrategy(Strategy):
    """A kind whose status is written alone: labels and the like stay what they are."""

    status_keeps_metadata = True


class FlowControlStrategy(GenerationStrategy):
    """Flow schemas and priority levels: counted, their status written alone."""

    status_keeps_metadata = True


class ConditionalUpdateStrategy(Strategy):
    """A kind whose updates must say which version they change, and whose status is written alone if it has one."""

    allows_unconditional_update = False
    status_keeps_metadata = True


class CountedConditionalStrategy(GenerationStrategy):
    """Counted, and updates must say which version they change."""

    allows_unconditional_update = False


class ConditionalReturnsDeletedStrategy(ReturnsDeletedStrategy):
    """Updates must say which version they change; a delete answers the object."""

    allows_unconditional_update = False


class RuntimeClassStrategy(Strategy):
    """Runtime classes: PUT may create one, and must say which version it changes otherwise."""

    allows_create_on_update = True
    allows_unconditional_update = False


class LeaseStrategy(RuntimeClassStrategy):
    """Leases. What coordinated elections (a feature that is off by default) would read is dropped."""

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        for field in ("strategy", "preferredHolder"):
            (obj.get("spec") or {}).pop(field, None)

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_update(new, old, ctx)
        for field in ("strategy", "preferredHolder"):
            if (old.get("spec") or {}).get(field) is None:
                (new.get("spec") or {}).pop(field, None)


class LoadBalancedStrategy(Strategy):
    """Ingresses: a status that begins with an empty loadBalancer; a counted spec."""

    tracks_generation = True
    empty_status: ClassVar = {"loadBalancer": {}}


class CSIDriverStrategy(CountedConditionalStrategy):
    """CSIDrivers: conditional, answered when deleted; their changes are counted, from none."""

    returns_deleted = True

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        obj["metadata"].pop("generation", None)


class ResourceClaimStrategy(ReturnsDeletedStrategy):
    """Claims of devices."""

    status_keeps_metadata = True


class VolumeAttachmentStrategy(ConditionalReturnsDeletedStrategy):
    """VolumeAttachments; the status always says whether the volume is attached."""

    status_keeps_metadata = True
    empty_status: ClassVar = {"attached": False}


class CountedReturnsDeletedStrategy(Strategy):
    """A kind that is counted, and answered when deleted."""

    tracks_generation = True
    returns_deleted = True
