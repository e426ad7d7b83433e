"""The API's verbs on plain dicts, named as in kubectl.

`resource` is a row of `api.resources` (or one built from discovery); what the server refuses is raised as the
`api.errors` exception that its Status stands for; what is lost on the way is `transport.Unreachable`.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode

import orjson

from kubepy.api import errors
from kubepy.api.resources import Resource
from kubepy.client.transport import DirectTransport, HttpTransport, Reply, Transport
from kubepy.lib import kubeconfig
from kubepy.lib.http import Handler
from kubepy.lib.kubeconfig import RestConfig

Object = dict[str, Any]
PatchKind = Literal["merge", "strategic", "json", "apply"]

_PATCH_TYPES: Mapping[PatchKind, str] = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}
_TOO_MANY = 429
_BUSY_TRIES = 10
"""How often a request is made again that a busy server has told to come later, as client-go does."""
_JSON = {"Accept": "application/json"}
_SENDS_JSON = {"Accept": "application/json", "Content-Type": "application/json"}


class Client:
    """One user's way to one API server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @classmethod
    def from_kubeconfig(cls, path: str | Path, *, agent: str = "kubepy") -> "Client":
        """A client for the current context; the file and the certificate it names are read again when they change."""
        return cls(HttpTransport(lambda: kubeconfig.load(path), watched=(str(path),), agent=agent))

    @classmethod
    def from_config(cls, config: RestConfig, *, agent: str = "kubepy") -> "Client":
        """A client for credentials that are known already."""
        return cls(HttpTransport(lambda: config, agent=agent))

    @classmethod
    def in_cluster(cls, *, agent: str = "kubepy") -> "Client":
        """A client for a process in a pod: the service account's mounted token and the service environment."""
        return cls(HttpTransport(in_cluster_config, agent=agent))

    @classmethod
    def direct(cls, handler: Handler, user: object, *, agent: str = "kubepy") -> "Client":
        """A client that calls the API server's handler in the same process, as `user`."""
        return cls(DirectTransport(handler, user, agent=agent))

    async def close(self) -> None:
        """Lets go of connections."""
        await self._transport.close()

    async def get(
        self, resource: Resource, name: str, namespace: str | None = None, *, subresource: str | None = None
    ) -> Object:
        """The object. Raises NotFound."""
        return await self._call("GET", resource.path(namespace, quote(name), subresource))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str | None = None,
        limit: int = 0,
        continue_token: str = "",
    ) -> Object:
        """The List object; `metadata.continue` is set where `limit` cut it off."""
        params = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "resourceVersion": resource_version,
            "limit": limit or None,
            "continue": continue_token,
        }
        return await self._call("GET", resource.path(namespace), params)

    async def create(
        self,
        resource: Resource,
        obj: Object,
        namespace: str | None = None,
        *,
        name: str | None = None,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """The object as it was stored; with `name` and `subresource`, what the subresource answers."""
        namespace = namespace or obj.get("metadata", {}).get("namespace")
        params = {"dryRun": "All"} if dry_run else None
        return await self._call("POST", resource.path(namespace, name, subresource), params, obj)

    async def update(self, resource: Resource, obj: Object, *, subresource: str | None = None) -> Object:
        """Replaces the object by its name; raises Conflict unless its resourceVersion is the current one."""
        meta = obj["metadata"]
        path = resource.path(meta.get("namespace"), meta["name"], subresource)
        return await self._call("PUT", path, None, obj)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: object,
        namespace: str | None = None,
        *,
        kind: PatchKind = "merge",
        subresource: str | None = None,
        field_manager: str | None = None,
        force: bool = False,
    ) -> Object:
        """The object after the patch."""
        params = {"fieldManager": field_manager, "force": "true" if force else None}
        return await self._call("PATCH", resource.path(namespace, name, subresource), params, patch, _PATCH_TYPES[kind])

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        grace_period_s: int | None = None,
        propagation: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> Object:
        """Deletes the object, or begins to; `uid` and `resource_version` are preconditions. Raises NotFound."""
        preconditions = {k: v for k, v in (("uid", uid), ("resourceVersion", resource_version)) if v}
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            **({"gracePeriodSeconds": grace_period_s} if grace_period_s is not None else {}),
            **({"propagationPolicy": propagation} if propagation else {}),
            **({"preconditions": preconditions} if preconditions else {}),
        }
        return await self._call("DELETE", resource.path(namespace, quote(name)), None, options)

    async def delete_collection(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        grace_period_s: int | None = None,
        propagation: str | None = None,
    ) -> Object:
        """Deletes every object that the selectors select."""
        params = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "gracePeriodSeconds": grace_period_s,
            "propagationPolicy": propagation,
        }
        return await self._call("DELETE", resource.path(namespace), params)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        timeout_s: int | None = None,
        bookmarks: bool = True,
    ) -> AsyncIterator[tuple[str, Object]]:
        """(event type, object) after `resource_version`, until the server ends it. Raises what an ERROR event says."""
        params = {
            "watch": "true",
            "resourceVersion": resource_version,
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "timeoutSeconds": timeout_s,
            "allowWatchBookmarks": "true" if bookmarks else None,
        }
        target = resource.path(namespace) + _query(params)
        async with self._transport.stream(target, _JSON) as flow:
            if flow.status >= 400:  # HTTP's own line between answers and errors
                body = b"".join([chunk async for chunk in flow.chunks])
                raise _fault(flow.status, body)
            async for line in _lines(flow.chunks):
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise errors.from_status(event["object"])
                yield event["type"], event["object"]

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Any request, its answer as it came."""
        return await self._transport.request(method, path + _query(params), headers or _JSON, body)

    async def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        obj: object = None,
        content_type: str | None = None,
    ) -> Object:
        body = orjson.dumps(obj) if obj is not None else b""
        headers = {**_JSON, "Content-Type": content_type} if content_type else _SENDS_JSON if body else _JSON
        target = path + _query(params)
        reply = await self._transport.request(method, target, headers, body)
        for _ in range(_BUSY_TRIES):
            if reply.status != _TOO_MANY or not (wait_s := reply.headers.get("Retry-After", "")).isdecimal():
                break
            await asyncio.sleep(int(wait_s))
            reply = await self._transport.request(method, target, headers, body)
        if reply.status >= 400:
            raise _fault(reply.status, reply.body)
        answer: Object = orjson.loads(reply.body) if reply.body else {}
        return answer


def _query(params: Mapping[str, Any] | None) -> str:
    given = {name: value for name, value in (params or {}).items() if value not in (None, "")}
    return "?" + urlencode(given) if given else ""


def _fault(code: int, body: bytes) -> errors.ApiError:
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        status = {"code": code, "message": body.decode(errors="replace")[:500] or f"HTTP {code}"}
    return errors.from_status(status)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line:
                yield line


_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def in_cluster_config() -> RestConfig:
    """What a pod is given to reach its API server. Raises KubeconfigError outside of one."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise kubeconfig.KubeconfigError("not in a pod: KUBERNETES_SERVICE_HOST and _PORT are not set")
    shown = f"[{host}]" if ":" in host else host
    return RestConfig(
        server=f"https://{shown}:{port}",
        ca=(_ACCOUNT / "ca.crt").read_bytes(),
        token_file=str(_ACCOUNT / "token"),
    )
