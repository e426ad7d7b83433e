"""What is told of roles and their bindings: what the declarative rules miss comes last."""

import pytest

from kubepy.api.meta import Object
from kubepy.api.validation.registry import rules_for
from tests.unit.api.validation.test_other_groups import made

RBAC = "rbac.authorization.k8s.io"


@pytest.mark.parametrize(
    ("kind", "changes", "want"),
    [
        ("Role", {"rules": [{}]},
         ["rules[0].apiGroups: Required value: resource rules must supply at least one api group",
          "rules[0].resources: Required value: resource rules must supply at least one resource",
          "rules[0].verbs: Required value"]),
        ("ClusterRole", {"rules": [{"nonResourceURLs": ["/x"]}], "aggregationRule": {}},
         ["aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if "
          "aggregationRule is non-nil",
          "rules[0].verbs: Required value"]),
        ("RoleBinding", {"roleRef.name": "", "subjects": [{"kind": "X"}]},
         ['subjects[0].kind: Unsupported value: "X": supported values: "ServiceAccount", "User", "Group"',
          "subjects[0].name: Required value",
          "roleRef.name: Required value"]),
    ],
)  # fmt: skip
def test_what_is_missing_is_told_of_last(kind: str, changes: Object, want: list[str]) -> None:
    assert [str(fault) for fault in rules_for(RBAC, kind).create(made(kind, changes))] == want


def test_a_changed_role_is_shown_as_go_names_it() -> None:
    [fault] = rules_for(RBAC, "RoleBinding").update(made("RoleBinding", {"roleRef.name": "s"}), made("RoleBinding"))
    shown = '{"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"s"}'
    assert str(fault) == f"roleRef: Invalid value: {shown}: cannot change roleRef"
