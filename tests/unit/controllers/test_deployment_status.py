"""What a Deployment says of its rollout."""

from datetime import timedelta

from kubepy.controllers.deployment.status import plan_status
from kubepy.lib.clock import rfc3339
from tests.unit.controllers.builders import NOW, Object, deployment, replica_set


def condition(status: Object, kind: str) -> Object:
    return next(c for c in status["conditions"] if c["type"] == kind)


def done(size: int) -> tuple[Object, Object]:
    owner, rs = deployment(size), replica_set("web-1", size)
    rs["status"] |= {"readyReplicas": size}
    owner["status"] = plan_status(owner, rs, [], NOW)
    return owner, rs


def test_a_finished_rollout_says_so() -> None:
    owner, _ = done(3)
    assert condition(owner["status"], "Progressing")["reason"] == "NewReplicaSetAvailable"
    assert condition(owner["status"], "Available")["status"] == "True"


def test_a_change_of_size_is_no_rollout() -> None:
    owner, rs = done(3)
    owner["spec"]["replicas"] = 5
    later = plan_status(owner, rs, [], NOW + timedelta(hours=1))
    assert condition(later, "Progressing") == condition(owner["status"], "Progressing")


def test_a_rollout_without_progress_times_out() -> None:
    owner, rs = done(3)
    new = replica_set("web-2", 1, available=0)
    owner["status"] = plan_status(owner, new, [rs], NOW, began=True)
    assert condition(owner["status"], "Progressing")["reason"] == "ReplicaSetUpdated"
    early = plan_status(owner, new, [rs], NOW + timedelta(seconds=500))
    assert condition(early, "Progressing")["status"] == "True"
    late = plan_status(owner, new, [rs], NOW + timedelta(seconds=601))
    assert condition(late, "Progressing")["reason"] == "ProgressDeadlineExceeded"


def test_planning_twice_writes_nothing_new() -> None:
    owner, rs = done(2)
    assert plan_status(owner, rs, [], NOW + timedelta(days=1)) == owner["status"]


def test_a_set_that_cannot_make_pods_is_told_of() -> None:
    owner, rs = done(2)
    rs["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    ]
    found = condition(plan_status(owner, rs, [], NOW), "ReplicaFailure")
    assert (found["reason"], found["message"], found["lastTransitionTime"]) == (
        "FailedCreate", "exceeded quota", rfc3339(NOW),
    )  # fmt: skip
