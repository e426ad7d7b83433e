"""A handler around the server's: writes down each request as the policy says.

Who asked is only known once the request was authenticated, so RequestReceived is written together with the next stage,
with the time that it stands for. A stream gives ResponseStarted when it begins and ResponseComplete when it ends.
Source: apiserver pkg/endpoints/filters/audit.go.
"""

import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from multidict import CIMultiDict

from kubepy.apiserver.audit.event import Record, make_event
from kubepy.apiserver.audit.policy import Policy, Verdict
from kubepy.apiserver.authn.impersonation import ACTING, ASKING
from kubepy.apiserver.authz.decision import Decision
from kubepy.apiserver.request_info import RequestInfo, parse_request_info
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
        answer = await self._handler(request)
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
            answer.chunks = self._followed(answer.chunks, record, verdict, answer)
        else:
            self._tell(record, verdict, COMPLETE, answer)
        return answer

    async def _followed(
        self, chunks: AsyncIterator[bytes], record: Record, verdict: Verdict, answer: Answer
    ) -> AsyncIterator[bytes]:
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            if close := getattr(chunks, "aclose", None):
                await close()
            self._tell(record, verdict, COMPLETE, answer)

    def _tell(self, record: Record, verdict: Verdict, stage: str, answer: Answer | None) -> None:
        if stage not in verdict.omit_stages:
            now = record.received if stage == RECEIVED else self._clock.now()
            self._sink.write(make_event(record, verdict, stage, now, answer))
