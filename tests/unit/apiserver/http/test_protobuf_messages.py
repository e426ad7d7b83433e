"""Every field of every kind that is served has its number, and a name and a type that its JSON has."""

import pytest

from kubepy.api.definitions import Schema, schema_of
from kubepy.api.resources import BUILT_IN
from kubepy.apiserver.http.protobuf_messages import STRING_LISTS, Table, message_of, tables

SCALARS = {"string": "s", "boolean": "b", "int32": "i", "int64": "i", "number": "d", "bytes": "y"}
LEAVES = {
    "quantity": {"resource.Quantity"},
    "int-or-string": {"intstr.IntOrString"},
    "time": {"meta.v1.Time"},
    "micro-time": {"meta.v1.MicroTime"},
    "any": {"runtime.RawExtension", "meta.v1.FieldsV1", "apiextensions.v1.JSON",
            "apiextensions.v1.CustomResourceSubresourceStatus"},
    "props-or": {f"apiextensions.v1.JSONSchemaPropsOr{what}" for what in ("Array", "Bool", "StringArray")},
}  # fmt: skip


def served() -> set[tuple[str, str]]:
    """(apiVersion, kind) of all that is served, what its subresources take and answer included."""
    found = {("v1", "Status"), ("v1", "DeleteOptions")}
    for row in BUILT_IN:
        found |= {(row.api_version, row.kind), (row.api_version, row.list_kind)}
        for sub in row.subresources:
            group = row.group if sub.group is None else sub.group
            version = sub.version or row.version
            found.add((f"{group}/{version}" if group else version, sub.kind))
    return {kind for kind in found if schema_of(*kind) is not None}


def flat(table: Table) -> dict[str, str]:
    """The fields as JSON has them."""
    found = {}
    for name, kind in table.values():
        found |= flat(tables()[kind[1:]]) if kind[0] == "@" else {name: kind}
    return found


def faults(node: Schema, kind: str, path: str, seen: set[str]) -> list[str]:
    """What of a schema a type of the table does not fit, by path."""
    form, inner = (kind[0], kind[1:]) if kind[0] in "*{" else ("", kind)
    if node.kind in ("list", "map"):
        if node.kind == "list" and kind in STRING_LISTS and node.items.kind == "string":
            return []
        if node.kind == "map" and node.items.kind == "list" and kind[1:].startswith("*"):
            return [f"{path}: protobuf has no map of lists"]
        fits = form == ("*" if node.kind == "list" else "{")
        return faults(node.items, inner, path, seen) if fits else [f"{path}: {node.kind} as {kind}"]
    if node.kind != "struct":
        return [] if kind in LEAVES.get(node.kind, {SCALARS.get(node.kind)}) else [f"{path}: {node.kind} as {kind}"]
    if inner in seen:
        return []
    seen.add(inner)
    if form or inner not in tables():
        return [f"{path}: {node.name} as {kind}"]
    found = flat(tables()[inner])
    mine = set(node.properties) - ({"apiVersion", "kind"} - set(found))
    odd = [f"{path}.{name}: {'no number' if name in mine else 'unknown'}" for name in mine ^ set(found)]
    return odd + [
        fault
        for name in mine & set(found)
        for fault in faults(node.properties[name], found[name], f"{path}.{name}", seen)
    ]


@pytest.mark.parametrize(("api_version", "kind"), sorted(served()))
def test_every_field_has_a_number(api_version: str, kind: str) -> None:
    message, schema = message_of(api_version, kind), schema_of(api_version, kind)
    assert message is not None
    assert schema is not None
    assert faults(schema, message, kind, set()) == []


def test_every_message_that_a_field_names_is_there() -> None:
    known = set(tables()) | STRING_LISTS | set().union(*LEAVES.values()) | set("sibyd") | {"meta.v1.Duration"}
    used = {kind.lstrip("*{@") for table in tables().values() for _, kind in table.values()}
    assert used - known == set()


def test_kinds_of_every_group_are_known() -> None:
    assert message_of("apps/v1", "Deployment") == "apps.v1.Deployment"
    assert message_of("rbac.authorization.k8s.io/v1", "Role") == "rbac.v1.Role"
    assert message_of("v1", "DeleteOptions") == "meta.v1.DeleteOptions"
    assert message_of("policy/v1", "DeleteOptions") == "meta.v1.DeleteOptions"
    assert message_of("v1", "Status") == "meta.v1.Status"
    assert message_of("meta.k8s.io/v1", "PartialObjectMetadataList") == "meta.v1.PartialObjectMetadataList"
    assert message_of("meta.k8s.io/v1beta1", "PartialObjectMetadata") == "meta.v1.PartialObjectMetadata"
    assert message_of("meta.k8s.io/v1beta1", "PartialObjectMetadataList") == "meta.v1beta1.PartialObjectMetadataList"


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [("example.com/v1", "Widget"), ("apps.example.com/v1", "Deployment"), ("example.com/v1", "Status"),
     ("meta.k8s.io/v1", "Table"), ("v2", "Pod"), ("", "")],
)  # fmt: skip
def test_kinds_of_nobody_have_no_message(api_version: str, kind: str) -> None:
    assert message_of(api_version, kind) is None
