"""componentstatuses: how the control plane is, asked at its health endpoints when somebody looks.

Components that run elsewhere than behind the ports of this host are told of as `components`.
Source: pkg/registry/core/componentstatus.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import aiohttp

from kubepy.api import resources
from kubepy.api.errors import InternalError
from kubepy.api.meta import Object
from kubepy.apiserver.http import rendering
from kubepy.apiserver.http.routing import Endpoint
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.served import Served
from kubepy.apiserver.registry.strategy import Strategy
from kubepy.lib.http import Answer
from kubepy.storage.base import Unavailable
from kubepy.storage.cache import ResourceCache

if TYPE_CHECKING:
    from kubepy.apiserver.server import ApiServer

Probe = Callable[[], Awaitable[str]]
"""Answers what a healthy component says; raises ComponentFault, or an OSError, of one that is not."""

_ROW = resources.named("componentstatuses")
_PORTS = {"scheduler": 10259, "controller-manager": 10257}
_TIMEOUT_S = 5.0


class ComponentFault(Exception):
    """The component is not healthy; the message is what kubectl shows."""


class _UnknownComponent(InternalError):
    """Nothing is asked after under this name, which upstream tells of as a fault of no kind: 500."""

    reason = ""


def component_statuses(server: "ApiServer", components: Mapping[str, Probe] | None = None) -> Endpoint:
    """Answers get and list; `components` of None are those behind the usual ports of this host."""
    cache = ResourceCache(server.store, "/registry/componentstatuses/", fields=lambda obj: {})
    served = Served(_ROW, _ROW, Strategy(_ROW), cache, cache.prefix)
    if components is None:
        components = {name: _port_probe(port) for name, port in _PORTS.items()}
    probes = {**components, "etcd-0": _store_probe(server)}

    async def answer(ctx: Context) -> Answer:
        name = ctx.info.name
        if not name:
            found = await asyncio.gather(*(_ask(name, probe) for name, probe in probes.items()))
            return rendering.respond_objects(served, ctx, list(found), 0)
        if name not in probes:
            raise _UnknownComponent(f"Component not found: {name}")
        return rendering.respond_result(served, ctx, Result(200, obj=await _ask(name, probes[name])))

    return answer


async def _ask(name: str, probe: Probe) -> Object:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return _status(name, healthy=True, text=await probe())
    except (ComponentFault, OSError, TimeoutError) as fault:
        return _status(name, healthy=False, text=str(fault) or "no answer in time")


def _port_probe(port: int) -> Probe:
    url = f"https://127.0.0.1:{port}/healthz"
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE  # only whether it is alive is asked

    async def probe() -> str:
        try:
            async with aiohttp.ClientSession() as session, session.get(url, ssl=tls) as reply:
                text = await reply.text()
        except (aiohttp.ClientError, OSError) as fault:
            raise ComponentFault(f'Get "{url}": {fault}') from fault
        if reply.status != 200:
            raise ComponentFault(text)
        return text

    return probe


def _store_probe(server: "ApiServer") -> Probe:
    async def probe() -> str:
        try:
            await server.store.ping()
        except Unavailable as fault:
            raise ComponentFault(str(fault)) from fault
        return "ok"

    return probe


def _status(name: str, *, healthy: bool, text: str) -> Object:
    condition = {"type": "Healthy", "status": "True" if healthy else "False"}
    condition["message"] = text
    return {
        "apiVersion": "v1",
        "kind": "ComponentStatus",
        "metadata": {"name": name},
        "conditions": [condition],
    }
