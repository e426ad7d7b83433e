"""Compiles the expressions of configuration files: over claims, a user, or an access review's request.

The language is loaded when the first expression is compiled: most servers have none.
Source: apiserver pkg/authentication/cel, pkg/authorization/cel.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from kubepy.apiserver.cel.environment import Environment
from kubepy.apiserver.cel.errors import CelError, CompileError
from kubepy.apiserver.cel.kinds import Kind, ListOf, MapOf, Object

_TEXTS = ListOf("string")
_REQUIREMENT = Object("SelectorRequirement", {"key": "string", "operator": "string", "values": _TEXTS})
_USER = Object("UserInfo", {"username": "string", "uid": "string", "groups": _TEXTS, "extra": MapOf(_TEXTS)})


def _selector(name: str) -> Object:
    fields: Mapping[str, Kind] = {"rawSelector": "string", "requirements": ListOf(_REQUIREMENT)}
    return Object(f"{name}SelectorAttributes", fields)


_RESOURCE: dict[str, Kind] = dict.fromkeys(
    ("namespace", "verb", "group", "version", "resource", "subresource", "name"), "string"
)
_REQUEST = Object(
    "SubjectAccessReviewSpec",
    {
        "resourceAttributes": Object(
            "ResourceAttributes",
            {**_RESOURCE, "fieldSelector": _selector("Field"), "labelSelector": _selector("Label")},
        ),
        "nonResourceAttributes": Object("NonResourceAttributes", {"path": "string", "verb": "string"}),
        "user": "string",
        "groups": _TEXTS,
        "extra": MapOf(_TEXTS),
        "uid": "string",
    },
)
_VARIABLES: Mapping[str, Kind] = {"claims": "map<string, dyn>", "user": _USER, "request": _REQUEST}


@cache
def _environment(variable: str) -> Environment:
    return Environment({variable: _VARIABLES[variable]})


def compile_expression(text: str, variable: str, *, is_rule: bool) -> Callable[[Any], Any]:
    """A function from the variable's value to the expression's, of a rule true or false.

    Raises ValueError, and so does what it returns.
    """
    try:
        program = _environment(variable).compile(text, result_type="bool" if is_rule else None)
    except CompileError as fault:
        raise ValueError(f"compilation failed: {fault.message}") from fault

    def evaluate(value: Any) -> Any:
        try:
            return program.evaluate({variable: value})
        except CelError as fault:
            raise ValueError(fault.message) from fault

    return evaluate
