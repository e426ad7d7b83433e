"""The kubelet's HTTP API on port 10250: health, pods, logs, exec, attach, port-forward, stats, metrics.

Every request is authenticated and authorized first (server_auth.py); the paths are upstream's.
Source: pkg/kubelet/server/server.go.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import orjson

from kubepy.kubelet import metrics
from kubepy.kubelet.kubelet import Kubelet
from kubepy.kubelet.pod_worker import PodWorker
from kubepy.kubelet.podspec import container_named
from kubepy.kubelet.runtime.base import ContainerStatus, LogOptions, RuntimeFault, State
from kubepy.kubelet.server_auth import ServerAuth
from kubepy.kubelet.stats import StatsReader
from kubepy.kubelet.streaming.channels import Channels, Wanted
from kubepy.kubelet.streaming.process import failure, join
from kubepy.kubelet.streaming.upgrade import port_forward, remote_command
from kubepy.lib.clock import parse_rfc3339
from kubepy.lib.http import Answer, Request, Response, Stream

Object = dict[str, Any]
_PLAIN = "text/plain; charset=utf-8"


class Refused(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KubeletServer:
    """`handle` answers requests; see the module."""

    def __init__(self, kubelet: Kubelet, auth: ServerAuth) -> None:
        self._kubelet = kubelet
        self._auth = auth
        self._stats = StatsReader(kubelet.config.node_name, kubelet.config.root_dir)

    async def handle(self, request: Request) -> Answer:
        """Authenticates, authorizes, routes."""
        user = await self._auth.authenticate(request)
        if user is None:
            return Response(401, b"Unauthorized", _PLAIN)
        if why := await self._auth.authorize(user, request):
            return Response(403, why.encode(), _PLAIN)
        try:
            return await self._route(request)
        except Refused as refused:
            return Response(refused.status, str(refused).encode() + b"\n", _PLAIN)
        except RuntimeFault as fault:
            return Response(500, str(fault).encode() + b"\n", _PLAIN)

    async def _route(self, request: Request) -> Answer:
        head, *rest = [unquote(part) for part in request.path.strip("/").split("/")]
        whole = "/".join([head, *rest])
        pages: dict[str, Callable[[], Awaitable[Answer]]] = {
            "healthz": self._healthz,
            "healthz/ping": self._healthz,
            "healthz/syncloop": self._healthz,
            "pods": self._pods,
            "runningpods": self._pods,
            "stats/summary": self._summary,
            "metrics": self._metrics,
            "metrics/resource": self._resource_metrics,
            "metrics/cadvisor": self._cadvisor_metrics,
            "metrics/probes": self._probe_metrics,
            "configz": self._configz,
        }
        if whole in pages:
            return await pages[whole]()
        streams: dict[str, Callable[[Request, list[str]], Awaitable[Answer]]] = {
            "containerLogs": self._logs,
            "exec": self._exec,
            "attach": self._attach,
            "run": self._run,
            "portForward": self._port_forward,
        }
        if head in streams:
            return await streams[head](request, rest)
        raise Refused(404, "404 page not found")

    # Pages

    async def _healthz(self) -> Answer:
        return Response(200, b"ok", _PLAIN)

    async def _pods(self) -> Answer:
        items = self._kubelet.manager.all_pods()
        return Response(200, orjson.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}))

    async def _read_stats(self) -> Object:
        return await asyncio.to_thread(self._stats.summary, list(self._kubelet.manager.workers.values()))

    async def _summary(self) -> Answer:
        return Response(200, orjson.dumps(await self._read_stats()))

    async def _metrics(self) -> Answer:
        workers = self._kubelet.manager.workers.values()
        page = metrics.kubelet_page(self._kubelet.services.metrics, workers, self._kubelet.config.node_name)
        return Response(200, page, metrics.CONTENT_TYPE)

    async def _resource_metrics(self) -> Answer:
        return Response(200, metrics.resource_page(await self._read_stats()), metrics.CONTENT_TYPE)

    async def _cadvisor_metrics(self) -> Answer:
        return Response(200, metrics.cadvisor_page(await self._read_stats()), metrics.CONTENT_TYPE)

    async def _probe_metrics(self) -> Answer:
        return Response(200, metrics.probes_page(self._kubelet.manager.workers.values()), metrics.CONTENT_TYPE)

    async def _configz(self) -> Answer:
        settings = asdict(self._kubelet.config)
        return Response(200, orjson.dumps({"kubeletconfig": settings}, default=str))

    # Streams

    def _find(self, rest: list[str]) -> tuple[PodWorker, str]:
        """The pod and container that a path names: NAMESPACE/POD[/UID]/CONTAINER. Raises Refused."""
        if len(rest) not in (3, 4):
            raise Refused(404, "404 page not found")
        worker = self._kubelet.manager.find(rest[0], rest[1], rest[2] if len(rest) == 4 else "")
        if worker is None:
            raise Refused(404, f"pod {rest[1]}_{rest[0]} not found")
        if container_named(worker.pod, rest[-1]) is None:
            raise Refused(404, f'container "{rest[-1]}" not found in pod "{rest[1]}"')
        return worker, rest[-1]

    def _running(self, rest: list[str]) -> ContainerStatus:
        worker, name = self._find(rest)
        status = worker.observed.newest(name)
        if status is None or status.state is not State.RUNNING:
            raise Refused(404, f'container not found ("{name}")')
        return status

    async def _logs(self, request: Request, rest: list[str]) -> Answer:
        worker, name = self._find(rest)
        params = {key: values[-1] for key, values in request.params().items()}
        attempts = worker.observed.attempts(name)
        shown = attempts[1:] if _truth(params.get("previous")) else attempts
        if not shown:
            pod = worker.pod["metadata"]["name"]
            if _truth(params.get("previous")):
                raise Refused(400, f'previous terminated container "{name}" in pod "{pod}" not found')
            reason = _waiting_reason(worker, name)
            raise Refused(400, f'container "{name}" in pod "{pod}" is waiting to start: {reason}')
        options = self._log_options(params)
        limit = int(params["limitBytes"]) if params.get("limitBytes") else None
        frames = self._kubelet.runtime.logs(shown[0].id, options)
        return Stream(_cut(frames, limit), content_type=_PLAIN)

    def _log_options(self, params: dict[str, str]) -> LogOptions:
        """Raises Refused."""
        try:
            since = parse_rfc3339(params["sinceTime"]) if params.get("sinceTime") else None
            if params.get("sinceSeconds"):
                since = self._kubelet.services.clock.now() - timedelta(seconds=int(params["sinceSeconds"]))
            stream = params.get("stream") or "All"
            return LogOptions(
                follow=_truth(params.get("follow")),
                tail=int(params["tailLines"]) if params.get("tailLines") else None,
                since=since,
                timestamps=_truth(params.get("timestamps")),
                stdout=stream in ("All", "Stdout"),
                stderr=stream in ("All", "Stderr"),
            )
        except ValueError as error:
            raise Refused(400, f"Unable to decode query: {error}") from error

    async def _exec(self, request: Request, rest: list[str]) -> Answer:
        status = self._running(rest)
        wanted = _wanted(request)
        command = request.params().get("command") or []
        if not command:
            raise Refused(400, "you must specify at least 1 command for the container")

        async def serve(channels: Channels) -> None:
            try:
                stdio = await self._kubelet.runtime.open_exec(status.id, command, stdin=wanted.stdin, tty=wanted.tty)
            except RuntimeFault as fault:
                await channels.finish(failure(str(fault)))
                return
            await join(channels, stdio, wanted, tell_exit=True)

        return remote_command(request, wanted, serve)

    async def _attach(self, request: Request, rest: list[str]) -> Answer:
        status = self._running(rest)
        wanted = _wanted(request)

        async def serve(channels: Channels) -> None:
            try:
                stdio = await self._kubelet.runtime.open_attach(status.id, stdin=wanted.stdin)
            except RuntimeFault as fault:
                await channels.finish(failure(str(fault)))
                return
            await join(channels, stdio, wanted, tell_exit=False)

        return remote_command(request, wanted, serve)

    async def _run(self, request: Request, rest: list[str]) -> Answer:
        status = self._running(rest)
        command = (request.params().get("cmd") or [""])[-1].split()
        try:
            result = await self._kubelet.runtime.run(status.id, command, 120.0)
        except TimeoutError as error:
            raise Refused(500, "command timed out") from error
        return Response(200, result.output, _PLAIN)

    async def _port_forward(self, request: Request, rest: list[str]) -> Answer:
        if len(rest) not in (2, 3):
            raise Refused(404, "404 page not found")
        worker = self._kubelet.manager.find(rest[0], rest[1], rest[2] if len(rest) == 3 else "")
        if worker is None:
            raise Refused(404, f"pod {rest[1]}_{rest[0]} not found")
        sandbox = worker.observed.sandbox
        if sandbox is None or not sandbox.ready:
            raise Refused(400, "unable to forward port because pod is not running")
        netns = "" if sandbox.host_network else f"/proc/{sandbox.pid}/ns/net"
        ports = []
        for value in request.params().get("port") or request.params().get("ports") or []:
            for part in value.split(","):
                if not part.isdigit():
                    raise Refused(400, f"invalid port {part!r}")
                ports.append(int(part))
        return port_forward(request, ports, netns)


def _truth(text: str | None) -> bool:
    return (text or "").lower() in ("true", "1")


def _wanted(request: Request) -> Wanted:
    """The streams that the query asks for, in the kubelet's words or in the API's. Raises Refused."""
    params = {key: values[-1] for key, values in request.params().items()}
    tty = _truth(params.get("tty"))
    wanted = Wanted(
        stdin=_truth(params.get("input")) or _truth(params.get("stdin")),
        stdout=_truth(params.get("output")) or _truth(params.get("stdout")),
        stderr=(_truth(params.get("error")) or _truth(params.get("stderr"))) and not tty,
        tty=tty,
    )
    if not (wanted.stdin or wanted.stdout or wanted.stderr):
        raise Refused(400, "you must specify at least 1 of stdin, stdout, stderr")
    return wanted


def _waiting_reason(worker: PodWorker, name: str) -> str:
    status = worker.status() or {}
    for section in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        for entry in status.get(section) or []:
            if entry["name"] == name:
                waiting = entry["state"].get("waiting") or {}
                return str(waiting.get("reason") or "ContainerCreating")
    return "ContainerCreating"


async def _cut(frames: AsyncIterator[tuple[int, bytes]], limit: int | None) -> AsyncIterator[bytes]:
    """At most `limit` bytes of a log."""
    left = limit
    async with aclosing(frames) as source:  # type: ignore[type-var]  # a runtime's logs are an async generator
        with suppress(RuntimeFault):
            async for _, data in source:
                if left is not None:
                    data = data[:left]
                    left -= len(data)
                yield data
                if left == 0:
                    return
