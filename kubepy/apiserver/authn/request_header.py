"""Users named in headers by a trusted front proxy, which shows a client certificate of its own authority.

Invariant: without that certificate the headers mean nothing.
Source: apiserver pkg/authentication/request/headerrequest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from cryptography import x509

from kubepy.apiserver.authn.base import Refused
from kubepy.apiserver.authn.client_certificate import ClientCertificates
from kubepy.apiserver.authn.user import UserInfo
from kubepy.lib.http import Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderNames:
    """Which headers carry what; the first that is there counts for the user, all of them for groups."""

    username: tuple[str, ...] = ("X-Remote-User",)
    uid: tuple[str, ...] = ()
    group: tuple[str, ...] = ("X-Remote-Group",)
    extra_prefix: tuple[str, ...] = ("X-Remote-Extra-",)


class RequestHeader:
    """Authenticates by headers of proxies whose certificate `authorities` signed for one of `allowed_names`."""

    def __init__(
        self, authorities: Sequence[x509.Certificate], allowed_names: Sequence[str], names: HeaderNames
    ) -> None:
        self._proxies = ClientCertificates(authorities)
        self._allowed = frozenset(allowed_names)
        self._names = names

    def authenticate(self, headers: Headers, der: bytes, now_s: float) -> UserInfo | None:
        """The user that the proxy names; None if the peer is no trusted proxy or names none."""
        name = next((value for key in self._names.username if (value := headers.get(key))), "")
        if not name:
            return None
        try:
            proxy = self._proxies.authenticate(der, now_s)
        except Refused:  # it may yet be a user of its own
            return None
        if proxy is None or (self._allowed and proxy.name not in self._allowed):
            return None
        return read_user(name, headers, self._names)


def read_user(name: str, headers: Headers, names: HeaderNames) -> UserInfo:
    """User `name` with the uid, groups and extra that the headers tell."""
    groups = tuple(group for key in names.group for group in headers.getall(key, ()))
    uid = next((value for key in names.uid if (value := headers.get(key))), "")
    extra: dict[str, tuple[str, ...]] = {}
    for prefix in names.extra_prefix:
        for header, value in headers.items():
            if header.lower().startswith(prefix.lower()):
                key = unquote(header[len(prefix) :].lower())
                extra[key] = (*extra.get(key, ()), value)
    return UserInfo(name, uid, groups, extra)
