"""A whole API server inside this process, on the embedded store: for tests, `kubepy dev` and simulations."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.server import ApiServer, MakeSecurity
from kubepy.lib.clock import SYSTEM, Clock
from kubepy.storage.embedded import EmbeddedStore


@asynccontextmanager
async def in_process(
    data_dir: str | Path | None = None,
    *,
    config: ApiServerConfig | None = None,
    secure: MakeSecurity | None = None,
    clock: Clock = SYSTEM,
    ready: bool = True,
) -> AsyncIterator[ApiServer]:
    """A running server without sockets; `handler` is what `Client.direct` takes. In memory without `data_dir`.

    With `ready` the bootstrap objects are there when the block begins.
    """
    path = ":memory:"
    if data_dir is not None:
        os.makedirs(data_dir, exist_ok=True)
        path = os.path.join(data_dir, "state.db")
    store = EmbeddedStore(path, synced=False)
    server = ApiServer(
        config or replace(ApiServerConfig(), storage_backend="embedded"), store, secure=secure, clock=clock
    )
    try:
        await server.start()
        if ready:
            await server.wait_ready()
        yield server
    finally:
        await server.stop()
        await store.close()
