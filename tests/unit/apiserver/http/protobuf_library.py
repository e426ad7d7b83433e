"""Objects written and read by Google's protobuf library, with messages that are made here from the table of fields."""

import base64
from functools import cache
from typing import Any

import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from kubepy.api import instants
from kubepy.apiserver.http.protobuf_messages import STRING_LISTS, tables

TYPES = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "s": TYPES.TYPE_STRING,
    "i": TYPES.TYPE_INT64,
    "b": TYPES.TYPE_BOOL,
    "d": TYPES.TYPE_DOUBLE,
    "y": TYPES.TYPE_BYTES,
}
PROPS = "apiextensions.v1.JSONSchemaProps"
LEAVES = {
    "meta.v1.Time": {1: "i", 2: "i"},
    "meta.v1.MicroTime": {1: "i", 2: "i"},
    "meta.v1.Duration": {1: "i"},
    "resource.Quantity": {1: "s"},
    "intstr.IntOrString": {1: "i", 2: "i", 3: "s"},
    "runtime.RawExtension": {1: "y"},
    "meta.v1.FieldsV1": {1: "y"},
    "apiextensions.v1.JSON": {1: "y"},
    "apiextensions.v1.JSONSchemaPropsOrArray": {1: PROPS, 2: f"*{PROPS}"},
    "apiextensions.v1.JSONSchemaPropsOrBool": {1: "b", 2: PROPS},
    "apiextensions.v1.JSONSchemaPropsOrStringArray": {1: PROPS, 2: "*s"},
    **{name: {1: "*s"} for name in STRING_LISTS},
    "runtime.TypeMeta": {1: "s", 2: "s"},
    "runtime.Unknown": {1: "runtime.TypeMeta", 2: "y", 3: "s", 4: "s"},
}


def _plain(name: str) -> str:
    return name.replace(".", "_")


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="kubernetes.proto", package="k")
    fields = {name: {int(number): kind for number, (_, kind) in table.items()} for name, table in tables().items()}
    for name, known in (fields | LEAVES).items():
        message = file.message_type.add(name=_plain(name))
        for number, kind in known.items():
            form, inner = (kind[0], kind[1:]) if kind[0] in "*{@" else ("", kind)
            field = message.field.add(name=f"f{number}", number=number, label=3 if form in ("*", "{") else 1)
            if form == "{":
                entry = message.nested_type.add(name=f"F{number}Entry")
                entry.options.map_entry = True
                entry.field.add(name="key", number=1, label=1, type=TYPES.TYPE_STRING)
                _set_type(entry.field.add(name="value", number=2, label=1), inner)
                field.type, field.type_name = TYPES.TYPE_MESSAGE, f".k.{_plain(name)}.F{number}Entry"
            else:
                _set_type(field, inner)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _set_type(field: descriptor_pb2.FieldDescriptorProto, kind: str) -> None:
    if kind in SCALARS:
        field.type = SCALARS[kind]
    else:
        field.type, field.type_name = TYPES.TYPE_MESSAGE, f".k.{_plain(kind)}"


def new(name: str) -> Any:
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"k.{_plain(name)}"))()


def write(message: str, obj: dict[str, Any]) -> bytes:
    """An object in its envelope."""
    unknown, inner = new("runtime.Unknown"), new(message)
    unknown.f1.f1, unknown.f1.f2 = obj["apiVersion"], obj["kind"]
    _fill(inner, message, obj)
    unknown.f2, unknown.f3, unknown.f4 = inner.SerializeToString(), "", ""
    return b"k8s\x00" + bytes(unknown.SerializeToString())


def _fill(made: Any, name: str, value: Any) -> None:
    if name in LEAVES:
        _fill_leaf(made, name, value)
        return
    made.SetInParent()
    for number, (field, kind) in tables()[name].items():
        at = f"f{number}"
        if kind[0] == "@":
            _fill(getattr(made, at), kind[1:], value)
        elif field not in value:
            continue
        elif kind[0] == "*":
            for item in value[field]:
                _add(getattr(made, at), kind[1:], item)
        elif kind[0] == "{":
            for key, item in value[field].items():
                if kind[1:] in SCALARS:
                    getattr(made, at)[key] = _scalar(kind[1:], item)
                else:
                    _fill(getattr(made, at)[key], kind[1:], item)
        elif kind in SCALARS:
            setattr(made, at, _scalar(kind, value[field]))
        else:
            _fill(getattr(made, at), kind, value[field])


def _add(made: Any, kind: str, item: Any) -> None:
    if kind in SCALARS:
        made.append(_scalar(kind, item))
    else:
        _fill(made.add(), kind, item)


def _scalar(kind: str, value: Any) -> Any:
    return base64.b64decode(value) if kind == "y" else value


def _fill_leaf(made: Any, name: str, value: Any) -> None:
    made.SetInParent()
    if name.endswith("Time"):
        moment = instants.parse(value)
        assert moment is not None
        made.f1, made.f2 = int(moment.timestamp()), moment.microsecond * 1000
    elif name == "resource.Quantity":
        made.f1 = value
    elif name == "intstr.IntOrString":
        made.f1, made.f2, made.f3 = (1, 0, value) if isinstance(value, str) else (0, value, "")
    elif name in STRING_LISTS:
        made.f1.extend(value)
    elif "PropsOr" in name:
        is_bool = name.endswith("Bool")
        if isinstance(value, bool):
            made.f1 = value
        elif isinstance(value, dict):
            _fill(made.f2 if is_bool else made.f1, PROPS, value)
        for item in value if isinstance(value, list) else ():
            _add(made.f2, "s" if isinstance(item, str) else PROPS, item)
    else:
        made.f1 = orjson.dumps(value)


def same(message: str, one: bytes, other: bytes) -> bool:
    """Whether two objects in their envelopes are equal to the library."""
    found = []
    for data in (one, other):
        unknown, inner = new("runtime.Unknown"), new(message)
        unknown.ParseFromString(data[4:])
        inner.ParseFromString(unknown.f2)
        found.append((unknown.f1.SerializeToString(), inner))
    return bool(found[0] == found[1])
