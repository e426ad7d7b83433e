"""Rules of PodDisruptionBudgets.

Source: pkg/apis/policy/validation/validation.go; the name is judged by the generic registry alone.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid
from kubepy.api.meta import Object
from kubepy.api.validation.checks import (
    at_most_100_percent,
    int_or_percent,
    nonnegative,
    one_of,
    spec_of,
    status_of,
    validate_conditions,
)
from kubepy.api.validation.fields import label_selector
from kubepy.api.validation.meta import validate_metadata
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import DISRUPTION_BUDGET, show


def _validate_spec(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if least is not None and most is not None:
        shown = show(spec, DISRUPTION_BUDGET)
        errors.append(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
    for field, value in (("minAvailable", least), ("maxUnavailable", most)):
        if value is not None:
            errors += int_or_percent(value, f"spec.{field}") + at_most_100_percent(value, f"spec.{field}")
    errors += label_selector(spec.get("selector"), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None:
        errors += one_of(policy, "spec.unhealthyPodEvictionPolicy", ("AlwaysAllow", "IfHealthyBudget"))
    return errors


def create_budget(obj: Object) -> list[FieldError]:
    """Faults of a new PodDisruptionBudget: its metadata is looked at where its spec has none."""
    return _validate_spec(spec_of(obj)) or validate_metadata(obj, True, names.is_path_segment_name)


def update_budget(new: Object, _old: Object) -> list[FieldError]:
    """Faults of a changed PodDisruptionBudget."""
    return _validate_spec(spec_of(new))


def budget_status(new: Object, _old: Object) -> list[FieldError]:
    """Faults of a PodDisruptionBudget's status."""
    status = status_of(new)
    errors = validate_conditions(status.get("conditions"), "status.conditions")
    counts = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    return errors + nonnegative(status, "status", *counts)


RULES: dict[tuple[str, str], Rules] = {
    ("policy", "PodDisruptionBudget"): Rules(create_budget, update_budget, budget_status),
}
