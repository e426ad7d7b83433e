"""Notes on the Secrets of old, in a label, on which day the tokens in them were last used; and since when that is done.

The loop that clears away such Secrets goes by it. A day is enough: a use writes only when the label has another one.
Source: pkg/serviceaccount/legacy.go; pkg/controlplane/controller/legacytokentracking.
"""

import asyncio
from typing import Protocol

from kubepy.api import resources
from kubepy.api.errors import AlreadyExists, ApiError
from kubepy.api.resources import Resource
from kubepy.apiserver.lookup import Object
from kubepy.lib import log
from kubepy.lib.backoff import Backoff
from kubepy.lib.clock import SYSTEM, Clock

LAST_USED = "kubernetes.io/legacy-token-last-used"
TRACKING = "kube-apiserver-legacy-service-account-token-tracking"
_SECRETS, _CONFIG_MAPS = resources.named("secrets"), resources.named("configmaps")
_AGAIN_S = 10.0
_MOST_WAITING = 1000
_log = log.get(__name__)


class Writer(Protocol):
    """What is needed of the client."""

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Makes the object. Raises ApiError."""

    async def patch(self, resource: Resource, name: str, namespace: str, patch: Object) -> Object:
        """Merges `patch` into the object. Raises ApiError."""


class LastUses:
    """`note` is told of each use; `run` writes, until cancelled."""

    def __init__(self, writer: Writer, clock: Clock = SYSTEM) -> None:
        self._writer, self._clock = writer, clock
        self._waiting: dict[tuple[str, str], tuple[str, str]] = {}
        self._noted = asyncio.Event()

    def note(self, secret: Object, today: str) -> None:
        """The token in the Secret was used; today is written as 2006-01-02."""
        metadata = secret["metadata"]
        # A later day is another server's, whose clock is ahead: that is no reason to write in turns.
        if ((metadata.get("labels") or {}).get(LAST_USED) or "") < today and len(self._waiting) < _MOST_WAITING:
            self._waiting[metadata["namespace"], metadata["name"]] = (metadata["uid"], today)
            self._noted.set()

    async def run(self) -> None:
        """Writes down since when uses are noted, then each of them."""
        backoff = Backoff(0.5, _AGAIN_S)
        while not await self._begin():
            await self._clock.sleep(backoff.next())
        while True:
            await self._noted.wait()
            self._noted.clear()
            waiting, self._waiting = self._waiting, {}
            for (namespace, name), (uid, today) in waiting.items():
                patch = {"metadata": {"uid": uid, "labels": {LAST_USED: today}}}
                try:
                    await self._writer.patch(_SECRETS, name, namespace, patch)
                except ApiError as fault:
                    _log.warning("use of a token not noted", namespace=namespace, name=name, why=str(fault))

    async def _begin(self) -> bool:
        """Makes the object that tells since when; whether it is there."""
        metadata = {"name": TRACKING, "namespace": "kube-system"}
        since = {"since": self._clock.now().date().isoformat()}
        try:
            await self._writer.create(
                _CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": since}
            )
        except AlreadyExists:
            return True
        except ApiError:  # the namespace is not there yet
            return False
        return True
