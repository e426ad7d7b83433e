"""Evaluates expressions about one write: budgets, variables that are computed when asked for, and the authorizer.

An expression cannot wait, so what it asks the authorizer is answered between two tries of it; and so it is tried again
beside the loop when it takes long.
Source: apiserver pkg/admission/plugin/cel/{activation,composition}.go, pkg/admission/plugin/authorizer.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.policies.expressions import Expression
from kubepy.apiserver.authn import user
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.cel.environment import BUDGET, Budget, Program
from kubepy.apiserver.cel.errors import CostExceeded, EvaluationError
from kubepy.apiserver.cel.library.authorizer import Authorizer, Question, ResourceCheck, Verdict
from kubepy.apiserver.cel.pacing import Slice, TooLong
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib.beside import beside

_NO_MORE: Final = "validation failed due to running out of cost budget, no further validation rules will be run"
_TRIES: Final = 32


class Failed(Exception):
    """An expression that gave no value; the message is upstream's."""


class OutOfBudget(Failed):
    """Everything that belongs together has cost too much: nothing more of it is evaluated."""


class _NotAsked(Exception):
    """The authorizer was not asked this yet."""

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question


class Judge:
    """The authorizer as expressions about one request see it; each question is asked once."""

    def __init__(self, authorization: Authorization, asker: UserInfo) -> None:
        self._authorization = authorization
        self._asker = asker
        self._known: dict[Question, Verdict] = {}

    def __call__(self, question: Question) -> Verdict:
        verdict = self._known.get(question)
        if verdict is None:
            raise _NotAsked(question)
        return verdict

    async def ask(self, question: Question) -> None:
        """Gets the answer, for the next try."""
        account = question.service_account
        asker = user.service_account(*account) if account is not None else self._asker
        decision = await self._authorization.authorize(asker, request_info(question))
        self._known[question] = Verdict(decision.allowed, decision.reason)


def request_info(question: Question) -> RequestInfo:
    """What the authorizer is asked."""
    if question.path:
        return RequestInfo(question.verb, question.path)
    return RequestInfo(
        question.verb,
        "",
        True,
        question.group,
        "*",
        question.resource,
        question.subresource,
        question.namespace,
        question.name,
        field_selector=question.field_selector,
    )


def authorizer_bindings(judge: Judge, attributes: Attributes) -> dict[str, Any]:
    """`authorizer`, and `authorizer.requestResource`: the check of what the request is about."""
    resource: Resource = attributes.resource
    question = Question(
        group=resource.group,
        resource=resource.plural,
        subresource=attributes.subresource,
        namespace=attributes.shown_namespace,
        name=attributes.name,
    )
    return {"authorizer": Authorizer(judge), "authorizer.requestResource": ResourceCheck(judge, question)}


class Variables(Mapping[str, Any]):
    """A policy's variables, computed when first asked for. `bindings` are everything else that they may use."""

    def __init__(self, expressions: Mapping[str, Expression], bindings: Mapping[str, Any]) -> None:
        self._expressions = expressions
        self._bindings = {**bindings, "variables": self}
        self._values: dict[str, Any] = {}
        self._faults: dict[str, str] = {}
        self.budget = Budget(BUDGET)
        self.slice: Slice | None = None
        self.spent = 0
        """What those cost that need not be computed again."""

    def __getitem__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        if name not in self._faults:
            self._compute(name)
        if name in self._values:
            return self._values[name]
        raise EvaluationError(f'composited variable "{name}" fails to evaluate: {self._faults[name]}')

    def _compute(self, name: str) -> None:
        expression = self._expressions[name]
        if expression.program is None:
            self._faults[name] = f"compilation error: {expression.fault}"
            return
        left = self.budget.left
        try:
            self._values[name] = expression.program.evaluate(self._bindings, self.budget, self.slice)
        except EvaluationError as fault:
            self._faults[name] = fault.message
        self.spent += left - self.budget.left

    def __iter__(self) -> Iterator[str]:
        return iter(self._expressions)

    def __len__(self) -> int:
        return len(self._expressions)

    def __contains__(self, name: object) -> bool:
        return name in self._expressions


class Evaluation:
    """Evaluates expressions over the same bindings; `variables` are added to them. `slice_` is shared by all that are
    about one request.
    """

    def __init__(
        self,
        bindings: Mapping[str, Any],
        judge: Judge,
        variables: Mapping[str, Expression] | None = None,
        slice_: Slice | None = None,
    ) -> None:
        self._variables = Variables(variables or {}, bindings)
        self._bindings = {**bindings, "variables": self._variables}
        self._judge = judge
        self._slice = slice_ if slice_ is not None else Slice()

    async def value(self, expression: Expression, budget: Budget) -> Any:
        """The value. Raises Failed, OutOfBudget."""
        program = expression.program
        if program is None:
            raise Failed(f"compilation error: {expression.fault}")
        self._variables.budget = budget
        is_long = False
        for _ in range(_TRIES):
            left, spent = budget.left, self._variables.spent
            try:
                if is_long:
                    return await self._beside(program, budget)
                if self._slice.is_low:
                    await self._slice.renew()
                self._variables.slice = self._slice
                return program.evaluate(self._bindings, budget, self._slice)
            except TooLong:
                is_long = True
            except _NotAsked as unknown:
                await self._judge.ask(unknown.question)
            except EvaluationError as fault:
                raise Failed(f"expression '{expression.text}' resulted in error: {fault.message}") from fault
            except CostExceeded as fault:
                if budget.left <= 0:
                    raise OutOfBudget(_NO_MORE) from fault
                raise Failed(f"expression '{expression.text}' resulted in error: {fault.message}") from fault
            budget.left = left - (self._variables.spent - spent)
        raise Failed(f"expression '{expression.text}' asks the authorizer too often")

    async def _beside(self, program: Program, budget: Budget) -> Any:
        self._variables.slice = None
        return await beside(lambda: program.evaluate(self._bindings, budget))
