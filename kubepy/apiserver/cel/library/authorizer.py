"""Asking the authorizer: `authorizer.group('apps').resource('deployments').namespace('x').check('create').allowed()`.

Bind a variable to an Authorizer made with a callable that judges one Question. The callable may not wait; one that has
to raises an exception of its own (anything but EvaluationError passes through the evaluation untouched), awaits the
answer, and evaluates again with the answer at hand.
Source: apiserver pkg/cel/library/authz.go.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from kubepy.api.names import is_dns1123_label, is_dns1123_subdomain
from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.registry import function, opaque

_CHECK_COST: Final = 350_000
"""So dear that an expression can ask only twice."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: about a path, or about a resource. `service_account` is who it is about, if not the requester."""

    verb: str = ""
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""
    service_account: tuple[str, str] | None = None


@opaque
@dataclass(frozen=True, slots=True)
class Verdict:
    """What is answered. `error` tells of a check that failed."""

    CEL_TYPE = "kubernetes.authorization.Decision"
    allowed: bool
    reason: str = ""
    error: str = ""


Judge = Callable[[Question], Verdict]


@opaque
@dataclass(frozen=True, slots=True)
class Authorizer:
    """The variable itself."""

    CEL_TYPE = "kubernetes.authorization.Authorizer"
    judge: Judge
    question: Question = Question()


@opaque
class PathCheck(Authorizer):
    """About a path that is no resource."""

    __slots__ = ()
    CEL_TYPE = "kubernetes.authorization.PathCheck"


@opaque
class GroupCheck(Authorizer):
    """About a group, which only says where the resource is."""

    __slots__ = ()
    CEL_TYPE = "kubernetes.authorization.GroupCheck"


@opaque
class ResourceCheck(Authorizer):
    """About a resource."""

    __slots__ = ()
    CEL_TYPE = "kubernetes.authorization.ResourceCheck"


def _not_empty(text: str, what: str) -> None:
    if not text.strip():
        raise EvaluationError(f"{what} must not be empty")


@function("kubernetes.authorization.Authorizer.path(string) kubernetes.authorization.PathCheck")
def path(authorizer: Authorizer, text: str) -> PathCheck:
    _not_empty(text, "path")
    return PathCheck(authorizer.judge, replace(authorizer.question, path=text))


@function("kubernetes.authorization.Authorizer.group(string) kubernetes.authorization.GroupCheck")
def group(authorizer: Authorizer, name: str) -> GroupCheck:
    return GroupCheck(authorizer.judge, replace(authorizer.question, group=name))


@function("kubernetes.authorization.Authorizer.serviceAccount(string, string) kubernetes.authorization.Authorizer")
def service_account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    if is_dns1123_subdomain(name):
        raise EvaluationError("Invalid service account name")
    if is_dns1123_label(namespace):
        raise EvaluationError("Invalid service account namespace")
    return Authorizer(authorizer.judge, replace(authorizer.question, service_account=(namespace, name)))


@function("kubernetes.authorization.GroupCheck.resource(string) kubernetes.authorization.ResourceCheck")
def resource(check: GroupCheck, name: str) -> ResourceCheck:
    _not_empty(name, "resource")
    return ResourceCheck(check.judge, replace(check.question, resource=name))


def _with(question: Question, field: str, value: Any) -> Question:
    return replace(question, **{field: value})


def _refine(name: str, field: str) -> None:
    @function(f"kubernetes.authorization.ResourceCheck.{name}(string) kubernetes.authorization.ResourceCheck")
    def refine(check: ResourceCheck, value: str) -> ResourceCheck:
        return ResourceCheck(check.judge, _with(check.question, field, value))


for _name, _field in (
    ("subresource", "subresource"), ("namespace", "namespace"), ("name", "name"),
    ("fieldSelector", "field_selector"), ("labelSelector", "label_selector"),
):  # fmt: skip
    _refine(_name, _field)


@function(
    "kubernetes.authorization.PathCheck.check(string) kubernetes.authorization.Decision",
    "kubernetes.authorization.ResourceCheck.check(string) kubernetes.authorization.Decision",
    cost=lambda arguments, result: _CHECK_COST,
    is_idle=True,
)
def check(asked: Authorizer, verb: str) -> Verdict:
    return asked.judge(replace(asked.question, verb=verb))


@function("kubernetes.authorization.Decision.allowed() bool")
def allowed(verdict: Verdict) -> bool:
    return verdict.allowed


@function("kubernetes.authorization.Decision.reason() string")
def reason(verdict: Verdict) -> str:
    return verdict.reason


@function("kubernetes.authorization.Decision.errored() bool")
def errored(verdict: Verdict) -> bool:
    return bool(verdict.error)


@function("kubernetes.authorization.Decision.error() string")
def error(verdict: Verdict) -> str:
    return verdict.error
