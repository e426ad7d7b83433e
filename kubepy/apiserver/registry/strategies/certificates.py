"""CertificateSigningRequests: who asks is written down by the server, who decides goes through `approval`.

Source: pkg/registry/certificates/certificates/strategy.go.
"""

from collections.abc import Sequence
from typing import ClassVar

from kubepy.api.meta import Object
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.strategy import Strategy, keep
from kubepy.lib.clock import rfc3339

_DECISIONS = ("Approved", "Denied")


class CertificateSigningRequestStrategy(Strategy):
    """See the module's docstring."""

    selectable: ClassVar = {"spec.signerName": ("spec", "signerName")}
    status_resets: ClassVar = (("spec",), ("status", "conditions"))

    def resets(self, subresource: str) -> Sequence[tuple[str, ...]]:
        if subresource == "approval":
            return ("spec",), ("status", "certificate")
        return super().resets(subresource) if subresource else (("spec",), ("status",))

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        spec = obj.setdefault("spec", {})
        for field in ("username", "uid", "groups", "extra"):
            spec.pop(field, None)
        spec |= ctx.user.to_wire()

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        keep(new, old, "spec")
        keep(new, old, "status")

    def prepare_for_status_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_status_update(new, old, ctx)
        conditions = _conditions(new)
        # Decisions are not the status's to change; those that it adds or takes away are refused by validation.
        for kind in _DECISIONS:
            before = [condition for condition in _conditions(old) if condition.get("type") == kind]
            places = [index for index, condition in enumerate(conditions) if condition.get("type") == kind]
            if len(before) == len(places):
                for index, condition in zip(places, before, strict=True):
                    conditions[index] = condition
        _set_conditions(new, old, conditions, ctx)

    def prepare_for_subresource(self, subresource: str, new: Object, old: Object, ctx: Context) -> None:
        keep(new, old, "spec")
        conditions = _conditions(new)
        new["status"] = {**(old.get("status") or {})}
        _set_conditions(new, old, conditions, ctx)


class PodCertificateRequestStrategy(Strategy):
    """Requests for pods' certificates: their status is written alone."""

    status_keeps_metadata = True
    status_resets: ClassVar = (("spec",), ("status", "conditions"))


def _conditions(obj: Object) -> list[Object]:
    return list((obj.get("status") or {}).get("conditions") or ())


def _set_conditions(new: Object, old: Object, conditions: list[Object], ctx: Context) -> None:
    """Stores conditions with their times: of the last update, and of the last time that they became so."""
    known = {
        (condition.get("type"), condition.get("status")): condition["lastTransitionTime"]
        for condition in reversed(_conditions(old))
        if condition.get("lastTransitionTime")
    }
    now = rfc3339(ctx.now)
    timed = []
    for condition in conditions:
        since = known.get((condition.get("type"), condition.get("status")), now)
        update, transition = (condition.get(field) for field in ("lastUpdateTime", "lastTransitionTime"))
        timed.append({**condition, "lastUpdateTime": update or now, "lastTransitionTime": transition or since})
    status = {**(new.get("status") or {})}
    if timed:
        status["conditions"] = timed
    else:
        status.pop("conditions", None)
    new["status"] = status
