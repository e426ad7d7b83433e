"""Plain requests to an API server in the same process: what goes in and comes out on the wire, without the wire."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
import uvloop
from multidict import CIMultiDict

from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.server import ApiServer
from kubepy.lib.http import Headers, Request, Response, Stream

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Told:
    """An answer: `body` parsed where it is JSON, a list of lines where it is a watch's."""

    status: int
    body: Any
    headers: Headers

    @property
    def message(self) -> str:
        return str(self.body["message"])

    @property
    def warnings(self) -> list[str]:
        return self.headers.getall("Warning", [])


@dataclass(frozen=True)
class Asker:
    """Asks a server; `body` is sent as JSON unless it is bytes."""

    server: ApiServer

    async def __call__(
        self, method: str, target: str, body: Any = None, *, kind: str = "", accept: str = "", **headers: str
    ) -> Told:
        path, _, query = target.partition("?")
        sent = CIMultiDict(headers)
        if kind:
            sent["Content-Type"] = kind
        if accept:
            sent["Accept"] = accept
        data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        answer = await self.server.handler(Request(method, path, query, sent, data))
        assert isinstance(answer, Response | Stream)
        if isinstance(answer, Stream):
            async with asyncio.timeout(10):
                lines = b"".join([chunk async for chunk in answer.chunks]).splitlines()
            return Told(answer.status, [orjson.loads(line) for line in lines], CIMultiDict(answer.headers))
        if answer.on_sent is not None:
            answer.on_sent()
        raw = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        parsed = orjson.loads(raw) if answer.content_type == "application/json" and raw else raw.decode()
        return Told(answer.status, parsed, CIMultiDict(answer.headers))


def on_server(test: Callable[[Asker], Awaitable[None]]) -> None:
    """Runs a test on a server of its own."""

    async def run() -> None:
        async with in_process() as server:
            await test(Asker(server))

    uvloop.run(run())
