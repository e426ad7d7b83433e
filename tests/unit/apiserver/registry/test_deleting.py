"""Deletes, evictions and bindings: what is refused, what is told first, what is answered."""

from typing import Any

import pytest

from tests.unit.apiserver.asking import MERGE, Asker, on_server

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
HELD = "example.org/held"


def pod(name: str, **meta: Any) -> dict[str, Any]:
    spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
    return {"metadata": {"name": name, "labels": {"app": "x"}, **meta}, "spec": spec}


async def running(ask: Asker, name: str, *, ready: bool = True, **meta: Any) -> None:
    assert (await ask("POST", PODS, pod(name, **meta))).status == 201
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    assert (await ask("PATCH", f"{PODS}/{name}/status", {"status": status}, kind=MERGE)).status == 200


async def budget(ask: Asker, conditions: Any = None, **status: int) -> None:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}
    assert (await ask("POST", BUDGETS, {"metadata": {"name": "b"}, "spec": spec})).status == 201
    whole = {"observedGeneration": 1, "expectedPods": 1, "conditions": conditions or [], **status}
    assert (await ask("PATCH", f"{BUDGETS}/b/status", {"status": whole}, kind=MERGE)).status == 200


async def evict(ask: Asker, name: str, query: str = "", **options: Any) -> Any:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, **options}
    return await ask("POST", f"{PODS}/{name}/eviction{query}", eviction)


@pytest.mark.parametrize(
    ("options", "status", "why"),
    [
        ({"gracePeriodSeconds": "x"}, 400, "json: cannot unmarshal string into Go struct field DeleteOptions.grace"),
        ({"kind": "Pod", "apiVersion": "v1"}, 400, 'Pod in version "v1" cannot be handled as a DeleteOptions: no kind'),
        ({"apiVersion": "odd/v1"}, 400, 'no kind "DeleteOptions" is registered for version "odd/v1" in scheme'),
        ({"propagationPolicy": "Odd"}, 422, 'supported values: "Foreground", "Background", "Orphan", "nil"'),
        ({"preconditions": {"uid": "u"}}, 409, 'on ConfigMap "a": the UID in the precondition (u) does not match'),
        ({"preconditions": {"resourceVersion": "1"}}, 409, "The object might have been modified"),
        ({"apiVersion": "apps/v1", "kind": "DeleteOptions", "dryRun": ["All"]}, 200, ""),
    ],
)
def test_wrong_delete_options_are_refused(options: Any, status: int, why: str) -> None:
    async def test(ask: Asker) -> None:
        await ask("POST", MAPS, {"metadata": {"name": "a"}})
        told = await ask("DELETE", f"{MAPS}/a", options)
        assert told.status == status
        assert why in told.body.get("message", "")
        assert (await ask("GET", f"{MAPS}/a")).status == 200

    on_server(test)


def test_a_collection_that_is_deleted_answers_what_it_was() -> None:
    async def test(ask: Asker) -> None:
        for name in ("a", "b", "c"):
            meta = {"name": name, "labels": {"l": "x"}, "finalizers": [HELD] if name == "b" else []}
            await ask("POST", MAPS, {"metadata": meta})
        dry = await ask("DELETE", f"{MAPS}?labelSelector=l&dryRun=All")
        assert [item["metadata"]["name"] for item in dry.body["items"]] == ["a", "b", "c"]
        first = await ask("DELETE", f"{MAPS}?labelSelector=l&limit=1")
        assert ([item["metadata"]["name"] for item in first.body["items"]], first.body["kind"]) == (
            ["a"],
            "ConfigMapList",
        )
        rest = await ask("DELETE", f"{MAPS}?labelSelector=l")
        assert [item["metadata"].get("deletionTimestamp") for item in rest.body["items"]] == [None, None]
        left = await ask("GET", f"{MAPS}?labelSelector=l")
        assert [item["metadata"]["name"] for item in left.body["items"]] == ["b"]

    on_server(test)


def test_an_evicted_pod_tells_that_it_did_not_end_by_itself() -> None:
    async def test(ask: Asker) -> None:
        await running(ask, "p", finalizers=[HELD])
        assert (await evict(ask, "p", "?dryRun=All")).status == 201
        assert "deletionTimestamp" not in (await ask("GET", f"{PODS}/p")).body["metadata"]
        assert (await evict(ask, "p", deleteOptions={"preconditions": {"uid": "other"}})).status == 409
        assert (await evict(ask, "p")).status == 201
        found = (await ask("GET", f"{PODS}/p")).body
        assert found["metadata"]["deletionTimestamp"]
        conditions = {condition["type"]: condition for condition in found["status"]["conditions"]}
        assert conditions["DisruptionTarget"]["reason"] == "EvictionByEvictionAPI"
        assert conditions["Ready"]["status"] == "True"

    on_server(test)


def test_the_last_disruption_of_a_budget_is_given_once() -> None:
    async def test(ask: Asker) -> None:
        await running(ask, "p")
        await running(ask, "q")
        await budget(ask, disruptionsAllowed=1, desiredHealthy=1, currentHealthy=2)
        assert (await evict(ask, "p")).status == 201
        found = (await ask("GET", f"{BUDGETS}/b")).body["status"]
        assert (found["disruptionsAllowed"], list(found["disruptedPods"])) == (0, ["p"])
        assert [condition["reason"] for condition in found["conditions"]] == ["InsufficientPods"]
        told = await evict(ask, "q")
        assert (told.status, told.message) == (429, "Cannot evict pod as it would violate the pod's disruption budget.")
        assert told.body["details"]["causes"] == [
            {"reason": "DisruptionBudget", "message": "The disruption budget b does not allow evicting pods currently"}
        ]

    on_server(test)


@pytest.mark.parametrize(
    ("reason", "healthy", "why"),
    [
        ("SyncFailed", 0, "does not allow evicting pods currently because it failed sync: why"),
        ("InsufficientPods", 1, "needs 1 healthy pods and has 1 currently"),
        ("InsufficientPods", 2, "does not allow evicting pods currently (InsufficientPods): why"),
    ],
)
def test_a_budget_says_why_it_allows_nothing(reason: str, healthy: int, why: str) -> None:
    async def test(ask: Asker) -> None:
        await running(ask, "p")
        now = "2026-01-01T00:00:00Z"
        condition = {"type": "DisruptionAllowed", "status": "False", "lastTransitionTime": now}
        conditions = [{**condition, "reason": reason, "message": "why"}]
        await budget(ask, conditions, disruptionsAllowed=0, desiredHealthy=1, currentHealthy=healthy)
        told = await evict(ask, "p")
        assert told.body["details"]["causes"][0]["message"] == f"The disruption budget b {why}"

    on_server(test)


def test_a_pod_that_is_not_ready_may_go_while_the_others_suffice() -> None:
    async def test(ask: Asker) -> None:
        await running(ask, "p", ready=False)
        await budget(ask, disruptionsAllowed=0, desiredHealthy=1, currentHealthy=1)
        assert (await evict(ask, "p")).status == 201

    on_server(test)


def test_what_names_another_than_the_url_is_refused() -> None:
    async def test(ask: Asker) -> None:
        await running(ask, "p")
        other = await ask("POST", f"{PODS}/p/eviction", {"metadata": {"name": "q"}})
        assert (other.status, other.message) == (400, "name in URL does not match name in Eviction object")
        bound = await ask("POST", f"{PODS}/p/binding", {"metadata": {"name": "q"}, "target": {"name": "n"}})
        assert (bound.status, bound.message) == (400, "name in URL does not match name in Binding object")

    on_server(test)


def test_pods_are_bound_by_the_old_path_too() -> None:
    async def test(ask: Asker) -> None:
        made = pod("p")
        del made["spec"]["nodeName"]
        await ask("POST", PODS, made)
        binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
        assert (await ask("POST", "/api/v1/namespaces/default/bindings", binding)).status == 201
        assert (await ask("GET", f"{PODS}/p")).body["spec"]["nodeName"] == "n"

    on_server(test)


@pytest.mark.parametrize(("method", "subresource"), [("DELETE", "exec"), ("POST", "log"), ("PUT", "portforward")])
def test_streams_have_methods_too(method: str, subresource: str) -> None:
    async def test(ask: Asker) -> None:
        await running(ask, "p")
        assert (await ask(method, f"{PODS}/p/{subresource}")).status == 405

    on_server(test)


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        (MAPS, {}, "Status"),
        ("/apis/storage.k8s.io/v1/csidrivers", {"spec": {}}, "CSIDriver"),
        ("/apis/node.k8s.io/v1/runtimeclasses", {"handler": "h"}, "Status"),
    ],
)
def test_a_delete_answers_the_object_or_a_status(path: str, body: Any, kind: str) -> None:
    async def test(ask: Asker) -> None:
        assert (await ask("POST", path, {"metadata": {"name": "a"}, **body})).status == 201
        assert (await ask("DELETE", f"{path}/a")).body["kind"] == kind

    on_server(test)


async def events_since(ask: Asker, path: str, version: str) -> list[tuple[str, Any]]:
    told = await ask("GET", f"{path}?watch=1&timeoutSeconds=1&resourceVersion={version}")
    return [(event["type"], event["object"]["metadata"]) for event in told.body]


@pytest.mark.parametrize("is_marked", [False, True])
def test_a_pod_is_marked_before_it_goes_at_once(*, is_marked: bool) -> None:
    """Watchers see that its time is over before they see that it is gone; what is answered is as new as that."""

    async def test(ask: Asker) -> None:
        version = (await ask("POST", PODS, pod("p"))).body["metadata"]["resourceVersion"]
        if is_marked:
            version = (await ask("DELETE", f"{PODS}/p")).body["metadata"]["resourceVersion"]
        gone = (await ask("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 0})).body["metadata"]
        seen = await events_since(ask, PODS, version)
        assert [kind for kind, _ in seen] == ["MODIFIED", "DELETED"]
        assert all(meta["deletionGracePeriodSeconds"] == 0 and meta["deletionTimestamp"] for _, meta in seen)
        assert gone["resourceVersion"] == seen[1][1]["resourceVersion"]
        assert gone["deletionGracePeriodSeconds"] == 0

    on_server(test)


def test_what_is_answered_of_a_delete_is_as_new_as_the_delete() -> None:
    async def test(ask: Asker) -> None:
        path = "/api/v1/namespaces/default/serviceaccounts"
        made = (await ask("POST", path, {"metadata": {"name": "s"}})).body["metadata"]
        gone = (await ask("DELETE", f"{path}/s")).body["metadata"]
        assert int(gone["resourceVersion"]) > int(made["resourceVersion"])
        assert gone == made | {"resourceVersion": gone["resourceVersion"]}

    on_server(test)


@pytest.mark.parametrize(
    ("policy", "finalizers"),
    [
        (None, [HELD]),
        ("Background", [HELD]),
        ("Orphan", [HELD, "orphan"]),
        ("Foreground", [HELD, "foregroundDeletion"]),
    ],
)
def test_what_dependents_become_may_be_said_while_an_object_waits(policy: str | None, finalizers: list[str]) -> None:
    async def test(ask: Asker) -> None:
        await ask("POST", MAPS, {"metadata": {"name": "a", "finalizers": [HELD]}})
        marked = (await ask("DELETE", f"{MAPS}/a")).body["metadata"]
        again = (await ask("DELETE", f"{MAPS}/a", {"propagationPolicy": policy} if policy else None)).body["metadata"]
        assert again["finalizers"] == finalizers
        assert (again["resourceVersion"] == marked["resourceVersion"]) == (finalizers == [HELD])

    on_server(test)


def test_events_have_no_dependents_to_wait_for() -> None:
    async def test(ask: Asker) -> None:
        path = "/api/v1/namespaces/default/events"
        await ask("POST", path, {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}})
        await ask("DELETE", f"{path}/e", {"propagationPolicy": "Foreground"})
        assert (await ask("GET", f"{path}/e")).status == 404

    on_server(test)
