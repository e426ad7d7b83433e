"""A handler around the server's: writes down each request as the policy says.

Who asked is only known once the request was authenticated, so RequestReceived is written together with the next stage,
with the time that it stands for. A stream gives ResponseStarted when it begins and ResponseComplete when it ends.
Source: apiserver pkg/endpoints/filters/audit.go.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, Protocol

from multidict import CIMultiDict

from kubepy.apiserver.audit.event import Record, make_event
from kubepy.apiserver.audit.policy import Policy, Verdict
from kubepy.apiserver.authn.impersonation import ACTING, ASKING
from kubepy.apiserver.authz.decision import Decision
from kubepy.apiserver.http.request_info import RequestInfo, parse_request_info
from kubepy.lib.clock import SYSTEM, Clock
from kubepy.lib.http import Answer, Handler, Request, Stream

RECEIVED, STARTED, COMPLETE = "RequestReceived", "ResponseStarted", "ResponseComplete"


class Sink(Protocol):
    """Where events go."""

    def write(self, event: Mapping[str, Any]) -> None:
        """Takes an event without waiting."""


class Decides(Protocol):
    """Tells how authorization comes out."""

    async def authorize(self, user: Any, info: RequestInfo) -> Decision:
        """The decision on a request."""


class Auditor:
    """`handle` answers as `handler` does."""

    def __init__(
        self, handler: Handler, policy: Policy, sink: Sink, authorization: Decides | None, clock: Clock = SYSTEM
    ) -> None:
        self._handler = handler
        self._policy = policy
        self._sink = sink
        self._authorization = authorization
        self._clock = clock

    async def handle(self, request: Request) -> Answer:
        """The handler's answer, written down."""
        info = parse_request_info(request, request.params() if request.query else {})
        record = Record(str(uuid.uuid4()), request, info, self._clock.now())
        try:
            answer = await self._handler(request)
        except asyncio.CancelledError:  # the peer is gone; what it asked for may be done all the same
            self._tell_unanswered(record)
            raise
        record.user, record.acting = request.context.get(ASKING), request.context.get(ACTING)
        verdict = self._policy.judge(record.user, info)
        if verdict.level == "None":
            return answer
        headers = CIMultiDict(answer.headers)
        headers["Audit-Id"] = record.audit_id
        answer.headers = headers
        if record.acting is not None and self._authorization is not None:
            record.decision = await self._authorization.authorize(record.acting, info)
        self._tell(record, verdict, RECEIVED, None)
        if isinstance(answer, Stream):
            self._tell(record, verdict, STARTED, answer)
            answer.chunks = _Followed(answer.chunks, partial(self._tell, record, verdict, COMPLETE, answer))
        else:
            self._tell(record, verdict, COMPLETE, answer)
        return answer

    def _tell_unanswered(self, record: Record) -> None:
        record.user, record.acting = record.request.context.get(ASKING), record.request.context.get(ACTING)
        verdict = self._policy.judge(record.user, record.info)
        if verdict.level != "None":
            self._tell(record, verdict, RECEIVED, None)
            self._tell(record, verdict, COMPLETE, None)

    def _tell(self, record: Record, verdict: Verdict, stage: str, answer: Answer | None) -> None:
        if stage not in verdict.omit_stages:
            now = record.received if stage == RECEIVED else self._clock.now()
            self._sink.write(make_event(record, verdict, stage, now, answer))


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
