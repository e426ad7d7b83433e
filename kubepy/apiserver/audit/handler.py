"""A handler around the server's: writes down each request as the policy says.

Invariant: what is wrong with auditing changes no answer; it is told to the log and counted.
Who asked is only known once the request was authenticated, so RequestReceived is written together with the next stage,
with the time that it stands for. What runs on gives ResponseStarted when it begins and ResponseComplete when it ends;
a request that nobody was authenticated for gives ResponseStarted alone.
Source: apiserver pkg/endpoints/filters/{audit,authn_audit}.go.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from multidict import CIMultiDict

from kubepy.apiserver.audit.event import SENT, Record, make_event, sent_in
from kubepy.apiserver.audit.metrics import AuditMetrics
from kubepy.apiserver.audit.policy import Policy
from kubepy.apiserver.authn.impersonation import ACTING, ASKING
from kubepy.apiserver.authz.decision import DECISION
from kubepy.apiserver.flowcontrol.limiting import is_long_running
from kubepy.apiserver.http import audit_ids
from kubepy.apiserver.http.request_info import parse_request_info
from kubepy.apiserver.registry.large_bodies import LARGE_FROM
from kubepy.lib import log
from kubepy.lib.beside import beside
from kubepy.lib.clock import SYSTEM, Clock
from kubepy.lib.http import Answer, Connection, Handler, Request, Stream, Upgrade

RECEIVED, STARTED, COMPLETE = "RequestReceived", "ResponseStarted", "ResponseComplete"
_UNAUTHORIZED = 401
_log = log.get(__name__)
Serve = Callable[[Connection], Awaitable[None]]


class Sink(Protocol):
    """Where events go."""

    def write(self, event: Mapping[str, Any]) -> None:
        """Takes an event without waiting."""

    async def settle(self) -> None:
        """Returns when what was written may be left to the backend."""


class Auditor:
    """`handle` answers as `handler` does."""

    def __init__(
        self,
        handler: Handler,
        policy: Policy,
        sink: Sink,
        *,
        metrics: AuditMetrics | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._handler = handler
        self._policy = policy
        self._sink = sink
        self._metrics = metrics or AuditMetrics()
        self._clock = clock

    async def handle(self, request: Request) -> Answer:
        """The handler's answer, written down."""
        received = self._clock.now()
        try:
            answer = await self._handler(request)
        except asyncio.CancelledError:  # the peer is gone; what it asked for may be done all the same
            self._safely(self._tell_unanswered, request, received)
            raise
        if len(request.body) > LARGE_FROM and "protobuf" in request.headers.get("Content-Type", ""):
            request.context[SENT] = await beside(lambda: sent_in(request))  # it may take seconds
        self._safely(self._tell_answered, request, received, answer)
        await self._sink.settle()
        return answer

    def _safely(self, tell: Callable[..., None], *args: Any) -> None:
        try:
            tell(*args)
        except Exception:  # the HTTP edge: the request is answered, whatever is wrong with writing it down
            self._metrics.errors["audit"] += 1
            _log.exception("request not audited")

    def _record(self, request: Request, received: datetime, audit_id: str) -> Record:
        """What the layers below have found out of the request, and what the policy says of it."""
        info = parse_request_info(request, request.params() if request.query else {})
        context = request.context
        asking = context.get(ASKING)
        record = Record(
            audit_id, request, info, received, self._policy.judge(asking, info), asking, context.get(ACTING),
            context.get(DECISION),
        )  # fmt: skip
        self._metrics.levels[record.verdict.level] += 1
        return record

    def _tell_answered(self, request: Request, received: datetime, answer: Answer) -> None:
        named = answer.headers.get(audit_ids.HEADER)
        record = self._record(request, received, named or audit_ids.audit_id(request))
        if record.verdict.level == "None":
            return
        if named is None:
            answer.headers = CIMultiDict({**answer.headers, audit_ids.HEADER: record.audit_id})
        if answer.status == _UNAUTHORIZED and record.user is None:
            self._tell(record, STARTED, answer)
            return
        self._tell(record, RECEIVED, None)
        if is_long_running(record.info):
            self._tell(record, STARTED, answer)

        def ended() -> None:
            self._safely(self._tell, record, COMPLETE, answer)

        if isinstance(answer, Stream):
            answer.chunks = _Followed(answer.chunks, ended)
        elif isinstance(answer, Upgrade):
            answer.serve = _followed(answer.serve, ended)
        else:
            self._tell(record, COMPLETE, answer)

    def _tell_unanswered(self, request: Request, received: datetime) -> None:
        record = self._record(request, received, audit_ids.audit_id(request))
        if record.verdict.level != "None":
            self._tell(record, RECEIVED, None)
            self._tell(record, COMPLETE, None)

    def _tell(self, record: Record, stage: str, answer: Answer | None) -> None:
        if stage not in record.verdict.omit_stages:
            now = record.received if stage == RECEIVED else self._clock.now()
            self._metrics.events += 1
            self._sink.write(make_event(record, stage, now, answer))


class _Followed:
    """A stream's chunks; `ended` is called once when it ends, whether anybody read it or not, unlike a generator's."""

    def __init__(self, chunks: AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        self._chunks = chunks
        self._ended: Callable[[], None] | None = ended

    def __aiter__(self) -> "_Followed":
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """The consumer is done."""
        if close := getattr(self._chunks, "aclose", None):
            await close()
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()


def _followed(serve: Serve, ended: Callable[[], None]) -> Serve:
    async def serve_and_tell(connection: Connection) -> None:
        try:
            await serve(connection)
        finally:
            ended()

    return serve_and_tell
