"""What a request carries through the engine, beside the object it is about."""

from collections.abc import Mapping
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
    yaml: "tuple[Any, list[str]] | ValueError | None" = None
    """What a large YAML body says and names twice, or why it is none; read before anybody asks, beside the loop."""
    protobuf: "dict[str, Any] | ValueError | None" = None
    """The same of a large protobuf body."""
