"""Audit events as bytes: JSON, cut to a size where one is set, or the line of text of old. Pure.

Source: apiserver plugin/pkg/audit/truncate; pkg/audit/format.go.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from kubepy.apiserver.authz.rules import quote

TRUNCATED = "audit.k8s.io/truncated"


def encode(event: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8. What is no text, as the bytes of a strange header are not, becomes question marks."""
    try:
        return orjson.dumps(event)
    except TypeError:  # of orjson's: halves of characters
        return json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")


def fitting(event: Mapping[str, Any], most_bytes: int | None) -> bytes | None:
    """The event, without its bodies where it is larger than `most_bytes`; None if that does not help either."""
    encoded = encode(event)
    if most_bytes is None or len(encoded) <= most_bytes:
        return encoded
    bare = {key: value for key, value in event.items() if key not in ("requestObject", "responseObject")}
    bare["annotations"] = {**event.get("annotations", {}), TRUNCATED: "true"}
    encoded = encode(bare)
    return encoded if len(encoded) <= most_bytes else None


def as_text(event: Mapping[str, Any]) -> bytes:
    """The event in one line, a part of what it tells; what is not known has a word in angle brackets."""
    user, acting = event.get("user") or {}, event.get("impersonatedUser")
    groups = _listed(user.get("groups")) if user.get("username") else ""
    status, ips = event.get("responseStatus"), event.get("sourceIPs") or ("<unknown>",)
    parts = {
        "id": event["auditID"],
        "stage": event["stage"],
        "ip": ips[0],
        "method": event["verb"],
        "user": user.get("username") or "<none>",
        "groups": groups or "<none>",
        "as": acting["username"] if acting else "<self>",
        "asgroups": _listed((acting or {}).get("groups")) or "<lookup>",
        "user-agent": event["userAgent"],
        "namespace": (event.get("objectRef") or {}).get("namespace") or "<none>",
        "uri": event["requestURI"],
        "response": str(status["code"]) if status else "<deferred>",
    }
    moment, _, fraction = event["requestReceivedTimestamp"].rstrip("Z").partition(".")
    moment += f".{fraction.rstrip('0')}".rstrip(".") + "Z"
    line = f"{moment} AUDIT: " + " ".join(f"{name}={quote(text)}" for name, text in parts.items())
    return line.encode("utf-8", "replace")


def _listed(names: Sequence[str] | None) -> str:
    return ",".join(map(quote, names or ()))
