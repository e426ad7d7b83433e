"""YAML bodies read as the JSON that they stand for.

Source: sigs.k8s.io/yaml (YAMLToJSON, YAMLToJSONStrict).
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import yaml

from kubepy.api import schemas
from kubepy.api.json_text import parse_json
from kubepy.apiserver.registry.yaml_bounds import check_aliases, check_depth
from kubepy.apiserver.registry.yaml_values import as_json


class _Loader(yaml.CSafeLoader):
    """YAML as JSON: dates stay text, and only true and false are booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(text: bytes) -> tuple[Any, list[str]]:
    """The text as JSON's values, and what it names twice. Raises ValueError."""
    parsed = parse_yaml(text)
    return parsed, repeated_keys(text, parsed)


def parse_yaml(text: bytes) -> Any:
    """The one document of a YAML text. Raises ValueError."""
    if text[:1] == b"{":  # most clients that say YAML send JSON
        with suppress(ValueError):
            return parse_json(text)
    try:
        check_depth(text)
        parsed = yaml.load(text, _Loader)
    except yaml.YAMLError as fault:
        raise ValueError(f"error converting YAML to JSON: yaml: {_told(fault)}") from fault
    check_aliases(text, parsed)
    return as_json(parsed)


def _told(fault: yaml.YAMLError) -> str:
    """What is wrong and where, as Go's parser tells it: no line for the first one, parser's lines counted from 0."""
    if not isinstance(fault, yaml.MarkedYAMLError):
        return str(getattr(fault, "reason", fault))
    marks = (fault.context_mark, fault.problem_mark)
    line = next((mark.line for mark in marks if mark is not None and mark.line), 0)
    if line and isinstance(fault, yaml.scanner.ScannerError):
        line += 1
    return f"line {line}: {fault.problem}" if line else str(fault.problem)


def repeated_keys(text: bytes, parsed: Any) -> list[str]:
    """One fault, if any, that tells of every key that a YAML text sets twice, as strict decoding does.

    What JSON names once, YAML does: most texts need not be read again.
    """
    if text[:1] == b"{" and not schemas.duplicate_fields(text, parsed):
        return []
    try:
        root = yaml.compose(text, _Loader)
    except yaml.YAMLError:  # JSON with a key of more than 1024 characters is no YAML
        return []
    lines = [f'  line {line}: key "{key}" already set in map' for line, key in _repeated(root)] if root else []
    return ["\n".join(["yaml: unmarshal errors:", *lines])] if lines else []


def _repeated(node: yaml.Node) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated(item)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield value.start_mark.line + 1, key.value
                seen.add(key.value)
            yield from _repeated(value)
