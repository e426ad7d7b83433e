"""Audit events as bytes, cut to a size where one is set. Pure.

Source: apiserver plugin/pkg/audit/truncate.
"""

import json
from collections.abc import Mapping
from typing import Any

import orjson

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
