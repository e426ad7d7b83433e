"""A whole API server on a TLS socket, and the ways real clients come to it: aiohttp and kubectl."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.securing import secure
from kubepy.apiserver.server import ApiServer
from kubepy.apiserver.serving import Serving
from kubepy.lib import kubeconfig, pki
from tests.kubectls import find_kubectls

_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Api:
    """A running server: its address, an authenticated session, and a kubeconfig for kubectl."""

    server: ApiServer
    url: str
    session: aiohttp.ClientSession
    kubeconfig: Path

    async def call(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json", accept: str | None = None
    ) -> tuple[int, Any]:
        """(status, parsed body) of one request."""
        headers = {"Content-Type": kind} | ({"Accept": accept} if accept else {})
        async with self.session.request(method, self.url + path, json=body, headers=headers) as answer:
            parsed = await answer.json() if answer.content_type == "application/json" else await answer.text()
            return answer.status, parsed


def kubectls() -> list[str]:
    """Every kubectl of this machine, one a release."""
    return [str(path) for path in find_kubectls()]


@asynccontextmanager
async def api_server(folder: Path, **settings: Any) -> AsyncIterator[Api]:
    """A server with RBAC and client certificates, whose caller is in system:masters; `settings` are its config's."""
    authority = pki.new_ca("kubernetes-ca")
    serving = pki.issue(authority, "kube-apiserver", dns=("localhost",), ips=("127.0.0.1",), client=False, server=True)
    admin = pki.issue(authority, "kubernetes-admin", organizations=("system:masters",))
    for name, pem in (
        ("ca.crt", authority.certificate_pem),
        ("server.crt", serving.certificate_pem),
        ("server.key", serving.key_pem),
        ("admin.crt", admin.certificate_pem),
        ("admin.key", admin.key_pem),
    ):
        (folder / name).write_bytes(pem)
    usual = ApiServerConfig(
        storage_backend="embedded",
        client_ca_file=str(folder / "ca.crt"),
        tls_cert_file=str(folder / "server.crt"),
        tls_private_key_file=str(folder / "server.key"),
        authorization_mode=("Node", "RBAC"),
        disable_admission_plugins=("ServiceAccount",),
    )
    config = replace(usual, **settings)
    async with in_process(config=config, secure=secure) as server:
        listening = await server.listen("127.0.0.1", 0, tls=Serving(config).context)
        url = f"https://127.0.0.1:{listening.port}"
        rest = kubeconfig.RestConfig(
            server=url,
            ca=authority.certificate_pem,
            client_certificate=admin.certificate_pem,
            client_key=admin.key_pem,
        )
        (folder / "kubeconfig").write_text(kubeconfig.render(rest))
        tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        tls.load_cert_chain(folder / "admin.crt", folder / "admin.key")
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
            yield Api(server, url, session, folder / "kubeconfig")


def on_api(folder: Path, test: Callable[[Api], Awaitable[None]]) -> None:
    """Runs a test on a server of its own."""

    async def run() -> None:
        async with asyncio.timeout(_TIMEOUT_S), api_server(folder) as api:
            await test(api)

    uvloop.run(run())


async def kubectl(binary: str, api: Api, *arguments: str, stdin: str = "", check: bool = True) -> str:
    """What kubectl printed; fails, with what it complained of, if `check` and it failed."""
    process = await asyncio.create_subprocess_exec(
        binary,
        f"--kubeconfig={api.kubeconfig}",
        f"--cache-dir={api.kubeconfig.parent / 'cache'}",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(api.kubeconfig.parent), "EDITOR": "sed -i s/REPLACED/EDITED/"},
    )
    out, _ = await process.communicate(stdin.encode())
    text = out.decode()
    if check and process.returncode:
        raise AssertionError(f"kubectl {' '.join(arguments)}: {text}")
    return text
