"""Service-account tokens for pods: asked for once, kept, and asked for again before they run out.

A token is renewed when 80 % of its life, or 24 hours, have passed.
Source: pkg/kubelet/token/token_manager.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kubepy.api import errors, resources
from kubepy.client.client import Client
from kubepy.client.transport import Unreachable
from kubepy.kubelet.volumes.base import VolumeFault
from kubepy.lib.clock import Clock, parse_rfc3339

Object = dict[str, Any]

_ACCOUNTS = resources.named("serviceaccounts")
_DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    renew_at: datetime
    expires_at: datetime


class TokenSource:
    """The tokens of this node's pods."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._tokens: dict[tuple[str, str, int], _Token] = {}

    async def token(self, pod: Object, source: Mapping[str, Any]) -> str:
        """A token that is good for a while, bound to the pod. Raises VolumeFault."""
        meta = pod["metadata"]
        audience, lifetime = source.get("audience") or "", int(source.get("expirationSeconds") or 3600)
        key = (meta["uid"], audience, lifetime)
        kept = self._tokens.get(key)
        now = self._clock.now()
        if kept is not None and now < kept.renew_at:
            return kept.text
        try:
            kept = self._tokens[key] = await self._request(pod, audience, lifetime)
        except (errors.ApiError, Unreachable) as error:
            if kept is not None and now < kept.expires_at:
                return kept.text
            raise VolumeFault(f"failed to fetch token: {error}") from error
        return kept.text

    async def _request(self, pod: Object, audience: str, lifetime: int) -> _Token:
        meta = pod["metadata"]
        account = pod["spec"].get("serviceAccountName") or "default"
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [audience] if audience else [],
                "expirationSeconds": lifetime,
                "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]},
            },
        }
        made = await self._client.create(_ACCOUNTS, asked, meta["namespace"], name=account, subresource="token")
        now = self._clock.now()
        expires = parse_rfc3339(made["status"]["expirationTimestamp"])
        renew = now + min((expires - now) * 0.8, _DAY)
        return _Token(made["status"]["token"], renew, expires)

    def next_renewal(self, pod_uid: str) -> datetime | None:
        """When the first of the pod's tokens is due."""
        due = [token.renew_at for (uid, _, _), token in self._tokens.items() if uid == pod_uid]
        return min(due, default=None)

    def forget(self, pod_uid: str) -> None:
        for key in [key for key in self._tokens if key[0] == pod_uid]:
            del self._tokens[key]
