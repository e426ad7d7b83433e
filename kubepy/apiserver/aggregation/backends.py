"""The way to extension servers: where each is dialed, whom it is believed to be, and as whom this server comes.

Requests say who asks in headers, which the extension server believes because of this server's own certificate; what
the caller showed itself stays here. Connections to one server are kept.
Source: kube-aggregator pkg/apiserver/{handler_proxy,resolvers}.go; client-go transport/round_trippers.go.
"""

import random
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp
from multidict import CIMultiDict

from kubepy.api import resources
from kubepy.apiserver.aggregation.remote import Remote, place_of_service, places_of_endpoints
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.http import audit_ids
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.proxying.proxy import Backend, BackendError, forward, forwarded_headers
from kubepy.apiserver.proxying.service_places import Place, slices_of
from kubepy.apiserver.webhooks import faults
from kubepy.apiserver.webhooks.client import client_tls
from kubepy.apiserver.webhooks.target import Target
from kubepy.lib.http import Answer, Request

_SERVICES = resources.named("services")
_LEGAL_IN_KEYS = "!#$&'*+-.^_`|~"
_PRIVATE = ("x-remote-", "impersonate-")
_IDLE_S = 90.0


@dataclass(slots=True)
class _Way:
    """The settings and connections to one extension server, as long as it is registered like this."""

    key: object
    tls: ssl.SSLContext
    connector: aiohttp.TCPConnector


class Backends:
    """Sends requests to extension servers."""

    def __init__(self, config: ApiServerConfig, lookup: Lookup) -> None:
        self._config = config
        self._lookup = lookup
        # Extension servers are told of these names, too: what a caller puts there would be believed.
        named = (
            *config.requestheader_username_headers, *config.requestheader_uid_headers,
            *config.requestheader_group_headers, *config.requestheader_extra_headers_prefix,
        )  # fmt: skip
        self.private = (*_PRIVATE, *(name.lower() for name in named))
        self._ways: dict[str, _Way] = {}
        self._retired: list[_Way] = []
        """Ways that were set anew while requests were on them; what is idle on them ends by itself."""

    async def forward(self, remote: Remote, request: Request, user: UserInfo, *, verified: bool = True) -> Answer:
        """The extension server's answer to a request of `user`. Raises NoPlace, BackendError.

        Without `verified` any certificate is good: for checks that tell nothing but whether someone answers.
        """
        host, port = self._place(remote)
        target = self._target(remote, verified=verified)
        way = self._way(remote, target)
        backend = Backend(host, port, way.tls, server_name=remote.service.host, connector=way.connector)
        path = f"{request.path}?{request.query}" if request.query else request.path
        headers = identified(forwarded_headers(request), user, self.private)
        headers[audit_ids.HEADER] = audit_ids.audit_id(request)
        try:
            return await forward(backend, request, path, headers)
        except BackendError as fault:
            if fault.__cause__ is None:
                raise
            raise BackendError(faults.of_way(target, fault.__cause__, backend.authority)) from fault

    def _place(self, remote: Remote) -> Place:
        wanted = remote.service
        service = self._lookup.get(_SERVICES, wanted.name, wanted.namespace)
        if not self._config.enable_aggregator_routing:
            return place_of_service(wanted, service)
        return random.choice(
            places_of_endpoints(wanted, service, slices_of(self._lookup, wanted.namespace, wanted.name))
        )

    def _target(self, remote: Remote, *, verified: bool) -> Target:
        """Read anew each time: the certificate's files may have been renewed."""
        config = self._config
        shown = config.proxy_client_cert_file
        return Target(
            url=f"https://{remote.service.host}{remote.path}",
            service=remote.service,
            ca=remote.ca if verified else b"",
            certificate=Path(shown).read_bytes() if shown else b"",
            key=Path(config.proxy_client_key_file).read_bytes() if shown else b"",
            insecure=remote.insecure or not verified,
        )

    def _way(self, remote: Remote, target: Target) -> _Way:
        name = f"{remote.name} {target.insecure}"
        way = self._ways.get(name)
        if way is None or way.key != target:
            try:
                tls = client_tls(target)
            except (ssl.SSLError, ValueError) as fault:
                raise BackendError(f"unable to load root certificates: {fault}") from None
            self._retire(name)
            way = self._ways[name] = _Way(target, tls, aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S))
        return way

    def forget(self, name: str) -> None:
        """An APIService is gone, or no more what it was."""
        for key in [key for key in self._ways if key.partition(" ")[0] == name]:
            self._retire(key)

    def _retire(self, key: str) -> None:
        if (way := self._ways.pop(key, None)) is not None:
            self._retired.append(way)

    async def close(self) -> None:
        """Lets go of all connections."""
        ways = [*self._ways.values(), *self._retired]
        self._ways, self._retired = {}, []
        for way in ways:
            await way.connector.close()


def identified(headers: CIMultiDict[str], user: UserInfo, private: tuple[str, ...] = _PRIVATE) -> CIMultiDict[str]:
    """The headers with the user in them, and with none that the caller named itself by, which begin as `private`."""
    kept = CIMultiDict((name, value) for name, value in headers.items() if not name.lower().startswith(private))
    kept["X-Remote-User"] = user.name
    if user.uid:
        kept["X-Remote-Uid"] = user.uid
    for group in user.groups:
        kept.add("X-Remote-Group", group)
    for key, values in user.extra.items():
        for value in values:
            kept.add(f"X-Remote-Extra-{quote(key, safe=_LEGAL_IN_KEYS)}", value)
    return kept
