"""Rules of a Job's podFailurePolicy and successPolicy.

Source: pkg/apis/batch/validation/validation.go.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, invalid, required, too_long, too_many
from kubepy.api.meta import Object
from kubepy.api.validation.checks import checked, duplicates, hidden, nonnegative, one_of_required
from kubepy.api.validation.indexes import BadIndexes, count_indexes, parse_indexes

_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")
_MOST_RULES = 20
_MOST_EXIT_CODES = 255
_MOST_CONDITIONS = 20
_INDEXES_LIMIT = 64 * 1024


def _valid(values: tuple[str, ...]) -> str:
    return f"valid values: [{' '.join(f'{chr(34)}{value}{chr(34)}' for value in values)}]"


def validate_failure_policy(spec: Object, path: str) -> list[FieldError]:
    """Faults of `spec.podFailurePolicy`, which is there."""
    rules = spec["podFailurePolicy"].get("rules") or []
    errors = [too_many(f"{path}.rules", len(rules), _MOST_RULES)] if len(rules) > _MOST_RULES else []
    pod = (spec.get("template") or {}).get("spec") or {}
    known = {c.get("name") for field in ("containers", "initContainers") for c in pod.get(field) or ()}
    for index, rule in enumerate(rules):
        errors += _failure_rule(spec, rule, f"{path}.rules[{index}]", known)
    return errors


def _failure_rule(spec: Object, rule: Object, path: str, known: set[str]) -> list[FieldError]:
    action, codes, conditions = rule.get("action"), rule.get("onExitCodes"), rule.get("onPodConditions") or []
    errors = one_of_required(action, f"{path}.action", _ACTIONS, _valid(_ACTIONS))
    if action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        errors.append(invalid(f"{path}.action", action, "requires the backoffLimitPerIndex to be set"))
    if codes is not None:
        errors += _exit_codes(codes, f"{path}.onExitCodes", known)
    if conditions:
        errors += _pod_conditions(conditions, f"{path}.onPodConditions")
    if codes is not None and conditions:
        errors.append(hidden(path, "specifying both OnExitCodes and OnPodConditions is not supported"))
    if codes is None and not conditions:
        errors.append(hidden(path, "specifying one of OnExitCodes and OnPodConditions is required"))
    return errors


def _pod_conditions(patterns: list[Object], path: str) -> list[FieldError]:
    errors = [too_many(path, len(patterns), _MOST_CONDITIONS)] if len(patterns) > _MOST_CONDITIONS else []
    for index, pattern in enumerate(patterns):
        at = f"{path}[{index}]"
        errors += checked(pattern.get("type", ""), f"{at}.type", names.is_qualified_name)
        errors += one_of_required(pattern.get("status"), f"{at}.status", _STATUSES, _valid(_STATUSES))
    return errors


def _exit_codes(codes: Object, path: str, known: set[str]) -> list[FieldError]:
    operator, values, container = codes.get("operator"), codes.get("values") or [], codes.get("containerName")
    errors = one_of_required(operator, f"{path}.operator", _OPERATORS, _valid(_OPERATORS))
    if container is not None and container not in known:
        why = "must be one of the container or initContainer names in the pod template"
        errors.append(invalid(f"{path}.containerName", container, why))
    if not values:
        errors.append(invalid(f"{path}.values", codes.get("values"), "at least one value is required"))
    elif len(values) > _MOST_EXIT_CODES:
        errors.append(too_many(f"{path}.values", len(values), _MOST_EXIT_CODES))
    repeated = set(duplicates(values))
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            errors.append(invalid(f"{path}.values[{index}]", value, "must not be 0 for the In operator"))
        if index in repeated:
            errors.append(duplicate(f"{path}.values[{index}]", value))
    if values != sorted(values):
        errors.append(invalid(f"{path}.values", values, "must be ordered"))
    return errors


def validate_success_policy(spec: Object, path: str) -> list[FieldError]:
    """Faults of `spec.successPolicy` of an Indexed Job, which is there."""
    rules = spec["successPolicy"].get("rules") or []
    errors: list[FieldError] = []
    if not rules:
        why = "at least one rules must be specified when the successPolicy is specified"
        errors.append(required(f"{path}.rules", why))
    if len(rules) > _MOST_RULES:
        errors.append(too_many(f"{path}.rules", len(rules), _MOST_RULES))
    for index, rule in enumerate(rules):
        errors += _success_rule(rule, f"{path}.rules[{index}]", spec.get("completions") or 0)
    return errors


def _success_rule(rule: Object, path: str, completions: int) -> list[FieldError]:
    count, indexes = rule.get("succeededCount"), rule.get("succeededIndexes")
    errors: list[FieldError] = []
    total: int | None = None
    if count is None and indexes is None:
        errors.append(required(path, "at least one of succeededCount or succeededIndexes must be specified"))
    if indexes is not None:
        at = f"{path}.succeededIndexes"
        if len(indexes) > _INDEXES_LIMIT:
            errors.append(too_long(at, _INDEXES_LIMIT))
        try:
            total = count_indexes(parse_indexes(indexes, completions))
        except BadIndexes as fault:
            total = 0
            errors.append(invalid(at, indexes, f"error parsing succeededIndexes: {fault}"))
    if count is not None:
        errors += nonnegative(rule, path, "succeededCount")
        errors += _count_bounds(count, f"{path}.succeededCount", completions, total)
    return errors


def _count_bounds(count: int, path: str, completions: int, indexes: int | None) -> list[FieldError]:
    errors = []
    if count > completions:
        why = f"must be less than or equal to {completions} (the number of specified completions)"
        errors.append(invalid(path, count, why))
    if indexes is not None and count > indexes:
        of = "the number of indexes in the specified succeededIndexes field"
        errors.append(invalid(path, count, f"must be less than or equal to {indexes} ({of})"))
    return errors
