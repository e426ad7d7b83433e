"""The chain that every request passes: parse, authenticate, authorize, route; and the edge where faults become answers.

One class, so that a reader sees the order and a request pays for nothing else: authenticate, take a seat, authorize,
read the body, route. A body that is still to come is read last, so that it holds memory for those only who may send it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Container
from time import perf_counter
from typing import Protocol, runtime_checkable

from multidict import CIMultiDict

from kubepy.api.errors import ApiError, BadRequest, InternalError, NotAcceptable, RequestEntityTooLarge, Timeout
from kubepy.api.resources import by_plural
from kubepy.api.warnings.registry import DEPRECATED_KINDS
from kubepy.apiserver.authn.chain import WARNINGS
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.decision import DECISION, Decision, forbidden
from kubepy.apiserver.endpoints.metrics import Metrics
from kubepy.apiserver.flowcontrol.limiting import Limiter, Overloaded, Ticket, is_long_running
from kubepy.apiserver.http.audit_ids import audit_id
from kubepy.apiserver.http.deadlines import Deadline, Deadlines, timed_out
from kubepy.apiserver.http.negotiation import PLAIN, Form, negotiate, not_produced
from kubepy.apiserver.http.rendering import respond_error, with_warnings
from kubepy.apiserver.http.request_info import RequestInfo, parse_request_info
from kubepy.apiserver.registry.context import Context
from kubepy.lib import log
from kubepy.lib.clock import Clock
from kubepy.lib.http import Answer, Request, Response, Stream
from kubepy.lib.http_limits import BODY_LIMIT, BodyTooLarge, BrokenBody
from kubepy.storage.base import TooLarge, Unavailable

_log = log.get(__name__)
_APPLY = "application/apply-patch+"
_PATIENCE_S = 15.0
"""How long a request that has no deadline waits for a seat, as upstream's."""
_STORE_TIMEOUT = "Timeout: request did not complete within requested timeout - context deadline exceeded"
_TOO_DEEP_TO_WRITE = "Recursion limit reached"
"""What orjson says of an object that patches have nested more deeply than it can be written."""
Route = Callable[[Context], Awaitable[Answer]]


class Authenticator(Protocol):
    """Finds out who asks."""

    async def authenticate(self, request: Request) -> UserInfo:
        """The user. Raises Unauthorized."""


class Authorizer(Protocol):
    """Decides what a user may do."""

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        """The decision on a request."""


class Chain:
    """`handle` is the server's `lib.http.Handler`; `route` answers what may be answered.

    `limiter` and `deadlines` are for requests that come from outside: None lets everything in, for as long as it takes.
    """

    def __init__(
        self, authenticator: Authenticator, authorizer: Authorizer, route: Route, clock: Clock, metrics: Metrics
    ) -> None:
        self.authenticator = authenticator
        self.authorizer = authorizer
        self.limiter: Limiter | None = None
        self.deadlines: Deadlines | None = None
        self._route = route
        self._clock = clock
        self._metrics = metrics
        self.remotes: Container[tuple[str, str]] = ()
        """Groups and versions that other servers answer for."""

    async def handle(self, request: Request) -> Answer:
        """An answer to any request; never raises but when cancelled."""
        started = perf_counter()
        params = request.params() if request.query else {}
        info = parse_request_info(request, params)
        if "user" in request.context:  # a caller in this process, which neither floods it nor needs an Audit-Id
            answer = await self._answered(request, info, params, _Passage())
            self._conclude(request, info, answer, perf_counter() - started)
            return answer
        passage = _Passage()
        inflight = self._metrics.begin(info)
        try:
            if self.deadlines is not None and not is_long_running(info):
                passage.deadline = self.deadlines.begin(params, started)
            answer = await self._answered(request, info, params, passage)
        except BadRequest as fault:
            answer = respond_error(fault)
        except asyncio.CancelledError:
            passage.release()
            if passage.deadline is None or not passage.deadline.has_passed:
                raise
            passage.deadline.task.uncancel()
            answer = respond_error(timed_out())
        finally:
            inflight.end()
            if passage.deadline is not None and self.deadlines is not None:
                self.deadlines.end(passage.deadline)
        self._conclude(request, info, answer, perf_counter() - started)
        _complete(request, answer, passage)
        return answer

    def _conclude(self, request: Request, info: RequestInfo, answer: Answer, seconds: float) -> None:
        if info.resource in DEPRECATED_KINDS and not info.group:
            answer.headers = with_warnings(answer.headers, [DEPRECATED_KINDS[info.resource]])
        applies = info.verb == "patch" and request.headers.get("Content-Type", "").startswith(_APPLY)
        dry_run = "dryRun=" in request.query if request.query else False
        self._metrics.observe(info, answer.status, seconds, applies=applies, dry_run=dry_run)

    async def _answered(
        self, request: Request, info: RequestInfo, params: dict[str, list[str]], passage: "_Passage"
    ) -> Answer:
        form: Form | None = None
        warnings: list[str] = []
        try:
            user = await self.authenticator.authenticate(request)
            if told := request.context.get(WARNINGS):
                warnings += told
            if self.limiter is not None and "user" not in request.context:
                await self._take_seat(self.limiter, request, info, params, user, passage)
            decision = request.context[DECISION] = await self.authorizer.authorize(user, info)
            if not decision.allowed:
                raise forbidden(user, info, decision.reason)
            if request.receive is not None:
                await request.receive()
            form = self._form(request, info, params)
            ctx = Context(request, info, params, user, form, self._clock.now(), warnings)
            return await self._route(ctx)
        except ApiError as fault:
            return respond_error(fault, _fault_form(request, params, form), warnings)
        except Overloaded as fault:
            return fault.response()
        except (TooLarge, BodyTooLarge) as fault:
            return respond_error(RequestEntityTooLarge(str(fault)), _fault_form(request, params, form))
        except BrokenBody as fault:
            return respond_error(BadRequest(str(fault)), _fault_form(request, params, form))
        except Unavailable as fault:
            _log.warning("storage does not answer", path=request.path, error=fault)
            return respond_error(Timeout(_STORE_TIMEOUT))
        except Exception as fault:  # the HTTP edge: told to the log whole, to the client as upstream's 500
            if isinstance(fault, RecursionError) or str(fault) == _TOO_DEEP_TO_WRITE:
                return respond_error(BadRequest("exceeded max depth"))
            _log.exception("request failed", method=request.method, path=request.path)
            return respond_error(InternalError("Internal error occurred: see the server's log"))

    @staticmethod
    async def _take_seat(
        limiter: Limiter,
        request: Request,
        info: RequestInfo,
        params: dict[str, list[str]],
        user: UserInfo,
        passage: "_Passage",
    ) -> None:
        body_bytes = _body_bytes(request) if request.receive is not None else 0
        ticket = limiter.begin(info, params, user, body_bytes=body_bytes)
        if ticket is None:
            return
        if ticket.waiter is not None:
            deadline = passage.deadline
            patience_s = deadline.left_s() / 4 if deadline is not None else _PATIENCE_S
            await limiter.wait(ticket, request, patience_s)
        passage.ticket = ticket

    def _form(self, request: Request, info: RequestInfo, params: dict[str, list[str]]) -> Form:
        # What is not a resource answers in forms of its own (text, protobuf): its endpoint looks at Accept.
        if not info.is_resource or info.subresource in ("log", "exec", "attach", "portforward", "proxy"):
            return PLAIN
        if self.remotes and (info.group, info.version) in self.remotes:
            return PLAIN  # the form is the other server's business
        try:
            return negotiate(request.headers, params)
        except NotAcceptable as fault:
            is_built_in = by_plural(info.group, info.version, info.resource) is not None
            accept = request.headers.get("Accept", "")
            raise (is_built_in and not_produced(accept, listed=info.verb in ("list", "watch"))) or fault from None


@runtime_checkable
class CatchesUp(Protocol):
    """A stream that begins with what is there: a watch."""

    def when_caught_up(self, tell: Callable[[], None]) -> None:
        """`tell` is called once, when what was there has been taken or nobody wants it."""


class _Passage:
    """What a request holds while it is under way."""

    __slots__ = ("deadline", "ticket")

    def __init__(self) -> None:
        self.deadline: Deadline | None = None
        self.ticket: Ticket | None = None

    def release(self) -> None:
        """Gives the seats back, once."""
        ticket, self.ticket = self.ticket, None
        if ticket is not None:
            ticket.release()


def _fault_form(request: Request, params: dict[str, list[str]], form: Form | None) -> Form:
    """What a fault is told in: the form of the answer, but no Table; indented JSON for who accepts nothing of ours.

    A fault that came before the form was known (who are you?), or of what is no resource, is told as one asks too.
    """
    if form is None or form is PLAIN:
        try:
            form = negotiate(request.headers, params, tables=False)
        except NotAcceptable:
            return Form(pretty=True)
    return Form(yaml=form.yaml, protobuf=form.protobuf, pretty=form.pretty)


def _body_bytes(request: Request) -> int:
    """Of a body that is still to come: what its sender says, or as much as there may be."""
    said = request.headers.get("Content-Length", "")
    return min(int(said), BODY_LIMIT) if said.isdecimal() else BODY_LIMIT


def _complete(request: Request, answer: Answer, passage: _Passage) -> None:
    """Adds the headers that every answer has; the seats are kept until the peer has taken a whole
    answer, or what a watch begins with.
    """
    headers = answer.headers
    kept: CIMultiDict[str] | dict[str, str] = headers if isinstance(headers, CIMultiDict) else dict(headers)
    kept["Audit-Id"] = audit_id(request)
    kept.setdefault("Cache-Control", "no-cache, private")
    ticket = passage.ticket
    if ticket is not None:
        kept.update(ticket.headers)
        if isinstance(answer, Response):
            answer.on_sent = passage.release
        elif isinstance(answer, Stream) and isinstance(answer.chunks, CatchesUp):
            answer.chunks.when_caught_up(passage.release)
        else:
            passage.release()
    answer.headers = kept
