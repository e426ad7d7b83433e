"""The definitions as OpenAPI says them: without the nulls of JSON Schema, with references into the document.

Source: kube-openapi; the shapes of Quantity and IntOrString differ between OpenAPI v2 and v3.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from kubepy.api import definitions
from kubepy.api.openapi_custom import is_list, published

Document = dict[str, Any]

V2_PREFIX: Final = "#/definitions/"
V3_PREFIX: Final = "#/components/schemas/"
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_SPECIAL: Final[dict[tuple[str, str], Document]] = {
    (V2_PREFIX, _QUANTITY): {"type": "string"},
    (V3_PREFIX, _QUANTITY): {"oneOf": [{"type": "string"}, {"type": "number"}]},
    (V2_PREFIX, _INT_OR_STRING): {"type": "string", "format": "int-or-string"},
    (V3_PREFIX, _INT_OR_STRING): {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
}
_PROSE: Final = {
    _QUANTITY: "A number in fixed-point notation with an SI or power-of-two suffix, such as 500m, 2, 1Gi or 1e3.",
    _INT_OR_STRING: "A number, or a string that holds a number or a percentage.",
}


def definition(name: str, prefix: str) -> Document:
    """The definition as it stands in a document of the version that `prefix` is of. Raises KeyError."""
    special = _SPECIAL.get((prefix, name))
    if special is not None:
        return {"description": _PROSE[name], **special}
    return openapi_schema(definitions.raw_definition(name), prefix)


def openapi_schema(raw: Document, prefix: str) -> Document:
    """A JSON Schema of the definitions in OpenAPI's form."""
    out: Document = {}
    for key, value in raw.items():
        if key == "type":
            out[key] = next(kind for kind in value if kind != "null") if isinstance(value, list) else value
        elif key == "properties":
            out[key] = {field: openapi_schema(inner, prefix) for field, inner in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            out[key] = openapi_schema(value, prefix)
        elif key == "$ref":
            out[key] = prefix + value.rpartition("/")[2]
        elif key != "enum":  # the only ones are the package's own, on apiVersion and kind
            out[key] = value
    if prefix == V3_PREFIX and "$ref" in out and len(out) > 1:
        out = {"allOf": [{"$ref": out.pop("$ref")}], **out}
    return out


def references(raw: Any) -> Iterator[str]:
    """The names of the definitions that a piece of schema refers to."""
    if isinstance(raw, dict):
        reference = raw.get("$ref")
        if isinstance(reference, str):
            yield reference.rpartition("/")[2]
        for value in raw.values():
            yield from references(value)
    elif isinstance(raw, list):
        for value in raw:
            yield from references(value)


def reachable(roots: Iterable[str]) -> list[str]:
    """The definitions that are needed to understand `roots`, by name."""
    found: set[str] = set()
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += references(definitions.raw_definition(name))
    return sorted(found)


def defined(roots: Collection[str], custom: Mapping[str, Document], prefix: str) -> dict[str, Document]:
    """The definitions that a document with these roots needs, by name; `custom` are those that are not built in.

    Those of lists are written as the built-in ones are.
    """
    is_v2 = prefix == V2_PREFIX
    mine = {
        name: openapi_schema(schema, prefix) if is_list(schema) else published(schema, prefix, is_v2=is_v2)
        for name, schema in custom.items()
        if name in roots
    }
    needed = (set(roots).union(*map(references, mine.values()))) - custom.keys()
    found = {name: definition(name, prefix) for name in reachable(needed)}
    return dict(sorted((found | mine).items()))
