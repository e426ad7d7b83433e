"""componentstatuses: how the control plane is, asked at its health endpoints when somebody looks.

Source: pkg/registry/core/componentstatus.
"""

import asyncio
import ssl
from typing import TYPE_CHECKING

import aiohttp

from kubepy.api import resources
from kubepy.api.errors import NotFound
from kubepy.api.meta import Object
from kubepy.apiserver import rendering
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.served import Served
from kubepy.apiserver.registry.strategy import Strategy
from kubepy.apiserver.routing import Endpoint
from kubepy.lib.http import Answer
from kubepy.storage.base import Unavailable
from kubepy.storage.cache import ResourceCache

if TYPE_CHECKING:
    from kubepy.apiserver.server import ApiServer

_ROW = resources.named("componentstatuses")
_PORTS = {"scheduler": 10259, "controller-manager": 10257}
_TIMEOUT_S = 5.0


def component_statuses(server: "ApiServer") -> Endpoint:
    """Answers get and list."""
    cache = ResourceCache(server.store, "/registry/componentstatuses/", fields=lambda obj: {})
    served = Served(_ROW, _ROW, Strategy(_ROW), cache, cache.prefix)

    async def answer(ctx: Context) -> Answer:
        if not ctx.info.name:
            found = await asyncio.gather(*(_ask(server, name) for name in (*_PORTS, "etcd-0")))
            return rendering.respond_objects(served, ctx, list(found), 0)
        if ctx.info.name not in (*_PORTS, "etcd-0"):
            raise NotFound(f'Component "{ctx.info.name}" not found')
        return rendering.respond_result(served, ctx, Result(200, obj=await _ask(server, ctx.info.name)))

    return answer


async def _ask(server: "ApiServer", name: str) -> Object:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            text = await _ask_port(_PORTS[name]) if name in _PORTS else await _ask_store(server)
    except (aiohttp.ClientError, Unavailable, OSError, TimeoutError) as fault:
        url = f"https://127.0.0.1:{_PORTS[name]}/healthz" if name in _PORTS else "etcd"
        return _status(name, healthy=False, text=f'Get "{url}": {fault or type(fault).__name__}')
    return _status(name, healthy=True, text=text)


async def _ask_port(port: int) -> str:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE  # only whether it is alive is asked
    async with aiohttp.ClientSession() as session, session.get(f"https://127.0.0.1:{port}/healthz", ssl=tls) as reply:
        text = await reply.text()
        if reply.status != 200:
            raise aiohttp.ClientError(text)
        return text


async def _ask_store(server: "ApiServer") -> str:
    await server.store.ping()
    return "ok"


def _status(name: str, *, healthy: bool, text: str) -> Object:
    condition = {"type": "Healthy", "status": "True" if healthy else "False"}
    condition["message"] = text
    return {
        "apiVersion": "v1",
        "kind": "ComponentStatus",
        "metadata": {"name": name},
        "conditions": [condition],
    }
