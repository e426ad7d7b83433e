"""Puts the OpenAPI v2 documents of other servers into this one's. Pure.

Only what is below a server's own group and version is taken, with the definitions that it needs; a definition of the
same name and another content is taken under a name of its own.
Source: kube-openapi pkg/aggregator/aggregator.go (FilterSpecByPathsWithoutSideEffects, MergeSpecsIgnorePathConflict).
"""

import re
from collections.abc import Iterable, Mapping, Set
from typing import Any, Final

import orjson

Document = dict[str, Any]
_PREFIX: Final = "#/definitions/"
_REFERENCE: Final = re.compile(rb'"\$ref":"#/definitions/([^"]+)"')


def merge_v2(base: Document, others: Iterable[tuple[str, Mapping[str, Any]]]) -> Document:
    """`base` with the documents of others, each beside the path that it is taken for (`/apis/GROUP/VERSION`)."""
    paths, definitions = dict(base["paths"]), dict(base["definitions"])
    for place, document in others:
        mine = {
            path: item
            for path, item in (document.get("paths") or {}).items()
            if path == place or path.startswith(f"{place}/")
        }
        needed = _closure(mine, document.get("definitions") or {})
        renamed = _renames(needed, definitions)
        definitions |= {renamed.get(name, name): _renaming(found, renamed) for name, found in needed.items()}
        paths |= {path: item for path, item in _renaming(mine, renamed).items() if path not in paths}
    return {**base, "paths": dict(sorted(paths.items())), "definitions": dict(sorted(definitions.items()))}


def _closure(paths: Mapping[str, Any], definitions: Mapping[str, Any]) -> Document:
    """The definitions that these paths need, those that they need in turn among them."""
    found: Document = {}
    wanted = _references(paths)
    while wanted:
        name = wanted.pop()
        if name in definitions and name not in found:
            found[name] = definitions[name]
            wanted |= _references(definitions[name]) - found.keys()
    return found


def _renames(needed: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, str]:
    """The new names of definitions that differ from ours, in themselves or in what they refer to."""
    differ = {name for name, found in needed.items() if name in taken and taken[name] != found}
    while more := {
        name for name, found in needed.items() if name in taken and name not in differ and _references(found) & differ
    }:
        differ |= more
    return {name: _free_name(name, taken) for name in differ}


def _references(part: object) -> set[str]:
    return {name.decode() for name in _REFERENCE.findall(orjson.dumps(part))}


def _free_name(name: str, taken: Mapping[str, Any] | Set[str]) -> str:
    number = 2
    while f"{name}_v{number}" in taken:
        number += 1
    return f"{name}_v{number}"


def _renaming(part: Any, renamed: Mapping[str, str]) -> Any:
    if not renamed:
        return part
    if isinstance(part, dict):
        return {
            key: _renamed_reference(value, renamed) if key == "$ref" else _renaming(value, renamed)
            for key, value in part.items()
        }
    return [_renaming(one, renamed) for one in part] if isinstance(part, list) else part


def _renamed_reference(link: Any, renamed: Mapping[str, str]) -> Any:
    name = str(link).removeprefix(_PREFIX)
    return _PREFIX + renamed[name] if name in renamed else link
