"""The public keys of an OpenID provider: found by its discovery document, fetched when a token names one that is new.

A key that is known costs nothing. Fetches are shared by those who wait for one; after a fetch that did not help, the
next one is put off a little, so that tokens with made-up keys do not turn into a flood at the provider.
Source: go-oidc oidc/{oidc,jwks}.go.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import jwt
import orjson

from kubepy.apiserver.authn.metrics import AuthenticationMetrics
from kubepy.apiserver.webhooks import faults
from kubepy.apiserver.webhooks.client import client_tls
from kubepy.apiserver.webhooks.target import Target
from kubepy.lib import log

_WELL_KNOWN = "/.well-known/openid-configuration"
_WITHIN_S = 30.0
_MOST = 1024 * 1024
_PUT_OFF_S = 1.0
_UNREACHABLE_S = 10.0
_log = log.get(__name__)
Key = tuple[str, Any]
"""A key's id and the key."""


class ProviderError(Exception):
    """The provider could not be asked, or what it said makes no sense."""


class ProviderKeys:
    """The keys of the issuer at `url`; `discovery_url` is where its document is, if not below the issuer itself."""

    def __init__(
        self, url: str, *, ca: bytes = b"", discovery_url: str = "", metrics: AuthenticationMetrics | None = None
    ) -> None:
        self._metrics = metrics or AuthenticationMetrics()
        self._url = url
        self._discovery_url = discovery_url or url.rstrip("/") + _WELL_KNOWN
        self._ca = ca
        self._jwks_uri = ""
        self._keys: tuple[Key, ...] = ()
        self._lock = asyncio.Lock()
        self._not_before_s = 0.0
        self._fault = ""

    def known(self, key_id: str | None) -> Sequence[Any]:
        """The keys that a token of that key id may be signed with, as far as they are known."""
        return [key for name, key in self._keys if not key_id or not name or name == key_id]

    async def fetch(self) -> None:
        """Knows the provider's keys of now. Raises ProviderError."""
        before = self._keys
        async with self._lock:
            if self._keys is not before:
                return  # another one has fetched while this one waited
            now_s = asyncio.get_running_loop().time()
            if now_s < self._not_before_s:
                if self._fault:
                    raise ProviderError(self._fault)
                return
            self._fault, self._not_before_s = "", now_s + _PUT_OFF_S
            try:
                self._keys = await self._fetched()
            except ProviderError as fault:
                self._metrics.fetched_keys(self._url, None)
                self._fault, self._not_before_s = str(fault), now_s + _UNREACHABLE_S
                _log.warning("keys of the OpenID provider not fetched", issuer=self._url, error=fault)
                raise
            if {name for name, _ in self._keys} != {name for name, _ in before}:
                self._not_before_s = 0.0

    async def _fetched(self) -> tuple[Key, ...]:
        if not self._jwks_uri:
            self._jwks_uri = self._jwks_uri_of(await self._get(self._discovery_url))
        document = await self._get(self._jwks_uri)
        self._metrics.fetched_keys(self._url, document)
        return keys_of(document)

    def _jwks_uri_of(self, document: Mapping[str, Any]) -> str:
        issuer, found = document.get("issuer"), document.get("jwks_uri")
        if issuer != self._url:
            why = f'oidc: issuer did not match the issuer returned by provider, expected "{self._url}" got "{issuer}"'
            raise ProviderError(why)
        if not isinstance(found, str) or not found:
            raise ProviderError("oidc: the discovery document names no jwks_uri")
        return found

    async def _get(self, url: str) -> dict[str, Any]:
        body = await fetch(url, ca=self._ca)
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError as fault:
            raise ProviderError(f"oidc: failed to decode the answer of {url}: {fault}") from fault
        if not isinstance(found, dict):
            raise ProviderError(f"oidc: the answer of {url} is no object")
        return found


async def fetch(url: str, *, ca: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """What is at the URL, of a server whose certificate ends in `ca`, or the system's. Raises ProviderError."""
    target = Target(url=url, ca=ca)
    try:
        async with (
            asyncio.timeout(_WITHIN_S),
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_tls(target))) as session,
            session.get(url, headers={"Accept": "application/json", **(headers or {})}) as reply,
        ):
            body = await reply.content.read(_MOST)
    except (aiohttp.ClientError, OSError, TimeoutError) as fault:
        raise ProviderError(f'Get "{url}": {faults.of_way(target, fault, _authority(url))}') from fault
    if reply.status != 200:
        raise ProviderError(f"{reply.status} {reply.reason}: {body[:256].decode(errors='replace')}")
    return body


def keys_of(document: Mapping[str, Any]) -> tuple[Key, ...]:
    """The keys of a JSON Web Key Set that sign; those of sorts that are not known are left out."""
    found = []
    for one in document.get("keys") or ():
        if not isinstance(one, dict) or one.get("use") not in (None, "sig") or one.get("kty") == "oct":
            continue  # a secret that is published is none
        try:
            found.append((str(one.get("kid") or ""), jwt.PyJWK.from_dict(one).key))
        except jwt.PyJWTError:
            continue
    return tuple(found)


def _authority(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
