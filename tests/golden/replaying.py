"""Replays recorded requests on an API server in this process, in the order in which they were recorded."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multidict import CIMultiDict

from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.server import ApiServer
from kubepy.lib.http import Request, Response, Stream

RECORDED = Path(__file__).parent / "v1.20"
ADMIN = UserInfo("admin", groups=("system:masters", "system:authenticated"))
_FIXED_ADDRESS = "77.77"


def scenarios() -> list[str]:
    """The names of all scenarios, in their order."""
    return (RECORDED / "order.txt").read_text().split()


def steps(name: str) -> list[dict[str, Any]]:
    """The recorded steps of a scenario."""
    found: list[dict[str, Any]] = json.loads((RECORDED / f"{name}.json").read_text())
    return found


async def call(server: ApiServer, method: str, target: str, kind: str | None, body: Any, accept: str | None) -> Any:
    """(code, body) of one request, the body parsed if it is JSON."""
    headers = CIMultiDict({"User-Agent": "Python-urllib/3.11"})
    if accept:
        headers["Accept"] = accept
    if kind:
        headers["Content-Type"] = kind
    data = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    path, _, query = target.partition("?")
    answer = await server.handler(Request(method, path, query, headers, data, context={"user": ADMIN}))
    if isinstance(answer, Stream):
        raw = b"".join([chunk async for chunk in answer.chunks])
    else:
        assert isinstance(answer, Response)
        raw = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
    try:
        return answer.status, json.loads(raw)
    except ValueError:
        return answer.status, raw.decode(errors="replace")


def carry(body: Any, live: Mapping[str, dict[str, Any]]) -> Any:
    """A recorded body with the identity that the same object has on the live server."""
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        return body
    twin = live.get(body["metadata"].get("uid"))
    if twin is None:
        return body
    body = copy.deepcopy(body)
    meta = body["metadata"]
    meta |= {k: twin["metadata"][k] for k in ("uid", "resourceVersion", "creationTimestamp") if k in twin["metadata"]}
    meta.pop("managedFields", None)
    meta.pop("selfLink", None)
    for field in ("clusterIP", "clusterIPs"):
        known = (twin.get("spec") or {}).get(field) if isinstance(twin.get("spec"), dict) else None
        if known is not None and field in (body.get("spec") or {}) and _FIXED_ADDRESS not in str(body["spec"][field]):
            body["spec"][field] = known
    return body


def remember(want: Any, got: Any, live: dict[str, dict[str, Any]]) -> None:
    """Notes which live object stands for a recorded one."""
    if isinstance(want, dict) and isinstance(got, dict):
        recorded = (want.get("metadata") or {}).get("uid")
        if recorded and (got.get("metadata") or {}).get("uid"):
            live[recorded] = got
