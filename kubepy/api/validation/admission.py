"""Rules of admission webhooks, and what admission policies share with them: rules, selectors, match conditions.

A webhook that is stored may have side effects, or odd versions, from a time when that was allowed.
Source: pkg/apis/admissionregistration/validation/validation.go.
"""

from collections.abc import Sequence

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, invalid, required, too_many
from kubepy.api.meta import Object
from kubepy.api.validation.checks import duplicates, one_of, one_of_required
from kubepy.api.validation.fields import label_selector
from kubepy.api.validation.meta import validate_metadata
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.webhooks import REVIEW_VERSIONS, validate_client, validate_review_versions

_GROUP = "admissionregistration.k8s.io"
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
FAILURE_POLICIES = ("Fail", "Ignore")
_MATCH_POLICIES = ("Equivalent", "Exact")
_NO_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_SIDE_EFFECTS = ("None", "NoneOnDryRun", "Some", "Unknown")
_MOST_CONDITIONS = 64


def _resources(resources: Sequence[str], path: str) -> list[FieldError]:
    """Wildcards must not hide other entries: `pods/*` beside `pods/log`, `*` beside `pods`."""
    errors = [] if resources else [required(path)]
    whole: set[str] = set()
    everywhere: set[str] = set()
    for index, entry in enumerate(resources):
        at = f"{path}[{index}]"
        if not entry:
            errors.append(required(at))
        resource, slash, sub = entry.partition("/")
        if not slash:
            continue
        if resource in whole:
            errors.append(invalid(at, entry, f"if '{resource}/*' is present, must not specify {entry}"))
        if sub in everywhere:
            errors.append(invalid(at, entry, f"if '*/{sub}' is present, must not specify {entry}"))
        if sub == "*":
            whole.add(resource)
        if resource == "*":
            everywhere.add(sub)
    if len(resources) > 1 and "*/*" in resources:
        errors.append(invalid(path, list(resources), "if '*/*' is present, must not specify other resources"))
    if "*" in resources and any("/" not in entry and entry != "*" for entry in resources):
        why = "if '*' is present, must not specify other resources without subresources"
        errors.append(invalid(path, list(resources), why))
    return errors


def _wildcard(values: Sequence[str], path: str, what: str) -> list[FieldError]:
    errors = [] if values else [required(path)]
    if len(values) > 1 and "*" in values:
        errors.append(invalid(path, list(values), f"if '*' is present, must not specify other {what}"))
    return errors


def validate_rule(rule: Object, path: str) -> list[FieldError]:
    """Faults of a rule with operations."""
    operations, versions = rule.get("operations") or [], rule.get("apiVersions") or []
    errors = _wildcard(operations, f"{path}.operations", "operations")
    for index, operation in enumerate(operations):
        errors += one_of(operation, f"{path}.operations[{index}]", _OPERATIONS)
    errors += _wildcard(rule.get("apiGroups") or [], f"{path}.apiGroups", "API groups")
    errors += _wildcard(versions, f"{path}.apiVersions", "API versions")
    errors += [required(f"{path}.apiVersions[{index}]") for index, version in enumerate(versions) if not version]
    errors += _resources(rule.get("resources") or [], f"{path}.resources")
    if rule.get("scope") is not None:
        errors += one_of(rule["scope"], f"{path}.scope", _SCOPES)
    return errors


def validate_match_conditions(conditions: Sequence[Object], path: str) -> list[FieldError]:
    """Faults of match conditions but those that only compiling the expression would show."""
    errors: list[FieldError] = []
    if len(conditions) > _MOST_CONDITIONS:
        errors.append(too_many(path, len(conditions), _MOST_CONDITIONS))
    repeated = duplicates(condition.get("name") for condition in conditions)
    for index, condition in enumerate(conditions):
        name = condition.get("name") or ""
        if not (condition.get("expression") or "").strip():
            errors.append(required(f"{path}[{index}].expression"))
        if not name:
            errors.append(required(f"{path}[{index}].name"))
        else:
            errors += [invalid(f"{path}[{index}].name", name, why) for why in names.is_qualified_name(name)]
            if index in repeated:
                errors.append(duplicate(f"{path}[{index}].name", name))
    return errors


def _side_effects(value: str | None, path: str, allowed: Sequence[str]) -> list[FieldError]:
    if value is None:
        return [required(path, f"must specify one of {', '.join(allowed)}")]
    return one_of(value, path, allowed)


def _qualified(name: str, path: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    return [invalid(path, name, why) for why in names.is_fully_qualified_name(name)]


def _webhook(webhook: Object, path: str, side_effects: Sequence[str], mutating: bool) -> list[FieldError]:
    errors = _qualified(webhook.get("name") or "", f"{path}.name")
    for index, rule in enumerate(webhook.get("rules") or ()):
        errors += validate_rule(rule, f"{path}.rules[{index}]")
    for field, known in (("failurePolicy", FAILURE_POLICIES), ("matchPolicy", _MATCH_POLICIES)):
        if webhook.get(field) is not None:
            errors += one_of(webhook[field], f"{path}.{field}", known)
    errors += _side_effects(webhook.get("sideEffects"), f"{path}.sideEffects", side_effects)
    timeout = webhook.get("timeoutSeconds")
    if timeout is not None and not 1 <= timeout <= 30:
        why = "the timeout value must be between 1 and 30 seconds"
        errors.append(invalid(f"{path}.timeoutSeconds", timeout, why))
    for field in ("namespaceSelector", "objectSelector"):
        errors += label_selector(webhook.get(field), f"{path}.{field}")
    if mutating and webhook.get("reinvocationPolicy") is not None:
        policies = ("IfNeeded", "Never")
        errors += one_of(webhook["reinvocationPolicy"], f"{path}.reinvocationPolicy", policies)
    errors += validate_client(webhook.get("clientConfig") or {}, f"{path}.clientConfig")
    return errors + validate_match_conditions(webhook.get("matchConditions") or [], f"{path}.matchConditions")


def _validate_webhooks(obj: Object, old: Sequence[Object]) -> list[FieldError]:
    """Faults of a configuration whose webhooks were `old`: what was odd about those may go on."""
    mutating = obj.get("kind") == "MutatingWebhookConfiguration"
    webhooks = obj.get("webhooks") or []
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    had_effects = any(webhook.get("sideEffects") not in _NO_SIDE_EFFECTS for webhook in old)
    side_effects = _SIDE_EFFECTS if had_effects else _NO_SIDE_EFFECTS
    were_known = all(set(webhook.get("admissionReviewVersions") or ()) & set(REVIEW_VERSIONS) for webhook in old)
    repeated = [] if _repeated_names(old) else _repeated_names(webhooks)
    for index, webhook in enumerate(webhooks):
        at = f"webhooks[{index}]"
        errors += _webhook(webhook, at, side_effects, mutating)
        versions = webhook.get("admissionReviewVersions") or []
        text = f"must specify one of {', '.join(REVIEW_VERSIONS)}"
        path = f"{at}.admissionReviewVersions"
        errors += validate_review_versions(versions, path, when_empty=text, must_be_known=were_known)
        if index in repeated:
            errors.append(duplicate(f"{at}.name", webhook["name"]))
    return errors


def _repeated_names(webhooks: Sequence[Object]) -> list[int]:
    """Positions of webhooks whose name was there before."""
    return [index for index in duplicates(w.get("name") for w in webhooks) if webhooks[index].get("name")]


def create_webhooks(obj: Object) -> list[FieldError]:
    """Faults of a new webhook configuration, mutating or validating."""
    return _validate_webhooks(obj, [])


def update_webhooks(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed webhook configuration."""
    return _validate_webhooks(new, old.get("webhooks") or [])


def validate_match_resources(match: Object, path: str) -> list[FieldError]:
    """Faults of matchConstraints or matchResources of a policy or binding."""
    errors = one_of_required(match.get("matchPolicy"), f"{path}.matchPolicy", _MATCH_POLICIES)
    for field in ("namespaceSelector", "objectSelector"):
        if match.get(field) is None:
            errors.append(required(f"{path}.{field}"))
        errors += label_selector(match.get(field), f"{path}.{field}")
    for field in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(field) or ()):
            errors += _named_rule(rule, f"{path}.{field}[{index}]")
    return errors


def _named_rule(rule: Object, path: str) -> list[FieldError]:
    named = rule.get("resourceNames") or []
    errors: list[FieldError] = []
    repeated = duplicates(named)
    for index, name in enumerate(named):
        at = f"{path}.resourceNames[{index}]"
        errors += [invalid(at, name, why) for why in names.is_path_segment_name(name)]
        if index in repeated:
            errors.append(duplicate(at, name))
    return errors + validate_rule(rule, path)


def validate_param_kind(kind: Object, path: str) -> list[FieldError]:
    """Faults of the kind of a policy's parameters."""
    version, name = kind.get("apiVersion") or "", kind.get("kind") or ""
    errors: list[FieldError] = []
    if not version:
        errors.append(required(f"{path}.apiVersion"))
    elif version.count("/") > 1:
        errors.append(invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}"))
    else:
        group, _, bare = version.rpartition("/")
        if group and (why := names.is_dns1123_subdomain(group)):
            errors.append(invalid(f"{path}.apiVersion", group, ",".join(why)))
        if why := names.is_dns1035_label(bare):
            errors.append(invalid(f"{path}.apiVersion", bare, ",".join(why)))
    if not name:
        errors.append(required(f"{path}.kind"))
    elif why := names.is_dns1035_label(name.lower()):
        text = "may have mixed case, but should otherwise match: " + ",".join(why)
        errors.append(invalid(f"{path}.kind", name, text))
    return errors


RULES: dict[tuple[str, str], Rules] = {
    (_GROUP, "ValidatingWebhookConfiguration"): Rules(create_webhooks, update_webhooks),
    (_GROUP, "MutatingWebhookConfiguration"): Rules(create_webhooks, update_webhooks),
}
