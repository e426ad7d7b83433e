"""Who asks a daemon, and whether they may: client certificates and tokens, decided by the cluster.

A token is reviewed by the API server (TokenReview), a permission too (SubjectAccessReview); both answers are kept
for a while, a failure to ask is not. Without an API server nothing new is allowed. Certificates are verified by TLS
itself, against the authority that the daemon's port was opened with.
Source: apiserver pkg/server/options/{authentication,authorization}.go; plugin/pkg/authenticator/token/webhook.
"""

import hashlib
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from kubepy.api import errors, resources
from kubepy.client.client import Client
from kubepy.client.transport import Unreachable
from kubepy.lib import log, pki
from kubepy.lib.clock import SYSTEM, Clock
from kubepy.lib.expiring import Expiring
from kubepy.lib.flags import Flag
from kubepy.lib.health import Guard
from kubepy.lib.http import Request, Response

_REVIEWS = resources.named("tokenreviews", "authentication.k8s.io")
_ACCESS = resources.named("subjectaccessreviews", "authorization.k8s.io")
_MOST = 1000
_TEXT = "text/plain; charset=utf-8"
_MASTERS = "system:masters"
VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
"""By HTTP method: what a path's verb is to access reviews of other things than resources of the API."""
_log = log.get(__name__)

ALWAYS_ALLOWED = ["/healthz", "/readyz", "/livez"]
FLAGS: Sequence[Flag] = (
    Flag("authentication-kubeconfig", "string", "", "Kubeconfig to review tokens with; no token is taken if empty."),
    Flag("authorization-kubeconfig", "string", "", "Kubeconfig to review access with; masters only if empty."),
    Flag("authentication-token-webhook-cache-ttl", "duration", 10.0, "How long the review of a token is kept."),
    Flag("authorization-webhook-cache-authorized-ttl", "duration", 10.0, "How long a permission is kept."),
    Flag("authorization-webhook-cache-unauthorized-ttl", "duration", 10.0, "How long a refusal is kept."),
    Flag("authorization-always-allow-paths", "list", ALWAYS_ALLOWED, "Paths that everyone may read."),
    Flag("client-ca-file", "string", "", "PEM file of the authorities of client certificates."),
)
"""The flags of a daemon whose health port delegates; `client-ca-file` is for its TLS."""
FILES = ("authentication-kubeconfig", "authorization-kubeconfig", "client-ca-file")
"""Those that name files, which must be there."""


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long answers are kept, in seconds."""

    token_s: float = 10.0
    allowed_s: float = 10.0
    denied_s: float = 10.0


class Delegated:
    """Asks the cluster. `authentication` None takes no tokens; `authorization` None allows system:masters alone."""

    def __init__(
        self,
        authentication: Client | None,
        authorization: Client | None,
        *,
        anonymous: bool = True,
        keep: Lifetimes = Lifetimes(),
        clock: Clock = SYSTEM,
    ) -> None:
        self._authentication = authentication
        self._authorization = authorization
        self._anonymous = anonymous
        self._keep = keep
        self._tokens: Expiring[bytes, User | None] = Expiring(_MOST, clock.monotonic)
        self._verdicts: Expiring[Hashable, bool] = Expiring(_MOST, clock.monotonic)

    async def authenticate(self, request: Request) -> User | None:
        """Who asks; None: nobody that may ask at all."""
        if request.peer_certificate is not None:
            subject = x509.load_der_x509_certificate(request.peer_certificate).subject
            groups = (*pki.organizations(subject), "system:authenticated")
            return User(pki.common_name(subject), groups=groups)
        kind, _, token = (request.headers.get("Authorization") or "").partition(" ")
        if kind.lower() == "bearer" and token and self._authentication is not None:
            return await self._review(self._authentication, token.strip())
        return ANONYMOUS if self._anonymous and not token else None

    async def _review(self, client: Client, token: str) -> User | None:
        key = hashlib.sha256(token.encode(errors="surrogateescape")).digest()  # small, however long the token
        if self._tokens.has(key):
            return self._tokens.get(key)
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        try:
            status = (await client.create(_REVIEWS, asked)).get("status") or {}
        except (errors.ApiError, Unreachable) as fault:
            _log.warning("token not reviewed", why=str(fault))
            return None
        user = _user_of(status["user"]) if status.get("authenticated") else None
        self._tokens.put(key, user, self._keep.token_s)
        return user

    async def allows(self, user: User, what: Mapping[str, Mapping[str, str]]) -> bool:
        """Whether `user` may do `what`: resourceAttributes or nonResourceAttributes, as a review's spec has them."""
        if _MASTERS in user.groups:
            return True
        if self._authorization is None:
            return False
        key = (user, *((kind, *sorted(found.items())) for kind, found in what.items()))
        if (kept := self._verdicts.get(key)) is not None:
            return kept
        try:
            status = (await self._authorization.create(_ACCESS, _access_review(user, what))).get("status") or {}
        except (errors.ApiError, Unreachable) as fault:
            _log.warning("access not reviewed", user=user.name, why=str(fault))
            return False
        allowed = bool(status.get("allowed"))
        self._verdicts.put(key, allowed, self._keep.allowed_s if allowed else self._keep.denied_s)
        return allowed

    def guard(self, always_allowed: Collection[str] = ALWAYS_ALLOWED) -> Guard:
        """Lets a request to a path that is no resource pass, or answers 401 or 403. A path may end in `*`."""
        exact = {path for path in always_allowed if not path.endswith("*")}
        prefixes = tuple(path.removesuffix("*") for path in always_allowed if path.endswith("*"))

        async def check(request: Request) -> Response | None:
            path = request.path
            if path in exact or (prefixes and path.startswith(prefixes)):
                return None
            user = await self.authenticate(request)
            if user is None:
                return Response(401, b"Unauthorized\n", _TEXT)
            verb = VERBS.get(request.method, request.method.lower())
            if await self.allows(user, {"nonResourceAttributes": {"path": path, "verb": verb}}):
                return None
            refusal = f'Forbidden: "{path}": User "{user.name}" cannot {verb} path "{path}"\n'
            return Response(403, refusal.encode(), _TEXT)

        return check


def from_flags(values: Mapping[str, Any], *, agent: str) -> tuple[Delegated, list[Client]]:
    """What the flags above ask for, and the clients to close when it is over."""
    clients = [
        Client.from_kubeconfig(path, agent=agent) if path else None
        for path in (values["authentication-kubeconfig"], values["authorization-kubeconfig"])
    ]
    keep = Lifetimes(
        token_s=values["authentication-token-webhook-cache-ttl"],
        allowed_s=values["authorization-webhook-cache-authorized-ttl"],
        denied_s=values["authorization-webhook-cache-unauthorized-ttl"],
    )
    return Delegated(clients[0], clients[1], keep=keep), [client for client in clients if client is not None]


def _user_of(told: Mapping[str, Any]) -> User:
    extra = tuple((key, tuple(values)) for key, values in (told.get("extra") or {}).items())
    return User(told["username"], told.get("uid", ""), tuple(told.get("groups") or ()), extra)


def _access_review(user: User, what: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    spec: dict[str, Any] = {"user": user.name, "groups": list(user.groups), **what}
    if user.uid:
        spec["uid"] = user.uid
    if user.extra:
        spec["extra"] = {key: list(values) for key, values in user.extra}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
