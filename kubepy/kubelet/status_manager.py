"""Send pod statuses to the API: at once when they change, again after a conflict or a fault, never an old one.

Invariants: one request a pod at a time, always with the newest status; a pod is only deleted after its last status
was taken; a pod that was replaced (another uid) is left alone.
Source: pkg/kubelet/status/status_manager.go.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from kubepy.api import errors, resources
from kubepy.client.client import Client
from kubepy.client.transport import Unreachable
from kubepy.kubelet.status import differs, status_patch
from kubepy.lib import log
from kubepy.lib.backoff import Backoff
from kubepy.lib.tasks import Scope

Object = dict[str, Any]

_PODS = resources.named("pods")
_log = log.get(__name__)


class StatusManager:
    """The statuses of this node's pods. `find` answers the API's pod for a uid (a static pod's is its mirror)."""

    def __init__(self, client: Client, find: Callable[[str], Object | None]) -> None:
        self._client = client
        self._find = find
        self._wanted: dict[str, Object] = {}
        self._sent: dict[str, Object] = {}
        self._sent_at: dict[str, int] = {}
        """By uid, the version of the pod that the last status made: older news of it are no news."""
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._scope = Scope()

    def get(self, uid: str) -> Object | None:
        """The newest status, sent or not."""
        return self._wanted.get(uid)

    def put(self, uid: str, status: Object) -> None:
        """Sends `status` if the API does not have it."""
        self._wanted[uid] = status
        sender = self._senders.get(uid)
        if sender is None or sender.done():
            self._senders[uid] = self._scope.start(self._send(uid), name=f"status {uid}")

    async def flush(self, uid: str) -> None:
        """Returns once the newest status was taken, or the pod is gone."""
        while (sender := self._senders.get(uid)) is not None and not sender.done():
            await asyncio.wait({sender})

    def resend(self, uid: str) -> None:
        """Compares again: the API's pod changed. What another wrote over our status is mended.

        The node controller does: it takes readiness away from the pods of a node that it does not hear of.
        """
        wanted = self._wanted.get(uid)
        if wanted is None:
            return
        pod = self._find(uid)
        if pod is not None and int(pod["metadata"].get("resourceVersion") or 0) > self._sent_at.get(uid, 0):
            self._sent.pop(uid, None)  # the pod itself tells what the API has
        self.put(uid, wanted)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._wanted.pop(uid, None)
        self._sent.pop(uid, None)
        self._sent_at.pop(uid, None)
        sender = self._senders.pop(uid, None)
        if sender is not None:
            sender.cancel()

    async def close(self) -> None:
        await self._scope.close()

    async def _send(self, uid: str) -> None:
        backoff = Backoff(0.05, 10.0)
        fresh: Object | None = None
        while uid in self._wanted:
            pod = fresh or self._find(uid)
            if pod is None:
                return  # a static pod without its mirror (yet), or a pod that is gone
            status = self._wanted[uid]
            old = self._sent.get(uid) or pod.get("status") or {}
            if fresh is None and not differs(status, old):
                return
            try:
                fresh = None
                await self._patch(pod, status, pod.get("status") or {} if uid not in self._sent else self._sent[uid])
                self._sent[uid] = status
            except errors.NotFound:
                return
            except (errors.ApiError, Unreachable) as error:
                _log.debug("status not taken", pod=pod["metadata"]["name"], why=str(error))
                await asyncio.sleep(backoff.next())
                fresh = await self._refetch(pod)
                self._sent.pop(uid, None)

    async def _patch(self, pod: Object, status: Object, old: Object) -> None:
        meta = pod["metadata"]
        patch = {"metadata": {"uid": meta["uid"]}, "status": status_patch(status, old)}
        if patch["status"]:
            stored = await self._client.patch(
                _PODS, meta["name"], patch, meta["namespace"], kind="strategic", subresource="status"
            )
            self._sent_at[meta["uid"]] = int(stored["metadata"]["resourceVersion"])

    async def _refetch(self, pod: Object) -> Object | None:
        meta = pod["metadata"]
        try:
            found = await self._client.get(_PODS, meta["name"], meta["namespace"])
        except (errors.ApiError, Unreachable):
            return None
        return found if found["metadata"]["uid"] == meta["uid"] else None
