"""`kubepy dev` as a process of its own: started, asked, ended. For tests in any style, so nothing here is async.

Uses the standard library alone: the pytest plug-in loads it in every run, also in those that want no cluster.
"""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_STARTS_WITHIN_S = 30.0
_ENDS_WITHIN_S = 10.0


class DevProcess:
    """A cluster that lives in `folder`; it may be ended, or killed, and started again on what it left there."""

    def __init__(self, folder: Path, *, nodes: int = 1, port: int = 0) -> None:
        self.folder = folder
        self.nodes = nodes
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig; written anew at each start."""
        return self.folder / "kubeconfig"

    @property
    def log(self) -> str:
        """What the process has said on standard error, over all its starts."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def start(self) -> float:
        """Starts it; returns when it is ready, with the seconds that this took. Raises RuntimeError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "kubepy.cli.kubepy", "dev", "--data-dir", str(self.folder)]
        command += ["--port", str(self.port), "--nodes", str(self.nodes), "--until-eof"]
        began = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            # A group of its own: ^C at the terminal is for the tests, which then end the cluster.
            # The pipe to it is closed with this process, however that ends: then it ends too.
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        said = ""
        while "\n" not in said:
            said += (self.process.stdout.read() or b"").decode()
            if self.process.poll() is not None or time.monotonic() - began > _STARTS_WITHIN_S:
                self.kill()
                raise RuntimeError(f"kubepy dev does not start: {self.log[-2000:]}")
            time.sleep(0.01)
        self.url = said.splitlines()[0].split()[-1]
        return time.monotonic() - began

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """Asks it to end; its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signum)
        try:
            return self.process.wait(_ENDS_WITHIN_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """Ends it at once, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()
            self.process = None

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer of the API to an administrator: an object, or text. Raises urllib's HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=30, context=self._tls()) as reply:
            text = reply.read().decode()
            return json.loads(text) if "json" in reply.headers.get("Content-Type", "") else text

    def create_namespace(self, name: str) -> None:
        """Makes the namespace; returns when pods can be created in it."""
        meta = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.call("POST", "/api/v1/namespaces", meta)
        until = time.monotonic() + _STARTS_WITHIN_S
        while not self._exists(f"/api/v1/namespaces/{name}/serviceaccounts/default"):
            if time.monotonic() > until:
                raise RuntimeError(f"namespace {name} gets no service account")
            time.sleep(0.01)

    def delete_namespace(self, name: str) -> None:
        """Asks for its end, which goes on by itself."""
        if self._exists(f"/api/v1/namespaces/{name}"):
            self.call("DELETE", f"/api/v1/namespaces/{name}")

    def _exists(self, path: str) -> bool:
        try:
            self.call("GET", path)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False
        return True

    def _tls(self) -> ssl.SSLContext:
        pki = self.folder / "pki"
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        return context
