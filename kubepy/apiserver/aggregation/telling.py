"""Asks an extension server whether it is there and what it serves: discovery and OpenAPI, as the aggregator itself.

What it does not answer is known from before, if it ever was, and marked as stale.
Source: kube-aggregator pkg/apiserver/handler_discovery.go, pkg/controllers/{status/remote,openapi,openapiv3}.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from multidict import CIMultiDict

from kubepy.api import discovery, discovery_merge
from kubepy.api.discovery import Document
from kubepy.apiserver.aggregation.backends import Backends
from kubepy.apiserver.aggregation.remote import Remote
from kubepy.apiserver.authn.user import PRIVILEGED_GROUP, UserInfo
from kubepy.apiserver.proxying.proxy import BackendError
from kubepy.apiserver.webhooks.places import NoPlace
from kubepy.lib.http import Request, Stream

AGGREGATOR = UserInfo("system:kube-aggregator", groups=(PRIVILEGED_GROUP,))
_OPENAPI = UserInfo("system:aggregator", groups=(PRIVILEGED_GROUP,))
_ATTEMPTS = 5
_CHECK_WITHIN_S = 5.0
_FETCH_WITHIN_S = 30.0
_MOST = 64 * 1024 * 1024
_ACCEPTS_AGGREGATED = f"{discovery.aggregated_content_type()},{discovery.aggregated_content_type(version='v2beta1')}"
_ACCEPTS = f"{_ACCEPTS_AGGREGATED},application/json"


class NoAnswer(Exception):
    """An extension server did not say what it was asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    content_type: str
    headers: Mapping[str, str]
    body: bytes

    def parsed(self) -> Document:
        """The JSON object in it. Raises NoAnswer."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError as fault:
            raise NoAnswer(f"the answer is not JSON: {fault}") from fault
        if not isinstance(found, dict):
            raise NoAnswer("the answer is not an object")
        return found


@dataclass(frozen=True, slots=True)
class Told:
    """What an extension server tells of one group and version; None where it never did.

    `v3_link` is where its OpenAPI v3 document is, hash included; `v2` its OpenAPI v2 document, known by `v2_tag`.
    """

    discovery: Document | None = None
    v2: Document | None = None
    v2_tag: str = ""
    v3_link: str = ""


class Teller:
    """See the module's docstring."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends

    async def check(self, remote: Remote) -> str:
        """Why the server is not there; an empty text if it is. One good answer of several is enough."""
        fault = await self._check_once(remote)
        if not fault:
            return ""
        faults = await asyncio.gather(*(self._check_once(remote) for _ in range(_ATTEMPTS - 1)))
        return "" if "" in faults else faults[-1]

    async def _check_once(self, remote: Remote) -> str:
        url = f"https://{remote.service.host}:{remote.service.port}{remote.path}"
        missing = f"failing or missing response from {url}"
        try:
            reply = await self._ask(remote, remote.path, verified=False, within_s=_CHECK_WITHIN_S)
        except NoAnswer as fault:
            return f'{missing}: Get "{url}": {fault}'
        if 200 <= reply.status < 300:
            return ""
        return f"{missing}: bad status from {url}: {reply.status}"

    async def tell_resources(self, remote: Remote, known: Told) -> Told:
        """With the discovery that the server tells now; if it does not, what is known already, as stale."""
        try:
            return replace(known, discovery=await self._discovery(remote))
        except NoAnswer:
            before = known.discovery or {"version": remote.version, "resources": []}
            return replace(known, discovery={**before, "freshness": "Stale"})

    async def tell_openapi(self, remote: Remote, known: Told) -> Told:
        """With the OpenAPI that the server tells now; if it does not, what is known already."""
        try:
            found = await self._openapi_v2(remote, known)
            return replace(found, v3_link=await self._openapi_v3(remote))
        except NoAnswer:  # no OpenAPI is no fault
            return known

    async def _discovery(self, remote: Remote) -> Document:
        if remote.group:
            whole = await self._ask(remote, "/apis", accept=_ACCEPTS)
            is_aggregated = whole.status == 200 and discovery.AGGREGATED in whole.content_type
            if is_aggregated and (part := _part_of(whole.parsed(), remote)) is not None:
                return part
        listed = await self._ask(remote, remote.path)
        if listed.status != 200:
            raise NoAnswer(f"discovery answered {listed.status}")
        return discovery_merge.from_resource_list(remote.version, listed.parsed())

    async def _openapi_v2(self, remote: Remote, known: Told) -> Told:
        tag = {"If-None-Match": known.v2_tag} if known.v2_tag else {}
        reply = await self._ask(remote, "/openapi/v2", headers=tag, user=_OPENAPI)
        if reply.status != 200:
            return known
        return replace(known, v2=reply.parsed(), v2_tag=reply.headers.get("ETag", ""))

    async def _openapi_v3(self, remote: Remote) -> str:
        reply = await self._ask(remote, "/openapi/v3", user=_OPENAPI)
        if reply.status != 200:
            return ""
        place: Any = (reply.parsed().get("paths") or {}).get(remote.place) or {}
        return str(place.get("serverRelativeURL") or "")

    async def _ask(
        self,
        remote: Remote,
        path: str,
        *,
        accept: str = "application/json",
        headers: Mapping[str, str] | None = None,
        user: UserInfo = AGGREGATOR,
        verified: bool = True,
        within_s: float = _FETCH_WITHIN_S,
    ) -> Reply:
        """Raises NoAnswer."""
        request = Request("GET", path, headers=CIMultiDict({"Accept": accept, **(headers or {})}))
        try:
            async with asyncio.timeout(within_s):
                answer = await self._backends.forward(remote, request, user, verified=verified)
                body = await _whole(answer.chunks) if isinstance(answer, Stream) else b""
        except TimeoutError:
            raise NoAnswer("context deadline exceeded") from None
        except (BackendError, NoPlace, OSError) as fault:
            raise NoAnswer(str(fault)) from fault
        kind = answer.content_type if isinstance(answer, Stream) else ""
        return Reply(answer.status, kind, answer.headers, body)


async def _whole(chunks: AsyncIterator[bytes]) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in chunks:
            size += len(chunk)
            if size > _MOST:
                raise NoAnswer(f"the answer is longer than {_MOST} bytes")
            parts.append(chunk)
    finally:
        await chunks.aclose()  # type: ignore[attr-defined]  # a body of `proxy` has it
    return b"".join(parts)


def _part_of(whole: Document, remote: Remote) -> Document | None:
    """What an aggregated discovery document says of the group and version."""
    for item in whole.get("items") or ():
        if (item.get("metadata") or {}).get("name") == remote.group:
            for found in item.get("versions") or ():
                if found.get("version") == remote.version:
                    return {**found, "freshness": "Current"}
    return None
