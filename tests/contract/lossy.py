"""A TCP proxy in front of etcd that can lose answers: what was asked is carried out, and nobody hears of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class LossyProxy:
    """While `loses` is set, the first bytes that come back cut the connection instead of being passed on."""

    def __init__(self, target_port: int) -> None:
        self.loses = False
        self.port = 0
        self._target_port = target_port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        there, onward = await asyncio.open_connection("127.0.0.1", self._target_port)
        ways = [asyncio.ensure_future(self._ask(reader, onward)), asyncio.ensure_future(self._answer(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (onward, writer):
                end.close()

    async def _ask(self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            onward.write(data)

    async def _answer(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while (data := await there.read(65536)) and not self.loses:
                writer.write(data)
        self.loses = False


@asynccontextmanager
async def lossy_proxy(target_port: int) -> AsyncIterator[LossyProxy]:
    """A listening one."""
    proxy = LossyProxy(target_port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
