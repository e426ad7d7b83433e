"""A kube-apiserver in a process of its own, to be flooded, starved and killed."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

import kubepy
from kubepy.lib import pki
from tests.conftest import free_port

NODE, FLOODER, ADMIN = "node-token", "flooder-token", "admin-token"
_USERS = f"""{ADMIN},admin,1,system:masters
{NODE},system:node:n1,2,system:nodes
{FLOODER},flooder,3,
"""


@dataclass
class ApiProcess:
    """`storage` are the flags that name the store. Users are known by the tokens above; all may do everything."""

    folder: Path
    storage: Sequence[str]
    flags: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def prepare(self) -> None:
        """Writes what it reads."""
        self.folder.mkdir(parents=True, exist_ok=True)
        authority = pki.new_ca("kubernetes-ca")
        serving = pki.issue(authority, "kube-apiserver", ips=("127.0.0.1",), client=False, server=True)
        for name, pem in (("ca.crt", authority.certificate_pem), ("sa.key", authority.key_pem)):
            (self.folder / name).write_bytes(pem)
        for name, pem in (("server.crt", serving.certificate_pem), ("server.key", serving.key_pem)):
            (self.folder / name).write_bytes(pem)
        (self.folder / "tokens.csv").write_text(_USERS)

    def start(self) -> None:
        """Starts it, without waiting."""
        at = self.folder
        command = [sys.executable, "-m", "kubepy.cli.kube_apiserver", *self.storage]
        command += ["--bind-address=127.0.0.1", f"--secure-port={self.port}", f"--token-auth-file={at}/tokens.csv"]
        command += [f"--tls-cert-file={at}/server.crt", f"--tls-private-key-file={at}/server.key"]
        command += ["--service-account-issuer=https://kubernetes", f"--service-account-key-file={at}/sa.key"]
        command += [f"--service-account-signing-key-file={at}/sa.key", "--authorization-mode=AlwaysAllow"]
        command += ["--disable-admission-plugins=ServiceAccount", *self.flags]
        environment = {**os.environ, "PYTHONPATH": str(Path(kubepy.__file__).parents[1])}
        with (at / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Ends it; by default at once, as a crash does."""
        if self.process is not None:
            self.process.send_signal(signum)
            self.process.wait()
            self.process = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def tls(self) -> ssl.SSLContext:
        """What its clients trust."""
        return ssl.create_default_context(cafile=str(self.folder / "ca.crt"))

    def session(self, token: str, connections: int = 100) -> aiohttp.ClientSession:
        """A client's connections, as the user of the token."""
        connector = aiohttp.TCPConnector(ssl=self.tls(), limit=connections)
        headers = {"Authorization": f"Bearer {token}"}
        return aiohttp.ClientSession(
            self.url, connector=connector, headers=headers, timeout=aiohttp.ClientTimeout(total=None)
        )

    async def wait_ready(self) -> None:
        """Returns when it serves and has made all that it makes at its start."""
        async with self.session(ADMIN) as session:
            while True:
                assert self.process is not None
                assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
                with suppress(aiohttp.ClientError):
                    async with session.get("/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)  # what is awaited is another process


@asynccontextmanager
async def api_process(folder: Path, *flags: str, storage: Sequence[str] = ()) -> AsyncIterator[ApiProcess]:
    """A running one; on the embedded store, unless `storage` says otherwise."""
    api = ApiProcess(folder / "api", storage or ("--storage-backend=embedded", f"--data-dir={folder}/data"), flags)
    api.prepare()
    api.start()
    try:
        await api.wait_ready()
        yield api
    finally:
        api.kill()
