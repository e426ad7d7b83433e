"""Which FlowSchema a request belongs to, and which flow of it.

Pure: schemas are compiled once; `Schema.matches` and `distinguisher` look at a user and a request's terms alone.
Source: apiserver pkg/util/flowcontrol/rule.go, apf_controller.go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubepy.api.flow_objects import CATCH_ALL, EXEMPT
from kubepy.apiserver.authn.user import SERVICE_ACCOUNT_PREFIX, UserInfo
from kubepy.apiserver.http.request_info import RequestInfo

Object = Mapping[str, Any]
ANY = "*"


@dataclass(frozen=True, slots=True)
class Subjects:
    """Whom a rule is about; `accounts` are (namespace, name) of service accounts."""

    users: frozenset[str]
    groups: frozenset[str]
    accounts: frozenset[tuple[str, str]]

    def matches(self, user: UserInfo) -> bool:
        """Whether the user is one of them."""
        if user.name in self.users or ANY in self.users or ANY in self.groups:
            return True
        if not self.groups.isdisjoint(user.groups):
            return True
        if not self.accounts or not user.name.startswith(SERVICE_ACCOUNT_PREFIX):
            return False
        namespace, _, name = user.name.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")
        return (namespace, ANY) in self.accounts or (namespace, name) in self.accounts


@dataclass(frozen=True, slots=True)
class Rule:
    """Subjects, and what of their requests is meant."""

    subjects: Subjects
    resources: tuple[Object, ...]
    paths: tuple[Object, ...]

    def matches(self, user: UserInfo, info: RequestInfo) -> bool:
        """Whether the request is meant."""
        if not self.subjects.matches(user):
            return False
        if info.is_resource:
            return any(_matches_resource(rule, info) for rule in self.resources)
        return any(_matches_path(rule, info) for rule in self.paths)


@dataclass(frozen=True, slots=True)
class Schema:
    """A FlowSchema, compiled. `method` is ByUser, ByNamespace or empty: all its requests are one flow."""

    name: str
    uid: str
    level: str
    precedence: int
    method: str
    rules: tuple[Rule, ...]

    def matches(self, user: UserInfo, info: RequestInfo) -> bool:
        """Whether the request belongs here, unless it belongs to a schema of higher precedence."""
        return any(rule.matches(user, info) for rule in self.rules)

    def distinguisher(self, user: UserInfo, info: RequestInfo) -> str:
        """What tells the request's flow from the schema's other flows."""
        if self.method == "ByUser":
            return user.name
        return info.namespace if self.method == "ByNamespace" else ""


def compile_schema(obj: Object) -> Schema:
    """The schema of a FlowSchema object that is valid."""
    metadata, spec = obj["metadata"], obj["spec"]
    return Schema(
        metadata["name"],
        metadata.get("uid", ""),
        spec["priorityLevelConfiguration"]["name"],
        spec.get("matchingPrecedence") or 0,
        (spec.get("distinguisherMethod") or {}).get("type") or "",
        tuple(map(_compile_rule, spec.get("rules") or ())),
    )


def ordered(schemas: Iterable[Schema]) -> list[Schema]:
    """In the order in which they are tried: by precedence, then by name; the mandatory ones at the ends."""

    def place(schema: Schema) -> tuple[int, int, str]:
        end = {EXEMPT: -1, CATCH_ALL: 1}.get(schema.name, 0)
        return end, schema.precedence, schema.name

    return sorted(schemas, key=place)


def _compile_rule(rule: Object) -> Rule:
    named: dict[str, set[Any]] = {"User": set(), "Group": set(), "ServiceAccount": set()}
    for subject in rule.get("subjects") or ():
        kind = subject["kind"]
        if kind == "ServiceAccount":
            named[kind].add((subject["serviceAccount"]["namespace"], subject["serviceAccount"]["name"]))
        else:
            named[kind].add(subject[kind.lower()]["name"])
    subjects = Subjects(*(frozenset(named[kind]) for kind in ("User", "Group", "ServiceAccount")))
    return Rule(subjects, tuple(rule.get("resourceRules") or ()), tuple(rule.get("nonResourceRules") or ()))


def _has(values: Iterable[str], value: str) -> bool:
    return any(found in (value, ANY) for found in values)


def _matches_resource(rule: Object, info: RequestInfo) -> bool:
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    if not (
        _has(rule["verbs"], info.verb) and _has(rule["apiGroups"], info.group) and _has(rule["resources"], resource)
    ):
        return False
    return _has(rule.get("namespaces") or (), info.namespace) if info.namespace else bool(rule.get("clusterScope"))


def _matches_path(rule: Object, info: RequestInfo) -> bool:
    if not _has(rule["verbs"], info.verb):
        return False
    for url in rule["nonResourceURLs"]:
        if url in (ANY, info.path) or (url.endswith(ANY) and info.path.startswith(url[:-1])):
            return True
    return False
