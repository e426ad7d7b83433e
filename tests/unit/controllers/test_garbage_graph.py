"""Who depends on whom, and what becomes of them."""

from typing import Any

from kubepy.api import resources
from kubepy.controllers.garbage_collector.graph import FOREGROUND, ORPHAN, Graph, Owners, judge

PODS, SETS = resources.named("pods"), resources.named("replicasets", "apps")


def obj(uid: str, *owners: str, **meta: Any) -> dict[str, Any]:
    references = [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": o, "uid": o, "blockOwnerDeletion": True} for o in owners
    ]
    return {"metadata": {"uid": uid, "name": uid, "namespace": "default", "ownerReferences": references, **meta}}


def uids(nodes: list[Any]) -> set[str]:
    return {node.uid for node in nodes}


def test_dependents_of_what_is_gone_are_judged() -> None:
    graph = Graph()
    graph.observe(SETS, obj("rs"))
    graph.observe(PODS, obj("a", "rs"))
    graph.observe(PODS, obj("b", "rs"))
    assert uids(graph.forget("rs").judge) == {"a", "b"}


def test_an_owner_that_nobody_has_seen_is_looked_for_before_anything_is_deleted() -> None:
    graph = Graph()
    work = graph.observe(PODS, obj("a", "rs"))
    owner = graph.get("rs")
    assert uids(work.judge) == {"a"}
    assert owner is not None
    assert owner.virtual


def test_a_virtual_owner_goes_with_its_last_dependent() -> None:
    graph = Graph()
    graph.observe(PODS, obj("a", "rs"))
    graph.forget("a")
    assert graph.get("rs") is None


def test_a_foreground_deletion_waits_for_those_that_block_it() -> None:
    graph = Graph()
    graph.observe(PODS, obj("a", "rs"))
    work = graph.observe(SETS, obj("rs", deletionTimestamp="2026-01-01T00:00:00Z", finalizers=[FOREGROUND]))
    owner = graph.get("rs")
    assert owner is not None
    assert uids(owner.blocking()) == {"a"}
    assert uids(work.judge) == {"a", "rs"}
    assert uids(graph.forget("a").judge) == {"rs"}
    assert owner.blocking() == []


def test_an_orphaning_deletion_lets_dependents_go_first() -> None:
    graph = Graph()
    work = graph.observe(SETS, obj("rs", deletionTimestamp="2026-01-01T00:00:00Z", finalizers=[ORPHAN]))
    assert uids(work.orphan) == {"rs"}


def test_a_changed_owner_moves_the_edge() -> None:
    graph = Graph()
    graph.observe(SETS, obj("one"))
    graph.observe(SETS, obj("two"))
    graph.observe(PODS, obj("a", "one"))
    graph.observe(PODS, obj("a", "two"))
    one, two = graph.get("one"), graph.get("two")
    assert one is not None
    assert two is not None
    assert (set(one.dependents), set(two.dependents)) == (set(), {"a"})


def verdict(solid: int = 0, dangling: int = 0, waiting: int = 0, finalizers: tuple[str, ...] = (), children: int = 0):  # type: ignore[no-untyped-def]
    graph = Graph()
    graph.observe(PODS, obj("a", finalizers=list(finalizers)))
    for number in range(children):
        graph.observe(PODS, obj(f"child-{number}", "a"))
    node = graph.get("a")
    assert node is not None
    make = lambda kind, count: [{"uid": f"{kind}{i}"} for i in range(count)]  # noqa: E731
    return judge(node, Owners(make("s", solid), make("d", dangling), make("w", waiting)))


def test_one_owner_that_is_there_keeps_it() -> None:
    assert verdict(solid=1).delete is None
    assert verdict(solid=1, dangling=1).drop == ("d0",)


def test_without_any_owner_left_it_goes() -> None:
    assert verdict(dangling=1).delete == "Background"
    assert verdict(dangling=1, finalizers=(ORPHAN,)).delete == "Orphan"


def test_dependents_of_dependents_go_in_the_foreground_too() -> None:
    assert verdict(waiting=1, children=1).delete == "Foreground"
    assert verdict(waiting=1).delete == "Background"


def test_dependents_of_owners_that_nobody_has_seen_are_in_doubt_until_they_are_seen() -> None:
    graph = Graph()
    graph.observe(PODS, obj("a", "rs"))
    assert uids(graph.doubtful()) == {"a"}
    graph.observe(SETS, obj("rs"))
    assert graph.doubtful() == []
