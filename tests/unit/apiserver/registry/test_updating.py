"""Which kinds a PUT may make, and which of them it may overwrite without saying what."""

from typing import Any

import pytest

from tests.unit.apiserver.asking import MERGE, Asker, on_server

MAPS = "/api/v1/namespaces/default/configmaps"
SCHEMA = {"priorityLevelConfiguration": {"name": "exempt"}}
PORTS = {"spec": {"ports": [{"port": 80}]}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/apis/node.k8s.io/v1/runtimeclasses", {"handler": "h"}),
        ("/apis/coordination.k8s.io/v1/namespaces/default/leases", {}),
    ],
)
def test_a_put_makes_some_kinds_but_overwrites_them_only_knowingly(path: str, body: Any) -> None:
    async def test(ask: Asker) -> None:
        obj = {"metadata": {"name": "a"}, **body}
        assert (await ask("PUT", f"{path}/a", obj)).status == 201
        told = await ask("PUT", f"{path}/a", obj)
        assert told.status == 422
        assert told.message.endswith("metadata.resourceVersion: Invalid value: 0: must be specified for an update")

    on_server(test)


def test_a_put_makes_and_overwrites_a_service() -> None:
    async def test(ask: Asker) -> None:
        path = "/api/v1/namespaces/default/services/a"
        made = await ask("PUT", path, {"metadata": {"name": "a"}, **PORTS})
        same = await ask("PUT", path, {"metadata": {"name": "a"}, **PORTS})
        assert (made.status, same.status) == (201, 200)
        assert made.body["metadata"]["resourceVersion"] == same.body["metadata"]["resourceVersion"]

    on_server(test)


@pytest.mark.parametrize(
    ("meta", "status", "why"),
    [
        ({"resourceVersion": "1"}, 409, "the object has been modified"),
        ({"resourceVersion": "x"}, 500, 'strconv.ParseUint: parsing "x": invalid syntax'),
        ({"resourceVersion": "0"}, 200, ""),
        ({"uid": "other"}, 409, "Precondition failed: UID in precondition: other, UID in object meta: "),
    ],
)
def test_a_put_may_say_what_it_overwrites(meta: Any, status: int, why: str) -> None:
    async def test(ask: Asker) -> None:
        await ask("POST", MAPS, {"metadata": {"name": "a"}})
        told = await ask("PUT", f"{MAPS}/a", {"metadata": {"name": "a", **meta}})
        assert told.status == status
        assert why in told.body.get("message", "")

    on_server(test)


def test_a_put_makes_what_is_gone_unless_it_means_that_very_object() -> None:
    async def test(ask: Asker) -> None:
        path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/a"
        gone = await ask("PUT", path, {"metadata": {"name": "a", "uid": "u", "resourceVersion": "5"}})
        assert (gone.status, gone.message) == (
            409,
            'Operation cannot be fulfilled on leases.coordination.k8s.io "a": StorageError: invalid object, Code: 4, '
            "Key: /registry/leases/default/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
            "UID in precondition: u, UID in object meta: ",
        )
        assert (await ask("PUT", path, {"metadata": {"name": "a", "resourceVersion": "5"}})).status == 201
        assert (await ask("PUT", f"{MAPS}/a", {"metadata": {"name": "a", "uid": "u"}})).status == 404

    on_server(test)


def test_what_is_judged_twice_is_two_causes_but_said_once() -> None:
    async def test(ask: Asker) -> None:
        await ask("POST", MAPS, {"metadata": {"name": "a"}})
        told = await ask("PUT", f"{MAPS}/a", {"metadata": {"name": "a", "labels": {"a": "-b"}}})
        causes = told.body["details"]["causes"]
        assert len(causes) > 1
        assert {cause["field"] for cause in causes} == {"metadata.labels"}
        assert told.message.count("metadata.labels") == 1

    on_server(test)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("apps/v1/namespaces/default/controllerrevisions", {"revision": 1, "data": {"a": "b"}}, 200),
        (
            "flowcontrol.apiserver.k8s.io/v1/flowschemas",
            {"spec": {"priorityLevelConfiguration": {"name": "exempt"}}},
            200,
        ),
        ("resource.k8s.io/v1/devicetaintrules", {"spec": {"taint": {"key": "a.b/c", "effect": "NoSchedule"}}}, 422),
        ("storagemigration.k8s.io/v1/storageversionmigrations", {"spec": {"resource": {"resource": "pods"}}}, 422),
    ],
)
def test_some_kinds_are_overwritten_only_knowingly(path: str, body: Any, status: int) -> None:
    async def test(ask: Asker) -> None:
        obj = {"metadata": {"name": "a"}, **body}
        assert (await ask("POST", f"/apis/{path}", obj)).status == 201
        obj["metadata"]["labels"] = {"a": "b"}
        assert (await ask("PUT", f"/apis/{path}/a", obj)).status == status

    on_server(test)


def test_an_autoscaler_s_spec_is_counted_at_every_version() -> None:
    async def test(ask: Asker) -> None:
        at = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
        spec = {"maxReplicas": 3, "scaleTargetRef": {"kind": "ReplicationController", "name": "x"}}
        made = await ask("POST", at.format("v1"), {"metadata": {"name": "a"}, "spec": spec})
        assert made.body["metadata"]["generation"] == 1
        changed = await ask("PATCH", f"{at.format('v1')}/a", {"spec": {"maxReplicas": 4}}, kind=MERGE)
        assert changed.body["metadata"]["generation"] == 2
        told = await ask("PATCH", f"{at.format('v2')}/a/status", {"status": {"currentReplicas": 4}}, kind=MERGE)
        assert told.body["metadata"]["generation"] == 2

    on_server(test)


def test_a_taint_holds_from_when_it_is_given_or_changed() -> None:
    async def test(ask: Asker) -> None:
        path = "/apis/resource.k8s.io/v1/devicetaintrules"
        taint = {"key": "a.b/c", "effect": "NoSchedule"}
        made = await ask("POST", path, {"metadata": {"name": "a"}, "spec": {"taint": taint}})
        assert made.body["spec"]["taint"]["timeAdded"]
        old = {"effect": "NoSchedule", "timeAdded": "2020-01-01T00:00:00Z"}
        kept = await ask("PATCH", f"{path}/a", {"spec": {"taint": old}}, kind=MERGE)
        assert kept.body["spec"]["taint"]["timeAdded"] == old["timeAdded"]
        changed = await ask("PATCH", f"{path}/a", {"spec": {"taint": {"effect": "NoExecute"}}}, kind=MERGE)
        assert changed.body["spec"]["taint"]["timeAdded"] > old["timeAdded"]
        assert changed.body["metadata"]["generation"] == 3

    on_server(test)
