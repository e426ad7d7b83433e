"""The OpenAPI v3 document of one group and version, with the definitions that it needs and no others.

Source: /openapi/v3/apis/GROUP/VERSION of kube-apiserver.
"""

from collections.abc import Iterable, Mapping

from kubepy.api.openapi_operations import ApiKind, Operation, Parameter, Path, paths_of
from kubepy.api.openapi_schemas import V3_PREFIX, Document, defined
from kubepy.api.openapi_v2 import CODES, reference
from kubepy.api.resources import Resource


def document(resources: Iterable[Resource], custom: Mapping[str, Document], names: Mapping[ApiKind, str]) -> Document:
    """The document of these resources, which are of one group and version."""
    paths: Document = {}
    roots: set[str] = set()
    for path in paths_of(resources):
        paths[path.path] = _path_item(path, names, roots)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.37.0"},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": defined(roots, custom, V3_PREFIX),
            "securitySchemes": {
                "BearerToken": {
                    "type": "apiKey",
                    "name": "authorization",
                    "in": "header",
                    "description": "Bearer Token authentication",
                }
            },
        },
        "security": [{"BearerToken": []}],
    }


def _parameter(parameter: Parameter) -> Document:
    found: Document = {"name": parameter.name, "in": parameter.place, "description": parameter.description}
    if parameter.place == "path":
        found["required"] = True
    return {**found, "schema": {"type": parameter.kind, "uniqueItems": True}}


def _path_item(path: Path, names: Mapping[ApiKind, str], roots: set[str]) -> Document:
    item: Document = {operation.method: _operation(operation, path.tag, names, roots) for operation in path.operations}
    item["parameters"] = [_parameter(parameter) for parameter in path.parameters]
    return item


def _operation(operation: Operation, tag: str, names: Mapping[ApiKind, str], roots: set[str]) -> Document:
    answer = reference(operation.answer, names, roots, V3_PREFIX) if operation.answer else {"type": "string"}
    content = {media: {"schema": answer} for media in operation.answer_types}
    answers: Document = {code: {"description": CODES[code], "content": content} for code in operation.codes}
    answers["401"] = {"description": CODES["401"]}
    found: Document = {
        "tags": [tag],
        "description": operation.description,
        "operationId": operation.identifier,
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": answers,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": operation.group_version_kind,
    }
    if operation.body:
        schema = reference(operation.body, names, roots, V3_PREFIX)
        found["requestBody"] = {"content": {media: {"schema": schema} for media in operation.body_types}}
        if operation.method != "delete":
            found["requestBody"]["required"] = True
    return found
