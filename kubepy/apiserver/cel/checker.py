"""The parser and type checker: Google's, through `cel-expr-python`; loaded when the first expression is compiled.

The library parses and checks; what it finds is evaluated by closures of our own (`compiling`), which read plain dicts
as they are, know Kubernetes' types, and keep count of what an evaluation costs, which the library does not. Measured on
`self.replicas <= self.max && self.list.all(x, x > 0)`: 3 us, where the library's own evaluation takes 4.5 us and more
with every field of the object, all of which it copies first.

Objects with fields are told to the checker as message types of a descriptor pool, since those are what it knows.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

import orjson

from kubepy.apiserver.cel import library
from kubepy.apiserver.cel.errors import CompileError
from kubepy.apiserver.cel.kinds import Kind, ListOf, MapOf, Object, OptionalOf, objects, spec
from kubepy.apiserver.cel.registry import DECLARATIONS, OPAQUE, Declaration
from kubepy.apiserver.cel.syntax import Tree, read, shown_type

_EXTENSIONS: Final = ("sets", "optional", "two-var-comprehensions", "lists")
_COMPARISONS: Final = ("_<_", "_<=_", "_>_", "_>=_")
_COMPARABLE: Final = ("bool", "string", "bytes", "google.protobuf.Timestamp", "google.protobuf.Duration")
_NUMBERS: Final = ("int", "uint", "double")
_STATUS = re.compile(r"^[A-Z_]+: (.*?)(?: \[[A-Z_]+\])?$", re.DOTALL)
_UNDEFINED = re.compile(r"(undefined field '[^']*') not found in struct '[^']*'")
_UNDECLARED = re.compile(
    r"(?P<head>ERROR: <input>:\d+:)(?P<column>\d+)(?P<what>: undeclared reference to ')(?P<name>[\w.]+\.\w+)"
    r"(?P<rest>' \(in container ''\)\n \| )(?P<line>.*)\n \| \.*\^"
)
_LABEL_ONE, _LABEL_MANY = 1, 3
_SCALARS: Final = {"double": 1, "int": 3, "uint": 4, "bool": 8, "string": 9, "bytes": 12}
_MESSAGE: Final = 11
_PLAIN: Final = {
    "bool": "BOOL", "int": "INT", "uint": "UINT", "double": "DOUBLE", "string": "STRING", "bytes": "BYTES",
    "dyn": "DYN", "null_type": "NULL", "type": "TYPE", "google.protobuf.Timestamp": "TIMESTAMP",
    "google.protobuf.Duration": "DURATION",
}  # fmt: skip
_KNOWN: Final = ("google.protobuf.Timestamp", "google.protobuf.Duration")


class Checker:
    """Parses and checks expressions over the same variables; `made` are the types of objects that they can make."""

    def __init__(
        self,
        variables: Mapping[str, Kind],
        extensions: tuple[str, ...] = (),
        made: Iterable[Object] = (),
    ) -> None:
        from cel_expr_python import cel  # 10 MB that an idle server does without

        optional = {name: kind for name, kind in variables.items() if isinstance(kind, OptionalOf)}
        kinds = {name: _type(kind) for name, kind in variables.items() if name not in optional}
        config = _with_variables(optional, extensions) if optional else _base(extensions)
        self._env = cel.NewEnv(_pool(variables, made), config=config, variables=kinds)

    def check(self, expression: str) -> tuple[Tree, str]:
        """The tree, and the name of the result's type. Raises CompileError."""
        try:
            tree = read(self._env.compile(expression).serialize())
        except RuntimeError as fault:
            raise CompileError(_text(fault)) from None
        kind = tree.types.get(tree.root.id)
        return tree, shown_type(kind) if kind is not None else "dyn"

    def parse(self, expression: str) -> Tree:
        """The tree without types. Raises CompileError."""
        try:
            return read(self._env.compile(expression, disable_check=True).serialize())
        except RuntimeError as fault:
            raise CompileError(_text(fault)) from None


def _text(fault: RuntimeError) -> str:
    found = _STATUS.match(str(fault))
    text = _UNDEFINED.sub(r"\1", found[1] if found else str(fault))
    return _UNDECLARED.sub(_variable_alone, text)


def _variable_alone(found: re.Match[str]) -> str:
    """Of `a.b.c` upstream's checker misses `a` alone, and points there."""
    name, line = found["name"], found["line"]
    holder = name.rpartition(".")[0]
    start = int(found["column"]) - len(holder)
    if start < 1 or not line.startswith(holder, start - 1):
        return found[0]
    variable = name.partition(".")[0]
    return f"{found['head']}{start}{found['what']}{variable}{found['rest']}{line}\n | {'.' * (start - 1)}^"


@cache
def _base(extensions: tuple[str, ...]) -> Any:
    """What all environments have alike. It takes the library 8 ms to read this: it does so once."""
    return _with_variables({}, extensions)


def _with_variables(variables: Mapping[str, Kind], extensions: tuple[str, ...]) -> Any:
    """The same, with variables whose kinds can only be told in this form: optional ones."""
    from cel_expr_python import cel

    named = [{"name": name, **spec(kind)} for name, kind in variables.items()]
    config = {**_config(), "variables": [*_type_names(), *named]}
    config["extensions"] = [{"name": name} for name in (*_EXTENSIONS, *extensions)]
    return cel.NewEnvConfigFromYaml(orjson.dumps(config).decode())


@cache
def _config() -> Mapping[str, Any]:
    """The library's functions, and ours in place of those that it has in a form of its own."""
    library.load()
    declared: dict[str, list[dict[str, Any]]] = {}
    for each in (*DECLARATIONS, *_comparisons()):
        declared.setdefault(each.name, []).append(_overload(each))
    return {
        "stdlib": {"exclude_functions": [{"name": name} for name in ("string", *_COMPARISONS)]},
        "functions": [{"name": name, "overloads": overloads} for name, overloads in declared.items()],
    }


def _type(kind: Kind) -> Any:
    """A kind as the library has it."""
    from cel_expr_python import cel

    return _made(spec(kind), cel.Type)


def _made(found: Mapping[str, Any], types: Any) -> Any:
    name, inner = found["type_name"], [_made(each, types) for each in found.get("params") or ()]
    if name == "list":
        return types.List(*inner) if inner else types.LIST
    if name == "map":
        return types.Map(*inner) if inner else types.MAP
    if name in _PLAIN:
        return getattr(types, _PLAIN[name])
    return types.AbstractType(name, inner) if name in OPAQUE or inner else types(name)


def _comparisons() -> list[Declaration]:
    """Order, also between numbers of different types."""
    pairs = [(kind, kind) for kind in _COMPARABLE] + [(one, other) for one in _NUMBERS for other in _NUMBERS]
    return [Declaration(name, None, pair, "bool") for name in _COMPARISONS for pair in pairs]


def _overload(declared: Declaration) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": declared.id,
        "args": [spec(kind) for kind in declared.parameters],
        "return": spec(declared.result),
    }
    if declared.receiver:
        found["target"] = spec(declared.receiver)
    return found


def _type_names() -> list[dict[str, Any]]:
    return [{"name": name, "type_name": "type", "params": [{"type_name": name}]} for name in OPAQUE]


def _pool(variables: Mapping[str, Kind], made: Iterable[Object]) -> Any:
    """A pool that knows the objects among the variables' kinds, and those that can be made; None without any."""
    found = {each.name: each for kind in (*variables.values(), *made) for each in objects(kind)}
    if not found:
        return None
    from google.protobuf import (
        descriptor_pb2,
        descriptor_pool,
        duration_pb2,
        struct_pb2,
        timestamp_pb2,
    )

    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="kinds.proto", syntax="proto3")
    for module in (struct_pb2, timestamp_pb2, duration_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        file.dependency.append(module.DESCRIPTOR.name)
    for each in found.values():
        _describe(file, each)
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _describe(file: Any, kind: Object) -> None:
    *package, name = kind.name.split(".")
    assert not package, "names of objects have no dots"
    message = file.message_type.add(name=name)
    # `foo_bar` and `fooBar` would be the same in JSON made of messages; nobody makes any here.
    message.options.deprecated_legacy_json_field_conflicts = True
    taken = set(kind.fields)
    for number, (field, inner) in enumerate(kind.fields.items(), 1):
        match inner:
            case ListOf(element=element) if not isinstance(element, ListOf | MapOf):
                _field(message, field, number, element, _LABEL_MANY)
            case MapOf(value=value) if not isinstance(value, ListOf | MapOf) and f"{_camel(field)}Entry" not in taken:
                taken.add(f"{_camel(field)}Entry")
                entry = message.nested_type.add(name=f"{_camel(field)}Entry")
                entry.options.map_entry = True
                _field(entry, "key", 1, "string", _LABEL_ONE)
                _field(entry, "value", 2, value, _LABEL_ONE)
                place = f".{kind.name}.{entry.name}"
                message.field.add(name=field, number=number, label=_LABEL_MANY, type=_MESSAGE, type_name=place)
            case _:
                # Lists of lists and the like, and maps whose entries' name is taken, are no fields that a message can
                # have: they are looked at as they come.
                _field(message, field, number, inner if isinstance(inner, str | Object) else "dyn", _LABEL_ONE)


def _camel(name: str) -> str:
    """How the name of a map's entry type is made, which the pool insists on."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _field(message: Any, name: str, number: int, kind: Kind, label: int) -> None:
    if isinstance(kind, str) and kind in _SCALARS:
        message.field.add(name=name, number=number, label=label, type=_SCALARS[kind])
        return
    known = kind.name if isinstance(kind, Object) else kind if kind in _KNOWN else "google.protobuf.Value"
    place = f".{known}"
    message.field.add(name=name, number=number, label=label, type=_MESSAGE, type_name=place)
