"""OpenAPI documents of several servers as one."""

from typing import Any

from kubepy.api.openapi_merge import merge_v2


def document(path: str, description: str) -> dict[str, Any]:
    answer = {"200": {"schema": {"$ref": "#/definitions/A"}}}
    return {
        "paths": {path: {"get": {"responses": answer}}, "/version": {}},
        "definitions": {
            "A": {"properties": {"b": {"$ref": "#/definitions/B"}}},
            "B": {"description": description},
            "C": {"type": "object"},
        },
    }


def test_definitions_of_the_same_name_and_another_content_are_renamed() -> None:
    base = document("/apis/own/v1/as", "ours")
    merged = merge_v2(
        base, [("/apis/g/v1", document("/apis/g/v1/as", "theirs")), ("/apis/h/v1", document("/apis/h/v1", "ours"))]
    )
    assert sorted(merged["paths"]) == ["/apis/g/v1/as", "/apis/h/v1", "/apis/own/v1/as", "/version"]
    assert merged["definitions"]["B"] == {"description": "ours"}
    assert merged["definitions"]["B_v2"] == {"description": "theirs"}
    assert merged["definitions"]["A"]["properties"]["b"] == {"$ref": "#/definitions/B"}
    assert sorted(merged["definitions"]) == ["A", "A_v2", "B", "B_v2", "C"]


def test_a_server_tells_of_its_own_version_only() -> None:
    base: dict[str, Any] = {"paths": {}, "definitions": {}}
    assert merge_v2(base, [("/apis/g/v1", document("/apis/g/v1beta1/as", "x"))]) == base
