"""What a server makes of an object beside judging it: a status as it begins, what a status's write leaves alone."""

from typing import Any

import pytest

from tests.unit.apiserver.asking import MERGE, Asker, on_server

ATTACHMENT = {"attacher": "a.b", "nodeName": "n", "source": {"persistentVolumeName": "v"}}


def test_a_status_begins_empty_but_for_what_go_always_shows() -> None:
    async def test(ask: Asker) -> None:
        path = "/apis/storage.k8s.io/v1/volumeattachments"
        told = await ask("POST", path, {"metadata": {"name": "a"}, "spec": ATTACHMENT, "status": {"attached": True}})
        assert told.body["status"] == {"attached": False}

    on_server(test)


def test_a_csi_driver_is_counted_from_its_first_change() -> None:
    async def test(ask: Asker) -> None:
        path = "/apis/storage.k8s.io/v1/csidrivers"
        made = await ask("POST", path, {"metadata": {"name": "a"}, "spec": {}})
        changed = await ask("PATCH", f"{path}/a", {"spec": {"requiresRepublish": True}}, kind=MERGE)
        assert "generation" not in made.body["metadata"]
        assert changed.body["metadata"]["generation"] == 1

    on_server(test)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("storage.k8s.io/v1/volumeattachments", {"spec": ATTACHMENT}),
        ("flowcontrol.apiserver.k8s.io/v1/flowschemas", {"spec": {"priorityLevelConfiguration": {"name": "exempt"}}}),
        ("resource.k8s.io/v1/namespaces/default/resourceclaims", {"spec": {}}),
    ],
)
def test_a_write_of_the_status_leaves_labels_and_the_like_alone(path: str, body: Any) -> None:
    async def test(ask: Asker) -> None:
        assert (await ask("POST", f"/apis/{path}", {"metadata": {"name": "a"}, **body})).status == 201
        change = {"metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}, "finalizers": ["a/b"]}}
        told = await ask("PATCH", f"/apis/{path}/a/status", change, kind=MERGE)
        assert told.status == 200
        assert not told.body["metadata"].keys() & change["metadata"].keys()

    on_server(test)
