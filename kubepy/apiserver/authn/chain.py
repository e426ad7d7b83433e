"""Authentication of a request: header proxies, client certificates, bearer tokens, then anonymous, in this order.

Invariant: a credential that is shown and not accepted gives Unauthorized, never anonymous.
A token's answer is kept for `TOKEN_TTL_S`, as upstream does, so that the signature is not verified per request.
Source: pkg/kubeapiserver/authenticator/config.go; apiserver pkg/authentication/{request/union,token/cache}.
"""

import base64
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

from kubepy.api.errors import Unauthorized
from kubepy.apiserver.admission.attributes import ANNOTATIONS
from kubepy.apiserver.authn import user as users
from kubepy.apiserver.authn.base import Authenticated, Refused, RemoteTokenAuthenticator, TokenAuthenticator
from kubepy.apiserver.authn.client_certificate import ClientCertificates
from kubepy.apiserver.authn.metrics import ERROR, FAILURE, HIT, MISS, SUCCESS, AuthenticationMetrics
from kubepy.apiserver.authn.request_header import RequestHeader
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.http.websocket_streams import is_websocket
from kubepy.lib import log
from kubepy.lib.expiring import Expiring
from kubepy.lib.http import Request

TOKEN_TTL_S = 10.0
_REMEMBERED = 4096
WEBSOCKET_TOKEN = "base64url.bearer.authorization.k8s.io."
"""What a WebSocket protocol begins with that is no protocol but a token."""
WARNINGS = "authn.warnings"
"""Where in a request's context the layers around it find what the one who asks is to be told of its credential."""
_PROTOCOLS = "Sec-WebSocket-Protocol"
_EXTRA_SPACE = "the provided Authorization header contains extra space before the bearer token, and is ignored"
_ANONYMOUS = UserInfo(users.ANONYMOUS, groups=(users.ALL_UNAUTHENTICATED,))
_log = log.get(__name__)


class Tokens:
    """All token authenticators as one, with a short memory; those that have to ask elsewhere come last.

    Only a token that is not remembered, and that no local authenticator knows, waits for anything.
    """

    def __init__(
        self, authenticators: Sequence[TokenAuthenticator], remote: Sequence[RemoteTokenAuthenticator] = ()
    ) -> None:
        self._authenticators = tuple(authenticators)
        self._remote = tuple(remote)
        self._known: Expiring[tuple[str, Collection[str]], Authenticated] = Expiring(_REMEMBERED)

    def set_remote(self, remote: Sequence[RemoteTokenAuthenticator]) -> None:
        """Asks others from now on; what the old ones said is forgotten."""
        self._remote = tuple(remote)
        self.forget()

    def forget(self) -> None:
        """Keys, or those who are asked, are others now."""
        self._known.clear()

    def remembered(self, token: str, audiences: Collection[str]) -> Authenticated | None:
        """The answer of a short while ago, if there was a good one."""
        return self._known.get((token, audiences))

    async def authenticate_token(self, token: str, audiences: Collection[str]) -> Authenticated | None:
        """The answer of the first authenticator that accepts. Raises Refused when one knew it and none accepted."""
        if known := self.remembered(token, audiences):
            return known
        refusals: list[Refused] = []
        for authenticator in self._authenticators:
            try:
                if found := authenticator.authenticate_token(token, audiences):
                    return self._remember(token, audiences, found)
            except Refused as refusal:
                refusals.append(refusal)
        for remote in self._remote:
            try:
                if found := await remote.authenticate_token(token, audiences):
                    return self._remember(token, audiences, found)
            except Refused as refusal:
                refusals.append(refusal)
        if refusals:
            told = {key: value for refusal in refusals for key, value in refusal.annotations.items()}
            raise Refused("; ".join(map(str, refusals)), told)
        return None

    def _remember(self, token: str, audiences: Collection[str], found: Authenticated) -> Authenticated:
        found = replace(found, user=found.user.with_group(users.ALL_AUTHENTICATED))
        self._known.put((token, audiences), found, TOKEN_TTL_S)
        return found


@dataclass(slots=True, kw_only=True)
class Authenticator:
    """Finds the user of a request; parts that are None are not configured."""

    certificates: ClientCertificates | None = None
    request_header: RequestHeader | None = None
    tokens: Tokens | None = None
    api_audiences: tuple[str, ...] = ()
    anonymous: bool = True
    anonymous_paths: frozenset[str] = frozenset()
    """Where requests without credentials are let in; everywhere if empty."""
    metrics: AuthenticationMetrics = field(default_factory=AuthenticationMetrics)

    async def authenticate(self, request: Request) -> UserInfo:
        """The user of `request`, a member of system:authenticated or anonymous. Raises Unauthorized."""
        preset = request.context.get("user")
        if preset is not None:
            return users.of(preset)
        started = perf_counter()
        try:
            user = await self._find(request)
        except Refused as refusal:
            self.metrics.observe(ERROR, perf_counter() - started)
            if refusal.annotations:
                request.context.setdefault(ANNOTATIONS, {}).update(refusal.annotations)
            _log.info("request not authenticated", why=str(refusal), remote=request.remote)
            raise Unauthorized("Unauthorized") from refusal
        if user is not None:
            user = user.with_group(users.ALL_AUTHENTICATED)
        elif self.anonymous and (not self.anonymous_paths or request.path in self.anonymous_paths):
            user = _ANONYMOUS
        else:
            self.metrics.observe(FAILURE, perf_counter() - started)
            raise Unauthorized("Unauthorized")
        self.metrics.observe(SUCCESS, perf_counter() - started, user.name)
        return user

    async def _find(self, request: Request) -> UserInfo | None:
        refusal: Refused | None = None
        if request.peer_certificate is not None:
            try:
                if user := self._by_certificate(request, request.peer_certificate):
                    return user
            except Refused as fault:  # a good token makes up for it
                refusal = fault
        token = bearer_token(request)
        if token is not None:
            known = self.tokens.remembered(token, self.api_audiences) if self.tokens else None
            self.metrics.cache[MISS if known is None else HIT] += 1
            return _used(request, known or await self._unknown_token(token))
        if refusal is not None:
            raise refusal
        return None

    def _by_certificate(self, request: Request, der: bytes) -> UserInfo | None:
        now_s = time.time()
        if self.request_header and (user := self.request_header.authenticate(request.headers, der, now_s)):
            return user
        return self.certificates.authenticate(der, now_s) if self.certificates else None

    async def _unknown_token(self, token: str) -> Authenticated:
        try:
            if not _is_text(token):
                raise Refused("bearer token is not UTF-8")
            found = await self.tokens.authenticate_token(token, self.api_audiences) if self.tokens else None
            if found is None:
                raise Refused("invalid bearer token")
        except Refused:
            self.metrics.fetches["error"] += 1
            raise
        self.metrics.fetches["ok"] += 1
        return found


def _used(request: Request, found: Authenticated) -> UserInfo:
    """The user of a token; what is to be told of its use is left with the request."""
    if found.annotations:
        request.context.setdefault(ANNOTATIONS, {}).update(found.annotations)
    if found.warnings:
        request.context[WARNINGS] = found.warnings
    return found.user


def _is_text(token: str) -> bool:
    """Whether the header's bytes were UTF-8: what was not stands in the token as halves of characters."""
    try:
        token.encode()
    except UnicodeEncodeError:
        return False
    return True


def bearer_token(request: Request) -> str | None:
    """The token of the Authorization header or of the WebSocket protocol made for it; None when there is none.

    Raises Refused for a protocol that holds no token. Source: pkg/authentication/request/{bearertoken,websocket}.
    """
    header = request.headers.get("Authorization", "")
    if header:
        scheme, *rest = header.strip().split(" ", 2)
        if rest and scheme.lower() == "bearer":
            if rest[0]:
                return rest[0]
            request.context[WARNINGS] = (_EXTRA_SPACE,)
    if WEBSOCKET_TOKEN not in request.headers.get(_PROTOCOLS, "") or not is_websocket(request):
        return None
    return _websocket_token(request.headers.getall(_PROTOCOLS))


def _websocket_token(headers: Sequence[str]) -> str | None:
    protocols = [one.strip() for header in headers for one in header.split(",")]
    encoded = [one.removeprefix(WEBSOCKET_TOKEN) for one in protocols if one.startswith(WEBSOCKET_TOKEN)]
    if not encoded:
        return None
    if len(encoded) > 1:
        raise Refused("multiple base64.authorization tokens specified")
    token = _decode(encoded[0])
    if len(protocols) == 1:
        raise Refused("missing additional subprotocol")
    return token or None


def _decode(encoded: str) -> str:
    try:
        if "=" in encoded:
            raise ValueError("padded")
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True).decode()
    except ValueError as error:
        raise Refused("invalid base64.authorization token encoding") from error
