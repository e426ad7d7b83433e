"""What a ValidatingAdmissionPolicy says of a write: its decisions and its notes for the audit log.

Source: apiserver pkg/admission/plugin/policy/validating/validator.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from kubepy.apiserver.admission.metrics import ConditionCounts
from kubepy.apiserver.admission.policies.compiling import Policy, Validation
from kubepy.apiserver.admission.policies.conditions import ConditionsFailed, hold
from kubepy.apiserver.admission.policies.evaluating import Evaluation, Failed, OutOfBudget
from kubepy.apiserver.cel.environment import BUDGET, Budget

_MESSAGE_MOST: Final = 5 * 1024
_ANNOTATION_MOST: Final = 10 * 1024


@dataclass(frozen=True, slots=True)
class Denial:
    """A validation that did not pass, or could not be evaluated; `index` is its place in the policy."""

    message: str
    reason: str = "Invalid"
    index: int = 0
    seconds: float = field(default=0.0, compare=False)
    """How long its expression took."""


@dataclass(slots=True)
class Judgement:
    """`denials` are acted on as the binding says; `faults` of annotations refuse whatever it says; `ignored` are the
    failures that the policy lets pass.
    """

    denials: list[Denial] = field(default_factory=list)
    ignored: list[Denial] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    faults: list[Denial] = field(default_factory=list)


async def judge(policy: Policy, evaluation: Evaluation, counts: ConditionCounts | None = None) -> Judgement:
    """Evaluates the policy's conditions, validations and audit annotations."""
    try:
        if not await hold(policy.conditions, evaluation, counts, ignores_failure=policy.ignores_failure):
            return Judgement()
    except ConditionsFailed as fault:
        return Judgement([Denial(str(fault))])
    found = Judgement()
    budget = Budget(BUDGET)
    try:
        for index, validation in enumerate(policy.validations):
            await _validate(policy, validation, index, evaluation, budget, found)
        await _annotate(policy, evaluation, found)
    except OutOfBudget as fault:
        denial = Denial(str(fault))
        return Judgement(ignored=[denial]) if policy.ignores_failure else Judgement([denial])
    return found


async def _validate(
    policy: Policy, validation: Validation, index: int, evaluation: Evaluation, budget: Budget, found: Judgement
) -> None:
    started = perf_counter()
    try:
        passed = await evaluation.value(validation.expression, budget)
    except OutOfBudget:
        raise
    except Failed as fault:
        denial = Denial(str(fault), index=index, seconds=perf_counter() - started)
        (found.ignored if policy.ignores_failure else found.denials).append(denial)
        return
    if passed is not True:
        seconds = perf_counter() - started
        message = await _message(validation, evaluation, budget)
        found.denials.append(Denial(message, validation.reason, index, seconds))


async def _message(validation: Validation, evaluation: Evaluation, budget: Budget) -> str:
    told = ""
    if validation.message_expression is not None:
        try:
            value = await evaluation.value(validation.message_expression, budget)
        except OutOfBudget as fault:
            raise OutOfBudget(f"failed messageExpression: {fault}") from fault
        except Failed:
            value = None
        told = usable_message(value)
    return told or validation.message or f"failed expression: {validation.expression.text.strip()}"


def usable_message(value: object) -> str:
    """What a messageExpression's value is good for: one line of moderate length, or nothing."""
    if not isinstance(value, str):
        return ""
    text = value.strip()
    return "" if "\n" in text or len(text.encode()) > _MESSAGE_MOST else text


async def _annotate(policy: Policy, evaluation: Evaluation, found: Judgement) -> None:
    budget = Budget(BUDGET)
    for key, expression in policy.annotations.items():
        try:
            value = await evaluation.value(expression, budget)
        except OutOfBudget:
            raise
        except Failed as fault:
            if not policy.ignores_failure:
                found.faults.append(Denial(str(fault)))
            continue
        if isinstance(value, str) and value.strip():
            found.annotations[key] = value.strip()[:_ANNOTATION_MOST]


def joined_annotations(noted: Sequence[dict[str, str]]) -> dict[str, str]:
    """The notes of several bindings as one: different values of a key are listed."""
    values: dict[str, list[str]] = {}
    for annotations in noted:
        for key, value in annotations.items():
            if value not in values.setdefault(key, []):
                values[key].append(value)
    return {key: ", ".join(found) for key, found in values.items()}
