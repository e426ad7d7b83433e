"""What strategies of the core group keep, drop and fill in, seen through a server."""

from typing import Any

from tests.unit.apiserver.asking import Asker, on_server

PODS = "/api/v1/namespaces/default/pods"


def pod(name: str = "p", **spec: Any) -> Any:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "x"}], **spec}}


def test_how_a_kubelet_is_configured_is_not_said_of_nodes() -> None:
    async def test(ask: Asker) -> None:
        node = {"metadata": {"name": "n"}, "spec": {"configSource": {}}, "status": {"config": {"error": "x"}}}
        made = await ask("POST", "/api/v1/nodes", node)
        assert made.status == 201
        assert made.warnings == []
        assert "configSource" not in made.body["spec"]
        assert "config" not in made.body["status"]
        changed = await ask("PUT", "/api/v1/nodes/n", node)
        assert "configSource" not in changed.body["spec"]
        status = await ask("PUT", "/api/v1/nodes/n/status", node)
        assert "config" not in status.body["status"]

    on_server(test)


def test_which_generation_was_seen_stays_in_a_status() -> None:
    async def test(ask: Asker) -> None:
        made = (await ask("POST", PODS, pod())).body
        ready = {"type": "Ready", "status": "False", "observedGeneration": 1}
        made["status"] = {"observedGeneration": 1, "conditions": [ready]}
        assert (await ask("PUT", f"{PODS}/p/status", made)).status == 200
        made["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}, {"type": "a/b"}]}
        made["metadata"].pop("resourceVersion")
        status = (await ask("PUT", f"{PODS}/p/status", made)).body["status"]
        assert status["observedGeneration"] == 1
        assert [condition.get("observedGeneration") for condition in status["conditions"]] == [1, None]

    on_server(test)
