"""matchConditions: a webhook or policy is about a write only if all of them hold.

One that is false counts whatever became of the others; a fault counts only where none is false.
Source: apiserver pkg/admission/plugin/webhook/matchconditions/matcher.go.
"""

from collections.abc import Iterable, Sequence
from time import perf_counter

from kubepy.api.meta import Object
from kubepy.apiserver.admission.metrics import ConditionCounts
from kubepy.apiserver.admission.policies.evaluating import Evaluation, Failed, OutOfBudget
from kubepy.apiserver.admission.policies.expressions import (
    BOOL,
    CONDITIONS_BUDGET,
    Expression,
    expression_of,
    plain_environment,
)
from kubepy.apiserver.cel.environment import Budget


class ConditionsFailed(Exception):
    """It cannot be told whether the conditions hold, and the failurePolicy is to fail."""


def conditions_of(conditions: Iterable[Object], *, params: bool = False) -> tuple[Expression, ...]:
    """The conditions, compiled."""
    environment = plain_environment(params=params, authorizer=True)
    return tuple(expression_of(environment, condition.get("expression") or "", BOOL) for condition in conditions)


async def hold(
    conditions: Sequence[Expression],
    evaluation: Evaluation,
    counts: ConditionCounts | None = None,
    *,
    ignores_failure: bool,
) -> bool:
    """Whether all conditions hold. Raises ConditionsFailed."""
    if not conditions:
        return True
    started, faults = perf_counter(), list[str]()
    excluded = await _excluded(conditions, evaluation, faults)
    if counts is not None:
        counts.evaluated(perf_counter() - started, len(faults), excluded=excluded)
    if excluded:
        return False
    if not faults:
        return True
    if ignores_failure:
        return False
    different = list(dict.fromkeys(faults))
    raise ConditionsFailed(different[0] if len(different) == 1 else f"[{', '.join(different)}]")


async def _excluded(conditions: Sequence[Expression], evaluation: Evaluation, faults: list[str]) -> bool:
    """Whether a condition is false; what failed goes to `faults`."""
    budget = Budget(CONDITIONS_BUDGET)
    for condition in conditions:
        try:
            if await evaluation.value(condition, budget) is False:
                return True
        except OutOfBudget as fault:
            faults[:] = [str(fault)]
            break
        except Failed as fault:
            faults.append(str(fault))
    return False
