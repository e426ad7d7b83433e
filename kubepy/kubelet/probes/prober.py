"""One attempt at a probe or lifecycle handler: exec, httpGet, tcpSocket, grpc.

Success is exit code 0, a status from 200 to 399, an open port, SERVING.
Source: pkg/kubelet/prober/prober.go; pkg/probe/{http,tcp,grpc,exec}.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp

from kubepy.kubelet.expansion import expand
from kubepy.kubelet.probes.grpc import SERVING, GrpcFault, check_health
from kubepy.kubelet.runtime.base import Runtime, RuntimeFault

Object = dict[str, Any]

_BODY_LIMIT = 10 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether the attempt succeeded, and what there is to say of it."""

    ok: bool
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The container that is probed."""

    id: str
    container: Object
    pod_ip: str
    env: dict[str, str]


def resolve_port(container: Object, port: int | str) -> int:
    """A port by number or by its name in the container. Raises ValueError."""
    if isinstance(port, int):
        return port
    for entry in container.get("ports") or []:
        if entry.get("name") == port:
            return int(entry["containerPort"])
    if port.isdigit():
        return int(port)
    raise ValueError(f"couldn't find port: {port}")


class Prober:
    """Makes attempts. Connections are never kept: each probe says what a new client would see."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._http: aiohttp.ClientSession | None = None

    async def attempt(self, handler: Object, target: Target, timeout_s: float) -> Outcome:
        """Never raises but for cancellation: a fault is a failure."""
        try:
            if "exec" in handler:
                return await self._exec(handler["exec"], target, timeout_s)
            async with asyncio.timeout(timeout_s):
                return await self._network(handler, target)
        except TimeoutError:
            return Outcome(
                False,
                f"command timed out after {timeout_s:.0f}s"
                if "exec" in handler
                else "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            )
        except (RuntimeFault, GrpcFault, ValueError, OSError, aiohttp.ClientError) as error:
            return Outcome(False, str(error))

    async def _network(self, handler: Object, target: Target) -> Outcome:
        if spec := handler.get("httpGet"):
            return await self._http_get(spec, target)
        if spec := handler.get("tcpSocket"):
            host, port = spec.get("host") or target.pod_ip, resolve_port(target.container, spec["port"])
            return await _tcp(host, port)
        if spec := handler.get("grpc"):
            status = await check_health(target.pod_ip, int(spec["port"]), spec.get("service") or "")
            return Outcome(status == SERVING, f"service unhealthy (status {status})" if status != SERVING else "")
        if spec := handler.get("sleep"):
            await asyncio.sleep(float(spec["seconds"]))
            return Outcome(True)
        return Outcome(False, "missing probe handler")

    async def _exec(self, spec: Object, target: Target, timeout_s: float) -> Outcome:
        command = [expand(word, target.env) for word in spec.get("command") or []]
        result = await self._runtime.run(target.id, command, timeout_s)
        return Outcome(result.exit_code == 0, result.output[:_BODY_LIMIT].decode(errors="replace"))

    async def _http_get(self, spec: Object, target: Target) -> Outcome:
        host, port = spec.get("host") or target.pod_ip, resolve_port(target.container, spec["port"])
        scheme = (spec.get("scheme") or "HTTP").lower()
        shown = f"[{host}]" if ":" in host else host
        url = f"{scheme}://{shown}:{port}/{(spec.get('path') or '/').lstrip('/')}"
        headers = {"User-Agent": "kube-probe/1.37", "Accept": "*/*"}
        headers.update({h["name"]: h["value"] for h in spec.get("httpHeaders") or []})
        async with self._session().get(url, headers=headers, ssl=False, allow_redirects=False) as answer:
            await answer.content.read(_BODY_LIMIT)
            if 200 <= answer.status < 400:  # HTTP's own line
                return Outcome(True)
            return Outcome(False, f"HTTP probe failed with statuscode: {answer.status}")

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            connector = aiohttp.TCPConnector(force_close=True, limit=0)
            self._http = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        return self._http

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()


async def _tcp(host: str, port: int) -> Outcome:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    return Outcome(True)
