"""CertificateSigningRequests: who asks is written down by the server, who decides goes through `approval`.

Source: pkg/registry/certificates/certificates/strategy.go.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from kubepy.api.meta import Object
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.strategy import Strategy, keep
from kubepy.lib.clock import rfc3339

_DECISIONS = ("Approved", "Denied")
_OUTCOMES = ("Issued", "Denied", "Failed")


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
        # Decisions are not the status's to change; those that it adds or takes away are refused by validation.
        _set_conditions(new, old, _kept(_conditions(new), _conditions(old), _DECISIONS), ctx)

    def prepare_for_subresource(self, subresource: str, new: Object, old: Object, ctx: Context) -> None:
        keep(new, old, "spec")
        conditions = _conditions(new)
        new["status"] = {**(old.get("status") or {})}
        _set_conditions(new, old, conditions, ctx)


class PodCertificateRequestStrategy(Strategy):
    """Requests for pods' certificates: their status is written alone, and what came of one stays as it was told."""

    allows_unconditional_update = False
    status_keeps_metadata = True

    def prepare_for_status_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_status_update(new, old, ctx)
        before = _conditions(old)
        conditions = _kept(_conditions(new), before, _OUTCOMES)
        if conditions:
            since, now = _times(before), rfc3339(ctx.now)
            new["status"] = {**new["status"], "conditions": [_timed(each, since, now) for each in conditions]}


def _conditions(obj: Object) -> list[Object]:
    return list((obj.get("status") or {}).get("conditions") or ())


def _kept(conditions: list[Object], before: list[Object], kinds: Sequence[str]) -> list[Object]:
    """The conditions, those of these types as they were before, where there are as many of the type."""
    kept = [*conditions]
    for kind in kinds:
        old = [condition for condition in before if condition.get("type") == kind]
        places = [index for index, condition in enumerate(kept) if condition.get("type") == kind]
        if len(old) == len(places):
            for index, condition in zip(places, old, strict=True):
                kept[index] = condition
    return kept


def _times(conditions: list[Object]) -> dict[tuple[Any, Any], str]:
    """Since when each condition has been as it is, by its type and status."""
    return {
        (condition.get("type"), condition.get("status")): condition["lastTransitionTime"]
        for condition in reversed(conditions)
        if condition.get("lastTransitionTime")
    }


def _timed(condition: Object, since: dict[tuple[Any, Any], str], now: str) -> Object:
    known = since.get((condition.get("type"), condition.get("status")), now)
    return {**condition, "lastTransitionTime": condition.get("lastTransitionTime") or known}


def _set_conditions(new: Object, old: Object, conditions: list[Object], ctx: Context) -> None:
    """Stores conditions with their times: of the last update, and of the last time that they became so."""
    since, now = _times(_conditions(old)), rfc3339(ctx.now)
    timed = [_timed({**each, "lastUpdateTime": each.get("lastUpdateTime") or now}, since, now) for each in conditions]
    status = {**(new.get("status") or {})}
    if timed:
        status["conditions"] = timed
    else:
        status.pop("conditions", None)
    new["status"] = status
