"""Forgets signing requests that have served their time. Source: pkg/controller/certificates/cleaner/cleaner.go."""

import asyncio
from datetime import datetime

from kubepy.api import errors, resources
from kubepy.api.meta import Object, condition_of
from kubepy.controllers.controller import Context, Controller, wait_synced
from kubepy.lib import log
from kubepy.lib.clock import parse_rfc3339

_log = log.get(__name__)
_CSRS = resources.named("certificatesigningrequests", "certificates.k8s.io")
_EVERY_S = 3600.0
_HOUR_S = 3600.0
_AGE_S = {"Approved": _HOUR_S, "Denied": _HOUR_S, "Failed": _HOUR_S}
_PENDING_AGE_S = 24 * _HOUR_S


def is_stale(csr: Object, now: datetime) -> bool:
    """Judged an hour ago, or waiting for a day."""
    for kind, age_s in _AGE_S.items():
        condition = condition_of(csr, kind)
        if condition and condition.get("lastUpdateTime"):
            return (now - parse_rfc3339(condition["lastUpdateTime"])).total_seconds() > age_s
    created = parse_rfc3339(csr["metadata"]["creationTimestamp"])
    return (now - created).total_seconds() > _PENDING_AGE_S


class CsrCleanerController(Controller):
    """Looks at all requests once an hour."""

    name = "certificatesigningrequest-cleaner"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._requests = self.watch(_CSRS)

    async def run(self) -> None:
        await wait_synced(self._watched)
        while True:
            now = self.context.clock.now()
            for csr in [csr for csr in self._requests.items() if is_stale(csr, now)]:
                try:
                    await self.client.delete(_CSRS, csr["metadata"]["name"])
                except (errors.ApiError, ConnectionError) as error:
                    _log.warning("request not removed", csr=csr["metadata"]["name"], error=str(error))
            await asyncio.sleep(_EVERY_S)
