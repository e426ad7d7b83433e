"""Who asks the kubelet, and whether they may: client certificates and tokens, decided by the cluster.

A token is reviewed by the API server (TokenReview), a permission too (SubjectAccessReview on the node's subresources);
both answers are kept for a while. Without an API server nothing is allowed.
Source: pkg/kubelet/server/auth.go; cmd/kubelet/app/auth.go.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509

from kubepy.api import errors, resources
from kubepy.client.client import Client
from kubepy.client.transport import Unreachable
from kubepy.kubelet.config import KubeletConfig
from kubepy.lib import pki
from kubepy.lib.clock import Clock
from kubepy.lib.http import Request

Object = dict[str, Any]

_REVIEWS = resources.named("tokenreviews", "authentication.k8s.io")
_ACCESS = resources.named("subjectaccessreviews", "authorization.k8s.io")
_MOST = 1000
_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))


def attributes(method: str, path: str) -> list[tuple[str, str]]:
    """(verb, node subresource) of a request: what is asked for first, and what else would do."""
    verb = _VERBS.get(method, "get")
    exact = {"/stats": "stats", "/metrics": "metrics", "/logs": "log", "/checkpoint": "checkpoint"}
    for prefix, subresource in exact.items():
        if path == prefix or path.startswith(prefix + "/"):
            return [(verb, subresource)]
    finer = {"/pods": "pods", "/runningpods": "pods", "/healthz": "healthz", "/configz": "configz"}
    for prefix, subresource in finer.items():
        if path == prefix or path.startswith(prefix + "/"):
            return [(verb, subresource), (verb, "proxy")]
    return [(verb, "proxy")]


@dataclass(slots=True)
class _Kept:
    """Answers until a moment on the monotonic clock, oldest thrown out first."""

    entries: OrderedDict[object, tuple[float, Any]] = field(default_factory=OrderedDict)

    def get(self, key: object, now: float) -> Any:
        found = self.entries.get(key)
        return found[1] if found is not None and now < found[0] else None

    def put(self, key: object, value: Any, until: float) -> None:
        self.entries[key] = (until, value)
        self.entries.move_to_end(key)
        if len(self.entries) > _MOST:
            self.entries.popitem(last=False)


class ServerAuth:
    """Decides about requests to this kubelet."""

    def __init__(self, config: KubeletConfig, client: Client, clock: Clock) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._tokens = _Kept()
        self._verdicts = _Kept()

    async def authenticate(self, request: Request) -> User | None:
        """Who asks; None: nobody that may ask at all."""
        if request.peer_certificate is not None:
            subject = x509.load_der_x509_certificate(request.peer_certificate).subject
            groups = (*pki.organizations(subject), "system:authenticated")
            return User(pki.common_name(subject), groups=groups)
        kind, _, token = (request.headers.get("Authorization") or "").partition(" ")
        if kind.lower() == "bearer" and token and self._config.webhook_authentication:
            return await self._review(token.strip())
        return ANONYMOUS if self._config.anonymous and not token else None

    async def _review(self, token: str) -> User | None:
        now = self._clock.monotonic()
        if (kept := self._tokens.get(token, now)) is not None:
            return kept if isinstance(kept, User) else None
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        try:
            status = (await self._client.create(_REVIEWS, asked)).get("status") or {}
        except (errors.ApiError, Unreachable):
            return None
        user: User | None = None
        if status.get("authenticated"):
            told = status["user"]
            extra = tuple((k, tuple(v)) for k, v in (told.get("extra") or {}).items())
            user = User(told["username"], told.get("uid", ""), tuple(told.get("groups") or ()), extra)
        self._tokens.put(token, user if user is not None else False, now + self._config.webhook_cache_s)
        return user

    async def authorize(self, user: User, request: Request) -> str:
        """Empty when allowed; else why not."""
        if self._config.authorization_mode == "AlwaysAllow":
            return ""
        verb, subresource = "", ""
        for verb, subresource in attributes(request.method, request.path):
            if await self._allowed(user, verb, subresource):
                return ""
        return f"Forbidden (user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{subresource}])"

    async def _allowed(self, user: User, verb: str, subresource: str) -> bool:
        now = self._clock.monotonic()
        key = (user, verb, subresource)
        if (kept := self._verdicts.get(key, now)) is not None:
            return bool(kept)
        asked = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user.name,
                "groups": list(user.groups),
                **({"uid": user.uid} if user.uid else {}),
                **({"extra": {k: list(v) for k, v in user.extra}} if user.extra else {}),
                "resourceAttributes": {
                    "verb": verb, "version": "v1", "resource": "nodes", "subresource": subresource,
                    "name": self._config.node_name,
                },
            },
        }  # fmt: skip
        try:
            status = (await self._client.create(_ACCESS, asked)).get("status") or {}
        except (errors.ApiError, Unreachable):
            return False
        allowed = bool(status.get("allowed"))
        life_s = self._config.authorized_cache_s if allowed else self._config.unauthorized_cache_s
        self._verdicts.put(key, allowed, now + life_s)
        return allowed
