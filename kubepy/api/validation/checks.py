"""Checks that kinds with a spec and a status share: counters, percentages, selectors, references, what never changes.

Single fields (ports, addresses, ...) are fields.py's; these look at a holder of several fields, or at two objects.
Source: pkg/apis/apps/validation (ValidatePositiveIntOrPercent, ...), apimachinery pkg/api/validation
(ValidateImmutableField).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubepy.api import names, selectors
from kubepy.api.errors import FieldError, duplicate, invalid, not_supported, required, too_long
from kubepy.api.go_values import atoi
from kubepy.api.meta import Object
from kubepy.api.validation.equality import same
from kubepy.api.validation.meta import IMMUTABLE, NOT_NEGATIVE, NameCheck


def nonnegative(holder: Mapping[str, Any], path: str, *fields: str) -> list[FieldError]:
    """Faults of those of the numbers `path.field` that are below zero."""
    return [invalid(f"{path}.{field}", holder[field], NOT_NEGATIVE) for field in fields if (holder.get(field) or 0) < 0]


def one_of(value: Any, path: str, supported: Sequence[str]) -> list[FieldError]:
    """A fault where the value is none of those supported; an empty one counts as unsupported."""
    return [] if value in supported else [not_supported(path, "" if value is None else value, supported)]


def one_of_required(value: Any, path: str, supported: Sequence[str], detail: str = "") -> list[FieldError]:
    """As `one_of`, but an empty value is told of as missing."""
    return one_of(value, path, supported) if value else [required(path, detail)]


def named(value: str | None, path: str, check: NameCheck) -> list[FieldError]:
    """Faults of a name that must be there."""
    return checked(value, path, check) if value else [required(path)]


def checked(value: str, path: str, check: NameCheck) -> list[FieldError]:
    """Faults of a name, empty or not."""
    return [invalid(path, value, text) for text in check(value)]


def domain_path(value: str | None, path: str) -> list[FieldError]:
    """Faults of a name such as `acme.io/foo` that must be there."""
    return named(value, path, names.is_domain_prefixed_path)


_MOST = (1 << 63) - 1


def int_or_percent(value: Any, path: str) -> list[FieldError]:
    """Faults of a count or percentage: neither may be negative."""
    if isinstance(value, str):
        return checked(value, path, names.is_percent)
    return [invalid(path, value, NOT_NEGATIVE)] if (value or 0) < 0 else []


def percent_of(value: Any) -> int | None:
    """The number before the percent sign; None for anything that is no percentage."""
    if not isinstance(value, str) or names.is_percent(value):
        return None
    try:
        return atoi(value[:-1])
    except ValueError:  # more than a number holds
        return _MOST


def amount_of(value: Any) -> int:
    """The number in a count or percentage; zero in what is neither."""
    percent = percent_of(value)
    if percent is not None:
        return percent
    return value if isinstance(value, int) else 0


def at_most_100_percent(value: Any, path: str) -> list[FieldError]:
    """A fault where a percentage is above 100."""
    return [invalid(path, value, "must not be greater than 100%")] if (percent_of(value) or 0) > 100 else []


def is_empty_selector(selector: Mapping[str, Any]) -> bool:
    """Whether a LabelSelector that is there asks for nothing."""
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> bool | None:
    """Whether a LabelSelector matches; None where it cannot be read. A missing one matches nothing."""
    try:
        return selectors.from_label_selector(selector).matches(labels)
    except ValueError:
        return None


def not_decremented(new: Object, old: Object, field: str) -> list[FieldError]:
    """A fault where a counter of the status went down."""
    now, before = (status_of(obj).get(field) for obj in (new, old))
    if before is not None and (now is None or now < before):
        return [invalid(f"status.{field}", now or 0, "cannot be decremented")]
    return []


def duplicates(values: Iterable[Any]) -> list[int]:
    """Positions of values that were there before."""
    seen: set[Any] = set()
    repeated = []
    for index, value in enumerate(values):
        if value in seen:
            repeated.append(index)
        seen.add(value)
    return repeated


def unchanged(new: Any, old: Any, path: str) -> list[FieldError]:
    """One fault where the two mean different things."""
    return [] if same(new, old, path.rpartition(".")[2]) else [invalid(path, new, IMMUTABLE)]


def typed_reference(reference: Object, path: str, *, may_miss: bool = False) -> list[FieldError]:
    """Faults of a reference by API group, kind and name within one namespace; `may_miss`: what is missing is told of
    elsewhere.
    """
    errors: list[FieldError] = []
    if reference.get("apiGroup") is not None:
        errors += checked(reference["apiGroup"], f"{path}.apiGroup", names.is_dns1123_subdomain)
    for field in ("kind", "name"):
        value = reference.get(field)
        if value:
            errors += checked(value, f"{path}.{field}", names.is_path_segment_name)
        elif not may_miss:
            errors.append(required(f"{path}.{field}", f"{field} is required"))
    return errors


def hidden(path: str, why: str) -> FieldError:
    """An invalid value that the message does not show (upstream: field.OmitValueType)."""
    return FieldError(path, "FieldValueInvalid", f"Invalid value: {why}")


def spec_of(obj: Object) -> Object:
    """The object's spec; an empty one where there is none."""
    return obj.get("spec") or {}


def status_of(obj: Object) -> Object:
    """The object's status; an empty one where there is none."""
    return obj.get("status") or {}


_REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?").fullmatch
_REASON_TEXT = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or "
    "'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is "
    "'[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"
)
_CONDITION_REASON_LIMIT, _CONDITION_MESSAGE_LIMIT = 1024, 32 * 1024


def validate_conditions(conditions: Iterable[Object] | None, path: str) -> list[FieldError]:
    """Faults of a list of metav1.Conditions."""
    conditions = list(conditions or ())
    errors: list[FieldError] = []
    repeated = set(duplicates(condition.get("type") for condition in conditions))
    for index, condition in enumerate(conditions):
        at = f"{path}[{index}]"
        if index in repeated:
            errors.append(duplicate(f"{at}.type", condition.get("type")))
        errors += named(condition.get("type"), f"{at}.type", names.is_qualified_name)
        errors += one_of(condition.get("status"), f"{at}.status", ("False", "True", "Unknown"))
        errors += nonnegative(condition, at, "observedGeneration")
        if not condition.get("lastTransitionTime"):
            errors.append(required(f"{at}.lastTransitionTime", "must be set"))
        errors += _condition_texts(condition, at)
    return errors


def _condition_texts(condition: Object, path: str) -> list[FieldError]:
    reason = condition.get("reason") or ""
    errors: list[FieldError] = []
    if not reason:
        errors.append(required(f"{path}.reason", "must be set"))
    else:
        if not _REASON(reason):
            errors.append(invalid(f"{path}.reason", reason, _REASON_TEXT))
        if len(reason) > _CONDITION_REASON_LIMIT:
            errors.append(too_long(f"{path}.reason", _CONDITION_REASON_LIMIT))
    if len(condition.get("message") or "") > _CONDITION_MESSAGE_LIMIT:
        errors.append(too_long(f"{path}.message", _CONDITION_MESSAGE_LIMIT))
    return errors
