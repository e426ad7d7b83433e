"""What is said of CustomResourceDefinitions: formats that say nothing.

Source: apiextensions-apiserver pkg/registry/customresourcedefinition/strategy.go.
"""

from collections.abc import Iterator
from typing import Any

from kubepy.api.formats import is_known
from kubepy.api.meta import Object


def warn_of_definition(definition: Object, old: Object | None) -> list[str]:
    """Of formats that are not known, when they are new."""
    before = set(_unknown_formats(old)) if old is not None else set()
    return [f'unrecognized format "{form}"' for form in _unknown_formats(definition) if form not in before]


def _unknown_formats(definition: Object) -> list[str]:
    return [
        form
        for version in (definition.get("spec") or {}).get("versions") or ()
        for schema in _schemas((version.get("schema") or {}).get("openAPIV3Schema"))
        if (form := schema.get("format")) and not is_known(form, schema.get("type") or "")
    ]


def _schemas(schema: Any) -> Iterator[Object]:
    """A schema and all inside of it."""
    if not isinstance(schema, dict):
        return
    yield schema
    for name in ("items", "not", "additionalProperties"):
        yield from _schemas(schema.get(name))
    for name in ("allOf", "anyOf", "oneOf"):
        for inner in schema.get(name) or ():
            yield from _schemas(inner)
    for inner in (schema.get("properties") or {}).values():
        yield from _schemas(inner)
