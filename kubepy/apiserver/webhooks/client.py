"""Asks webhooks: POST a review, get the review back. One client for all of them.

Each Target has connections of its own, kept for the next call; a target that was not asked for long makes room for
others. Nothing is retried but, once, a call on a kept connection that turned out to be closed.
Faults are upstream's words (`faults.py`); a caller puts its own before them, as in `failed calling webhook "x": ...`.
Source: apiserver pkg/util/webhook/client.go.
"""

import asyncio
import math
import ssl
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import aiohttp
import orjson
from yarl import URL

from kubepy.api.errors import ApiError
from kubepy.api.meta import Object
from kubepy.apiserver.http.deadlines import present_left_s
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.webhooks import faults
from kubepy.apiserver.webhooks.places import ServiceResolver
from kubepy.apiserver.webhooks.target import Target
from kubepy.lib.tls import load_pem_pair

_TARGETS_MOST = 200
_IDLE_S = 90.0
_LONGEST_S = 30.0
ANSWER_MOST = 16 * 1024 * 1024
"""Bytes of an answer that are read; more is a fault."""


class CallError(Exception):
    """The webhook could not be asked, or what it said is no review. `status` is the error that it answered, if any."""

    def __init__(self, message: str, status: ApiError | None = None) -> None:
        super().__init__(message)
        self.status = status


class NoClient(CallError):
    """The webhook cannot be asked at all: what is configured about it is no good."""


class Webhooks(Protocol):
    """What callers need of the client."""

    async def call(
        self, target: Target, review: Object, *, timeout_s: float | None = None, most: int = ANSWER_MOST
    ) -> Object:
        """The webhook's answer to a review: a JSON object. Raises CallError."""


@dataclass(slots=True, eq=False)
class _Pool:
    """The connections to one target; `users` are the calls that are under way on them."""

    session: aiohttp.ClientSession
    users: int = 0
    retired: bool = False


class WebhookClient:
    """See the module's docstring. `lookup` finds Services and their endpoints; `agent` is the User-Agent."""

    def __init__(self, lookup: Lookup, *, agent: str = "kube-apiserver-admission") -> None:
        self._lookup = lookup
        self._agent = agent
        self._pools: OrderedDict[Target, _Pool] = OrderedDict()

    async def call(
        self, target: Target, review: Object, *, timeout_s: float | None = None, most: int = ANSWER_MOST
    ) -> Object:
        """The webhook's answer to a review. Raises CallError; `timeout_s` is told to the webhook, too: or what the
        request that asks has left, if that is less.
        """
        return _parsed(await self._asked(target, orjson.dumps(review), timeout_s, most))

    async def tell(self, target: Target, body: bytes) -> None:
        """Sends JSON to a webhook whose answer means nothing but that it took it. Raises CallError."""
        await self._asked(target, body, None, ANSWER_MOST)

    async def _asked(self, target: Target, sent: bytes, timeout_s: float | None, most: int) -> bytes:
        limit_s = timeout_s or _LONGEST_S
        whole = target.url if timeout_s is None else f"{target.url}?timeout={_told(timeout_s)}s"
        url = URL(whole, encoded=True)
        pool = await self._enter(target)
        try:
            async with asyncio.timeout(limit_s):
                status, body = await self._post(pool, target, url, sent, most)
        except (aiohttp.ClientError, OSError, TimeoutError) as fault:
            why = faults.of_way(target, fault, _address(url, fault))
            raise CallError(f'Post "{whole}": {why}') from fault
        finally:
            await self._leave(pool)
        if (told := faults.of_answer(status, body)) is not None:
            raise CallError(told.message, told)
        return body

    async def _post(
        self, pool: _Pool, target: Target, url: URL, body: bytes, most: int, *, again: bool = True
    ) -> tuple[int, bytes]:
        trace = SimpleNamespace(reused=False)
        try:
            async with pool.session.post(
                url, data=body, headers=_headers(target), allow_redirects=False, trace_request_ctx=trace
            ) as reply:
                return reply.status, await _bounded(reply, most)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionResetError, BrokenPipeError):
            if not (trace.reused and again):
                raise
        return await self._post(pool, target, url, body, most, again=False)

    async def _enter(self, target: Target) -> _Pool:
        """The connections to use, with one user more: `_leave` them. Raises CallError."""
        pool = self._pools.get(target)
        if pool is None:
            pool = self._pools[target] = _Pool(self._open(target))
            while len(self._pools) > _TARGETS_MOST:
                _, old = self._pools.popitem(last=False)
                old.retired = True
                old.users += 1
                await self._leave(old)
        else:
            self._pools.move_to_end(target)
        pool.users += 1
        return pool

    @staticmethod
    async def _leave(pool: _Pool) -> None:
        pool.users -= 1
        if pool.retired and not pool.users:
            await pool.session.close()

    def _open(self, target: Target) -> aiohttp.ClientSession:
        try:
            tls = client_tls(target)
        except (ssl.SSLError, ValueError) as fault:
            raise NoClient("unable to load root certificates: unable to parse bytes as PEM block") from fault
        resolver = ServiceResolver(target.service, self._lookup) if target.service is not None else None
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=tls, limit=0, keepalive_timeout=_IDLE_S, resolver=resolver, use_dns_cache=False
            ),
            headers={"User-Agent": self._agent, "Accept": "application/json, */*"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trace_configs=[_reuse_trace()],
        )

    async def close(self) -> None:
        """Lets go of every connection."""
        pools, self._pools = self._pools, OrderedDict()
        for pool in pools.values():
            await pool.session.close()


def _told(timeout_s: float) -> int:
    """Whole seconds; that the request's own end comes is not this client's business."""
    left_s = present_left_s()
    # A task that some request began, and outlives it, has no deadline any more.
    return math.ceil(timeout_s if left_s is None or left_s <= 0 else min(timeout_s, left_s))


def client_tls(target: Target) -> ssl.SSLContext:
    """Whom this server believes, and how it shows itself. Raises ssl.SSLError, ValueError on what is no PEM."""
    context = ssl.create_default_context(cadata=target.ca.decode("ascii") if target.ca else None)
    # Go's verifier takes certificates as they are in the field; OpenSSL's strict mode wants key identifiers.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if target.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if target.certificate and target.key:
        load_pem_pair(context, target.certificate, target.key)
    return context


def _headers(target: Target) -> dict[str, str]:
    token = Path(target.token_file).read_text().strip() if target.token_file else target.token
    headers = {"Content-Type": "application/json"}
    return {**headers, "Authorization": f"Bearer {token}"} if token else headers


async def _bounded(reply: aiohttp.ClientResponse, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in reply.content.iter_any():
        size += len(chunk)
        if size > most:
            raise aiohttp.ClientPayloadError(f"the answer is longer than {most} bytes")
        parts.append(chunk)
    return b"".join(parts)


def _parsed(body: bytes) -> Object:
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise CallError(f"couldn't get version/kind; json parse error: {fault}") from fault
    if not isinstance(answer, dict):
        raise CallError("couldn't get version/kind; json parse error: the answer is not an object")
    return answer


def _address(url: URL, fault: BaseException) -> str:
    """What was dialed, where the system's error tells; what was meant, otherwise."""
    inner = fault.os_error if isinstance(fault, aiohttp.ClientConnectorError) else fault
    for part in inner.args:
        if isinstance(part, str) and "('" in part:  # asyncio: Connect call failed ('127.0.0.1', 1)
            host, _, port = part.partition("('")[2].rstrip(")").replace("'", "").partition(", ")
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port.partition(',')[0]}"
    return f"{url.raw_host}:{url.port}"


def _reuse_trace() -> aiohttp.TraceConfig:
    """Tells a call's trace context that its connection was used before."""

    async def reused(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx.reused = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(reused)
    return trace
