"""OpenAPI: documents that close over their references, in both versions and in protobuf."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from kubepy.api import openapi, openapi_proto
from kubepy.api.openapi_schemas import references
from kubepy.api.resources import BUILT_IN, Resource

WIDGET = Resource("golden.test", "v1", "Widget", "widgets", "widget", namespaced=True, stored_as="golden.test/widgets")
WIDGET_SCHEMA = {"type": "object", "properties": {"spec": {"type": "object", "description": "What it is to be."}}}


@pytest.fixture(scope="module")
def api() -> openapi.OpenApi:
    return openapi.OpenApi([*BUILT_IN, WIDGET], {("golden.test/v1", "Widget"): WIDGET_SCHEMA})


@pytest.fixture(scope="module")
def v2(api: openapi.OpenApi) -> dict[str, Any]:
    return orjson.loads(api.v2().body())  # type: ignore[no-any-return]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


def test_every_reference_of_v2_is_defined(v2: dict[str, Any]) -> None:
    assert set(references(v2["paths"])) | set(references(v2["definitions"])) <= v2["definitions"].keys()


def test_no_null_type_and_no_json_schema_reference_is_left(v2: dict[str, Any]) -> None:
    text = orjson.dumps(v2)
    assert b'"null"' not in text
    assert b"#/$defs/" not in text


def test_operation_ids_are_unique(v2: dict[str, Any]) -> None:
    found = [operation["operationId"] for _, _, operation in operations(v2)]
    assert len(found) == len(set(found))
    assert {"listCoreV1NamespacedPod", "readAppsV1NamespacedDeploymentStatus", "createCoreV1Namespace"} <= set(found)


def test_patches_tell_of_dry_run_and_field_validation(api: openapi.OpenApi, v2: dict[str, Any]) -> None:
    answer = api.v3("apis/apps/v1")
    assert answer
    for document in (v2, orjson.loads(answer.body())):
        for _, method, operation in operations(document):
            if method == "patch" and operation["x-kubernetes-action"] == "patch":
                names = {parameter["name"] for parameter in operation["parameters"]}
                assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= names
                assert operation["x-kubernetes-group-version-kind"]["kind"]


def test_parameters_are_described_in_the_words_that_upstreams_kubectl_suite_looks_for(v2: dict[str, Any]) -> None:
    text = orjson.dumps(v2).decode()
    assert all(words in text for words in ("list of returned", "Watch for changes to the described resources"))


def test_every_document_of_v3_is_closed_and_small_ones_stay_small(api: openapi.OpenApi) -> None:
    for place in api.v3_index()["paths"]:
        answer = api.v3(place)
        assert answer
        document = orjson.loads(answer.body())
        schemas = document["components"]["schemas"]
        assert set(references(document["paths"])) | set(references(schemas)) <= schemas.keys()
        assert all(path.startswith(f"/{place}/") for path in document["paths"])
    lease = api.v3("apis/coordination.k8s.io/v1")
    assert lease
    assert b"PodSpec" not in lease.body()


def test_the_index_links_to_what_is_there(api: openapi.OpenApi) -> None:
    links = api.v3_index()["paths"]
    assert links["api/v1"]["serverRelativeURL"].startswith("/openapi/v3/api/v1?hash=")
    assert api.v3("apis/none/v1") is None
    assert (
        links == openapi.OpenApi([*BUILT_IN, WIDGET], {("golden.test/v1", "Widget"): WIDGET_SCHEMA}).v3_index()["paths"]
    )


def test_another_schema_of_a_custom_kind_gives_another_hash(api: openapi.OpenApi) -> None:
    other = openapi.OpenApi([*BUILT_IN, WIDGET], {("golden.test/v1", "Widget"): {"type": "object"}})
    mine, its = api.v3_index()["paths"], other.v3_index()["paths"]
    assert mine["apis/golden.test/v1"] != its["apis/golden.test/v1"]
    assert mine["apis/apps/v1"] == its["apis/apps/v1"]


def test_custom_kinds_are_described(api: openapi.OpenApi, v2: dict[str, Any]) -> None:
    found = v2["definitions"]["test.golden.v1.Widget"]
    assert found["properties"]["spec"]["description"] == "What it is to be."
    assert found["properties"]["metadata"]["$ref"].endswith("meta.v1.ObjectMeta")
    assert found["x-kubernetes-group-version-kind"] == [{"group": "golden.test", "version": "v1", "kind": "Widget"}]
    answer = api.v3("apis/golden.test/v1")
    assert answer
    assert "test.golden.v1.Widget" in orjson.loads(answer.body())["components"]["schemas"]


def test_lists_of_custom_kinds_are_described_under_their_own_name() -> None:
    row = replace(WIDGET, listed_as="Widgets")
    made = openapi.OpenApi([row], {("golden.test/v1", "Widget"): WIDGET_SCHEMA})
    answer = made.v3("apis/golden.test/v1")
    assert answer
    document = orjson.loads(answer.body())
    found = document["components"]["schemas"]["test.golden.v1.Widgets"]
    assert found["properties"]["items"]["items"] == {"$ref": "#/components/schemas/test.golden.v1.Widget"}
    assert found["x-kubernetes-group-version-kind"] == [{"group": "golden.test", "version": "v1", "kind": "Widgets"}]
    listed = document["paths"]["/apis/golden.test/v1/widgets"]["get"]["responses"]["200"]["content"]
    assert listed["application/json"]["schema"] == {"$ref": "#/components/schemas/test.golden.v1.Widgets"}
    assert list(listed) == ["application/json", "application/yaml"]


def test_quantities_have_the_shape_of_each_version(api: openapi.OpenApi, v2: dict[str, Any]) -> None:
    name = "io.k8s.apimachinery.pkg.api.resource.Quantity"
    core = api.v3("api/v1")
    assert core
    assert v2["definitions"][name]["type"] == "string"
    assert orjson.loads(core.body())["components"]["schemas"][name]["oneOf"] == [{"type": "string"}, {"type": "number"}]


def test_fields_named_like_keywords_survive(v2: dict[str, Any]) -> None:
    props = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
    fields = v2["definitions"][props]["properties"]
    assert {"$ref", "type", "enum", "items", "properties"} <= fields.keys()
    assert fields["enum"]["type"] == "array"


def test_the_protobuf_says_the_same_as_the_json(v2: dict[str, Any]) -> None:
    message = openapi_proto._document_class().FromString(openapi_proto.encode(v2))
    assert message.swagger == "2.0"
    definitions = {entry.name: entry.value for entry in message.definitions.additional_properties}
    assert definitions.keys() == v2["definitions"].keys()
    deployment = definitions["io.k8s.api.apps.v1.Deployment"]
    fields = {entry.name: entry.value for entry in deployment.properties.additional_properties}
    assert fields["spec"]._ref == "#/definitions/io.k8s.api.apps.v1.DeploymentSpec"
    marks = {entry.name: orjson.loads(entry.value.yaml) for entry in deployment.vendor_extension}
    assert marks["x-kubernetes-group-version-kind"] == [{"group": "apps", "kind": "Deployment", "version": "v1"}]
    paths = {entry.name: entry.value for entry in message.paths.path}
    assert paths.keys() == v2["paths"].keys()
    patch = paths["/api/v1/namespaces/{namespace}/pods/{name}"].patch
    queries = [entry.parameter.non_body_parameter.query_parameter_sub_schema.name for entry in patch.parameters]
    assert "dryRun" in queries


def test_v2_is_answered_as_asked_for(api: openapi.OpenApi) -> None:
    assert api.v2("application/json").content_type == openapi.JSON
    answer = api.v2(f"{openapi.V2_PROTOBUF}, */*")
    assert answer.content_type == openapi.V2_PROTOBUF_ANSWERED
    assert answer is api.v2(openapi.V2_PROTOBUF_ANSWERED)
    assert len(answer.gzipped) < len(answer.body()) / 4
