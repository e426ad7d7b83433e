"""Requests that come while the server stops."""

import asyncio

import httpx
import pytest
import uvloop
from multidict import CIMultiDict

from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.http.draining import Draining
from kubepy.apiserver.server import ApiServer
from kubepy.lib.http import Answer, Request, Response
from kubepy.storage.embedded import EmbeddedStore


def request(path: str, agent: str = "kubectl/v1.37.0") -> Request:
    return Request("GET", path, headers=CIMultiDict({"User-Agent": agent}))


async def answered(answer: Answer) -> int:
    assert isinstance(answer, Response)
    return answer.status


def test_who_comes_late_is_sent_away_while_others_are_answered() -> None:
    async def run() -> None:
        finish = asyncio.Event()

        async def slow(request: Request) -> Answer:
            if request.path == "/slow":
                await finish.wait()
            return Response(200)

        draining = Draining(slow)
        first = asyncio.ensure_future(draining.handle(request("/slow")))
        await asyncio.sleep(0)
        over = asyncio.ensure_future(draining.drain(60))
        await asyncio.sleep(0)
        late = await draining.handle(request("/api/v1/pods"))
        assert isinstance(late, Response)
        assert (late.status, late.body) == (429, b"The apiserver is shutting down, please try again later.\n")
        assert (late.headers["Retry-After"], late.headers["Connection"]) == ("5", "close")
        assert await answered(await draining.handle(request("/readyz/ping"))) == 200
        assert await answered(await draining.handle(request("/api", "kube-apiserver/v1.37.0"))) == 200
        assert not over.done()
        finish.set()
        assert await answered(await first) == 200
        await over

    asyncio.run(run())


def test_nobody_is_waited_for_beyond_the_grace() -> None:
    async def run() -> None:
        async def never(request: Request) -> Answer:
            await asyncio.Event().wait()
            return Response(200)

        draining = Draining(never)
        await draining.drain(60)  # nothing is under way
        stuck = Draining(never)
        pending = asyncio.ensure_future(stuck.handle(request("/api")))
        await asyncio.sleep(0)
        await stuck.drain(0.01)
        pending.cancel()

    asyncio.run(run())


def test_a_server_listens_until_what_is_under_way_is_answered() -> None:
    async def run() -> None:
        begun, finish = asyncio.Event(), asyncio.Event()

        async def slow(request: Request) -> Answer:
            begun.set()
            await finish.wait()
            return Response(200)

        store = EmbeddedStore()
        server = ApiServer(ApiServerConfig(storage_backend="embedded", shutdown_send_retry_after=True), store)
        await server.start()
        port = (await server.listen("127.0.0.1", 0, tls=None, handler=slow)).port
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            first = asyncio.ensure_future(client.get("/api"))
            await begun.wait()
            stopping = asyncio.ensure_future(server.stop(5))
            await asyncio.sleep(0)
            assert (await client.get("/api")).status_code == 429
            finish.set()
            assert (await first).status_code == 200
            await stopping
            with pytest.raises(httpx.ConnectError):
                await client.get("/api")
        await store.close()

    uvloop.run(run())
