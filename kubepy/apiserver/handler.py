"""The chain that every request passes: parse, authenticate, authorize, route; and the edge where faults become answers.

One function, so that a reader sees the order and a request pays for nothing else. What is added later (audit,
priority and fairness, impersonation) wraps `_serve` or goes between its steps.
"""

import uuid
from collections.abc import Awaitable, Callable, Container, Mapping
from time import perf_counter
from typing import Protocol

from multidict import CIMultiDict

from kubepy.api.errors import ApiError, InternalError, RequestEntityTooLarge
from kubepy.api.warnings.registry import DEPRECATED_KINDS
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.metrics import Metrics
from kubepy.apiserver.negotiation import PLAIN, Form, negotiate
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.rendering import respond_error, with_warnings
from kubepy.apiserver.request_info import RequestInfo, parse_request_info
from kubepy.lib import log
from kubepy.lib.clock import Clock
from kubepy.lib.http import Answer, Request
from kubepy.storage.base import TooLarge, Unavailable

_log = log.get(__name__)
Route = Callable[[Context], Awaitable[Answer]]


class Authenticator(Protocol):
    """Finds out who asks."""

    async def authenticate(self, request: Request) -> UserInfo:
        """The user. Raises Unauthorized."""


class Authorizer(Protocol):
    """Decides what a user may do."""

    async def require(self, user: UserInfo, info: RequestInfo) -> None:
        """Raises Forbidden."""


class Chain:
    """`handle` is the server's `lib.http.Handler`; `route` answers what may be answered."""

    def __init__(
        self, authenticator: Authenticator, authorizer: Authorizer, route: Route, clock: Clock, metrics: Metrics
    ) -> None:
        self.authenticator = authenticator
        self.authorizer = authorizer
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
        form = PLAIN
        warnings: list[str] = []
        try:
            user = await self.authenticator.authenticate(request)
            await self.authorizer.require(user, info)
            form = self._form(request, info, params)
            ctx = Context(request, info, params, user, form, self._clock.now(), warnings)
            answer = await self._route(ctx)
        except ApiError as fault:
            answer = respond_error(fault, Form(yaml=form.yaml, pretty=form.pretty), warnings)
        except TooLarge as fault:
            answer = respond_error(RequestEntityTooLarge(str(fault)))
        except Unavailable as fault:
            _log.warning("storage does not answer", path=request.path, error=fault)
            answer = respond_error(InternalError(f"Internal error occurred: {fault}"))
        except Exception:  # the HTTP edge: told to the log whole, to the client as upstream's 500
            _log.exception("request failed", method=request.method, path=request.path)
            answer = respond_error(InternalError("Internal error occurred: see the server's log"))
        if info.resource in DEPRECATED_KINDS and not info.group:
            answer.headers = with_warnings(answer.headers, [DEPRECATED_KINDS[info.resource]])
        self._metrics.observe(info, answer.status, perf_counter() - started)
        if "user" not in request.context:  # a caller in this process has no use for it
            answer.headers = _with_audit_id(answer.headers)
        return answer

    def _form(self, request: Request, info: RequestInfo, params: dict[str, list[str]]) -> Form:
        # What is not a resource answers in forms of its own (text, protobuf): its endpoint looks at Accept.
        if not info.is_resource or info.subresource in ("log", "exec", "attach", "portforward", "proxy"):
            return PLAIN
        if self.remotes and (info.group, info.version) in self.remotes:
            return PLAIN  # the form is the other server's business
        return negotiate(request.headers, params)


def _with_audit_id(headers: Mapping[str, str]) -> Mapping[str, str]:
    kept: CIMultiDict[str] | dict[str, str] = headers if isinstance(headers, CIMultiDict) else dict(headers)
    kept["Audit-Id"] = str(uuid.uuid4())
    return kept
