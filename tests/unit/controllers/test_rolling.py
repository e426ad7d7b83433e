"""The sizes of a Deployment's sets through a rollout, whatever its settings and its luck."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from kubepy.controllers.deployment import rolling
from kubepy.controllers.deployment import sets as s
from tests.unit.controllers.builders import deployment, replica_set

AMOUNT = st.one_of(st.integers(0, 5), st.integers(0, 100).map("{}%".format))


def test_percentages_round_up_for_surge_and_down_for_unavailable() -> None:
    assert rolling.resolve_surge(deployment(10, maxSurge="25%", maxUnavailable="25%")) == (3, 2)


def test_a_rollout_can_always_move() -> None:
    assert rolling.resolve_surge(deployment(3, maxSurge=0, maxUnavailable="1%")) == (0, 1)


@given(size=st.integers(1, 12), surge=AMOUNT, unavailable=AMOUNT, luck=st.randoms(use_true_random=False))
def test_a_rollout_ends_and_never_breaks_its_bounds(size, surge, unavailable, luck) -> None:  # type: ignore[no-untyped-def]
    owner = deployment(size, maxSurge=surge, maxUnavailable=unavailable)
    most_extra, most_missing = rolling.resolve_surge(owner)
    old = [replica_set("old", size)]
    new = replica_set("new", 0)
    for _ in range(200):
        for rs, wanted in rolling.plan_rolling(owner, new, old):
            rs["spec"]["replicas"] = wanted
            rs["status"]["availableReplicas"] = min(rs["status"]["availableReplicas"], wanted)
        assert s.total([new, *old]) <= size + most_extra
        assert s.total_of([new, *old], "availableReplicas") >= size - most_missing
        if luck.random() < 0.7:  # a pod becomes available, or none does yet
            new["status"]["availableReplicas"] = min(new["spec"]["replicas"], new["status"]["availableReplicas"] + 1)
        if s.replicas(new) == size == s.count(new, "availableReplicas") and not s.total(old):
            return
    raise AssertionError("the rollout did not end")


def test_unhealthy_old_pods_go_first() -> None:
    broken, fine = replica_set("broken", 2, available=0), replica_set("fine", 3)
    owner = deployment(5, maxSurge=1, maxUnavailable=1)
    new = replica_set("new", 1, available=1)
    sizes = {rs["metadata"]["name"]: size for rs, size in rolling.plan_old_sizes(owner, new, [fine, broken])}
    assert sizes["broken"] == 0


@given(before=st.integers(2, 30), after=st.integers(0, 60))
def test_scaling_in_a_rollout_shares_the_change_out(before: int, after: int) -> None:
    owner = deployment(after, maxSurge=1, maxUnavailable=0)
    memory = s.size_annotations(before, 1)
    old = replica_set("old", before // 2, annotations=memory)
    new = replica_set("new", before + 1 - before // 2, available=0, annotations=memory, created="2025-12-31T01:00:00Z")
    sizes = {rs["metadata"]["name"]: size for rs, size in rolling.plan_scale(owner, new, [old])}
    total = sizes.get("old", s.replicas(old)) + sizes.get("new", s.replicas(new))
    assert total == (after + 1 if after else 0)
    assert all(size >= 0 for size in sizes.values())


def test_the_hash_of_a_template_tells_templates_apart_and_collisions_too() -> None:
    template = deployment(1)["spec"]["template"]
    other = copy.deepcopy(template)
    other["spec"]["containers"] = [{"name": "c"}]
    assert s.template_hash(template, 0) == s.template_hash(copy.deepcopy(template), 0)
    assert len({s.template_hash(template, 0), s.template_hash(template, 1), s.template_hash(other, 0)}) == 3


def test_the_hash_label_makes_no_other_template() -> None:
    template = deployment(1)["spec"]["template"]
    labelled = copy.deepcopy(template)
    labelled["metadata"]["labels"][s.HASH_LABEL] = "x"
    assert s.same_template(template, labelled)
