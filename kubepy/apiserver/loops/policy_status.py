"""Keeps the status of ValidatingAdmissionPolicies: which generation was looked at, and what type checking found.

Source: pkg/controller/validatingadmissionpolicystatus; it lives here since only the API server has CEL.
"""

from kubepy.api import schemas
from kubepy.api.definitions import Schema
from kubepy.api.errors import ApiError
from kubepy.api.meta import Object
from kubepy.apiserver.admission.policies.type_checking import Found, warnings_of
from kubepy.apiserver.admission.policies.validating import POLICIES
from kubepy.apiserver.registry.codec import decode_stored
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.owning import schema_of
from kubepy.apiserver.registry.rewriting import rewrite
from kubepy.lib import log
from kubepy.lib.beside import beside
from kubepy.storage.base import StoreError

_log = log.get(__name__)


class PolicyStatus:
    """See the module's docstring."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._served = engine.of(POLICIES)

    async def run(self) -> None:
        """Follows changes until cancelled."""
        while True:
            watcher = self._served.cache.watch_events(initial_events=True)
            try:
                async for batch in watcher:
                    for event in batch:
                        if event.type in ("ADDED", "MODIFIED"):
                            await self.sync(decode_stored(event.object.data))
            finally:
                await watcher.aclose()

    async def sync(self, policy: Object) -> None:
        """Brings one policy's status up to date. Faults are told to the log."""
        meta = policy["metadata"]
        if (policy.get("status") or {}).get("observedGeneration") == meta.get("generation"):
            return
        warnings = await beside(lambda: warnings_of(policy, self._resolve, self._resolve_kind))

        def noted(current: Object) -> Object:
            if current["metadata"].get("generation") != meta.get("generation"):
                return current
            checked = {"expressionWarnings": warnings} if warnings else {}
            status = {**(current.get("status") or {}), "observedGeneration": meta.get("generation")}
            return {**current, "status": {**status, "typeChecking": checked}}

        try:
            await rewrite(self._engine, self._served, meta["name"], "", noted)
        except (ApiError, StoreError) as fault:
            _log.warning("policy's status not written", name=meta["name"], error=fault)

    def _resolve(self, group: str, version: str, plural: str) -> Found | None:
        served = self._engine.find(group, version, plural)
        schema = schema_of(served) if served is not None else None
        if served is None or schema is None:
            return None
        return served.resource.api_version, served.resource.kind, schema

    def _resolve_kind(self, api_version: str, kind: str) -> Schema | None:
        for served in self._engine.all_served():
            if (served.resource.api_version, served.resource.kind) == (api_version, kind):
                return schema_of(served)
        return schemas.schema_of(api_version, kind)
