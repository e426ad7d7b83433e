"""The port of a daemon speaks TLS as its flags say."""

import asyncio
import socket
import ssl

import pytest

from kubepy.cli.health_port import serve_delegated
from kubepy.lib.flags import parse
from kubepy.scheduler.config import FLAGS


async def handshake(port: int, newest: ssl.TLSVersion) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = newest
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.close()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_older_tls_is_not_spoken_where_that_is_said() -> None:
    async def run() -> None:
        port = free_port()
        flags = [f"--secure-port={port}", "--tls-min-version=VersionTLS13"]
        opened = await serve_delegated("kube-scheduler", parse(FLAGS, flags))
        try:
            await handshake(port, ssl.TLSVersion.TLSv1_3)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await handshake(port, ssl.TLSVersion.TLSv1_2)
        finally:
            await opened.close()

    asyncio.run(run())
