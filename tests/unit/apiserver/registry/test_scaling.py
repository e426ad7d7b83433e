"""A workload's Scale in the forms that kubectl asks for."""

import pytest

from tests.unit.apiserver.asking import Asker, on_server
from tests.unit.apiserver.registry.test_patching import DEFINITION, DEFINITIONS, DEPLOYMENT, DEPLOYMENTS

FOOS = "/apis/example.org/v1/namespaces/default/foos"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
META = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("objects", "made", "path"),
    [
        (DEPLOYMENTS, DEPLOYMENT, f"{DEPLOYMENTS}/d/scale"),
        (FOOS, {"apiVersion": "example.org/v1", "kind": "Foo", "metadata": {"name": "f"}}, f"{FOOS}/f/scale"),
    ],
)
def test_a_scale_is_shown_as_a_table_of_its_own(objects: str, made: dict[str, object], path: str) -> None:
    async def story(ask: Asker) -> None:
        await ask("POST", DEFINITIONS, DEFINITION)
        assert (await ask("POST", objects, made)).status == 201
        assert (await ask("PATCH", path, {"spec": {"replicas": 3}}, kind="application/merge-patch+json")).status == 200
        found = (await ask("GET", path, accept=TABLE)).body
        assert [column["name"] for column in found["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
        assert found["rows"][0]["cells"][1:3] == [3, 0]
        assert (await ask("GET", path, accept=META)).body["kind"] == "PartialObjectMetadata"
        assert (await ask("GET", path)).body["kind"] == "Scale"

    on_server(story)
