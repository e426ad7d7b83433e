"""How objects of a custom kind are kept in the cache, where the store may hold an older form of them.

What was stored at another version is read as the storage version; what the schema does not know any more goes, what it
has got defaults for since is filled in. So every read is of the present form, and costs no more. An object that only a
webhook can convert stays as it is.
Source: apiextensions-apiserver pkg/apiserver/customresource_handler.go (schemaCoercingDecoder, unstructuredDefaulter).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from kubepy.apiserver.registry import structural


@dataclass(frozen=True, slots=True)
class Kept:
    """The form of what is kept. `schema` is None while nothing can have been stored under another one; `indexed` are
    the fields that select.
    """

    api_version: str
    schema: Mapping[str, Any] | None
    indexed: Mapping[str, str]
    by_webhook: bool = False

    def read(self, data: bytes) -> bytes:
        """Stored bytes, in this form."""
        is_current = data.startswith(b'{"apiVersion":"%s",' % self.api_version.encode())
        if is_current and self.schema is None:
            return data
        try:
            obj = orjson.loads(data)
        except orjson.JSONDecodeError:
            return data
        if not isinstance(obj, dict) or "metadata" not in obj:
            return data
        if obj.get("apiVersion") != self.api_version:
            if self.by_webhook:
                return data
            obj["apiVersion"], is_current = self.api_version, False
        before = data if is_current else b""
        if self.schema is not None:
            structural.prune(self.schema, obj)
            structural.fill_defaults(self.schema, obj)
        made = orjson.dumps({"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": obj["metadata"], **obj})
        return data if made == before else made
