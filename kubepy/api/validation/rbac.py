"""Rules of Roles, ClusterRoles and their bindings. A binding's role never changes.

Verbs and names that are missing are told of by v1.37's declarative rules, after everything else.
Source: pkg/apis/rbac/validation/validation.go; the +k8s:beta tags of staging/src/k8s.io/api/rbac/v1/types.go.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.checks import checked, one_of
from kubepy.api.validation.equality import same
from kubepy.api.validation.fields import label_selector
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import ROLE_REF, show

_GROUP = "rbac.authorization.k8s.io"
_RESOURCE_FIELDS = ("apiGroups", "resources", "resourceNames")


def _policy_rule(rule: Object, path: str, namespaced: bool) -> list[FieldError]:
    urls = rule.get("nonResourceURLs")
    errors: list[FieldError] = []
    if urls:
        if namespaced:
            why = "namespaced rules cannot apply to non-resource URLs"
            errors.append(invalid(f"{path}.nonResourceURLs", urls, why))
        if any(rule.get(field) for field in _RESOURCE_FIELDS):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            errors.append(invalid(f"{path}.nonResourceURLs", urls, why))
        return errors
    if not rule.get("apiGroups"):
        errors.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errors.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return errors


def _policy_rules(obj: Object, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, rule in enumerate(obj.get("rules") or ()):
        errors += _policy_rule(rule, f"rules[{index}]", namespaced)
    return errors


def _missing_verbs(obj: Object) -> list[FieldError]:
    return [
        required(f"rules[{index}].verbs") for index, rule in enumerate(obj.get("rules") or ()) if not rule.get("verbs")
    ]


def _validate_role(obj: Object) -> list[FieldError]:
    return validate_metadata(obj, True, names.is_path_segment_name) + _policy_rules(obj, True)


def create_role(obj: Object) -> list[FieldError]:
    """Faults of a new Role."""
    return _validate_role(obj) + _missing_verbs(obj)


def update_role(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed Role."""
    return _validate_role(new) + validate_metadata_update(new, old) + _missing_verbs(new)


def _validate_cluster_role(obj: Object) -> list[FieldError]:
    errors = validate_metadata(obj, False, names.is_path_segment_name) + _policy_rules(obj, False)
    aggregation = obj.get("aggregationRule")
    if aggregation is not None:
        selectors = aggregation.get("clusterRoleSelectors") or []
        path = "aggregationRule.clusterRoleSelectors"
        if not selectors:
            why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            errors.append(required(path, why))
        for index, selector in enumerate(selectors):
            errors += label_selector(selector, f"{path}[{index}]")
    return errors


def create_cluster_role(obj: Object) -> list[FieldError]:
    """Faults of a new ClusterRole."""
    return _validate_cluster_role(obj) + _missing_verbs(obj)


def update_cluster_role(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ClusterRole."""
    return _validate_cluster_role(new) + validate_metadata_update(new, old) + _missing_verbs(new)


def _subject(subject: Object, path: str, namespaced: bool) -> list[FieldError]:
    kind, name, group = subject.get("kind") or "", subject.get("name"), subject.get("apiGroup") or ""
    errors: list[FieldError] = []
    match kind:
        case "ServiceAccount":
            if name:
                errors += checked(name, f"{path}.name", names.is_dns1123_subdomain)
            if group:
                errors.append(not_supported(f"{path}.apiGroup", group, ("",)))
            if not namespaced and not subject.get("namespace"):
                errors.append(required(f"{path}.namespace"))
        case "User" | "Group":
            errors += one_of(group, f"{path}.apiGroup", (_GROUP,))
        case _:
            errors.append(not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group")))
    return errors


def _validate_binding(obj: Object, namespaced: bool) -> list[FieldError]:
    errors = validate_metadata(obj, namespaced, names.is_path_segment_name)
    role = obj.get("roleRef") or {}
    errors += one_of(role.get("apiGroup"), "roleRef.apiGroup", (_GROUP,))
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    errors += one_of(role.get("kind"), "roleRef.kind", kinds)
    if role.get("name"):
        errors += checked(role["name"], "roleRef.name", names.is_path_segment_name)
    for index, subject in enumerate(obj.get("subjects") or ()):
        errors += _subject(subject, f"subjects[{index}]", namespaced)
    return errors


def _role_kept(new: Object, old: Object) -> list[FieldError]:
    if same(new.get("roleRef"), old.get("roleRef")):
        return []
    return [invalid("roleRef", show(new.get("roleRef") or {}, ROLE_REF), "cannot change roleRef")]


def _missing_names(obj: Object) -> list[FieldError]:
    subjects = enumerate(obj.get("subjects") or ())
    errors = [required(f"subjects[{index}].name") for index, subject in subjects if not subject.get("name")]
    return errors if (obj.get("roleRef") or {}).get("name") else [*errors, required("roleRef.name")]


def create_role_binding(obj: Object) -> list[FieldError]:
    """Faults of a new RoleBinding."""
    return _validate_binding(obj, True) + _missing_names(obj)


def create_cluster_role_binding(obj: Object) -> list[FieldError]:
    """Faults of a new ClusterRoleBinding."""
    return _validate_binding(obj, False) + _missing_names(obj)


def update_role_binding(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed RoleBinding."""
    errors = _validate_binding(new, True) + validate_metadata_update(new, old) + _role_kept(new, old)
    return errors + _missing_names(new)


def update_cluster_role_binding(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ClusterRoleBinding."""
    errors = _validate_binding(new, False) + validate_metadata_update(new, old) + _role_kept(new, old)
    return errors + _missing_names(new)


RULES: dict[tuple[str, str], Rules] = {
    (_GROUP, "Role"): Rules(create_role, update_role),
    (_GROUP, "ClusterRole"): Rules(create_cluster_role, update_cluster_role),
    (_GROUP, "RoleBinding"): Rules(create_role_binding, update_role_binding),
    (_GROUP, "ClusterRoleBinding"): Rules(create_cluster_role_binding, update_cluster_role_binding),
}
