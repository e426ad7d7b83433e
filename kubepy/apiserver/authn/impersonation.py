"""Acting as someone else: `Impersonate-*` headers, each of which takes the permission to impersonate just that.

Invariant: the user that comes out is made of what was asked for alone; nothing of the asking user stays.
Source: apiserver pkg/endpoints/filters/impersonation/constrained_impersonation.go.
"""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import unquote

from kubepy.api.errors import BadRequest, Forbidden
from kubepy.apiserver.authn.impersonation_modes import MODES, Mode, Unacceptable
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.decision import forbidden
from kubepy.apiserver.authz.rules import quote
from kubepy.apiserver.http.request_info import RequestInfo, parse_request_info
from kubepy.lib.expiring import Expiring
from kubepy.lib.http import Headers, Request

USER, GROUP, UID = "Impersonate-User", "Impersonate-Group", "Impersonate-Uid"
EXTRA = "impersonate-extra-"
ASKING, ACTING = "authn.asking", "authn.acting"
"""Where in a request's context the layers around it find the user who asks, and the one that it counts as."""
CONSTRAINT = "authn.constraint"
"""And the verb by which it may act as that one; empty for the mode of old."""
_REMEMBERED = 1024
_LAST_TTL_S = 600.0


class Authenticator(Protocol):
    """Finds out who asks."""

    async def authenticate(self, request: Request) -> UserInfo:
        """The user. Raises Unauthorized."""


class Authorizer(Protocol):
    """Decides what a user may do."""

    async def require(self, user: UserInfo, info: RequestInfo) -> None:
        """Raises Forbidden."""


class Impersonation:
    """An authenticator that lets those who may act as the user that they name, in one of `modes`."""

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer, modes: Sequence[Mode] = MODES) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._modes = tuple(modes)
        self._last: Expiring[str, Mode] = Expiring(_REMEMBERED)
        """By asker: the mode that went well, to be tried first."""

    async def authenticate(self, request: Request) -> UserInfo:
        """The user that the request is to count as. Raises Unauthorized, Forbidden, BadRequest."""
        user = await self._authenticator.authenticate(request)
        request.context[ASKING] = request.context[ACTING] = user
        headers = request.headers
        if USER not in headers and not _names_others(headers):
            return user
        wanted = read_wanted(headers)
        doing = parse_request_info(request, request.params() if request.query else {})
        mode = await self._mode(user, wanted, doing)
        request.context[CONSTRAINT] = mode.constraint
        acting = request.context[ACTING] = mode.complete(wanted)
        return acting

    async def _mode(self, user: UserInfo, wanted: UserInfo, doing: RequestInfo) -> Mode:
        """The first mode that allows it; the first refusal otherwise. Raises Forbidden."""
        last = self._last.get(user.name)
        modes = self._modes if last is None else (last, *(mode for mode in self._modes if mode is not last))
        refusal: Forbidden | None = None
        for mode in modes:
            if not mode.fits(wanted, user):
                continue
            try:
                for info in mode.questions(wanted, doing):
                    await self._authorizer.require(mode.asker(user), info)
            except Forbidden as fault:
                refusal = refusal or fault
            except Unacceptable as fault:
                refusal = refusal or forbidden(user, fault.info, str(fault))
            else:
                self._last.put(user.name, mode, _LAST_TTL_S)
                return mode
        raise refusal or Forbidden("all impersonation modes failed")


def _names_others(headers: Headers) -> bool:
    """Whether something but a user's name is asked for."""
    return any(name[0] in "Ii" and name[:12].lower() == "impersonate-" for name in headers if name)


def read_wanted(headers: Headers) -> UserInfo:
    """The user that the headers ask for. Raises BadRequest when they name none."""
    name = headers.get(USER, "")
    groups = tuple(headers.getall(GROUP, ()))
    uid = headers.get(UID, "")
    extra: dict[str, tuple[str, ...]] = {}
    for header, value in headers.items():
        if header.lower().startswith(EXTRA):
            key = unquote(header[len(EXTRA) :].lower())
            extra[key] = (*extra.get(key, ()), value)
    wanted = UserInfo(name, uid, groups, extra)
    if not name:
        raise BadRequest(f"requested {_shown(wanted)} without impersonating a user name")
    return wanted


def _shown(wanted: UserInfo) -> str:
    """The user as Go prints it."""

    def texts(values: Sequence[str]) -> str:
        return "[]string{" + ", ".join(map(quote, values)) + "}" if values else "[]string(nil)"

    extra = "map[string][]string(nil)"
    if wanted.extra:
        pairs = (f"{quote(key)}:{texts(values)[8:]}" for key, values in sorted(wanted.extra.items()))
        extra = "map[string][]string{" + ", ".join(pairs) + "}"
    return f'&user.DefaultInfo{{Name:"", UID:{quote(wanted.uid)}, Groups:{texts(wanted.groups)}, Extra:{extra}}}'
