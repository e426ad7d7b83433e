"""YAML bodies that are none."""

import pytest

from kubepy.apiserver.registry.yaml_bodies import parse_yaml


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b: c", "mapping values are not allowed in this context"),
        ("{", "line 1: did not find expected node content"),
        ("a: b\nc: d: e", "line 2: mapping values are not allowed in this context"),
        ("a:\n\t- b", "line 2: found character that cannot start any token"),
    ],
)
def test_faults_are_told_where_go_s_parser_sees_them(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=f"^error converting YAML to JSON: yaml: {told}$"):
        parse_yaml(text.encode())
