"""The OpenAPI v2 document: JSON as a dict; its protobuf form is written from it (openapi_proto.py).

Source: /openapi/v2 of kube-apiserver; every parameter stands with its operation, which all clients understand.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from kubepy.api.definitions import definition_name
from kubepy.api.openapi_operations import ApiKind, Operation, Parameter, Path, paths_of
from kubepy.api.openapi_schemas import V2_PREFIX, Document, defined
from kubepy.api.resources import Resource

CODES: Final = {"200": "OK", "201": "Created", "202": "Accepted", "401": "Unauthorized"}


def document(resources: Iterable[Resource], custom: Mapping[str, Document], names: Mapping[ApiKind, str]) -> Document:
    """The whole document. `custom` are definitions of custom kinds; `names` say which kind each is of."""
    paths: Document = {}
    roots: set[str] = set()
    for path in paths_of(resources):
        paths[path.path] = _path_item(path, names, roots)
    found = defined(roots, custom, V2_PREFIX)
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "v1.37.0"},
        "paths": dict(sorted(paths.items())),
        "definitions": found,
        "securityDefinitions": {
            "BearerToken": {
                "type": "apiKey",
                "name": "authorization",
                "in": "header",
                "description": "Bearer Token authentication",
            }
        },
        "security": [{"BearerToken": []}],
    }


def reference(kind: ApiKind, names: Mapping[ApiKind, str], roots: set[str], prefix: str) -> Document:
    """A reference to the kind's definition, noted in `roots`; a bare object where the kind has none."""
    name = names.get(kind) or definition_name(*kind)
    if name is None:
        return {"type": "object"}
    roots.add(name)
    return {"$ref": prefix + name}


def _parameter(parameter: Parameter) -> Document:
    found: Document = {
        "name": parameter.name,
        "in": parameter.place,
        "type": parameter.kind,
        "uniqueItems": True,
        "description": parameter.description,
    }
    if parameter.place == "path":
        found["required"] = True
    return found


def _path_item(path: Path, names: Mapping[ApiKind, str], roots: set[str]) -> Document:
    item: Document = {operation.method: _operation(operation, path.tag, names, roots) for operation in path.operations}
    item["parameters"] = [_parameter(parameter) for parameter in path.parameters]
    return item


def _operation(operation: Operation, tag: str, names: Mapping[ApiKind, str], roots: set[str]) -> Document:
    parameters = [_parameter(parameter) for parameter in operation.parameters]
    if operation.body:
        body: dict[str, Any] = {"name": "body", "in": "body"}
        if operation.method != "delete":
            body["required"] = True
        parameters.append({**body, "schema": reference(operation.body, names, roots, V2_PREFIX)})
    answer = reference(operation.answer, names, roots, V2_PREFIX) if operation.answer else {"type": "string"}
    answers: Document = {code: {"description": CODES[code], "schema": answer} for code in operation.codes}
    answers["401"] = {"description": CODES["401"]}
    return {
        "description": operation.description,
        "consumes": list(operation.body_types),
        "produces": list(operation.answer_types),
        "schemes": ["https"],
        "tags": [tag],
        "operationId": operation.identifier,
        "parameters": parameters,
        "responses": answers,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": operation.group_version_kind,
    }
