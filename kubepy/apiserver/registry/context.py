"""What a request carries through the engine, beside the object it is about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.http.negotiation import Form
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib.http import Request


@dataclass(slots=True)
class Context:
    """One request on its way. `warnings` end up in Warning headers; `now` is the time of all its stamps.

    `repeated` tells what the body names twice.
    """

    request: Request
    info: RequestInfo
    params: Mapping[str, list[str]]
    user: UserInfo
    form: Form
    now: datetime
    warnings: list[str] = field(default_factory=list)
    dry_run: bool = False
    delete_options: Mapping[str, Any] | None = None
    """The options in the body of a delete, for admission to see."""
    repeated: list[str] = field(default_factory=list)
    read_ahead: tuple[Callable[[bytes], Any], Any] | None = None
    """What has read a large body, and what it says or the ValueError that tells why it is none; see large_bodies.py."""
