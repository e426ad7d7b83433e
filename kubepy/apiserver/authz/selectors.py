"""Selectors of requests as access reviews write them, requirement by requirement, and back. Pure.

A requirement that the other form cannot say is left out: what is asked for is then more, never less.
Source: apiserver pkg/authorization/{authorizer,authorizerfactory}; pkg/registry/authorization/util/helpers.go.
"""

from collections.abc import Callable, Iterable, Mapping

from kubepy.api.meta import Object
from kubepy.api.selectors import escape_field_value, parse_field_selector, parse_label_selector

_WORDS = {"in": "In", "=": "In", "==": "In", "notin": "NotIn", "!=": "NotIn", "exists": "Exists", "!": "DoesNotExist"}
_FIELD_WORDS = {"=": "In", "!=": "NotIn"}


def field_requirements(selector: str) -> list[Object]:
    """A field selector as requirements; none of one that cannot be read."""
    try:
        terms = parse_field_selector(selector).terms
    except ValueError:
        return []
    return [{"key": one.field, "operator": _FIELD_WORDS[one.operator], "values": [one.value]} for one in terms]


def label_requirements(selector: str) -> list[Object]:
    """A label selector as requirements; none of one that cannot be read."""
    try:
        parsed = parse_label_selector(selector).requirements
    except ValueError:
        return []
    found: list[Object] = []
    for one in parsed:
        if one.operator in _WORDS:
            values: Object = {"values": list(one.values)} if one.values else {}
            found.append({"key": one.key, "operator": _WORDS[one.operator], **values})
    return found


def field_text(attributes: Mapping[str, Object]) -> str:
    """The field selector that a review asks about."""
    return _text(attributes.get("fieldSelector"), _field_terms)


def label_text(attributes: Mapping[str, Object]) -> str:
    """The label selector that a review asks about."""
    return _text(attributes.get("labelSelector"), _label_terms)


def _text(selector: Object | None, terms: Callable[[Iterable[Object]], Iterable[str]]) -> str:
    if not selector:
        return ""
    return str(selector.get("rawSelector") or ",".join(terms(selector.get("requirements") or ())))


def _field_terms(requirements: Iterable[Object]) -> Iterable[str]:
    for one in requirements:
        values = one.get("values") or []
        sign = {"In": "=", "NotIn": "!="}.get(one.get("operator", ""))
        if sign and len(values) == 1:
            yield f"{one['key']}{sign}{escape_field_value(values[0])}"


def _label_terms(requirements: Iterable[Object]) -> Iterable[str]:
    for one in requirements:
        key, operator, values = one.get("key", ""), one.get("operator"), ",".join(one.get("values") or ())
        if operator in ("Exists", "DoesNotExist"):
            yield key if operator == "Exists" else f"!{key}"
        elif operator in ("In", "NotIn"):
            yield f"{key} {operator.lower()} ({values})"
