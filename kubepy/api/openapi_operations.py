"""The operations of each resource's paths, in a form that neither OpenAPI version knows: openapi_v2 and _v3 write it.

One Operation is one method on one path: its identifier, action, kind, parameters, body and answers, as upstream's
endpoint installer would register it. Clients read from here which query parameters a server understands (kubectl:
dryRun and fieldValidation on PATCH), so parameters stand with each operation and are never references.

Source: apiserver pkg/endpoints/installer.go; kube-openapi's operation identifiers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from kubepy.api.discovery import response_kind
from kubepy.api.resources import Resource, Subresource, by_kind

JSON_TYPES: Final = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_TEXT_TYPES: Final = JSON_TYPES[:2]
LIST_TYPES: Final = (
    *JSON_TYPES, "application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch",
)  # fmt: skip
PATCH_TYPES: Final = (
    "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)  # fmt: skip
STATUS: Final = ("v1", "Status")
DELETE_OPTIONS: Final = ("v1", "DeleteOptions")
PATCH: Final = ("meta.k8s.io/v1", "Patch")

ApiKind = tuple[str, str]
"""(apiVersion, kind) of a body or an answer."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """`place` is query or path; `kind` is string, integer or boolean."""

    name: str
    kind: str
    description: str
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path. `body` and `answer` are kinds, None for none (an answer then is a string)."""

    method: str
    identifier: str
    action: str
    description: str
    group_version_kind: dict[str, str]
    parameters: tuple[Parameter, ...] = ()
    body: ApiKind | None = None
    body_types: tuple[str, ...] = ("*/*",)
    answer: ApiKind | None = None
    answer_types: tuple[str, ...] = JSON_TYPES
    codes: tuple[str, ...] = ("200",)


@dataclass(frozen=True, slots=True)
class Path:
    """A path with the parameters in it, its tag and its operations."""

    path: str
    parameters: tuple[Parameter, ...]
    tag: str
    operations: tuple[Operation, ...]


_DRY_RUN = Parameter("dryRun", "string", "All: carry out every stage of the request, but persist nothing.")
_FIELD_MANAGER = Parameter("fieldManager", "string", "The name of the actor that owns the fields that are set.")
_FIELD_VALIDATION = Parameter(
    "fieldValidation", "string", "What to do about unknown and repeated fields: Ignore, Warn (the default) or Strict."
)
_FORCE = Parameter("force", "boolean", "Apply only: take over fields that other managers own.")
_PRETTY = Parameter("pretty", "string", "If 'true', the answer is indented.")
_NAME = Parameter("name", "string", "The name of the object.", "path")
_NAMESPACE = Parameter("namespace", "string", "The namespace of the object.", "path")
_WRITE: Final = (_DRY_RUN, _FIELD_MANAGER, _FIELD_VALIDATION)
_DELETE: Final = (
    _DRY_RUN,
    Parameter("gracePeriodSeconds", "integer", "Seconds until the object is removed; 0 removes it at once."),
    Parameter("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    Parameter("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
)
_SELECT: Final = (
    Parameter("continue", "string", "The token of the answer that this list continues."),
    # Upstream's kubectl suite looks for "list of returned" and, below, for the whole of what `watch` says first.
    Parameter("fieldSelector", "string", "A selector that restricts the list of returned objects by their fields."),
    Parameter("labelSelector", "string", "A selector that restricts the list of returned objects by their labels."),
    Parameter("limit", "integer", "At most so many objects; the answer then holds a token to continue with."),
    Parameter("resourceVersion", "string", "How recent the answer must be."),
    Parameter("resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan."),
    Parameter("sendInitialEvents", "boolean", "Watch only: begin with the objects that exist."),
    Parameter("timeoutSeconds", "integer", "End the request after so many seconds."),
)
_WATCH: Final = (
    Parameter("allowWatchBookmarks", "boolean", "Watch only: send events that tell the resource version."),
    Parameter("watch", "boolean", "Watch for changes to the described resources: answer with a stream of them."),
)
_METHOD_OF: Final = {
    "create": "post", "delete": "delete", "get": "get", "patch": "patch", "update": "put",
}  # fmt: skip
_CONNECT: Final = frozenset(("attach", "exec", "portforward", "proxy"))


def group_title(group: str) -> str:
    """Core, Apps, RbacAuthorization: how identifiers call a group."""
    words = (group or "core").removesuffix(".k8s.io").split(".")
    return "".join(word[:1].upper() + word[1:] for word in words)


def tag_of(row: Resource) -> str:
    title = group_title(row.group)
    return f"{title[:1].lower()}{title[1:]}_{row.version}"


def _write_codes(verb: str) -> tuple[str, ...]:
    return {"create": ("200", "201", "202"), "delete": ("200", "202")}.get(verb, ("200", "201"))


class _Installer:
    """Makes the paths of one resource."""

    def __init__(self, row: Resource) -> None:
        self.row = row
        self.kind = (row.api_version, row.kind)
        self.prefix = group_title(row.group) + row.version.capitalize()
        self.scope = "Namespaced" if row.namespaced else ""
        self.base = f"/apis/{row.group}/{row.version}" if row.group else f"/api/{row.version}"
        self.collection = f"{self.base}/namespaces/{{namespace}}/{row.plural}" if row.namespaced else self._plural()
        self.inside = (_NAMESPACE,) if row.namespaced else ()
        # Strategic merge follows what the types of built-in kinds say; kubectl looks here for who takes it.
        self.is_built_in = by_kind(row.api_version, row.kind) is not None
        self.patch_types = (
            PATCH_TYPES if self.is_built_in else tuple(each for each in PATCH_TYPES if "strategic" not in each)
        )

    def _plural(self) -> str:
        return f"{self.base}/{self.row.plural}"

    def paths(self) -> Iterator[Path]:
        """The paths; custom resources are sent and answered in text."""
        yield from self._paths() if self.is_built_in else map(_in_text, self._paths())

    def _paths(self) -> Iterator[Path]:
        if collection := tuple(self._collection()):
            yield self._path(self.collection, self.inside, collection)
        if self.row.namespaced and "list" in self.row.verbs:
            everywhere = self._list(f"list{self.prefix}{self.row.kind}ForAllNamespaces")
            yield self._path(self._plural(), (), (everywhere,))
        if item := tuple(self._item()):
            yield self._path(f"{self.collection}/{{name}}", (_NAME, *self.inside), item)
        for sub in self.row.subresources:
            operations = tuple(self._subresource(sub))
            path = f"{self.collection}/{{name}}/{sub.name}"
            yield self._path(path, (_NAME, *self.inside), operations)

    def _path(self, path: str, parameters: tuple[Parameter, ...], operations: tuple[Operation, ...]) -> Path:
        return Path(path, (*parameters, _PRETTY), tag_of(self.row), operations)

    def _gvk(self, sub: Subresource | None = None) -> dict[str, str]:
        return response_kind(self.row, sub)

    def _list(self, identifier: str) -> Operation:
        return Operation(
            "get", identifier, "list", f"list or watch objects of kind {self.row.kind}", self._gvk(),
            parameters=(*_SELECT, *_WATCH), answer=(self.row.api_version, self.row.list_kind),
            answer_types=LIST_TYPES,
        )  # fmt: skip

    def _collection(self) -> Iterator[Operation]:
        verbs, kind = self.row.verbs, self.row.kind
        if "list" in verbs:
            yield self._list(f"list{self.prefix}{self.scope}{kind}")
        if "create" in verbs:
            yield self._write("create", f"create{self.prefix}{self.scope}{kind}", self._gvk(), self.kind)
        if "deletecollection" in verbs:
            yield Operation(
                "delete", f"delete{self.prefix}Collection{self.scope}{kind}", "deletecollection",
                f"delete collection of {kind}", self._gvk(), parameters=(*_SELECT, *_DELETE),
                body=DELETE_OPTIONS, answer=STATUS,
            )  # fmt: skip

    def _item(self) -> Iterator[Operation]:
        names = {"get": "read", "update": "replace", "delete": "delete", "patch": "patch"}
        for verb, name in names.items():
            if verb in self.row.verbs:
                identifier = f"{name}{self.prefix}{self.scope}{self.row.kind}"
                yield self._operation(verb, identifier, self._gvk(), self.kind)

    def _operation(self, verb: str, identifier: str, gvk: dict[str, str], kind: ApiKind) -> Operation:
        if verb == "get":
            return Operation("get", identifier, "get", f"read the specified {kind[1]}", gvk, answer=kind)
        if verb == "delete":
            answer = STATUS if kind[1] not in ("Pod", "Service", "PersistentVolume", "ServiceAccount") else kind
            return Operation(
                "delete", identifier, "delete", f"delete a {kind[1]}", gvk, parameters=_DELETE, body=DELETE_OPTIONS,
                answer=answer, codes=_write_codes(verb),
            )  # fmt: skip
        return self._write(verb, identifier, gvk, kind)

    def _write(self, verb: str, identifier: str, gvk: dict[str, str], kind: ApiKind) -> Operation:
        patches = verb == "patch"
        words = {"create": "create a", "update": "replace the specified", "patch": "partially update the specified"}
        return Operation(
            _METHOD_OF[verb], identifier, {"create": "post", "update": "put"}.get(verb, verb),
            f"{words[verb]} {kind[1]}", gvk,
            parameters=(*_WRITE, _FORCE) if patches else _WRITE,
            body=PATCH if patches else kind, body_types=self.patch_types if patches else ("*/*",),
            answer=kind, codes=_write_codes(verb),
        )  # fmt: skip

    def _subresource(self, sub: Subresource) -> Iterator[Operation]:
        gvk = self._gvk(sub)
        tail = f"{self.scope}{self.row.kind}{sub.name.capitalize()}"
        if sub.name in _CONNECT:
            for verb in sub.verbs:
                method = _METHOD_OF[verb]
                identifier = f"connect{self.prefix}{method.capitalize()}{tail}"
                yield Operation(
                    method, identifier, "connect", f"connect to {sub.name} of {self.row.kind}", gvk,
                    answer_types=("*/*",),
                )  # fmt: skip
            return
        kind = (f"{gvk['group']}/{gvk['version']}" if gvk["group"] else gvk["version"], gvk["kind"])
        names = {"get": "read", "create": "create", "update": "replace", "patch": "patch"}
        for verb in sub.verbs:
            if sub.name == "log":
                yield Operation(
                    "get", f"readCoreV1{tail}", "get", "read the log of the specified Pod", gvk,
                    answer_types=("text/plain", *JSON_TYPES),
                )  # fmt: skip
            else:
                yield self._operation(verb, f"{names[verb]}{self.prefix}{tail}", gvk, kind)


def _in_text(path: Path) -> Path:
    def written(operation: Operation) -> Operation:
        body_types = operation.body_types if operation.method == "patch" else _TEXT_TYPES
        return replace(operation, answer_types=_TEXT_TYPES, body_types=body_types)

    return replace(path, operations=tuple(map(written, path.operations)))


def paths_of(resources: Iterable[Resource]) -> Iterator[Path]:
    """The paths of all these resources, in their order."""
    for row in resources:
        yield from _Installer(row).paths()
