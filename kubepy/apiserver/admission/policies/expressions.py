"""Expressions of admission: what they may speak about, how they are compiled, and what their faults are called. Pure.

Source: apiserver pkg/admission/plugin/cel/{compile,condition,activation,composition}.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from kubepy.api.meta import Object
from kubepy.apiserver.cel.environment import Environment, Program
from kubepy.apiserver.cel.errors import CompileError
from kubepy.apiserver.cel.kinds import Kind, ListOf, MapOf, of_type
from kubepy.apiserver.cel.kinds import Object as ObjectKind

CONDITIONS_BUDGET: Final = 2_500_000
"""What all match conditions of one webhook or policy may cost for a request."""

_GVK = ObjectKind("GroupVersionKind", {"group": "string", "version": "string", "kind": "string"})
_GVR = ObjectKind("GroupVersionResource", {"group": "string", "version": "string", "resource": "string"})
_USER = ObjectKind(
    "UserInfo",
    {"username": "string", "uid": "string", "groups": ListOf("string"), "extra": MapOf("dyn")},
)
_REQUEST = ObjectKind(
    "AdmissionRequest",
    {
        "kind": _GVK,
        "resource": _GVR,
        "subResource": "string",
        "requestKind": _GVK,
        "requestResource": _GVR,
        "requestSubResource": "string",
        "name": "string",
        "namespace": "string",
        "operation": "string",
        "userInfo": _USER,
        "dryRun": "bool",
        "options": "dyn",
    },
)
_NAMESPACE = ObjectKind(
    "Namespace",
    {
        "metadata": ObjectKind(
            "NamespaceMetadata",
            {
                "name": "string",
                "generateName": "string",
                "namespace": "string",
                "labels": MapOf("string"),
                "annotations": MapOf("string"),
                "uid": "string",
                "creationTimestamp": "dyn",
                "deletionGracePeriodSeconds": "int",
                "deletionTimestamp": "dyn",
                "generation": "int",
                "resourceVersion": "string",
                "finalizers": ListOf("string"),
            },
        ),
        "spec": ObjectKind("NamespaceSpec", {"finalizers": ListOf("string")}),
        "status": ObjectKind("NamespaceStatus", {"conditions": ListOf("dyn"), "phase": "string"}),
    },
)
_AUTHORIZER: Final = "kubernetes.authorization.Authorizer"
_RESOURCE_CHECK: Final = "kubernetes.authorization.ResourceCheck"


def declarations(
    *, params: Kind | None, authorizer: bool, variables: Mapping[str, Kind] | None = None, object_kind: Kind = "dyn"
) -> dict[str, Kind]:
    """The variables of an expression; `variables` are those of its policy that are defined before it."""
    found: dict[str, Kind] = {
        "object": object_kind,
        "oldObject": object_kind,
        "request": _REQUEST,
        "namespaceObject": _NAMESPACE,
    }
    if params is not None:
        found["params"] = params
    if authorizer:
        found |= {"authorizer": _AUTHORIZER, "authorizer.requestResource": _RESOURCE_CHECK}
    if variables is not None:
        found["variables"] = ObjectKind("Variables", dict(variables))
    return found


@cache
def plain_environment(*, params: bool, authorizer: bool, dynamic: bool = False, composed: bool = False) -> Environment:
    """The environment of expressions without variables of their own; `composed` where there might be some."""
    known = declarations(params="dyn" if params else None, authorizer=authorizer, variables={} if composed else None)
    return Environment(known, dynamic=dynamic)


def compiled(environment: Environment, expression: str, wanted: Sequence[str] = ()) -> Program:
    """The program. Raises CompileError in upstream's words; without `wanted` its result may be anything."""
    try:
        program = environment.compile(expression)
    except CompileError as fault:
        raise CompileError(f"compilation failed: {fault.message}") from fault
    if wanted and program.result_type not in wanted:
        what = wanted[0] if len(wanted) == 1 else f"one of [{' '.join(wanted)}]"
        raise CompileError(f"must evaluate to {what} but got {program.result_type}")
    return program


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """One expression of a stored configuration. `program` is None where `fault` says why it does not compile."""

    text: str
    program: Program | None
    fault: str = ""


def expression_of(environment: Environment, text: str, wanted: Sequence[str] = ()) -> Expression:
    """The expression; that it does not compile is told when it is evaluated."""
    try:
        return Expression(text, compiled(environment, text, wanted))
    except CompileError as fault:
        return Expression(text, None, fault.message)


BOOL: Final = ("bool",)
STRING: Final = ("string",)
STRING_OR_NULL: Final = ("string", "null_type")
OBJECT: Final = ("Object",)
PATCHES: Final = ("list(JSONPatch)",)


@dataclass(frozen=True, slots=True)
class Composition:
    """The variables of a policy, compiled, and the environments of the expressions that may use them."""

    params: bool
    variables: Mapping[str, Expression]
    kinds: Mapping[str, Kind]

    def environment(self, *, authorizer: bool = True, dynamic: bool = False) -> Environment:
        """Of what is evaluated when all variables are defined."""
        if not self.variables:
            return plain_environment(params=self.params, authorizer=authorizer, dynamic=dynamic, composed=True)
        declared = declarations(params="dyn" if self.params else None, authorizer=authorizer, variables=self.kinds)
        return Environment(declared, dynamic=dynamic)


def composition_of(variables: Iterable[Mapping[str, Any]], *, params: bool) -> Composition:
    """Compiles variables one after the other: each may use those before it."""
    found: dict[str, Expression] = {}
    kinds: dict[str, Kind] = {}
    known = declarations(params=None, authorizer=False).values()
    for variable in variables:
        name = variable.get("name") or ""
        expression = expression_of(Composition(params, found, kinds).environment(), variable.get("expression") or "")
        found[name] = expression
        kinds[name] = of_type(expression.program.result_type, known) if expression.program is not None else "dyn"
    return Composition(params, found, kinds)


def namespace_object(namespace: Object | None) -> Any:
    """What expressions see of a namespace."""
    if namespace is None:
        return None
    shown = _NAMESPACE.fields["metadata"]
    assert isinstance(shown, ObjectKind)
    meta = {key: value for key, value in namespace["metadata"].items() if key in shown.fields}
    return {"metadata": meta, "spec": namespace.get("spec") or {}, "status": namespace.get("status") or {}}
