"""Where pods go: each rule alone, and all together."""

from typing import Any

import numpy as np
import pytest

from kubepy.scheduler.framework import Profile, Unschedulable
from kubepy.scheduler.podinfo import PodInfo, read_pod
from kubepy.scheduler.profiles import Lookups, build_profiles
from kubepy.scheduler.settings import SchedulerConfiguration, SettingsError, read
from kubepy.scheduler.snapshot import Snapshot

Object = dict[str, Any]
HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def node(name: str, *, cpu: str = "4", pods: int = 110, taints: list[Object] | None = None, **labels: str) -> Object:
    amounts = {"cpu": cpu, "memory": "8Gi", "pods": str(pods)}
    own = {HOST: name, **{ZONE if k == "zone" else k: v for k, v in labels.items()}}
    return {
        "metadata": {"name": name, "labels": own},
        "spec": {"taints": taints or []},
        "status": {"allocatable": amounts},
    }


def pod(name: str, *, cpu: str = "100m", app: str = "web", namespace: str = "default", **spec: Any) -> PodInfo:
    ports = spec.pop("ports", [])
    container = {"name": "c", "image": "web", "resources": {"requests": {"cpu": cpu}}, "ports": ports}
    return read_pod(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": name, "labels": {"app": app}},
            "spec": {"containers": [container], **spec},
        }
    )


def profile(**lookups: Any) -> Profile:
    found = Lookups(
        lookups.get("claim", lambda _: None), lookups.get("volume", lambda _: None), lookups.get("kind", lambda _: None)
    )
    return build_profiles(SchedulerConfiguration(), found)["default-scheduler"]


def cluster(*nodes: Object) -> Snapshot:
    snapshot = Snapshot()
    for each in nodes:
        snapshot.set_node(each)
    return snapshot


def why_not(snapshot: Snapshot, info: PodInfo) -> str:
    with pytest.raises(Unschedulable) as verdict:
        profile().pick(snapshot, info)
    return verdict.value.message


def place(snapshot: Snapshot, *infos: PodInfo) -> list[str]:
    chosen = []
    for info in infos:
        chosen.append(profile().pick(snapshot, info))
        snapshot.add_pod(info, chosen[-1])
    return chosen


def anti_affinity(app: str, key: str = HOST) -> Object:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def affinity(app: str, key: str = ZONE) -> Object:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_a_pod_goes_where_there_is_room() -> None:
    assert place(cluster(node("small", cpu="1"), node("large", cpu="8")), pod("a", cpu="2")) == ["large"]


def test_a_pod_that_fits_nowhere_is_told_why() -> None:
    snapshot = cluster(node("a", cpu="1"), node("b", cpu="1"), node("c", taints=[{"key": "k", "effect": "NoSchedule"}]))
    assert why_not(snapshot, pod("big", cpu="2")) == (
        "0/3 nodes are available: 1 node(s) had untolerated taint {k: }, 2 Insufficient cpu."
    )


def test_room_is_given_only_once() -> None:
    snapshot = cluster(node("a", cpu="1"))
    place(snapshot, pod("first", cpu="600m"))
    assert "Insufficient cpu" in why_not(snapshot, pod("second", cpu="600m"))
    snapshot.remove_pod("first")
    assert place(snapshot, pod("second", cpu="600m")) == ["a"]


def test_a_node_takes_no_more_pods_than_it_says() -> None:
    snapshot = cluster(node("a", pods=1))
    place(snapshot, pod("first"))
    assert why_not(snapshot, pod("second")) == "0/1 nodes are available: 1 Too many pods."


def test_pods_spread_over_empty_nodes_first() -> None:
    snapshot = cluster(*(node(f"n{i}") for i in range(4)))
    assert len(set(place(snapshot, *(pod(f"p{i}") for i in range(4))))) == 4


def test_no_nodes_at_all() -> None:
    assert why_not(cluster(), pod("a")) == "no nodes available to schedule pods"


def test_an_unknown_resource_fits_nowhere() -> None:
    info = pod("a")
    info.requests["example.com/gpu"] = 1
    assert "Insufficient example.com/gpu" in why_not(cluster(node("n")), info)


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "value": "other"}, False),
        ({"operator": "Exists"}, True),
    ],
)
def test_a_taint_keeps_out_who_does_not_tolerate_it(toleration: Object, fits: bool) -> None:
    snapshot = cluster(node("n", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]))
    info = pod("a", tolerations=[toleration])
    assert place(snapshot, info) == ["n"] if fits else why_not(snapshot, info)


def test_a_soft_taint_only_makes_a_node_worse() -> None:
    soft = [{"key": "k", "effect": "PreferNoSchedule"}]
    assert place(cluster(node("soft", taints=soft), node("clean")), pod("a")) == ["clean"]
    assert place(cluster(node("soft", taints=soft)), pod("a")) == ["soft"]


def test_a_cordoned_node_is_left_out() -> None:
    cordoned = node("n")
    cordoned["spec"]["unschedulable"] = True
    assert "unschedulable" in why_not(cluster(cordoned), pod("a"))


def test_a_node_selector_selects() -> None:
    snapshot = cluster(node("hdd", disk="hdd"), node("ssd", disk="ssd"))
    assert place(snapshot, pod("a", nodeSelector={"disk": "ssd"})) == ["ssd"]
    assert "node affinity/selector" in why_not(snapshot, pod("b", nodeSelector={"disk": "tape"}))


@pytest.mark.parametrize(
    ("operator", "values", "chosen"),
    [
        ("In", ["4"], {"four"}),
        ("NotIn", ["4"], {"eight", "none"}),
        ("Exists", [], {"four", "eight"}),
        ("DoesNotExist", [], {"none"}),
        ("Gt", ["4"], {"eight"}),
        ("Lt", ["8"], {"four"}),
    ],
)
def test_node_affinity_knows_every_operator(operator: str, values: list[str], chosen: set[str]) -> None:
    snapshot = cluster(node("four", cores="4"), node("eight", cores="8"), node("none"))
    expression = {"key": "cores", "operator": operator, "values": values}
    required = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    wanted = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    seen = {profile().pick(snapshot, pod("a", affinity=wanted)) for _ in range(40)}
    assert seen == chosen


def test_a_preference_for_nodes_is_followed_where_it_can_be() -> None:
    term = {"weight": 10, "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}}
    preferred = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}
    snapshot = cluster(node("a"), node("b", disk="ssd"), node("c"))
    assert place(snapshot, pod("p", affinity=preferred)) == ["b"]


def test_a_host_port_is_held_by_one_pod() -> None:
    snapshot = cluster(node("a"), node("b"))
    port = [{"containerPort": 80, "hostPort": 80}]
    assert sorted(place(snapshot, pod("x", ports=port), pod("y", ports=port))) == ["a", "b"]
    assert "free ports" in why_not(snapshot, pod("z", ports=port))
    assert place(snapshot, pod("udp", ports=[{**port[0], "protocol": "UDP"}]))


def test_anti_affinity_holds_both_ways() -> None:
    snapshot = cluster(node("a"), node("b"))
    place(snapshot, pod("lonely", app="db", affinity=anti_affinity("web")))
    first = place(snapshot, pod("web-1"))
    where = next(name for name in ("a", "b") if any(i.key.endswith("lonely") for i in snapshot.pods_on(name)))
    assert first[0] != where
    assert "existing pods anti-affinity" in why_not(_only(snapshot, where), pod("web-2"))


def _only(snapshot: Snapshot, name: str) -> Snapshot:
    for other in list(snapshot.names):
        if other and other != name:
            snapshot.remove_node(other)
    return snapshot


def test_pods_that_shun_each_other_take_a_node_each() -> None:
    snapshot = cluster(*(node(f"n{i}") for i in range(3)))
    infos = [pod(f"p{i}", affinity=anti_affinity("web")) for i in range(3)]
    assert len(set(place(snapshot, *infos))) == 3
    assert "anti-affinity" in why_not(snapshot, pod("p4", affinity=anti_affinity("web")))


def test_the_first_of_a_group_that_wants_each_other_may_start_it() -> None:
    snapshot = cluster(node("a", zone="z1"), node("b", zone="z2"), node("c", zone="z2"))
    zones = {"a": "z1", "b": "z2", "c": "z2"}
    chosen = place(snapshot, *(pod(f"p{i}", affinity=affinity("web")) for i in range(5)))
    assert len({zones[name] for name in chosen}) == 1


def test_affinity_for_pods_that_are_nowhere_waits() -> None:
    snapshot = cluster(node("a", zone="z1"))
    assert "pod affinity rules" in why_not(snapshot, pod("p", affinity=affinity("db")))


def test_a_namespace_selector_widens_what_a_term_is_about() -> None:
    snapshot = cluster(node("a"), node("b"))
    snapshot.namespace_labels = lambda name: {"team": "x"} if name == "other" else {}
    place(snapshot, pod("far", namespace="other"))
    where = next(name for name in ("a", "b") if list(snapshot.pods_on(name)))
    shun = anti_affinity("web")
    shun["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]["namespaceSelector"] = {
        "matchLabels": {"team": "x"}
    }
    assert place(snapshot, pod("p", affinity=shun)) != [where]


def spread(skew: int = 1, key: str = ZONE, when: str = "DoNotSchedule", **more: Any) -> list[Object]:
    selector = {"matchLabels": {"app": "web"}}
    return [{"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": when, "labelSelector": selector, **more}]


def test_zones_are_filled_evenly() -> None:
    snapshot = cluster(node("a1", zone="a"), node("a2", zone="a"), node("a3", zone="a"), node("b1", zone="b"))
    chosen = place(snapshot, *(pod(f"p{i}", topologySpreadConstraints=spread()) for i in range(8)))
    assert sum(name.startswith("a") for name in chosen) == 4


def test_a_full_domain_makes_the_others_wait() -> None:
    snapshot = cluster(node("a", zone="a"), node("b", zone="b", cpu="100m"))
    place(snapshot, *(pod(f"p{i}", topologySpreadConstraints=spread()) for i in range(3)))
    message = why_not(snapshot, pod("last", topologySpreadConstraints=spread()))
    assert "didn't match pod topology spread constraints" in message


def test_nodes_without_the_label_are_left_out() -> None:
    message = why_not(cluster(node("a")), pod("p", topologySpreadConstraints=spread()))
    assert "missing required label" in message


def test_min_domains_keep_the_emptiest_at_nothing() -> None:
    snapshot = cluster(node("a", zone="a"))
    place(snapshot, pod("first", topologySpreadConstraints=spread(minDomains=2)))
    assert "spread" in why_not(snapshot, pod("second", topologySpreadConstraints=spread(minDomains=2)))


def test_a_soft_constraint_prefers_the_emptier_domain() -> None:
    snapshot = cluster(node("a", zone="a"), node("b", zone="b"))
    soft = spread(when="ScheduleAnyway")
    pair = [pod(name, topologySpreadConstraints=soft) for name in "pq"]
    assert sorted(place(snapshot, *pair)) == ["a", "b"]


def test_a_pod_on_its_way_out_does_not_count_for_spreading() -> None:
    snapshot = cluster(node("a", zone="a"), node("b", zone="b"))
    leaving = pod("leaving")
    leaving.pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    snapshot.add_pod(leaving, "a")
    scope = (frozenset({"default"}), None, pod("x", topologySpreadConstraints=spread()).spread[0].selector)
    assert snapshot.count((*scope, False)).sum() == 0
    assert snapshot.count((*scope, True)).sum() == 1


def test_a_claim_that_is_not_bound_keeps_the_pod_waiting() -> None:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    info = pod("p", volumes=volumes)
    assert why_not(cluster(node("a")), info).endswith('persistentvolumeclaim "data" not found.')
    claim = {"metadata": {}, "spec": {"volumeName": "pv"}, "status": {"phase": "Bound"}}
    term = {"matchExpressions": [{"key": HOST, "operator": "In", "values": ["b"]}]}
    volume = {"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}}}
    bound = profile(claim=lambda _: claim, volume=lambda _: volume)
    assert bound.pick(cluster(node("a"), node("b"), node("c")), info) == "b"


def test_a_node_that_comes_back_has_its_pods_again() -> None:
    snapshot = cluster(node("a", cpu="1"))
    place(snapshot, pod("first", cpu="800m"))
    snapshot.remove_node("a")
    snapshot.set_node(node("b", cpu="1"))
    snapshot.set_node(node("a", cpu="1"))
    assert place(snapshot, pod("second", cpu="800m")) == ["b"]


def test_a_row_that_is_reused_has_nothing_of_its_last_node() -> None:
    snapshot = cluster(node("a", disk="ssd", taints=[{"key": "k", "effect": "NoSchedule"}]))
    snapshot.remove_node("a")
    snapshot.set_node(node("b"))
    assert snapshot.rows == 1
    assert place(snapshot, pod("p")) == ["b"]
    assert "affinity" in why_not(snapshot, pod("q", nodeSelector={"disk": "ssd"}))


def test_arrays_grow_with_the_cluster() -> None:
    snapshot = cluster(*(node(f"n{i}", **{f"label-{i}": "x"}) for i in range(200)))
    assert len(snapshot) == 200
    assert place(snapshot, pod("p", nodeSelector={"label-199": "x"})) == ["n199"]


def test_a_rule_can_be_turned_off_and_one_of_the_users_own_on() -> None:
    settings = read(
        {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "profiles": [
                {
                    "schedulerName": "mine",
                    "plugins": {
                        "multiPoint": {"disabled": [{"name": "TaintToleration"}]},
                        "score": {"enabled": [{"name": f"{__name__}:PrefersLast", "weight": 100}]},
                    },
                }
            ],
        }
    )
    lookups = Lookups(lambda _: None, lambda _: None, lambda _: None)
    mine = build_profiles(settings, lookups)["mine"]
    tainted = [{"key": "k", "effect": "NoSchedule"}]
    assert mine.pick(cluster(node("a"), node("b"), node("z", taints=tainted)), pod("p")) == "z"


class PrefersLast:
    """A rule of a user's own."""

    name = "PrefersLast"

    def score(self, snapshot: Snapshot, pod: PodInfo, possible: Any) -> Any:
        return np.array([100.0 if name == "z" else 0.0 for name in snapshot.names])


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({}, "apiVersion: must be"),
        ({"profiles": [{"plugins": {"bind": {}}}]}, "profiles[0].plugins.bind: not supported"),
        ({"extenders": []}, "extenders: not supported"),
        ({"profiles": [{}, {}]}, "is there twice"),
    ],
)
def test_what_is_not_supported_is_refused_with_its_path(document: Object, fault: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(document)
    assert fault in str(refused.value)
