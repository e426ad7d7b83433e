"""Which pods keep a claim, and which use it."""

from typing import Any

import pytest

from kubepy.controllers.volume_protection.claim_use import (
    claims_of,
    is_terminated,
    needs_for_good,
    plan_unused,
    tells_use,
    uses,
)
from tests.unit.controllers.volume_protection.loops import claim, of_claim, pod

Object = dict[str, Any]
OWN = {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}
DELETING: Object = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}
SHUT_DOWN: Object = DELETING | {"deletionGracePeriodSeconds": 0}
RUNNING = {"phase": "Running", "containerStatuses": [{"name": "c", "state": {"running": {}}}]}


def made(*volumes: Object, node: str = "n1", status: Object | None = None, **meta: Any) -> Object:
    found = pod("p", *volumes, node=node)
    found["metadata"] |= {"uid": "u", **meta}
    return {**found, "status": status or RUNNING}


def owned(uid: str = "u") -> Object:
    found = claim("p-scratch")
    found["metadata"]["ownerReferences"] = [{"kind": "Pod", "name": "p", "uid": uid, "controller": True}]
    return found


@pytest.mark.parametrize(
    ("pod", "claim", "keeps", "in_use"),
    [
        (made(of_claim("c")), claim("c"), True, True),
        (made(of_claim("c")), claim("other"), False, False),
        (made(), claim("c"), False, False),
        (made(of_claim("c"), node=""), claim("c"), False, True),
        (made(of_claim("c"), status={"phase": "Succeeded"}), claim("c"), True, False),
        (made(of_claim("c"), status={"phase": "Failed"}), claim("c"), True, False),
        (made(of_claim("c"), **SHUT_DOWN), claim("c"), True, True),
        (made(OWN), owned(), True, True),
        (made(OWN), owned("another"), False, False),
        (made(OWN), claim("p-scratch"), False, False),
        (made(OWN, **DELETING), owned(), True, True),
        (made(OWN, **SHUT_DOWN), owned(), False, True),
        (made(OWN, of_claim("p-scratch"), **SHUT_DOWN), owned(), True, True),
    ],
)
def test_a_pod_on_a_node_keeps_a_claim_and_one_that_has_not_ended_uses_it(
    pod: Object, claim: Object, keeps: bool, in_use: bool
) -> None:
    assert (needs_for_good(pod, claim), uses(pod, claim)) == (keeps, in_use)


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        (RUNNING, False),
        ({"phase": "Running"}, True),
        ({"containerStatuses": [{"state": {"waiting": {}}}]}, False),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "R"}}}, {"state": {"terminated": {"exitCode": 0}}}]},
         True),
        ({"ephemeralContainerStatuses": [{"state": {"running": {"startedAt": None}}}]}, False),
        ({"initContainerStatuses": [{"state": {"terminated": {"exitCode": 1}}}]}, True),
    ],
)  # fmt: skip
def test_a_pod_that_is_being_deleted_has_ended_when_no_container_runs(status: Object, ended: bool) -> None:
    assert is_terminated(made(status=status, **DELETING)) is ended
    assert not is_terminated(made(status={**status, "phase": "Running"}))


def test_a_pods_claims_are_those_it_names_and_those_made_for_it() -> None:
    found = claims_of(made(of_claim("c"), {"name": "e", "emptyDir": {}}, OWN))
    assert sorted(found) == ["default/c", "default/p-scratch"]


def test_only_a_bound_claim_that_stays_tells_of_its_use() -> None:
    bound = claim("c") | {"status": {"phase": "Bound"}}
    assert tells_use(bound)
    assert not tells_use(claim("c") | {"status": {"phase": "Pending"}})
    assert not tells_use({**bound, "metadata": bound["metadata"] | DELETING})


def test_the_condition_changes_with_the_use_and_leaves_others_alone() -> None:
    resizing = {"type": "Resizing", "status": "True"}
    bound = claim("c") | {"status": {"phase": "Bound", "conditions": [resizing]}}
    unused = plan_unused(bound, used=False, now="T1")
    assert unused is not None
    assert unused["status"]["conditions"] == [resizing, {
        "type": "Unused", "status": "True", "lastTransitionTime": "T1", "reason": "NoPodsUsingPVC",
        "message": "No pods are currently referencing this PVC",
    }]  # fmt: skip
    assert plan_unused(unused, used=False, now="T2") is None
    used = plan_unused(unused, used=True, now="T2")
    assert used is not None
    assert used["status"]["conditions"] == [resizing, {
        "type": "Unused", "status": "False", "lastTransitionTime": "T2", "reason": "PodUsingPVC",
        "message": "A pod is currently referencing this PVC",
    }]  # fmt: skip
