"""Rules of FlowSchemas and PriorityLevelConfigurations.

Source: pkg/apis/flowcontrol/validation/validation.go.
"""

import math
from collections.abc import Sequence
from itertools import accumulate

from kubepy.api import flow_objects, names
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object, name_of
from kubepy.api.validation.checks import duplicates, named, spec_of, status_of
from kubepy.api.validation.meta import validate_metadata
from kubepy.api.validation.rules import Rules

_GROUP = "flowcontrol.apiserver.k8s.io"
_MOST_PRECEDENCE = 10_000
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_SUBJECTS = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}
_DISTINGUISHERS = ("ByNamespace", "ByUser")
_MOST_BITS = 60
_MOST_QUEUES = 10 * 1000 * 1000


def _list_with_wildcard(values: Sequence[str], path: str, what: str, empty: str) -> list[FieldError]:
    if not values:
        return [required(path, empty)]
    if len(values) > 1 and "*" in values:
        return [invalid(path, list(values), f"if '*' is present, must not specify other {what}")]
    return []


def _verbs(verbs: Sequence[str], path: str) -> list[FieldError]:
    errors = _list_with_wildcard(verbs, path, "verbs", "verbs must contain at least one value")
    if not errors and "*" not in verbs and not set(verbs) <= set(_VERBS):
        errors.append(not_supported(path, list(verbs), _VERBS))
    return errors


def _resource_rule(rule: Object, path: str) -> list[FieldError]:
    errors = _verbs(rule.get("verbs") or [], f"{path}.verbs")
    empty = "resource rules must supply at least one api group"
    errors += _list_with_wildcard(rule.get("apiGroups") or [], f"{path}.apiGroups", "api groups", empty)
    empty = "resource rules must supply at least one resource"
    errors += _list_with_wildcard(rule.get("resources") or [], f"{path}.resources", "resources", empty)
    namespaces = rule.get("namespaces") or []
    if not namespaces and not rule.get("clusterScope"):
        why = "resource rules that are not cluster scoped must supply at least one namespace"
        errors.append(required(f"{path}.namespaces", why))
    elif "*" in namespaces:
        errors += _list_with_wildcard(namespaces, f"{path}.namespaces", "namespaces", "")
    else:
        intro = "each member of this list must be '*' or a DNS-1123 label; "
        for index, namespace in enumerate(namespaces):
            at = f"{path}.namespaces[{index}]"
            errors += [invalid(at, namespace, intro + why) for why in names.is_dns1123_label(namespace)]
    return errors


def _url(url: str, path: str) -> list[FieldError]:
    if not url:
        return [invalid(path, url, "must not be empty")]
    if url == "/":
        return []
    if not url.startswith("/"):
        return [invalid(path, url, "must start with slash")]
    if " " in url:
        return [invalid(path, url, "must not contain white-space")]
    if "//" in url:
        return [invalid(path, url, "must not contain double slash")]
    if "*" in url[:-1] or (url.endswith("*") and not url.endswith("/*")):
        return [invalid(path, url, "wildcard can only do suffix matching")]
    return []


def _other_rule(rule: Object, path: str) -> list[FieldError]:
    urls, at = rule.get("nonResourceURLs") or [], f"{path}.nonResourceURLs"
    errors = _verbs(rule.get("verbs") or [], f"{path}.verbs")
    empty = "nonResourceURLs must contain at least one value"
    faults = _list_with_wildcard(urls, at, "non-resource URLs", empty)
    if not faults and "*" not in urls:
        for index, url in enumerate(urls):
            faults += _url(url, f"{at}[{index}]")
    return errors + faults


def _subject(subject: Object, path: str) -> list[FieldError]:
    kind = subject.get("kind") or ""
    if kind not in _SUBJECTS:
        return [not_supported(f"{path}.kind", kind, sorted(_SUBJECTS))]
    own = _SUBJECTS[kind]
    found, at = subject.get(own), f"{path}.{own}"
    errors: list[FieldError] = []
    if found is None:
        errors.append(required(at, f"{own} is required when subject kind is '{kind}'"))
    elif kind == "ServiceAccount":
        errors += _service_account(found, at)
    elif not found.get("name"):
        errors.append(required(f"{at}.name"))
    return errors + [
        forbidden(f"{path}.{field}", f"{field} is forbidden when subject kind is not '{other}'")
        for other, field in _SUBJECTS.items()
        if other != kind and subject.get(field) is not None
    ]


def _service_account(found: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if found.get("name") != "*":
        errors += named(found.get("name"), f"{path}.name", names.is_dns1123_subdomain)
    if not found.get("namespace"):
        errors.append(required(f"{path}.namespace", "must specify namespace for service account"))
    else:
        errors += named(found["namespace"], f"{path}.namespace", names.is_dns1123_label)
    return errors


def _policy_rule(rule: Object, path: str) -> list[FieldError]:
    subjects = rule.get("subjects") or []
    errors: list[FieldError] = []
    if not subjects:
        errors.append(required(f"{path}.subjects", "subjects must contain at least one value"))
    for index, subject in enumerate(subjects):
        errors += _subject(subject, f"{path}.subjects[{index}]")
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        why = "at least one of resourceRules and nonResourceRules has to be non-empty"
        errors.append(required(path, why))
    for index, inner in enumerate(rule.get("resourceRules") or ()):
        errors += _resource_rule(inner, f"{path}.resourceRules[{index}]")
    for index, inner in enumerate(rule.get("nonResourceRules") or ()):
        errors += _other_rule(inner, f"{path}.nonResourceRules[{index}]")
    return errors


def _condition_types(new: Object) -> list[FieldError]:
    conditions = status_of(new).get("conditions") or []
    repeated = duplicates(condition.get("type") for condition in conditions)
    errors = []
    for index, condition in enumerate(conditions):
        at = f"status.conditions[{index}].type"
        if index in repeated:
            errors.append(duplicate(at, condition.get("type")))
        if not condition.get("type"):
            errors.append(required(at, "must not be empty"))
    return errors


def _fixed(obj: Object, defaults: list[Object]) -> list[FieldError]:
    """Mandatory objects are what they are; of the exempt level, the seats that it lends may be changed."""
    name, spec = name_of(obj), spec_of(obj)
    if name not in flow_objects.MANDATORY:
        return []
    wanted = next(spec_of(one) for one in defaults if name_of(one) == name)
    if "exempt" in wanted:
        if spec.get("type") == wanted["type"] and spec.get("limited") is None:
            return []
        why = f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value"
        return [invalid("spec", spec, why)]
    return [] if spec == wanted else [invalid("spec", spec, f"spec of '{name}' must equal the fixed value")]


def create_schema(obj: Object) -> list[FieldError]:
    """Faults of a new FlowSchema."""
    spec = spec_of(obj)
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    precedence, path = spec.get("matchingPrecedence") or 0, "spec.matchingPrecedence"
    if precedence <= 0:
        errors.append(invalid(path, precedence, "must be a positive value"))
    if precedence > _MOST_PRECEDENCE:
        errors.append(invalid(path, precedence, f"must not be greater than {_MOST_PRECEDENCE}"))
    if precedence == 1 and name_of(obj) != "exempt":
        why = "only the schema named 'exempt' may have matchingPrecedence 1"
        errors.append(invalid(path, precedence, why))
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _DISTINGUISHERS:
        # Upstream shows the whole method.
        errors.append(not_supported("spec.distinguisherMethod.type", {"Type": method.get("type", "")}, _DISTINGUISHERS))
    level, path = (spec.get("priorityLevelConfiguration") or {}).get("name"), "spec.priorityLevelConfiguration.name"
    if not level:
        errors.append(required(path, "must reference a priority level"))
    else:
        errors += named(level, path, names.is_dns1123_subdomain)
    for index, rule in enumerate(spec.get("rules") or ()):
        errors += _policy_rule(rule, f"spec.rules[{index}]")
    return errors + _fixed(obj, flow_objects.flow_schemas()) + _condition_types(obj)


def update_schema(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed FlowSchema: those of a new one."""
    return create_schema(new)


def condition_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of the status of either kind."""
    return _condition_types(new)


def _queuing(queuing: Object, path: str) -> list[FieldError]:
    queues, hand, length = (queuing.get(field) or 0 for field in ("queues", "handSize", "queueLengthLimit"))
    errors = []
    if length <= 0:
        errors.append(invalid(f"{path}.queueLengthLimit", length, "must be positive"))
    if queues <= 0:
        errors.append(invalid(f"{path}.queues", queues, "must be positive"))
    elif queues > _MOST_QUEUES:
        errors.append(invalid(f"{path}.queues", queues, "must not be greater than 10000000"))
    if hand <= 0:
        errors.append(invalid(f"{path}.handSize", hand, "must be positive"))
    elif hand > queues:
        errors.append(invalid(f"{path}.handSize", hand, f"should not be greater than queues ({queues})"))
    elif _takes_too_many_bits(queues, hand):
        why = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_MOST_BITS}"
        errors.append(invalid(f"{path}.handSize", hand, why))
    return errors


def _takes_too_many_bits(queues: int, hand: int) -> bool:
    """Whether dealing such a hand uses up more of a hash than there is (upstream: shufflesharding.RequiredEntropyBits).

    A hand may be of billions of cards: looks no further than it must.
    """
    bits = accumulate(math.log2(queues - card) for card in range(hand))
    return any(math.ceil(used) > _MOST_BITS for used in bits)


def _shares(level: Object, path: str) -> list[FieldError]:
    shares, errors = level.get("nominalConcurrencyShares") or 0, []
    if shares < 0:
        errors.append(invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer"))
    return errors


def _lendable(level: Object, path: str) -> list[FieldError]:
    lendable = level.get("lendablePercent")
    if lendable is None or 0 <= lendable <= 100:
        return []
    return [invalid(f"{path}.lendablePercent", lendable, "must be between 0 and 100, inclusive")]


def _limited(limited: Object, path: str) -> list[FieldError]:
    errors = _shares(limited, path) + _response(limited.get("limitResponse") or {}, f"{path}.limitResponse")
    errors += _lendable(limited, path)
    borrowing = limited.get("borrowingLimitPercent")
    if borrowing is not None and borrowing < 0:
        why = "if specified, must be a non-negative integer"
        errors.append(invalid(f"{path}.borrowingLimitPercent", borrowing, why))
    return errors


def _response(response: Object, path: str) -> list[FieldError]:
    kind, queuing, at = response.get("type"), response.get("queuing"), f"{path}.queuing"
    if kind == "Reject":
        why = "must be nil if limited.limitResponse.type is not Limited"
        return [] if queuing is None else [forbidden(at, why)]
    if kind == "Queue":
        if queuing is None:
            return [required(at, "must not be empty if limited.limitResponse.type is Limited")]
        return _queuing(queuing, at)
    return [not_supported(f"{path}.type", kind or "", ("Queue", "Reject"))]


def create_level(obj: Object) -> list[FieldError]:
    """Faults of a new PriorityLevelConfiguration."""
    spec, kind = spec_of(obj), spec_of(obj).get("type")
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    if (name_of(obj) == "exempt") != (kind == "Exempt"):
        errors.append(invalid("spec.type", kind or "", "type must be 'Exempt' if and only if name is 'exempt'"))
    if kind == "Exempt":
        if spec.get("limited") is not None:
            errors.append(forbidden("spec.limited", "must be nil if the type is not Limited"))
        exempt = spec.get("exempt") or {}
        errors += _shares(exempt, "spec.exempt") + _lendable(exempt, "spec.exempt")
    elif kind == "Limited":
        if spec.get("exempt") is not None:
            errors.append(forbidden("spec.exempt", "must be nil if the type is Limited"))
        if spec.get("limited") is None:
            errors.append(required("spec.limited", "must not be empty when type is Limited"))
        else:
            errors += _limited(spec["limited"], "spec.limited")
    else:
        errors.append(not_supported("spec.type", kind or "", ("Exempt", "Limited")))
    return errors + _fixed(obj, flow_objects.priority_levels()) + _condition_types(obj)


def update_level(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed PriorityLevelConfiguration: those of a new one."""
    return create_level(new)


RULES: dict[tuple[str, str], Rules] = {
    (_GROUP, "FlowSchema"): Rules(create_schema, update_schema, condition_status),
    (_GROUP, "PriorityLevelConfiguration"): Rules(create_level, update_level, condition_status),
}
