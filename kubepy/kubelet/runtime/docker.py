"""Docker as the runtime of a node: the SDK's low-level client in a small thread pool, long streams by asyncio.

Promises: what is asked twice is done once (removing or stopping what is gone is no fault); the SDK's errors leave as
RuntimeFault; no call holds the event loop.
Left to others: the pod's network (sandbox.py), what a container is made of (docker_render.py).
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import docker.errors
import orjson
import requests
from docker import APIClient

from kubepy.kubelet.runtime import docker_render as render
from kubepy.kubelet.runtime.base import (
    Brief,
    ContainerSpec,
    ContainerStatus,
    ExecResult,
    ImageInfo,
    Limits,
    LogOptions,
    RuntimeEvent,
    RuntimeFault,
    SandboxSpec,
    SandboxStatus,
    Stdio,
)
from kubepy.kubelet.runtime.docker_stream import DockerSocket, DockerStdio, demultiplexed
from kubepy.lib import log

T = TypeVar("T")
Api = Any
"""docker.APIClient; the stubs lack half of it."""

_THREADS = 8
_TIMEOUT_S = 120
_EVENTS = ("create", "start", "die", "oom", "destroy", "pause", "unpause")
_log = log.get(__name__)


class DockerRuntime:
    """See Runtime. `endpoint` is a Unix socket's URL."""

    name = "docker"

    def __init__(self, endpoint: str = "unix:///var/run/docker.sock", *, node: render.Node | None = None) -> None:
        self.node = node if node is not None else find_out_node()
        self._endpoint = endpoint
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="docker")
        self._api: Api | None = None
        self._socket: DockerSocket | None = None
        self._image_ids: dict[str, str] = {}
        self._attached: set[str] = set()

    def _connect(self) -> Api:
        if self._api is None:
            api = APIClient(self._endpoint, version="auto", timeout=_TIMEOUT_S, num_pools=_THREADS)
            self._socket = DockerSocket(self._endpoint.removeprefix("unix://"), api.api_version)
            self._api = api
        return self._api

    async def _sdk(self, call: Callable[[Api], T]) -> T:
        """Runs `call` in a thread. Raises RuntimeFault for whatever Docker or the way to it refuses."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, lambda: call(self._connect()))
        except docker.errors.APIError as error:
            raise RuntimeFault(str(error.explanation or error)) from error
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            raise RuntimeFault(f"cannot reach Docker at {self._endpoint}: {error}") from error

    async def _streams(self) -> DockerSocket:
        if self._socket is None:
            await self._sdk(lambda _: None)
        assert self._socket is not None
        return self._socket

    def limitation(self) -> str:
        missing = ", ".join(sorted(self.node.missing_caps))
        if not missing:
            return ""
        return f"containers run without {missing}, and with an OOM score of at least {self.node.least_oom_score}"

    async def version(self) -> tuple[str, str]:
        found = await self._sdk(lambda api: api.version())
        return found["Version"], found["ApiVersion"]

    async def info(self) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = await self._sdk(lambda api: api.info())
        return facts

    async def all(self) -> list[Brief]:
        filters = {"label": render.POD_UID}
        return render.parse_briefs(await self._sdk(lambda api: api.containers(all=True, filters=filters)))

    async def inspect(self, container_id: str) -> ContainerStatus | SandboxStatus | None:
        return await self._sdk(lambda api: self._inspect(api, container_id))

    def _inspect(self, api: Api, container_id: str) -> ContainerStatus | SandboxStatus | None:
        try:
            found = api.inspect_container(container_id)
        except docker.errors.NotFound:
            return None
        image = found.get("Image", "")
        if image not in self._image_ids:
            try:
                self._image_ids[image] = render.shown_image_id(api.inspect_image(image), image)
            except docker.errors.NotFound:
                return render.parse_inspected(found, f"docker://{image}")
        return render.parse_inspected(found, self._image_ids[image])

    # Making and ending

    async def run_sandbox(self, spec: SandboxSpec) -> SandboxStatus:
        config = render.render_sandbox(spec, self.node)
        name = render.container_name(spec.pod, "POD", spec.attempt)

        def make(api: Api) -> SandboxStatus:
            made = _create(api, config, name)
            api.start(made)
            found = self._inspect(api, made)
            if not isinstance(found, SandboxStatus):
                raise RuntimeFault(f"sandbox {name} is gone")
            return found

        return await self._sdk(make)

    async def create_container(self, spec: ContainerSpec) -> str:
        config = render.render_container(spec, self.node)
        name = render.container_name(spec.pod, spec.name, spec.attempt)
        return await self._sdk(lambda api: _create(api, config, name))

    async def start(self, container_id: str) -> None:
        await self._sdk(lambda api: api.start(container_id))

    async def stop(self, container_id: str, grace_s: float, signal: str = "") -> None:
        socket = await self._streams()
        params: dict[str, Any] = {"t": max(int(grace_s), 0)}
        try:
            await socket.call("POST", f"/containers/{container_id}/stop", params)
        except RuntimeFault as fault:
            if "No such container" not in str(fault):
                raise

    async def remove(self, container_id: str) -> None:
        def remove(api: Api) -> None:
            try:
                api.remove_container(container_id, force=True, v=True)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError as error:
                if "already in progress" not in str(error.explanation):
                    raise

        await self._sdk(remove)
        self._attached.discard(container_id)

    async def update(self, container_id: str, limits: Limits) -> None:
        changes = render.render_limits(limits)

        def update(api: Api) -> None:
            url = api._url("/containers/{0}/update", container_id)
            api._result(api._post_json(url, data=changes), True)

        await self._sdk(update)

    # Streams

    async def run(self, container_id: str, command: Sequence[str], timeout_s: float) -> ExecResult:
        async with asyncio.timeout(timeout_s):
            stdio = await self.open_exec(container_id, command, stdin=False, tty=False)
            try:
                output = b"".join([data async for _, data in stdio.output()])
                return ExecResult(await stdio.exit_code(), output)
            finally:
                await stdio.close()

    async def open_exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Stdio:
        socket = await self._streams()
        made = await self._sdk(lambda api: api.exec_create(container_id, list(command), stdin=stdin, tty=tty))
        exec_id = made["Id"]
        body = {"Detach": False, "Tty": tty}
        stream = await socket.open("POST", f"/exec/{exec_id}/start", body=body, hijack=True)

        async def resize(width: int, height: int) -> None:
            await self._sdk(lambda api: api.exec_resize(exec_id, height=height, width=width))

        async def exit_code() -> int:
            # Docker closes the stream a moment before it notes the exit code
            while True:
                found = await self._sdk(lambda api: api.exec_inspect(exec_id))
                if not found["Running"]:
                    return int(found["ExitCode"] or 0)
                await asyncio.sleep(0.02)

        return DockerStdio(stream, tty=tty, resize=resize, exit_code=exit_code)

    async def open_attach(self, container_id: str, *, stdin: bool) -> Stdio:
        socket = await self._streams()
        found = await self._sdk(lambda api: api.inspect_container(container_id))
        if not found["State"]["Running"]:
            raise RuntimeFault(f"container not running ({container_id})")
        tty = bool(found["Config"].get("Tty"))
        # who attaches first to a process that is made for one client (`kubectl run -i`) misses nothing of it
        replays = stdin and bool(found["Config"].get("StdinOnce")) and container_id not in self._attached
        self._attached.add(container_id)
        began = time.time()
        params = {"stream": 1, "stdout": 1, "stderr": 1, "stdin": int(stdin)}
        stream = await socket.open("POST", f"/containers/{container_id}/attach", params, hijack=True)
        # Docker never ends the stream of a process that had ended before: ask again now that the stream is open
        found = await self._sdk(lambda api: api.inspect_container(container_id))
        ended = not found["State"]["Running"]
        options = {"stdout": 1, "stderr": 1, **({} if ended else {"until": f"{began:.9f}"})}

        async def written_before() -> AsyncIterator[tuple[int, bytes]]:
            logs = await socket.open("GET", f"/containers/{container_id}/logs", options)
            try:
                async for frame in demultiplexed(logs, tty=tty):
                    yield frame
            finally:
                await logs.close()

        async def resize(width: int, height: int) -> None:
            await self._sdk(lambda api: api.resize(container_id, height=height, width=width))

        async def exit_code() -> int:
            answer = await socket.call("POST", f"/containers/{container_id}/wait")
            return int(orjson.loads(answer)["StatusCode"])

        return DockerStdio(
            stream,
            tty=tty,
            resize=resize,
            exit_code=exit_code,
            before=written_before() if replays else None,
            ended=ended,
        )

    async def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[tuple[int, bytes]]:
        socket = await self._streams()
        found = await self._sdk(lambda api: api.inspect_container(container_id))
        params: dict[str, Any] = {
            "stdout": int(options.stdout),
            "stderr": int(options.stderr),
            "follow": int(options.follow),
            "timestamps": int(options.timestamps),
            "tail": "all" if options.tail is None else options.tail,
        }
        if options.since is not None:
            params["since"] = f"{options.since.timestamp():.9f}"
        stream = await socket.open("GET", f"/containers/{container_id}/logs", params)
        try:
            async with aclosing(_generator(stream, tty=bool(found["Config"].get("Tty")))) as frames:
                async for frame in frames:
                    yield frame
        finally:
            await stream.close()

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        socket = await self._streams()
        filters = {"type": ["container"], "label": [render.POD_UID], "event": list(_EVENTS)}
        stream = await socket.open("GET", "/events", {"filters": orjson.dumps(filters).decode()})
        rest = b""
        try:
            async for chunk in stream.chunks():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        event = orjson.loads(line)
                        uid = event["Actor"]["Attributes"].get(render.POD_UID, "")
                        yield RuntimeEvent(event["Actor"]["ID"], uid, event["Action"])
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise RuntimeFault(f"Docker's events ended: {error}") from error
        finally:
            await stream.close()
        raise RuntimeFault("Docker's events ended")

    # Images

    async def image(self, reference: str) -> ImageInfo | None:
        def find(api: Api) -> ImageInfo | None:
            try:
                return _image(api.inspect_image(reference))
            except docker.errors.NotFound:
                return None

        return await self._sdk(find)

    async def images(self) -> list[ImageInfo]:
        return [_image(found) for found in await self._sdk(lambda api: api.images())]

    async def pull(self, reference: str, auth: Mapping[str, str] | None) -> None:
        def pull(api: Api) -> None:
            for line in api.pull(reference, stream=True, decode=True, auth_config=dict(auth) if auth else None):
                if "error" in line:
                    raise RuntimeFault(line["error"], reason="ErrImagePull")

        await self._sdk(pull)

    async def remove_image(self, reference: str) -> None:
        def remove(api: Api) -> None:
            try:
                api.remove_image(reference)
            except docker.errors.ImageNotFound:
                return

        await self._sdk(remove)

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._api is not None:
            self._api.close()


async def _generator(stream: Any, *, tty: bool) -> Any:
    async for frame in demultiplexed(stream, tty=tty):
        yield frame


def _create(api: Api, config: dict[str, Any], name: str) -> str:
    """The id of a container made so; a dead one left under that name by an earlier try is replaced."""
    try:
        return str(api.create_container_from_config(config, name)["Id"])
    except docker.errors.APIError as error:
        if error.status_code != 409:
            raise
        api.remove_container(name, force=True, v=True)
        return str(api.create_container_from_config(config, name)["Id"])


def _image(found: Mapping[str, Any]) -> ImageInfo:
    config = found.get("Config") or {}
    return ImageInfo(
        id=found["Id"],
        names=tuple(found.get("RepoTags") or ()),
        size_bytes=int(found.get("Size") or 0),
        digests=tuple(found.get("RepoDigests") or ()),
        user=config.get("User") or "",
    )


# fmt: off
_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
)
# fmt: on


def find_out_node(proc: Path = Path("/proc")) -> render.Node:
    """What this machine's bounding set keeps from its containers (in most machines: nothing)."""
    bounding = next(
        int(line.split()[1], 16) for line in (proc / "1/status").read_text().splitlines() if line.startswith("CapBnd")
    )
    missing = frozenset(name for bit, name in enumerate(_CAPABILITIES) if not bounding >> bit & 1)
    least = -1000 if "SYS_RESOURCE" not in missing else int((proc / "self/oom_score_adj").read_text())
    if missing:
        _log.warning(
            "this machine's bounding set lacks capabilities", missing=",".join(sorted(missing)), pid=os.getpid()
        )
    return render.Node(missing_caps=missing, least_oom_score=least)
