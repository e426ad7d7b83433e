"""What is told of disruption budgets: their spec first, their metadata only where that has no fault."""

from kubepy.api.validation.registry import rules_for

RULES = rules_for("policy", "PodDisruptionBudget")


def test_a_budget_of_two_kinds_is_shown_as_go_names_it() -> None:
    spec = {"minAvailable": 1, "maxUnavailable": "10%"}
    shown = '{"MinAvailable":1,"Selector":null,"MaxUnavailable":"10%","UnhealthyPodEvictionPolicy":null}'
    want = [f"spec: Invalid value: {shown}: minAvailable and maxUnavailable cannot be both set"]
    obj = {"metadata": {"name": "a/b", "namespace": "n"}, "spec": spec}
    assert [str(fault) for fault in RULES.create(obj)] == want
    assert [str(fault) for fault in RULES.update(obj, obj)] == want


def test_a_budgets_name_is_a_segment_of_a_path() -> None:
    [fault] = RULES.create({"metadata": {"name": "a/b", "namespace": "n"}, "spec": {}})
    assert str(fault) == "metadata.name: Invalid value: \"a/b\": may not contain '/'"
