"""The sandbox as tests see it: machines in Docker, the cluster on them, and the kubectls of this machine."""

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

import docker
from docker.models.containers import Container

ROOT = Path(__file__).parents[2]
KUBECONFIG = ROOT / "inventory/sandbox/artifacts/admin.conf"
CONTROL_PLANE, NODES = "kubepy-cp1", ("kubepy-node1", "kubepy-node2")
IMAGE = "kubepy-test/web"

_START = """#!/bin/sh
trap 'exit 0' TERM
mkdir -p /www
echo "web {version} $(hostname)" > /www/index.html
echo "started {version}"
httpd -f -v -p 80 -h /www &
wait
"""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One kubectl, used as an administrator in one namespace."""

    path: Path
    namespace: str = "default"
    kubeconfig: Path = KUBECONFIG

    def __call__(self, *words: str, stdin: str = "", check: bool = True, timeout_s: float = 90, **env: str) -> str:
        """What it prints. Fails the test with what it says where it fails."""
        command = [str(self.path), "-n", self.namespace, *words]
        result = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), **env},
            check=False,
        )
        if check and result.returncode:
            raise AssertionError(f"{' '.join(command)}: {result.stderr or result.stdout}")
        return result.stdout + ("" if check else result.stderr)

    def get(self, *words: str) -> Any:
        """The object or list, decoded."""
        return json.loads(self("get", *words, "-o", "json"))

    def items(self, *words: str) -> list[Any]:
        found: list[Any] = self.get(*words)["items"]
        return found


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Three machines with a cluster on them."""

    engine: docker.DockerClient

    def machine(self, name: str) -> Container:
        return self.engine.containers.get(name)

    def run(self, machine: str, *command: str, check: bool = True) -> str:
        """What a command prints on a machine, as root."""
        code, output = self.machine(machine).exec_run(list(command))
        text: str = output.decode(errors="replace")
        if check and code:
            raise AssertionError(f"{machine}: {' '.join(command)}: {text}")
        return text

    def load_image(self, version: str) -> None:
        """Gives both nodes the image IMAGE:version, a web server that tells its version and its pod."""
        name = f"{IMAGE}:{version}"
        self.engine.api.import_image_from_data(_root_filesystem(version), repository=IMAGE, tag=version,
                                               changes=['CMD ["/start.sh"]'])  # fmt: skip
        archive = b"".join(self.engine.images.get(name).save(named=name))
        for node in NODES:
            self.machine(node).put_archive("/root", _tar({"image.tar": (archive, 0o600)}))
            self.run(node, "docker", "load", "-i", "/root/image.tar")


def _root_filesystem(version: str) -> bytes:
    busybox = Path(which("busybox") or "/bin/busybox").read_bytes()
    applets = ("sh", "httpd", "wget", "nslookup", "hostname", "mkdir", "cat", "sleep", "ls", "env", "id", "ps")
    files: dict[str, tuple[bytes, int]] = {
        "bin/busybox": (busybox, 0o755),
        "start.sh": (_START.format(version=version).encode(), 0o755),
        "tmp/.keep": (b"", 0o644),
    }
    return _tar(files, links={f"bin/{applet}": "/bin/busybox" for applet in applets})


def _tar(files: dict[str, tuple[bytes, int]], links: dict[str, str] | None = None) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, (data, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return packed.getvalue()


def eventually(holds: Callable[[], Any], what: str, *, within_s: float = 60) -> Any:
    """What `holds` answers once that is true; it may raise AssertionError until then."""
    until, last = time.monotonic() + within_s, ""
    while time.monotonic() < until:
        try:
            if found := holds():
                return found
        except AssertionError as error:
            last = str(error)
        time.sleep(0.2)
    raise AssertionError(f"not within {within_s:.0f} s: {what} {last}")


_FETCH = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode(), end='')"


def probe(kubectl: Kubectl, url: str, node: str = "") -> str:
    """What a URL answers to a pod made for it, on `node`; the add-ons' image has a resolver as programs use it."""
    dns = kubectl.get("-n", "kube-system", "deployment", "kube-dns")
    image = dns["spec"]["template"]["spec"]["containers"][0]["image"]
    words = ["run", "probe", "-i", "--rm", "--restart=Never", f"--image={image}", "--quiet", "--command"]
    if node:
        words.append("--overrides=" + json.dumps({"spec": {"nodeName": node}}))
    return kubectl(*words, "--", "python3", "-c", _FETCH, url)


def play(*words: str, timeout_s: float = 900) -> str:
    """Runs a playbook from the repository's top folder."""
    bin_folder = ROOT / ".venv/bin"
    env = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"}
    command: Sequence[str] = [str(bin_folder / "ansible-playbook"), *words]
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
    if result.returncode:
        raise AssertionError(f"{' '.join(words)}:\n{result.stdout[-6000:]}\n{result.stderr[-2000:]}")
    return result.stdout
