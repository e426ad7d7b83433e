"""The JSON paths of custom resources."""

from typing import Any

import pytest

from kubepy.apiserver.registry.json_path import find, put

OBJECT = {
    "spec": {"n": 4, "list": [1, 2, 3]},
    "metadata": {"labels": {"a.b/c": "x"}},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Up", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.n", [4]),
        ("{.spec.n}", [4]),
        (".spec.list[1]", [2]),
        (".spec.list[-1]", [3]),
        (".spec.list[*]", [1, 2, 3]),
        (".metadata.labels['a.b/c']", ["x"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Up')].status", ["False"]),
        (".spec.missing", []),
        (".spec.n.deeper", []),
        ("nonsense[", []),
    ],
)
def test_paths_find_values(path: str, found: list[Any]) -> None:
    assert find(path, OBJECT) == found


def test_values_are_put_where_nothing_was() -> None:
    obj: dict[str, Any] = {}
    put(".spec.replicas", obj, 3)
    assert obj == {"spec": {"replicas": 3}}
