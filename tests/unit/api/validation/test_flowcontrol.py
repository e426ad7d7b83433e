"""What is told of flow schemas and priority levels, in upstream's order."""

import pytest

from kubepy.api.meta import Object
from kubepy.api.validation.registry import rules_for
from tests.unit.api.validation.test_other_groups import made

FLOW = "flowcontrol.apiserver.k8s.io"
QUEUING = "spec.limited.limitResponse.queuing"


@pytest.mark.parametrize(
    ("kind", "changes", "want"),
    [
        ("FlowSchema", {"spec.distinguisherMethod": {"type": "X"}},
         ['spec.distinguisherMethod.type: Unsupported value: {"Type":"X"}: supported values: "ByNamespace", "ByUser"']),
        ("FlowSchema", {"spec.rules[0].subjects": [{"kind": "User", "serviceAccount": {}}]},
         ["spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'",
          "spec.rules[0].subjects[0].serviceAccount: Forbidden: serviceAccount is forbidden when subject kind is not "
          "'ServiceAccount'"]),
        ("PriorityLevelConfiguration", {QUEUING: {"queues": 100, "handSize": 50, "queueLengthLimit": -1}},
         [f"{QUEUING}.queueLengthLimit: Invalid value: -1: must be positive",
          f"{QUEUING}.handSize: Invalid value: 50: required entropy bits of deckSize 100 and handSize 50 should not be "
          "greater than 60"]),
        ("PriorityLevelConfiguration",
         {"spec.limited": {"nominalConcurrencyShares": -1, "lendablePercent": 101, "borrowingLimitPercent": -1}},
         ["spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer",
          'spec.limited.limitResponse.type: Unsupported value: "": supported values: "Queue", "Reject"',
          "spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive",
          "spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer"]),
        ("PriorityLevelConfiguration",
         {"metadata": {"name": "exempt"}, "spec": {"type": "Exempt", "exempt": {"lendablePercent": -1}}},
         ["spec.exempt.lendablePercent: Invalid value: -1: must be between 0 and 100, inclusive"]),
    ],
)  # fmt: skip
def test_flow_control_is_told_of_in_order(kind: str, changes: Object, want: list[str]) -> None:
    rules, obj = rules_for(FLOW, kind), made(kind, changes)
    assert [str(fault) for fault in rules.create(obj)] == want
    assert [str(fault) for fault in rules.update(obj, made(kind))] == want


def test_a_hand_of_billions_of_cards_is_refused_at_once() -> None:
    most = (1 << 31) - 1
    level = made("PriorityLevelConfiguration", {QUEUING: {"queues": most, "handSize": most, "queueLengthLimit": 1}})
    assert [fault.field for fault in rules_for(FLOW, "PriorityLevelConfiguration").create(level)] == [
        f"{QUEUING}.queues", f"{QUEUING}.handSize",
    ]  # fmt: skip


def test_hands_that_one_hash_can_deal_are_let_pass() -> None:
    level = made("PriorityLevelConfiguration", {QUEUING: {"queues": 512, "handSize": 4, "queueLengthLimit": 1}})
    assert rules_for(FLOW, "PriorityLevelConfiguration").create(level) == []
