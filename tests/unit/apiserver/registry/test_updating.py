"""Which kinds a PUT may make, and which of them it may overwrite without saying what."""

from typing import Any

import pytest

from tests.unit.apiserver.asking import Asker, on_server

MAPS = "/api/v1/namespaces/default/configmaps"
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
