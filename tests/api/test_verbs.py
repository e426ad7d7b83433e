"""The verbs over HTTPS, as a plain HTTP client sees them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.serving import Api, on_api

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
MERGE = "application/merge-patch+json"


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }


def test_object_lives_through_all_verbs(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        code, made = await api.call("POST", MAPS, config_map("a", x="1"))
        assert (code, made["data"]) == (201, {"x": "1"})
        assert (await api.call("POST", MAPS, config_map("a")))[0] == 409
        code, found = await api.call("GET", f"{MAPS}/a")
        assert (code, found) == (200, made)

        found["data"]["x"] = "2"
        code, updated = await api.call("PUT", f"{MAPS}/a", found)
        assert code == 200
        assert updated["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
        code, status = await api.call("PUT", f"{MAPS}/a", {**found, "data": {"x": "3"}})
        assert (code, status["reason"]) == (409, "Conflict")
        code, same = await api.call("PUT", f"{MAPS}/a", updated)
        assert same["metadata"]["resourceVersion"] == updated["metadata"]["resourceVersion"]

        code, patched = await api.call("PATCH", f"{MAPS}/a", {"data": {"y": "4", "x": None}}, kind=MERGE)
        assert (code, patched["data"]) == (200, {"y": "4"})
        code, status = await api.call("DELETE", f"{MAPS}/a")
        assert (code, status["status"]) == (200, "Success")
        assert (await api.call("GET", f"{MAPS}/a"))[0] == 404

    on_api(tmp_path, test)


def test_nothing_is_stored_of_what_is_refused(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        code, status = await api.call("POST", MAPS, config_map("Bad_Name"))
        assert (code, status["reason"]) == (422, "Invalid")
        assert status["details"]["causes"][0]["field"] == "metadata.name"
        code, status = await api.call("POST", f"{MAPS}?fieldValidation=Strict", {**config_map("b"), "bogus": 1})
        assert code == 400
        assert 'unknown field "bogus"' in status["message"]
        code, status = await api.call("POST", MAPS, {**config_map("b"), "data": "text"})
        assert (code, status["reason"]) == (400, "BadRequest")
        code, dry = await api.call("POST", f"{MAPS}?dryRun=All", config_map("b"))
        assert (code, dry["metadata"]["name"]) == (201, "b")
        assert (await api.call("GET", f"{MAPS}/b"))[0] == 404

    on_api(tmp_path, test)


def test_unknown_fields_are_warned_of(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        async with api.session.post(api.url + MAPS, json={**config_map("w"), "bogus": 1}) as answer:
            assert answer.status == 201
            assert answer.headers["Warning"] == '299 - "unknown field \\"bogus\\""'

    on_api(tmp_path, test)


def test_pages_show_the_state_of_the_first_one(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        for name in "abcde":
            await api.call("POST", MAPS, config_map(name))
        _, page = await api.call("GET", f"{MAPS}?limit=2")
        names = [item["metadata"]["name"] for item in page["items"]]
        assert page["metadata"]["remainingItemCount"] > 0
        await api.call("DELETE", f"{MAPS}/d")
        await api.call("POST", MAPS, config_map("aa"))
        while token := page["metadata"].get("continue"):
            _, page = await api.call("GET", f"{MAPS}?limit=2&continue={token}")
            names += [item["metadata"]["name"] for item in page["items"]]
        assert [name for name in names if len(name) < 3] == ["a", "b", "c", "d", "e"]

    on_api(tmp_path, test)


def test_lists_are_narrowed_by_labels_and_fields(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        await api.call("POST", PODS, pod("one"))
        await api.call("POST", PODS, pod("two", nodeName="n1"))

        async def names(query: str) -> list[str]:
            _, found = await api.call("GET", f"{PODS}?{query}")
            return [item["metadata"]["name"] for item in found["items"]]

        assert await names("labelSelector=app%20in%20(one,three)") == ["one"]
        assert await names("fieldSelector=spec.nodeName%3Dn1") == ["two"]
        assert await names("fieldSelector=metadata.name!%3Dtwo") == ["one"]
        assert (await api.call("GET", f"{PODS}?fieldSelector=spec.bogus%3D1"))[0] == 400

    on_api(tmp_path, test)


async def next_event(lines: aiohttp.StreamReader) -> tuple[str, dict[str, Any]]:
    event = json.loads(await asyncio.wait_for(lines.readline(), 10))
    return event["type"], event["object"]


def test_watch_tells_every_change_in_order(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        _, listed = await api.call("GET", MAPS)
        version = listed["metadata"]["resourceVersion"]
        async with api.session.get(f"{api.url}{MAPS}?watch=1&resourceVersion={version}") as stream:
            assert stream.content_type == "application/json"
            await api.call("POST", MAPS, config_map("w", x="1"))
            await api.call("PATCH", f"{MAPS}/w", {"data": {"x": "2"}}, kind=MERGE)
            await api.call("DELETE", f"{MAPS}/w")
            seen = [await next_event(stream.content) for _ in range(3)]
        assert [kind for kind, _ in seen] == ["ADDED", "MODIFIED", "DELETED"]
        versions = [int(obj["metadata"]["resourceVersion"]) for _, obj in seen]
        assert versions == sorted(set(versions))

        async with api.session.get(f"{api.url}{MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=1") as stream:
            text = await asyncio.wait_for(stream.text(), 10)
        assert [json.loads(line)["type"] for line in text.splitlines()] == ["ADDED", "MODIFIED", "DELETED"]

    on_api(tmp_path, test)


def test_watch_list_ends_its_beginning_with_a_bookmark(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        await api.call("POST", MAPS, config_map("w"))
        query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        async with api.session.get(f"{api.url}{MAPS}?{query}") as stream:
            kinds = []
            while True:
                kind, obj = await next_event(stream.content)
                kinds.append(kind)
                if kind == "BOOKMARK":
                    break
        assert obj["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert set(kinds[:-1]) == {"ADDED"}

    on_api(tmp_path, test)


def test_watch_of_a_table_sends_rows(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        await api.call("POST", PODS, pod("one"))
        accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        async with api.session.get(f"{api.url}{PODS}?watch=1", headers=accept) as stream:
            kind, table = await next_event(stream.content)
            assert (kind, table["kind"], table["rows"][0]["cells"][0]) == ("ADDED", "Table", "one")
            assert table["columnDefinitions"][0]["name"] == "Name"
            await api.call("POST", PODS, pod("two"))
            _, table = await next_event(stream.content)
            assert table["columnDefinitions"] is None

    on_api(tmp_path, test)


def test_pod_on_a_node_is_deleted_with_grace(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        await api.call("POST", PODS, pod("p"))
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"name": "n1"}}
        assert (await api.call("POST", f"{PODS}/p/binding", binding))[0] == 201
        assert (await api.call("POST", f"{PODS}/p/binding", binding))[0] == 409
        code, marked = await api.call("DELETE", f"{PODS}/p")
        assert (code, marked["metadata"]["deletionGracePeriodSeconds"]) == (200, 30)
        assert (await api.call("GET", f"{PODS}/p"))[0] == 200
        assert (await api.call("DELETE", f"{PODS}/p?gracePeriodSeconds=0"))[0] == 200
        assert (await api.call("GET", f"{PODS}/p"))[0] == 404

    on_api(tmp_path, test)


def test_finalizers_are_waited_for(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        held = config_map("f")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await api.call("POST", MAPS, held)
        code, marked = await api.call("DELETE", f"{MAPS}/f")
        assert (code, bool(marked["metadata"]["deletionTimestamp"])) == (200, True)
        code, _ = await api.call("PATCH", f"{MAPS}/f", {"metadata": {"finalizers": None}}, kind=MERGE)
        assert code == 200
        assert (await api.call("GET", f"{MAPS}/f"))[0] == 404

    on_api(tmp_path, test)


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
def test_propagation_is_left_to_the_garbage_collector(tmp_path: Path, policy: str, finalizer: str) -> None:
    async def test(api: Api) -> None:
        await api.call("POST", MAPS, config_map("g"))
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy}
        _, marked = await api.call("DELETE", f"{MAPS}/g", options)
        assert marked["metadata"]["finalizers"] == [finalizer]

    on_api(tmp_path, test)


def test_preconditions_guard_a_delete(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        _, made = await api.call("POST", MAPS, config_map("g"))
        options = {"preconditions": {"uid": "another"}}
        assert (await api.call("DELETE", f"{MAPS}/g", options))[0] == 409
        options = {"preconditions": {"uid": made["metadata"]["uid"]}}
        assert (await api.call("DELETE", f"{MAPS}/g", options))[0] == 200

    on_api(tmp_path, test)


def test_collection_is_deleted_by_selector(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        for name in ("one", "two"):
            await api.call("POST", PODS, pod(name))
        assert (await api.call("DELETE", f"{PODS}?labelSelector=app%3Done"))[0] == 200
        _, left = await api.call("GET", PODS)
        assert [item["metadata"]["name"] for item in left["items"]] == ["two"]

    on_api(tmp_path, test)


def test_eviction_honours_the_disruption_budget(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        await api.call("POST", PODS, pod("p", nodeName="n1"))
        running = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
        await api.call("PATCH", f"{PODS}/p/status", running, kind=MERGE)
        budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
        budget = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "p"}}}}
        await api.call("POST", budgets, budget)
        status = {"observedGeneration": 1, "disruptionsAllowed": 0, "desiredHealthy": 1, "currentHealthy": 1,
                  "expectedPods": 1}  # fmt: skip
        await api.call("PATCH", f"{budgets}/b/status", {"status": status}, kind=MERGE)
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
        code, refused = await api.call("POST", f"{PODS}/p/eviction", eviction)
        assert (code, refused["details"]["causes"][0]["reason"]) == (429, "DisruptionBudget")
        await api.call("PATCH", f"{budgets}/b/status", {"status": {"disruptionsAllowed": 1}}, kind=MERGE)
        assert (await api.call("POST", f"{PODS}/p/eviction", eviction))[0] == 201
        _, pod_now = await api.call("GET", f"{PODS}/p")
        assert pod_now["metadata"]["deletionTimestamp"]
        _, budget_now = await api.call("GET", f"{budgets}/b")
        assert (budget_now["status"]["disruptionsAllowed"], list(budget_now["status"]["disruptedPods"])) == (0, ["p"])

    on_api(tmp_path, test)


def test_service_is_given_an_address_and_ports_of_its_own(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        services = "/api/v1/namespaces/default/services"
        port = {"port": 80, "nodePort": 30080}
        spec = {"type": "NodePort", "clusterIP": "10.96.0.77", "ports": [port]}
        code, made = await api.call("POST", services, {"metadata": {"name": "a"}, "spec": spec})
        assert (code, made["spec"]["clusterIPs"]) == (201, ["10.96.0.77"])
        code, status = await api.call("POST", services, {"metadata": {"name": "b"}, "spec": spec})
        assert code == 422
        assert [cause["field"] for cause in status["details"]["causes"]] == ["spec.clusterIPs"]
        free_address = {**spec, "clusterIP": "10.96.0.78"}
        code, status = await api.call("POST", services, {"metadata": {"name": "b"}, "spec": free_address})
        assert [cause["field"] for cause in status["details"]["causes"]] == ["spec.ports[0].nodePort"]
        await api.call("DELETE", f"{services}/a")
        assert (await api.call("POST", services, {"metadata": {"name": "b"}, "spec": spec}))[0] == 201

    on_api(tmp_path, test)


def test_what_is_accepted_but_unwise_is_warned_of(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        async with api.session.get(f"{api.url}/api/v1/namespaces/default/endpoints") as answer:
            assert answer.headers.getall("Warning") == [
                '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
            ]
        env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
        spec = {"containers": [{"name": "c", "image": "i", "env": env}]}
        body = {"metadata": {"name": "p"}, "spec": spec}
        async with api.session.post(f"{api.url}{PODS}", json=body) as answer:
            assert answer.status == 201
            assert "hides previous definition" in answer.headers["Warning"]

    on_api(tmp_path, test)


def test_health_discovery_and_metrics_answer(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        assert await api.call("GET", "/readyz") == (200, "ok")
        code, text = await api.call("GET", "/livez?verbose")
        assert (code, "[+]ping ok" in text) == (200, True)
        assert (await api.call("GET", "/healthz/etcd"))[0] == 200
        _, version = await api.call("GET", "/version")
        assert version["gitVersion"].startswith("v1.37.0")
        _, groups = await api.call("GET", "/apis")
        assert "apps" in [group["name"] for group in groups["groups"]]
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        _, aggregated = await api.call("GET", "/apis", accept=accept)
        assert aggregated["kind"] == "APIGroupDiscoveryList"
        _, index = await api.call("GET", "/openapi/v3")
        code, document = await api.call("GET", index["paths"]["apis/apps/v1"]["serverRelativeURL"])
        assert (code, "/apis/apps/v1/namespaces/{namespace}/deployments" in document["paths"]) == (200, True)
        code, metrics = await api.call("GET", "/metrics")
        assert 'apiserver_request_total{code="200"' in metrics

    on_api(tmp_path, test)


def test_strangers_are_told_apart_and_kept_out(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as nobody:
            async with nobody.get(f"{api.url}/api/v1/pods") as answer:
                assert answer.status == 403
                assert 'User "system:anonymous" cannot list resource "pods"' in (await answer.json())["message"]
            async with nobody.get(f"{api.url}/api", headers={"Authorization": "Bearer wrong"}) as answer:
                assert answer.status == 401

    on_api(tmp_path, test)


def test_custom_resources_are_served_as_soon_as_they_are_defined(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        number = {"type": "integer", "minimum": 1, "default": 3}
        schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"n": number}}}}
        definition = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com",
                "names": {"kind": "Widget", "plural": "widgets"},
                "scope": "Namespaced",
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
            },
        }
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        assert (await api.call("POST", definitions, definition))[0] == 201
        widgets = "/apis/example.com/v1/namespaces/default/widgets"
        widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"bogus": 1}}
        code, made = await api.call("POST", widgets, widget)
        assert (code, made["spec"]) == (201, {"n": 3})
        code, status = await api.call("PATCH", f"{widgets}/w", {"spec": {"n": 0}}, kind=MERGE)
        assert (code, status["details"]["causes"][0]["field"]) == (422, "spec.n")
        assert (await api.call("DELETE", f"{definitions}/widgets.example.com"))[0] == 200
        async with asyncio.timeout(10):
            while (await api.call("GET", widgets))[0] != 404:
                await asyncio.sleep(0.01)
        assert (await api.call("GET", f"{definitions}/widgets.example.com"))[0] == 404

    on_api(tmp_path, test)


@pytest.mark.parametrize("protocols", [(), ("base64.binary.k8s.io",)])
def test_watches_go_over_websocket(tmp_path: Path, protocols: tuple[str, ...]) -> None:
    async def test(api: Api) -> None:
        path = "/api/v1/namespaces/default/configmaps"
        await api.call("POST", path, {"metadata": {"name": "before"}})
        url = f"{api.url}{path}?watch=1&resourceVersion=0&allowWatchBookmarks=true"
        async with api.session.ws_connect(url, protocols=protocols) as socket:
            assert socket.protocol == (protocols[0] if protocols else None)
            first, mark = await socket.receive_json(), await socket.receive_json()
            assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "before")
            assert mark["type"] == "BOOKMARK"
            await api.call("POST", path, {"metadata": {"name": "after"}})
            await api.call("DELETE", f"{path}/after")
            assert [(await socket.receive_json())["type"] for _ in range(2)] == ["ADDED", "DELETED"]
        async with api.session.ws_connect(f"{url}&timeoutSeconds=1&labelSelector=none") as socket:
            assert (await socket.receive_json())["type"] == "BOOKMARK"
            assert (await socket.receive()).type == aiohttp.WSMsgType.CLOSE
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await api.session.ws_connect(f"{url}&fieldSelector=odd%3D1")
        assert refused.value.status == 400

    on_api(tmp_path, test)


def test_what_is_answered_and_forgotten_is_no_row_of_a_table(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
        table = "application/json;as=Table;g=meta.k8s.io;v=v1"
        status, told = await api.call("POST", path, review, accept=table)
        assert (status, told["reason"]) == (406, "NotAcceptable")
        assert (await api.call("POST", path, review, accept=f"{table},application/json"))[0] == 201
        assert (await api.call("POST", path, review))[0] == 201

    on_api(tmp_path, test)
