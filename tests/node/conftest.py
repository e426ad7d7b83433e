"""A Docker daemon of the tests' own (its data, sockets and processes in a temporary folder) and images made locally."""

import io
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.clusters import pod_network

PAUSE, BUSYBOX = "registry.k8s.io/pause:3.10", "busybox:test"
_STARTS_WITHIN_S = 30.0


def _tar(files: dict[str, Path], links: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, source in files.items():
            archive.add(source, name)
        for name, target in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(folder)
    return made.getvalue()


def _import(socket: str, archive: bytes, name: str, *changes: str) -> None:
    import docker  # the daemon's client is only needed here

    api = docker.APIClient(socket, version="auto")
    try:
        api.import_image_from_data(
            archive, repository=name.rsplit(":", 1)[0], tag=name.rsplit(":", 1)[1], changes=list(changes)
        )
    finally:
        api.close()


@pytest.fixture(scope="session")
def docker_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a daemon that has the pause and busybox images, and no network of its own."""
    for program in ("dockerd", "busybox", "catatonit"):
        assert shutil.which(program), f"{program} is not installed (Debian: docker.io busybox-static catatonit)"
    folder = tmp_path_factory.mktemp("docker")
    socket = f"unix://{folder}/docker.sock"
    command = ["dockerd", "-H", socket, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
    command += ["--pidfile", f"{folder}/pid", "--bridge", "none", "--iptables=false"]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until = time.monotonic() + _STARTS_WITHIN_S
        while b"API listen on" not in (folder / "log").read_bytes():
            assert daemon.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < until, "dockerd does not start"
            time.sleep(0.1)
        busybox = Path(shutil.which("busybox") or "")
        names = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
        links = {f"bin/{name}": "busybox" for name in names if name != "busybox"}
        _import(socket, _tar({"bin/busybox": busybox}, links), BUSYBOX, 'CMD ["sh"]', "ENV PATH=/bin")
        pause = _tar({"pause": Path(shutil.which("catatonit") or "")}, {})
        _import(socket, pause, PAUSE, 'ENTRYPOINT ["/pause", "-P"]')
        yield socket
    finally:
        daemon.terminate()
        daemon.wait(20)


@pytest.fixture
def cni(tmp_path: Path) -> Path:
    """A folder with a pod network of the tests' own."""
    return pod_network(tmp_path)
