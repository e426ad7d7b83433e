"""Evaluations that take long let others have their turn, and come to the same end as if they had not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kubepy.apiserver.admission.policies.evaluating import Evaluation, Failed, Judge
from kubepy.apiserver.admission.policies.expressions import Expression, composition_of, expression_of, plain_environment
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.cel.environment import BUDGET, Budget, Environment
from kubepy.apiserver.cel.errors import CostExceeded
from kubepy.apiserver.cel.library.authorizer import Authorizer, Verdict
from kubepy.apiserver.cel.pacing import SLICE, Slice, TooLong, slice_here
from kubepy.lib.beside import beside

LONG = "object.all(a, object.all(b, a + b >= 0))"
JUDGE = Judge(Authorization([]), UserInfo("alice"))


def expression(text: str) -> Expression:
    return expression_of(plain_environment(params=False, authorizer=False), text)


def turns_while(work: Callable[[], Awaitable[Any]]) -> tuple[int, Any]:
    """How often the loop came round before the work was done, and what came of it."""

    async def run() -> tuple[int, Any]:
        task = asyncio.ensure_future(work())
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        return turns, await task

    return asyncio.run(run())


def test_long_expression_runs_beside_the_loop() -> None:
    evaluation, budget = Evaluation({"object": list(range(200))}, JUDGE), Budget()
    turns, value = turns_while(lambda: evaluation.value(expression(LONG), budget))
    assert value is True
    assert turns > 10
    alone = Budget()
    assert Environment({"object": "dyn"}).compile(LONG).evaluate({"object": list(range(200))}, alone) is True
    assert budget.left == alone.left < BUDGET - 5 * SLICE


def test_expression_beyond_its_limit_fails_beside_the_loop() -> None:
    async def work() -> None:
        with pytest.raises(Failed, match="operation cancelled: actual cost limit exceeded"):
            await Evaluation({"object": list(range(2000))}, JUDGE).value(expression(LONG), Budget())

    assert turns_while(work)[0] > 10


def test_variable_that_takes_long_takes_its_expression_along() -> None:
    variables = composition_of([{"name": "dear", "expression": LONG}], params=False)
    evaluation = Evaluation({"object": list(range(100))}, JUDGE, variables.variables)
    turns, value = turns_while(
        lambda: evaluation.value(expression_of(variables.environment(), "variables.dear"), Budget())
    )
    assert value is True
    assert turns > 2


def test_many_short_expressions_let_others_in() -> None:
    async def work() -> None:
        evaluation, budget = Evaluation({"object": list(range(100))}, JUDGE), Budget()
        for _ in range(200):
            assert await evaluation.value(expression("object.all(a, a >= 0)"), budget) is True

    assert turns_while(work)[0] > 5


def test_short_expression_does_not_wait() -> None:
    evaluation = Evaluation({"object": 1}, JUDGE)
    assert turns_while(lambda: evaluation.value(expression("object == 1"), Budget()))[0] <= 2


def test_what_was_computed_before_the_authorizer_was_asked_is_paid_for() -> None:
    variables = composition_of([{"name": "many", "expression": "object.all(a, a >= 0)"}], params=False)
    environment = variables.environment()
    text = "variables.many && !authorizer.group('').resource('pods').check('get').allowed()"
    evaluation = Evaluation({"object": list(range(1000)), "authorizer": Authorizer(JUDGE)}, JUDGE, variables.variables)
    budget = Budget()
    assert asyncio.run(evaluation.value(expression_of(environment, text), budget)) is True
    assert BUDGET - budget.left > 350_000 + 1000


def test_asking_the_authorizer_costs_the_loop_nothing() -> None:
    environment = Environment({"authorizer": "kubernetes.authorization.Authorizer"})
    asked = "authorizer.path('/a').check('get').allowed()"
    authorizer, slice_, budget = Authorizer(lambda question: Verdict(True)), Slice(), Budget()
    bindings = {"authorizer": authorizer}
    assert environment.compile(f"{asked} && {asked}").evaluate(bindings, budget, slice_) is True
    assert BUDGET - budget.left > 700_000
    assert slice_.left > SLICE - 100
    with pytest.raises(CostExceeded):
        environment.compile(f"{asked} && {asked} && {asked}").evaluate(bindings, budget, slice_)


def test_slice_is_there_on_a_loop_only() -> None:
    async def both() -> tuple[Slice | None, Slice | None]:
        return slice_here(), await beside(slice_here)

    here, there = asyncio.run(both())
    assert here is not None
    assert there is None
    assert slice_here() is None


def test_slice_that_is_used_up_is_no_fault_of_the_expression() -> None:
    program = Environment({"object": "dyn"}).compile(LONG)
    budget = Budget(SLICE // 2)
    with pytest.raises(CostExceeded):
        program.evaluate({"object": list(range(1000))}, budget, Slice())
    with pytest.raises(TooLong):
        program.evaluate({"object": list(range(1000))}, Budget(), Slice())


@pytest.mark.parametrize(
    "dear",
    [
        "lists.range(200000).distinct() == []",
        "lists.range(200000).sort() == []",
        "lists.range(200000).sortBy(each, -each) == []",
        "sets.intersects(lists.range(200000), lists.range(200000).map(each, -1 - each))",
    ],
)
def test_what_compares_all_with_all_is_not_begun_where_it_costs_too_much(dear: str) -> None:
    with pytest.raises(CostExceeded):
        Environment({"object": "dyn"}).compile(dear).evaluate({})


def test_comparing_lists_means_what_it_did() -> None:
    environment = Environment({"object": "dyn"})
    for text, wanted in (
        ("object.a == [1, 2]", True),
        ("object.a == [dyn(true), dyn(2)]", False),
        ("object.a == [1.0, 2.0]", True),
        ("object.s == ['x', 'y'] && object.s != ['x', 'z'] && object.s != ['x']", True),
        ("object.m == [{'k': [1]}] && object.m != [{'k': [2]}]", True),
        ("[dyn(1), null] == [dyn(1), null]", True),
    ):
        bindings = {"object": {"a": [1, 2], "s": ["x", "y"], "m": [{"k": [1]}]}}
        assert environment.compile(text).evaluate(bindings) is wanted, text
