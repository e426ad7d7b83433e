"""Checks a policy's validations against the schemas of what it is about: warnings for its status, never refusals.

An expression is compiled with `object` and `params` as untyped values when it is used; here they have the types of each
kind that the policy's rules name without a wildcard, so that a misspelt field is told of.
Source: apiserver pkg/admission/plugin/policy/validating/typechecking.go.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from kubepy.api.definitions import Schema
from kubepy.api.meta import Object
from kubepy.apiserver.admission.policies.expressions import declarations
from kubepy.apiserver.cel.environment import Environment
from kubepy.apiserver.cel.errors import CompileError
from kubepy.apiserver.cel.escaping import escape
from kubepy.apiserver.cel.kinds import Kind, ListOf, MapOf, of_type
from kubepy.apiserver.cel.kinds import Object as ObjectKind

_KINDS_MOST: Final = 10
_SCALARS: Final = {
    "string": "string", "bytes": "bytes", "boolean": "bool", "int32": "int", "int64": "int", "number": "double",
    "time": "google.protobuf.Timestamp", "micro-time": "google.protobuf.Timestamp", "quantity": "string",
}  # fmt: skip

Gvr = tuple[str, str, str]
Found = tuple[str, str, Schema]
"""(apiVersion, kind, schema)."""
Resolve = Callable[[str, str, str], Found | None]
"""From group, version and plural to what is there."""
ResolveKind = Callable[[str, str], Schema | None]
"""From apiVersion and kind to the schema."""


def warnings_of(policy: Object, resolve: Resolve, resolve_kind: ResolveKind) -> list[Object]:
    """The expressionWarnings of a ValidatingAdmissionPolicy's status."""
    spec: Mapping[str, Any] = policy.get("spec") or {}
    kind = spec.get("paramKind")
    params: Kind | None = None
    if kind is not None:
        schema = resolve_kind(kind.get("apiVersion") or "", kind.get("kind") or "")
        params = _kind(schema, "Params", ()) if schema is not None else "dyn"
    environments = [
        (title, _environment(spec, _kind(schema, "Checked", ()), params)) for title, schema in _checked(spec, resolve)
    ]
    warnings = []
    for path, text in _expressions(spec):
        told = [f"{title}: {why}\n" for title, environment in environments if (why := _fault(environment, text))]
        if told:
            warnings.append({"fieldRef": path, "warning": "\n".join(told)})
    return warnings


def _expressions(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for index, validation in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            if text := validation.get(field):
                yield f"spec.validations[{index}].{field}", text


def _checked(spec: Mapping[str, Any], resolve: Resolve) -> list[tuple[str, Schema]]:
    """The kinds to check against, sorted, under the names that warnings give them."""
    found: dict[tuple[str, str, str], Schema] = {}
    for rule in (spec.get("matchConstraints") or {}).get("resourceRules") or ():
        for group, version, plural in _named(rule):
            resolved = resolve(group, version, plural)
            if resolved is not None and len(found) < _KINDS_MOST:
                found[group, version, resolved[1]] = resolved[2]
    return [(f"{group}/{version}, Kind={kind}", found[group, version, kind]) for group, version, kind in sorted(found)]


def _named(rule: Mapping[str, Any]) -> Iterator[Gvr]:
    """What a rule names without a wildcard; nothing where a group or version is one."""
    groups, versions = rule.get("apiGroups") or (), rule.get("apiVersions") or ()
    if any("*" in text for text in (*groups, *versions)):
        return
    plurals = [plural for plural in rule.get("resources") or () if not set("*/") & set(plural)]
    yield from itertools.product(sorted(groups), sorted(versions), sorted(plurals))


def _environment(spec: Mapping[str, Any], object_kind: Kind, params: Kind | None) -> Environment:
    kinds: dict[str, Kind] = {}
    known = declarations(params=params, authorizer=False, object_kind=object_kind).values()
    for variable in spec.get("variables") or ():
        environment = _declared(object_kind, params, kinds)
        try:
            kind = of_type(environment.compile(variable.get("expression") or "").result_type, known)
        except CompileError:
            kind = "dyn"
        kinds[variable.get("name") or ""] = kind
    return _declared(object_kind, params, kinds)


def _declared(object_kind: Kind, params: Kind | None, variables: Mapping[str, Kind]) -> Environment:
    declared = declarations(params=params, authorizer=True, variables=variables, object_kind=object_kind)
    return Environment(declared)


def _fault(environment: Environment, text: str) -> str:
    try:
        environment.compile(text)
    except CompileError as fault:
        return fault.message
    return ""


def _kind(schema: Schema, name: str, above: tuple[str, ...]) -> Kind:
    """The kind of a schema's values; what holds itself, or says nothing, is not looked into."""
    if schema.kind == "list":
        return ListOf(_kind(schema.items, f"{name}_item", above))
    if schema.kind == "map":
        return MapOf(_kind(schema.items, f"{name}_value", above))
    if schema.kind != "struct" or schema.preserve_unknown or (schema.name and schema.name in above):
        return _SCALARS.get(schema.kind, "dyn")
    inside = (*above, schema.name)
    fields = {}
    for number, (field, inner) in enumerate(schema.properties.items()):
        written = escape(field)
        if written is not None:
            fields[written] = _kind(inner, f"{name}_{number}", inside)
    return ObjectKind(name, fields) if fields else "dyn"
