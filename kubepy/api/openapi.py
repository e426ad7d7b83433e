"""What /openapi/v2 and /openapi/v3 answer: made when first asked for, kept compressed, forgotten when resources change.

A document takes a moment (the whole v2 one some 0.1 s) and, open, some tens of megabytes: ask in a thread, and send
the gzip bytes as they are to clients that take them (all do).

Source: kube-openapi pkg/handler and handler3; the media types are upstream's.
"""

import gzip
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from kubepy.api import openapi_proto, openapi_v2, openapi_v3
from kubepy.api.openapi_custom import list_of
from kubepy.api.openapi_merge import merge_v2
from kubepy.api.openapi_operations import ApiKind
from kubepy.api.resources import Resource

JSON: Final = "application/json"
V2_PROTOBUF: Final = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
V2_PROTOBUF_ANSWERED: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""The same without the `@`, which Go's parser of media types refuses: clients ask for one and take the other."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A document as bytes. `gzipped` is sent with Content-Encoding: gzip; `etag` changes with the content."""

    content_type: str
    gzipped: bytes
    etag: str

    def body(self) -> bytes:
        return gzip.decompress(self.gzipped)


def _answer(content_type: str, body: bytes) -> Answer:
    etag = hashlib.sha512(body).hexdigest().upper()
    return Answer(content_type, gzip.compress(body, 5, mtime=0), etag)


class OpenApi:
    """The documents of one set of resources. `custom` holds the schemas of kinds that are not built in.

    `others` are v2 documents of other servers, each with the path that it is merged in for.
    """

    def __init__(
        self,
        resources: Sequence[Resource],
        custom: Mapping[ApiKind, dict[str, Any]] | None = None,
        others: Sequence[tuple[str, Mapping[str, Any]]] = (),
    ) -> None:
        self._others = tuple(others)
        self._resources = tuple(resources)
        self._names = {kind: custom_name(*kind) for kind in custom or {}}
        self._custom = {self._names[kind]: _with_kind(kind, schema) for kind, schema in (custom or {}).items()}
        for row in self._resources:
            name = self._names.get((row.api_version, row.kind))
            if name is not None:
                listed = (row.api_version, row.list_kind)
                self._names[listed] = custom_name(*listed)
                self._custom[self._names[listed]] = list_of(row, name)
        self._answers: dict[str, Answer] = {}

    def _kept(self, key: str, content_type: str, make: Callable[[], bytes]) -> Answer:
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = _answer(content_type, make())
        return found

    def v2(self, accept: str = "") -> Answer:
        """/openapi/v2, as protobuf for who asks for it by either of its names, JSON for all others."""
        if V2_PROTOBUF in accept or V2_PROTOBUF_ANSWERED in accept:
            return self._kept("v2+protobuf", V2_PROTOBUF_ANSWERED, lambda: openapi_proto.encode(self._v2_document()))
        return self._kept("v2", JSON, lambda: orjson.dumps(self._v2_document()))

    def _v2_document(self) -> dict[str, Any]:
        document = openapi_v2.document(self._resources, self._custom, self._names)
        return merge_v2(document, self._others) if self._others else document

    def _rows(self, place: str) -> list[Resource]:
        return [row for row in self._resources if _place(row) == place]

    def _hash(self, place: str) -> str:
        """Told by what the document is made from, so that the index needs none of the documents."""
        rows = self._rows(place)
        mine = {row.api_version for row in rows}
        schemas = [self._custom[name] for kind, name in self._names.items() if kind[0] in mine]
        return hashlib.sha512(repr(rows).encode() + orjson.dumps(schemas)).hexdigest().upper()

    def v3_index(self) -> dict[str, Any]:
        """/openapi/v3: where the document of each group and version is; a new hash tells of new content."""
        places = sorted({_place(row) for row in self._resources})
        links = {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash={self._hash(place)}"} for place in places}
        return {"paths": links}

    def v3(self, place: str) -> Answer | None:
        """/openapi/v3/PLACE (`api/v1`, `apis/apps/v1`); None where nothing of it is served."""
        rows = self._rows(place)
        if not rows:
            return None
        return self._kept(place, JSON, lambda: orjson.dumps(openapi_v3.document(rows, self._custom, self._names)))


def _place(row: Resource) -> str:
    return f"apis/{row.group}/{row.version}" if row.group else f"api/{row.version}"


def custom_name(api_version: str, kind: str) -> str:
    """The name of a custom kind's definition: its group back to front, as upstream names it."""
    group, _, version = api_version.rpartition("/")
    return ".".join([*reversed(group.split(".")), version, kind])


def _with_kind(kind: ApiKind, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a custom kind, with the mark of its kind."""
    group, _, version = kind[0].rpartition("/")
    return {**schema, "x-kubernetes-group-version-kind": [{"group": group, "version": version, "kind": kind[1]}]}
