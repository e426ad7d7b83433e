"""An operator on kopf, run as its users run one: handlers, finalizers, timers, status patches, events, peering."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest
from kubernetes import client

from tests.clients.conftest import eventually
from tests.clients.objects import crontab

PEERING = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "kopfpeerings.kopf.dev"},
    "spec": {
        "scope": "Namespaced",
        "group": "kopf.dev",
        "names": {"kind": "KopfPeering", "plural": "kopfpeerings", "singular": "kopfpeering"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    }
                },
            }
        ],
    },
}
WHERE = ("clients.example.com", "v1")


@pytest.fixture(scope="module")
def api(kubeconfig: str) -> Iterator[client.ApiClient]:
    with kubernetes.config.new_client_from_config(kubeconfig) as made:
        yield made


@pytest.fixture
def operator(
    api: client.ApiClient, kubeconfig: str, kubepy_namespace: str, crontabs: None, tmp_path: Path
) -> Iterator[Path]:
    """Its log; the operator runs, with a peering of its own."""
    definitions, custom = client.ApiextensionsV1Api(api), client.CustomObjectsApi(api)
    definitions.create_custom_resource_definition(PEERING)
    peering = {"apiVersion": "kopf.dev/v1", "kind": "KopfPeering", "metadata": {"name": "test"}}

    def is_served() -> bool:
        try:
            custom.create_namespaced_custom_object("kopf.dev", "v1", kubepy_namespace, "kopfpeerings", peering)
        except client.exceptions.NotFoundException:
            return False
        return True

    eventually(is_served, "the peering is served")
    command = [sys.executable, "-m", "kopf", "run", "--verbose", "--peering=test", f"--namespace={kubepy_namespace}"]
    command.append(str(Path(__file__).with_name("operator_of_crontabs.py")))
    log = tmp_path / "operator.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "KUBECONFIG": kubeconfig})
    try:
        yield log
    finally:
        process.terminate()
        code = process.wait(20)
        definitions.delete_custom_resource_definition(PEERING["metadata"]["name"])
    assert code == 0, log.read_text()[-2000:]


def test_an_operator_does_its_work(api: client.ApiClient, kubepy_namespace: str, operator: Path) -> None:
    core, custom = client.CoreV1Api(api), client.CustomObjectsApi(api)
    where = (*WHERE, kubepy_namespace, "crontabs")

    def maps() -> dict[str, Any]:
        return {found.metadata.name: found for found in core.list_namespaced_config_map(kubepy_namespace).items}

    def status() -> dict[str, Any]:
        return custom.get_namespaced_custom_object(*where, "a").get("status", {})

    custom.create_namespaced_custom_object(*where, crontab("a"))
    eventually(lambda: "a-child" in maps(), "the child is made")
    eventually(lambda: status().get("create") == {"child": "a-child"}, "the handler's result is in the status")
    found = custom.get_namespaced_custom_object(*where, "a")
    assert found["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
    assert maps()["a-child"].metadata.owner_references[0].uid == found["metadata"]["uid"]
    eventually(lambda: status().get("ticks") == 3, "the timer counts")

    custom.patch_namespaced_custom_object(*where, "a", {"spec": {"image": "new"}})
    eventually(lambda: maps()["a-child"].data == {"image": "new"}, "the child follows")
    eventually(lambda: status().get("changes") == 1, "the update is told of")

    core.create_namespaced_secret(kubepy_namespace, {"metadata": {"name": "s", "labels": {"watched": "yes"}}})
    eventually(lambda: "s-seen" in maps(), "the secret is seen")
    peering = custom.get_namespaced_custom_object("kopf.dev", "v1", kubepy_namespace, "kopfpeerings", "test")
    assert len(peering["status"]) == 1
    events = core.list_namespaced_event(kubepy_namespace, field_selector="involvedObject.kind=CronTab").items
    assert "the child is made" in {event.message for event in events}

    custom.delete_namespaced_custom_object(*where, "a")
    eventually(lambda: "a-goodbye" in maps(), "the handler of the deletion runs")
    eventually(lambda: not custom.list_namespaced_custom_object(*where)["items"], "the object is let go")
    eventually(lambda: "a-child" not in maps(), "the child goes with its owner")
    assert "Traceback" not in operator.read_text()
