"""Fields of features that are off are dropped, but from objects that have some of the same feature."""

import copy
from typing import Any

import pytest

from kubepy.api.disabled_devices import drop_from_claim, drop_from_claim_status, drop_from_slice

SLICE = {
    "driver": "a.b",
    "partitionTypeAttribute": "a.b/profile",
    "skipNodeOperations": ["*"],
    "devices": [
        {"name": "d", "attributes": {"a": {"ints": [1]}, "b": {"int": 1}}, "nodeAllocatableResources": {"cpu": {}}}
    ],
}
DERIVED = [{"name": "a.b/c", "expression": "true"}]
CLAIM = {
    "devices": {
        "requests": [
            {"name": "r", "exactly": {"deviceClassName": "c", "derivedAttributes": DERIVED}},
            {"name": "f", "firstAvailable": [{"name": "s", "derivedAttributes": DERIVED}]},
        ]
    }
}
STATUS = {"allocation": {"devices": {"results": [{"request": "r", "skipNodeOperations": ["*"]}]}}}
FIRST: Any = CLAIM["devices"]["requests"][:1]


@pytest.mark.parametrize(
    ("drop", "given", "old", "left"),
    [
        (drop_from_slice, SLICE, None,
         {"driver": "a.b", "devices": [{"name": "d", "attributes": {"a": {}, "b": {"int": 1}}}]}),
        (drop_from_slice, SLICE, SLICE, SLICE),
        (drop_from_slice, SLICE, {"devices": [{"attributes": {"x": {"bools": [True]}}}]},
         {"driver": "a.b", "devices": [{"name": "d", "attributes": {"a": {"ints": [1]}, "b": {"int": 1}}}]}),
        (drop_from_claim, CLAIM, {},
         {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}},
                                   {"name": "f", "firstAvailable": [{"name": "s"}]}]}}),
        (drop_from_claim, CLAIM, {"devices": {"requests": FIRST}}, CLAIM),
        (drop_from_claim_status, STATUS, None, {"allocation": {"devices": {"results": [{"request": "r"}]}}}),
        (drop_from_claim_status, STATUS, STATUS, STATUS),
    ],
)  # fmt: skip
def test_what_is_off_is_dropped(drop: Any, given: Any, old: Any, left: Any) -> None:
    new = copy.deepcopy(given)
    drop(new, old)
    assert new == left
