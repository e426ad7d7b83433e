"""A process that writes to a store for ever and prints each acknowledged write: `writer.py PATH PREFIX`.

What the test kills, to see that nothing that was printed is lost.
"""

import asyncio
import itertools
import sys

from kubepy.storage.embedded import EmbeddedStore


async def main(path: str, prefix: str) -> None:
    store = EmbeddedStore(path)

    async def write(worker: int) -> None:
        for number in itertools.count():
            key = f"{prefix}{worker}-{number}"
            revision = await store.create(key, b"x" * 2000)
            sys.stdout.write(f"{key} {revision}\n")
            sys.stdout.flush()

    await asyncio.gather(*(write(worker) for worker in range(8)))


asyncio.run(main(*sys.argv[1:]))
