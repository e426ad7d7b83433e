"""What a definition makes, and when it makes the same: only what differs is served anew."""

from copy import deepcopy
from typing import Any

from kubepy.apiserver.registry.custom import customs_of

VERSION: dict[str, Any] = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {
        "openAPIV3Schema": {
            "type": "object",
            "properties": {"n": {"type": "integer", "x-kubernetes-validations": [{"rule": "self > 1"}]}},
        }
    },
    "additionalPrinterColumns": [{"name": "N", "jsonPath": ".n", "type": "integer"}],
}
NAMES = {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList"}
DEFINITION: dict[str, Any] = {
    "metadata": {"name": "foos.example.org"},
    "spec": {"group": "example.org", "scope": "Namespaced", "names": NAMES, "versions": [VERSION]},
    "status": {"acceptedNames": NAMES},
}


def test_a_definition_that_says_the_same_makes_the_same() -> None:
    again = deepcopy(DEFINITION)
    again["metadata"]["resourceVersion"] = "7"
    again["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    assert customs_of(again) == customs_of(DEFINITION)


def test_another_column_makes_another_kind() -> None:
    changed = deepcopy(DEFINITION)
    changed["spec"]["versions"][0]["additionalPrinterColumns"][0]["name"] = "M"
    assert customs_of(changed) != customs_of(DEFINITION)
