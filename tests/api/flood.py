"""A process that lists again and again on many connections until it is killed: `flood.py URL CA TOKEN PATH COUNT`.

Lists as tables, which cost a server more than they cost their reader. Prints a line when as many lists as there are
connections have been served.
"""

import asyncio
import ssl
import sys

import aiohttp
import uvloop

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def main(url: str, ca: str, token: str, path: str, count: int) -> None:
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca), limit=count)
    headers = {"Authorization": f"Bearer {token}", "Accept": _TABLE}
    left = count

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal left
        while True:
            async with session.get(path) as answer:
                async for _ in answer.content.iter_any():
                    pass
            left -= 1
            if not left:
                print("all served", flush=True)

    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(url, connector=connector, headers=headers, timeout=timeout) as session:
        await asyncio.gather(*(work(session) for _ in range(count)))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:5], int(sys.argv[5])))
