"""Requests made by chance from the OpenAPI v3 documents that the server itself publishes: mostly right, never quite.

Nothing here knows Kubernetes but for a few names: which paths there are, which parameters they take and what a body
looks like is read off the documents. One seed makes one sequence of requests, on any machine.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

Document = Mapping[str, Any]

NAMES = ("a", "b", "web", "default", "kubernetes", "node-0", "system:basic-user")
NAMESPACES = ("default", "fuzz", "kube-system")
TEXTS = (
    "", "a", "b", "web", "default", "a.example.com", "example.com/a", "1", "0", "-1", "80", "10.0.0.1", "::1", "::/8",
    "100m", "1Gi", "1e400", "9" * 40, "true", "null", "2026-01-01T00:00:00Z", "*", "Always", "TCP", "ClusterIP",
    "Exists", "a\0b", "\ud7ff", "é" * 3, "..", "a/b", "%2e", "a=b", "a in (b,", "{{", "$(X)", "metadata.name=a",
    "/spec/x", "All", "Foreground", "Strict", "NotOlderThan", "Exact", "x" * 300,
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 80, 3600, 65535, 65536, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 0.5, 1e300)
ODD = (None, True, [], {}, [[]], [None], {"": None}, {"$patch": "replace"}, {"$patch": 1}, "", 0, -0.0, 10**30, "x")
JSON, PROTOBUF = "application/json", "application/vnd.kubernetes.protobuf"
PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
ACCEPTS = (
    JSON, JSON, JSON, "application/yaml", "*/*", "", "text/html", PROTOBUF,
    "application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json", ";;=,;q=",
)  # fmt: skip
PATHS = (
    "/metadata/labels", "/metadata/labels/a", "/spec", "/spec/x", "", "/", "x", "/metadata", "/status", "/data/a", "/-",
    "/metadata/finalizers/-",
)  # fmt: skip
DIRECTIVES = ("unknown", "$patch", "$retainKeys", "$setElementOrder/containers", "")
SERVERS = ("namespace", "resourceVersion", "uid", "managedFields", "deletionTimestamp", "ownerReferences")
"""Metadata that a body rarely has rightly."""
_DEEPEST = 9


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    parameters: Sequence[Document]
    body: Document | None
    schemas: Mapping[str, Document]


@dataclass(frozen=True, slots=True)
class Made:
    """A request to send."""

    method: str
    target: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def operations(document: Document) -> list[Operation]:
    """Every operation that a document tells of."""
    schemas = document.get("components", {}).get("schemas", {})
    found = []
    for path, item in sorted(document["paths"].items()):
        shared = item.get("parameters", [])
        for method in ("get", "put", "post", "patch", "delete"):
            if method in item:
                told = item[method]
                content = told.get("requestBody", {}).get("content", {})
                body = next(iter(content.values()), {}).get("schema") if content else None
                parameters = [*shared, *told.get("parameters", [])]
                found.append(Operation(method.upper(), path, parameters, body, schemas))
    return found


def collection_of(path: str) -> str:
    """The path without what comes after its resource's plural."""
    return path.partition("/{name}")[0]


def api_version_of(path: str) -> str:
    """The apiVersion that a path is at."""
    parts = path.split("/")
    return "/".join(parts[2:4]) if parts[1] == "apis" else parts[2]


class Fuzz:
    """Makes requests. `samples` are sound objects by the path of their collection: most bodies are made from them."""

    def __init__(self, seed: int, samples: Mapping[str, Sequence[Document]]) -> None:
        self._random = random.Random(seed)
        self._samples = samples
        self._odd = 0.0

    def request(self, operation: Operation) -> Made:
        """One request of that operation."""
        self._odd = self._one_of((0.0, 0.0, 0.003, 0.03))  # the share of values that do not fit their schema
        path = operation.path
        for parameter in operation.parameters:
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", self._segment(parameter["name"]))
        query = [
            f"{parameter['name']}={quote(self._query(parameter))}"
            for parameter in operation.parameters
            if parameter["in"] == "query" and self._chance(self._odd * 2 or 0.01)
        ]
        headers = {"Accept": self._one_of(ACCEPTS) if self._chance(0.2) else JSON}
        body = b""
        if operation.body is not None and not self._chance(0.02):
            place = len(collection_of(operation.path).split("/"))
            name = unquote(path.split("/")[place]) if "{name}" in operation.path else self._one_of(NAMES)
            headers["Content-Type"], body = self._body(operation, name)
        return Made(operation.method, path + ("?" + "&".join(query) if query else ""), body, headers)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _one_of(self, values: Sequence[Any]) -> Any:
        return self._random.choice(values)

    def _segment(self, name: str) -> str:
        if self._chance(self._odd):
            return quote(self._one_of(TEXTS), safe="%")
        return quote(self._one_of(NAMESPACES if name == "namespace" else NAMES))

    def _query(self, parameter: Document) -> str:
        if self._chance(0.3):
            return str(self._one_of(TEXTS))
        kind = parameter.get("schema", {}).get("type")
        if kind == "integer":
            return str(self._random.choice((0, 1, 2, -1, 500, 2**63)))
        if kind == "boolean":
            return str(self._one_of(("true", "false", "1", "")))
        return str(self._one_of(TEXTS))

    def _body(self, operation: Operation, name: str) -> tuple[str, bytes]:
        assert operation.body is not None
        if operation.method == "PATCH":
            media = self._one_of(PATCHES)
            if media == PATCHES[0]:
                value: Any = self._operations()
            else:
                value = self._object_of(operation)
        else:
            media, value = JSON, self._object_of(operation)
        self._name(value, name)
        if media == PATCHES[3] and isinstance(value, dict):
            value.setdefault("apiVersion", api_version_of(operation.path))
        data = json.dumps(value).encode()
        if self._chance(self._odd):
            data = self._damage(data)
        if self._chance(self._odd):
            media = self._one_of(("text/plain", "application/yaml", "", PROTOBUF, "a/b;;="))
        return media, data

    def _object_of(self, operation: Operation) -> Any:
        """A sample, changed a little, or a body by its schema; a PATCH's own schema says nothing."""
        collection = collection_of(operation.path)
        samples = self._samples.get(collection, ())
        if samples and not self._chance(0.3):
            return self._changed(self._one_of(samples), operation.schemas)
        if operation.method != "PATCH":
            assert operation.body is not None
            return self.value(operation.body, operation.schemas)
        kinds = [name for name in operation.schemas if name.startswith("io.k8s.api.") and not name.endswith("List")]
        plural = collection.rpartition("/")[2]
        kind = next((name for name in kinds if name.rpartition(".")[2].lower() in (plural[:-1], plural[:-2])), None)
        return self.value({"$ref": f"/{kind}"} if kind else {"type": "object"}, operation.schemas)

    def _changed(self, sample: Any, schemas: Mapping[str, Document]) -> Any:
        """A copy with some of its values replaced, left out or taken from elsewhere."""
        if self._chance(self._odd):
            return self._one_of(ODD)
        if self._chance(self._odd):
            return self.value({"$ref": "/" + self._one_of(sorted(schemas))}, schemas)
        if isinstance(sample, dict):
            kept = [(key, part) for key, part in sample.items() if not self._chance(self._odd * 2)]
            return {key: self._changed(part, schemas) for key, part in kept}
        if isinstance(sample, list):
            parts = [self._changed(part, schemas) for part in sample]
            return parts * 2 if self._chance(self._odd) else parts
        if not self._chance(self._odd * 3):
            return sample
        return self._one_of(TEXTS if isinstance(sample, str) else NUMBERS)

    def _name(self, value: Any, name: str) -> None:
        """Gives the object its name, and drops what only the server or a mistake would set."""
        if not isinstance(value, dict) or self._chance(self._odd):
            return
        value.pop("apiVersion", None)
        value.pop("kind", None)
        meta = value.get("metadata")
        if isinstance(meta, dict):
            for unwanted in SERVERS:
                if self._chance(0.95 - self._odd):
                    meta.pop(unwanted, None)
            meta["name"] = name

    def _operations(self) -> list[Any]:
        ops = ("add", "remove", "replace", "move", "copy", "test", "x")
        made: list[Any] = []
        for _ in range(self._random.randrange(4)):
            one: dict[str, Any] = {"op": self._one_of(ops), "path": self._one_of(PATHS)}
            if self._chance(0.8):
                one["value"] = self._one_of((*ODD, {"a": "b"}, "a"))
            if self._chance(0.4):
                one["from"] = self._one_of(PATHS)
            made.append(self._one_of(ODD) if self._chance(0.03) else one)
        return made

    def _damage(self, data: bytes) -> bytes:
        at = self._random.randrange(len(data) + 1)
        return self._one_of(
            (
                data[:at],
                data[:at] + bytes([self._random.randrange(256)]) + data[at + 1 :],
                data + b"x",
                data[:at] + b"[" * self._random.choice((1, 300, 20_000)) + data[at:],
                b"\xef\xbb\xbf" + data,
                data.replace(b":", b"", 1),
                data.decode().encode("utf-16"),
            )
        )

    def value(self, schema: Document, schemas: Mapping[str, Document], depth: int = 0) -> Any:
        """A value that fits the schema, but for the odd ones."""
        if self._chance(self._odd):
            return self._one_of(ODD)
        if reference := schema.get("$ref"):
            return self.value(schemas.get(reference.rpartition("/")[2], {}), schemas, depth)
        for several in ("allOf", "oneOf", "anyOf"):
            if schema.get(several):
                return self.value(self._one_of(schema[several]), schemas, depth)
        if "default" in schema and self._chance(0.2):
            return schema["default"]
        if schema.get("enum"):
            return self._one_of(schema["enum"])
        kind = schema.get("type", "")
        if kind == "object" or "properties" in schema:
            return self._object(schema, schemas, depth)
        if kind == "array":
            many = 0 if depth > _DEEPEST else self._random.choice((0, 1, 1, 1, 2, 2, 3))
            return [self.value(schema.get("items", {}), schemas, depth + 1) for _ in range(many)]
        if kind == "integer":
            return self._one_of(NUMBERS[:-2]) if self._chance(self._odd * 4) else self._random.randrange(10)
        if kind == "number":
            return self._one_of(NUMBERS)
        if kind == "boolean":
            return self._chance(0.5)
        if kind == "string" and schema.get("format") == "date-time" and not self._chance(self._odd):
            return "2026-01-01T00:00:00Z"
        if kind == "string" and schema.get("format") == "byte" and not self._chance(self._odd):
            return "YQ=="
        if kind == "string":
            return self._one_of(TEXTS) if self._chance(0.1 + self._odd * 3) else self._one_of(("a", "b", "web"))
        return self._one_of((*ODD, "a", 1))

    def _object(self, schema: Document, schemas: Mapping[str, Document], depth: int) -> Any:
        made = {}
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        share = 0.0 if depth > _DEEPEST else 0.25 if len(properties) > 8 else 0.5
        for name, inner in properties.items():
            wanted = name in required or depth == 0
            if (wanted and not self._chance(self._odd)) or self._chance(share):
                made[name] = self.value(inner, schemas, depth + 1)
        additional = schema.get("additionalProperties")
        if not properties:
            inner = additional if isinstance(additional, Mapping) else {}
            for _ in range(self._random.randrange(3)):
                made[self._one_of(TEXTS)] = self.value(inner, schemas, depth + 1)
        if self._chance(self._odd):
            made[self._one_of(DIRECTIVES)] = self._one_of(ODD)
        return made
