"""A client that acts as a service account: it asks for the account's token, and anew before it expires.

The account is made where there is none, by the client that asks; so every control loop can have the rights of its
own account and no more. Source: pkg/controller/client_builder_dynamic.go (--use-service-account-credentials).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from kubepy.api import errors, resources
from kubepy.client.client import Client, Object
from kubepy.client.transport import Flow, Reply, Transport, Unreachable
from kubepy.lib.clock import SYSTEM, Clock

_ACCOUNTS = resources.named("serviceaccounts")
_LIFE_S = 3600
_RENEWED_AFTER = 0.8
"""Part of a token's life after which the next one is asked for; upstream renews at 80 % too."""


class AccountTransport:
    """Sends requests through `way`, which shows no credentials itself, with the account's token."""

    def __init__(self, way: Transport, asking: Client, namespace: str, name: str, *, clock: Clock = SYSTEM) -> None:
        self._way = way
        self._asking = asking
        self._namespace = namespace
        self._name = name
        self._clock = clock
        self._token = ""
        self._renew_at = 0.0
        self._renewing = asyncio.Lock()

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """As `Transport.request`; a token that is not taken any more is replaced once."""
        shown = await self._authorization()
        reply = await self._way.request(method, target, {**headers, **shown}, body)
        if reply.status != 401:
            return reply
        self._renew_at = 0.0
        return await self._way.request(method, target, {**headers, **await self._authorization()}, body)

    @asynccontextmanager
    async def stream(self, target: str, headers: Mapping[str, str]) -> AsyncIterator[Flow]:
        """As `Transport.stream`."""
        shown = await self._authorization()
        async with self._way.stream(target, {**headers, **shown}) as flow:
            if flow.status == 401:
                self._renew_at = 0.0
            yield flow

    async def close(self) -> None:
        """The way is shared: whoever opened it closes it."""

    async def _authorization(self) -> dict[str, str]:
        if self._clock.monotonic() >= self._renew_at:
            async with self._renewing:
                if self._clock.monotonic() >= self._renew_at:
                    await self._renew()
        return {"Authorization": f"Bearer {self._token}"}

    async def _renew(self) -> None:
        try:
            answer = await self._request_token()
        except errors.ApiError as refused:
            raise Unreachable(f"no token of {self._namespace}/{self._name}: {refused}") from refused
        self._token = answer["status"]["token"]
        lasts_s = float(answer["spec"].get("expirationSeconds") or _LIFE_S)
        self._renew_at = self._clock.monotonic() + lasts_s * _RENEWED_AFTER

    async def _request_token(self) -> Object:
        try:
            return await self._ask()
        except errors.NotFound:
            account = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"namespace": self._namespace, "name": self._name},
            }
            with suppress(errors.AlreadyExists):
                await self._asking.create(_ACCOUNTS, account)
            return await self._ask()

    async def _ask(self) -> Object:
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": _LIFE_S},
        }
        return await self._asking.create(_ACCOUNTS, request, self._namespace, name=self._name, subresource="token")
