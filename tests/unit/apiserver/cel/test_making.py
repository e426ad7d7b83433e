"""Expressions that make objects are checked like any other, and objects must be named after their places."""

import pytest

from kubepy.apiserver.cel.environment import Environment
from kubepy.apiserver.cel.errors import CompileError
from kubepy.apiserver.cel.making import name_fault

ENVIRONMENT = Environment({"object": "dyn"}, dynamic=True)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("Object{}", "Object"),
        ("Object{metadata: Object.metadata{labels: {'a': 'b'}, ?name: object.?x}}", "Object"),
        ("object.x ? Object{a: 1} : Object{b: [Object.b{c: 1}]}", "Object"),
        ("Object . spec\n{ a: 1 }", "Object.spec"),
        ("[JSONPatch{op: 'add', path: '/a', value: Object.spec{a: 1}}]", "list(JSONPatch)"),
        ("object.l.map(k, JSONPatch{op: 'remove', path: '/data/' + k})", "list(JSONPatch)"),
        ("JSONPatch{op: 'x'}.op + 'Object.spec'", "string"),
        ("object", "dyn"),
    ],
)
def test_type_of_what_is_made_is_known(expression: str, result: str) -> None:
    assert ENVIRONMENT.compile(expression).result_type == result


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("JSONPatch{foo: 1}", "1:14: undefined field 'foo'\n | JSONPatch{foo: 1}\n | .............^"),
        (
            "JSONPatch{path: 1, value: Object.spec{}}",
            "1:15: expected type of field 'path' is 'string' but provided type is 'int'\n"
            " | JSONPatch{path: 1, value: Object.spec{}}\n | ..............^",
        ),
        ("Foo{}", "1:1: undeclared reference to 'Foo' (in container '')\n | Foo{}\n | ^"),
        (
            "Object.spec{} + 1",
            "1:15: found no matching overload for '_+_' applied to '(Object.spec, int)'\n"
            " | Object.spec{} + 1\n | ..............^",
        ),
    ],
)
def test_what_cannot_be_made_is_told_as_it_was_written(expression: str, message: str) -> None:
    with pytest.raises(CompileError) as raised:
        ENVIRONMENT.compile(expression)
    assert raised.value.message == f"ERROR: <input>:{message}"


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("Object{spec: Object.spec{list: [Object.spec.list{}], map: {'a': 1}}}", None),
        ("Object.spec{a: Object.spec.a{}}", None),
        ("Object{spec: Object.foo{}}", ("Object.foo", "Object.spec")),
        ("Object{l: [Object.l{m: Object.m{}}]}", ("Object.m", "Object.l.m")),
        ("[1, 2]", None),
    ],
)
def test_objects_are_named_after_their_places(expression: str, fault: tuple[str, str] | None) -> None:
    found = name_fault(ENVIRONMENT.compile(expression).evaluate({}))
    assert found == (
        f'unexpected type name "{fault[0]}", expected "{fault[1]}", which matches field name path from root Object type'
        if fault
        else None
    )
