"""Services: when they are given addresses and node ports, and what they keep or drop when they change.

What a write takes is claimed in `begin_write` and settled in `end_write`; see registry/services.
Source: pkg/registry/core/service/strategy.go, storage/storage.go.
"""

from typing import ClassVar

from kubepy.api import names
from kubepy.api.meta import Object, name_of
from kubepy.api.resources import Resource
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.services.allocation import Claim, Pools, claim, free_all
from kubepy.apiserver.registry.services.carrying import carry_allocated, drop_of_other_types, normalize_addresses
from kubepy.apiserver.registry.strategy import Strategy


class ServiceStrategy(Strategy):
    """See the module's docstring."""

    allows_create_on_update = True
    empty_status: ClassVar = {"loadBalancer": {}}
    selectable: ClassVar = {"spec.clusterIP": ("spec", "clusterIP"), "spec.type": ("spec", "type")}

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource)
        self.pools: Pools | None = None
        """Set before the first write; without it nothing is given."""
        self._claims: dict[int, Claim] = {}

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        normalize_addresses(obj.setdefault("spec", {}), None)

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_update(new, old, ctx)
        spec, before = new.setdefault("spec", {}), old.get("spec") or {}
        normalize_addresses(spec, before)
        drop_of_other_types(spec, before)
        if spec.get("type") != "LoadBalancer" and (new.get("status") or {}).get("loadBalancer"):
            new["status"] = {**new["status"], "loadBalancer": {}}
        carry_allocated(spec, before)

    async def begin_write(self, obj: Object, old: Object | None, ctx: Context) -> None:
        if self.pools is not None and not names.is_dns1123_label(name_of(obj)):  # validation tells of any other
            self._claims[id(obj)] = await claim(self.pools, obj, old, dry_run=ctx.dry_run)

    async def rename_write(self, obj: Object, ctx: Context) -> None:
        made = self._claims.pop(id(obj), None)
        if self.pools is not None and made is not None:
            await made.end(stored=False)  # what says whose an address is never changes
            self._claims[id(obj)] = await claim(self.pools, obj, None, dry_run=ctx.dry_run)

    async def end_write(self, obj: Object, old: Object | None, ctx: Context, *, stored: bool | None) -> None:
        made = self._claims.pop(id(obj), None)
        if made is not None:
            await made.end(stored=stored)

    async def after_delete(self, obj: Object, ctx: Context) -> None:
        if self.pools is not None:
            await free_all(self.pools, obj)
