"""What a request to the kubelet asks for, in the words of access reviews: subresources of its node.

Source: pkg/kubelet/server/auth.go; cmd/kubelet/app/auth.go.
"""

from kubepy.client.client import Client
from kubepy.client.delegated import VERBS, Delegated, Lifetimes, User
from kubepy.kubelet.config import KubeletConfig
from kubepy.lib.clock import Clock
from kubepy.lib.http import Request


def attributes(method: str, path: str) -> list[tuple[str, str]]:
    """(verb, node subresource) of a request: what is asked for first, and what else would do."""
    verb = VERBS.get(method, "get")
    exact = {"/stats": "stats", "/metrics": "metrics", "/logs": "log", "/checkpoint": "checkpoint"}
    for prefix, subresource in exact.items():
        if path == prefix or path.startswith(prefix + "/"):
            return [(verb, subresource)]
    finer = {"/pods": "pods", "/runningpods": "pods", "/healthz": "healthz", "/configz": "configz"}
    for prefix, subresource in finer.items():
        if path == prefix or path.startswith(prefix + "/"):
            return [(verb, subresource), (verb, "proxy")]
    return [(verb, "proxy")]


class ServerAuth:
    """Decides about requests to this kubelet."""

    def __init__(self, config: KubeletConfig, client: Client, clock: Clock) -> None:
        self._node_name = config.node_name
        self._allows_all = config.authorization_mode == "AlwaysAllow"
        keep = Lifetimes(
            token_s=config.webhook_cache_s, allowed_s=config.authorized_cache_s, denied_s=config.unauthorized_cache_s
        )
        tokens = client if config.webhook_authentication else None
        self._delegated = Delegated(tokens, client, anonymous=config.anonymous, keep=keep, clock=clock)

    async def authenticate(self, request: Request) -> User | None:
        """Who asks; None: nobody that may ask at all."""
        return await self._delegated.authenticate(request)

    async def authorize(self, user: User, request: Request) -> str:
        """Empty when allowed; else why not."""
        if self._allows_all:
            return ""
        verb, subresource = "", ""
        for verb, subresource in attributes(request.method, request.path):
            asked = {
                "verb": verb, "version": "v1", "resource": "nodes", "subresource": subresource,
                "name": self._node_name,
            }  # fmt: skip
            if await self._delegated.allows(user, {"resourceAttributes": asked}):
                return ""
        return f"Forbidden (user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{subresource}])"
