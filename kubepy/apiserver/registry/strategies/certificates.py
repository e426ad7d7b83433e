"""CertificateSigningRequests: who asks is written down by the server, who decides goes through `approval`.

Source: pkg/registry/certificates/certificates/strategy.go.
"""

import copy
from typing import ClassVar

from kubepy.api.meta import Object
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.strategy import Strategy, keep, keep_metadata
from kubepy.lib.clock import rfc3339

_DECISIONS = frozenset(("Approved", "Denied"))


class CertificateSigningRequestStrategy(Strategy):
    """See the module's docstring."""

    status_keeps_metadata = True
    selectable: ClassVar = {"spec.signerName": ("spec", "signerName")}

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
        # Decisions are not the status's to make or to take back.
        before = {c.get("type"): c for c in _conditions(old) if c.get("type") in _DECISIONS}
        kept = [c for c in _conditions(new) if c.get("type") not in _DECISIONS]
        _set_conditions(new, old, [*before.values(), *kept], ctx)

    def prepare_for_subresource(self, subresource: str, new: Object, old: Object, ctx: Context) -> None:
        keep(new, old, "spec")
        keep_metadata(new, old)
        conditions = _conditions(new)
        status = copy.deepcopy(old.get("status") or {})
        new["status"] = status
        _set_conditions(new, old, conditions, ctx)


def _conditions(obj: Object) -> list[Object]:
    return list((obj.get("status") or {}).get("conditions") or ())


def _set_conditions(new: Object, old: Object, conditions: list[Object], ctx: Context) -> None:
    """Stores conditions with their times: of the last update, and of the last time that they became so."""
    known = {(c.get("type"), c.get("status"), c.get("reason"), c.get("message")): c for c in _conditions(old)}
    now = rfc3339(ctx.now)
    for condition in conditions:
        before = known.get(
            (condition.get("type"), condition.get("status"), condition.get("reason"), condition.get("message"))
        )
        for field in ("lastUpdateTime", "lastTransitionTime"):
            if not condition.get(field):
                condition[field] = (before or {}).get(field) or now
    status = new.get("status")
    if status is None:
        status = new["status"] = {}
    if conditions:
        status["conditions"] = conditions
    else:
        status.pop("conditions", None)
