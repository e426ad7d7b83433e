"""Custom kinds in OpenAPI documents: version 3 says all, version 2 what kubectl understands."""

from typing import Any

from kubepy.api.openapi_custom import published
from kubepy.api.openapi_schemas import V2_PREFIX, V3_PREFIX

MARK = {"x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "W"}]}
KEEPS = {"x-kubernetes-preserve-unknown-fields": True}


def both(**properties: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    schema = {"type": "object", "required": ["n"], "properties": properties, **MARK}
    v2 = published(schema, V2_PREFIX, is_v2=True)
    return v2, published(schema, V3_PREFIX, is_v2=False)


def test_enums_are_told_and_junctors_only_in_version_3() -> None:
    v2, v3 = both(n={"type": "string", "enum": ["a"], "anyOf": [{"pattern": "x"}]})
    assert v2["properties"]["n"] == {"type": "string", "enum": ["a"]}
    assert v3["properties"]["n"] == {"type": "string", "enum": ["a"], "anyOf": [{"pattern": "x"}]}
    assert v2["properties"]["metadata"]["$ref"] == f"{V2_PREFIX}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    assert v3["properties"]["kind"]["description"].startswith("Kind is a string value")
    assert v2["x-kubernetes-group-version-kind"] == MARK["x-kubernetes-group-version-kind"]


def test_version_2_says_nothing_of_what_may_be_anything() -> None:
    inner = {"type": "object", "properties": {"a": {"type": "string"}}}
    v2, v3 = both(n={**inner, "nullable": True}, keeps={**inner, **KEEPS})
    assert v2["properties"]["n"] == {}
    assert v2["properties"]["keeps"] == KEEPS
    assert "required" not in v2
    assert v3["required"] == ["n"]
    assert v3["properties"]["keeps"] == {**inner, **KEEPS}


def test_kind_that_keeps_everything_has_no_fields_in_version_2() -> None:
    schema = {"type": "object", **KEEPS, **MARK}
    assert published(schema, V2_PREFIX, is_v2=True) == {"type": "object", **MARK}
    assert set(published(schema, V3_PREFIX, is_v2=False)["properties"]) == {"apiVersion", "kind", "metadata"}


def test_embedded_objects_have_the_fields_of_objects() -> None:
    v2, v3 = both(n={"type": "object", "x-kubernetes-embedded-resource": True, **KEEPS})
    for document in (v2, v3):
        assert set(document["properties"]["n"]["properties"]) == {"apiVersion", "kind", "metadata"}
