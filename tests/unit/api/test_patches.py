"""Patches: RFC 6902 and 7386, and how their faults are answered."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepy.api import json_patches, patches
from kubepy.api.errors import BadRequest, Invalid, RequestEntityTooLarge

scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text("ab", max_size=2))
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc~/", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text("abc", max_size=1), documents, max_size=3)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


@given(objects, objects)
def test_a_merge_patch_is_idempotent_and_harms_nothing(document: Any, patch: Any) -> None:
    before = copy.deepcopy((document, patch))
    once = patches.merge_patch(document, patch)
    assert patches.merge_patch(once, patch) == once
    assert (document, patch) == before


@given(objects)
def test_merging_into_nothing_leaves_the_patch_without_nulls(patch: Any) -> None:
    assert patches.merge_patch({}, patch) == without_nulls(patch)


def test_a_merge_patch_replaces_lists_and_removes_nulls() -> None:
    document = {"a": [1, 2], "b": {"c": 1, "d": 2}, "e": 1}
    patch = {"a": [3], "b": {"c": None, "f": 3}, "e": {"x": None, "y": 1}}
    assert patches.merge_patch(document, patch) == {"a": [3], "b": {"d": 2, "f": 3}, "e": {"y": 1}}


def test_what_a_merge_patch_makes_shares_nothing_with_the_patch() -> None:
    patch = {"a": [{"b": 1}]}
    patches.merge_patch({}, patch)["a"][0]["b"] = 2
    assert patch == {"a": [{"b": 1}]}


@pytest.mark.parametrize(
    ("document", "operations", "result"),
    [
        ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": [1, 2]}, [{"op": "remove", "path": "/a/-1"}], {"a": [1]}),
        ({"a": {"b/c~d": 1}}, [{"op": "remove", "path": "/a/b~1c~0d"}], {"a": {}}),
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": None}], {"a": None}),
        ({"a": [1, 2]}, [{"op": "replace", "path": "/a/0", "value": 9}], {"a": [9, 2]}),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
        ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1}, {"op": "remove", "path": "/a"}], {}),
        ({"a": 1}, [{"op": "test", "path": "/b", "value": None}], {"a": 1}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 1}}], {"b": 1}),
        ({"": 1}, [{"op": "replace", "path": "/", "value": 2}], {"": 2}),
        ({}, [{"op": "replace", "path": "/a", "value": 2}], {"a": 2}),
        ({"a": {}}, [{"op": "copy", "from": "/a/b", "path": "/c"}], {"a": {}, "c": None}),
        ({}, [{"op": "add", "path": "/b"}], {"b": None}),
        ({"a": [1, 2]}, [{"op": "remove", "path": "/a/01"}], {"a": [1]}),
    ],
)
def test_json_patch_operations(document: Any, operations: list[dict[str, Any]], result: Any) -> None:
    before = copy.deepcopy(document)
    assert patches.json_patch(document, operations) == result
    assert document == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "bogus", "path": "/a"},
        {"path": "/a"},
        {"op": "add", "path": "/x/y", "value": 1},
        {"op": "add", "path": "/l/5", "value": 1},
        {"op": "add", "path": "/l/x", "value": 1},
        {"op": "add", "path": "b", "value": 1},
        {"op": "add", "path": "/a/b", "value": 1},
        {"op": "remove", "path": "/none"},
        {"op": "remove", "path": ""},
        {"op": "add", "path": "", "value": {}},
        {"op": "replace", "path": "", "value": 1},
        {"op": "replace", "path": "/l/-", "value": 1},
        {"op": "move", "from": "/none", "path": "/b"},
        {"op": "move", "from": "/l", "path": "/l/0"},
        {"op": "copy", "path": "/b"},
        {"op": "test", "path": "/a", "value": True},
        {"op": "test", "path": "/a", "value": 2},
        {"op": "test", "path": "/none", "value": 2},
    ],
)
def test_operations_that_do_not_fit_are_rejected(operation: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="the server rejected our request due to an error in our request"):
        patches.json_patch({"a": 1, "l": [1]}, [operation])


@given(objects, documents)
def test_added_values_can_be_tested_and_removed(document: Any, value: Any) -> None:
    key = "/new"
    operations = [{"op": "add", "path": key, "value": value}, {"op": "test", "path": key, "value": value}]
    assert patches.json_patch(document, [*operations, {"op": "remove", "path": key}]) == document


def merge_diff(old: Any, new: Any) -> Any:
    """The merge patch from one document without nulls to another."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    changed = {
        key: merge_diff(old.get(key), value) for key, value in new.items() if key not in old or old[key] != value
    }
    return {key: None for key in old if key not in new} | changed


@given(objects.map(without_nulls), objects.map(without_nulls))
def test_the_difference_of_two_documents_merges_one_into_the_other(old: Any, new: Any) -> None:
    assert patches.merge_patch(old, merge_diff(old, new)) == new


def json_diff(old: Any, new: Any, at: str = "") -> list[dict[str, Any]]:
    """The JSON patch from one document to another; what differs in kind is replaced as a whole."""
    if json_patches.is_same(old, new):
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        paths = {key: f"{at}/{key.replace('~', '~0').replace('/', '~1')}" for key in old.keys() | new.keys()}
        gone = [{"op": "remove", "path": paths[key]} for key in old if key not in new]
        come = [{"op": "add", "path": paths[key], "value": new[key]} for key in new if key not in old]
        return gone + come + [op for key in old if key in new for op in json_diff(old[key], new[key], paths[key])]
    if isinstance(old, list) and isinstance(new, list):
        both = min(len(old), len(new))
        changed = [op for index in range(both) for op in json_diff(old[index], new[index], f"{at}/{index}")]
        shorter = [{"op": "remove", "path": f"{at}/{both}"}] * (len(old) - both)
        return changed + shorter + [{"op": "add", "path": f"{at}/-", "value": value} for value in new[both:]]
    return [{"op": "replace", "path": at, "value": new}]


@given(objects, objects)
def test_the_difference_of_two_documents_patches_one_into_the_other(old: Any, new: Any) -> None:
    assert json_patches.is_same(patches.json_patch(old, json_diff(old, new)), new)


@given(objects, objects)
def test_operations_are_carried_out_one_after_the_other_or_not_at_all(old: Any, new: Any) -> None:
    before, operations = copy.deepcopy(old), json_diff(old, new)
    one_by_one = old
    for operation in operations:
        one_by_one = patches.json_patch(one_by_one, [operation])
    assert json_patches.is_same(one_by_one, new)
    with pytest.raises(Invalid):
        patches.json_patch(old, [*operations, {"op": "test", "path": "/none", "value": 1}])
    assert json_patches.is_same(old, before)


def test_bodies_that_are_no_patches() -> None:
    with pytest.raises(BadRequest, match=r"of type jsonpatch\.Patch"):
        patches.parse_json_patch(b"{}")
    with pytest.raises(BadRequest, match=r"string into Go value of type jsonpatch\.Operation"):
        patches.parse_json_patch(b'["x"]')
    with pytest.raises(BadRequest, match=r"cannot unmarshal array into Go value of type map\[string\]interface"):
        patches.parse_object_patch(b"[]")
    with pytest.raises(BadRequest, match="error decoding patch"):
        patches.parse_object_patch(b"{")
    with pytest.raises(BadRequest, match=r"^Invalid JSON Patch$"):
        patches.parse_object_patch(b"null", is_merge=True)
    assert patches.parse_object_patch(b"null") == {}
    with pytest.raises(RequestEntityTooLarge):
        patches.parse_json_patch(b"[" + b'{"op":"x"},' * 10_000 + b'{"op":"x"}]')


def test_a_patched_document_that_is_no_object_of_its_kind_blames_the_patch() -> None:
    fault = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal'
    status = patches.unfit('{"data":{"a":1}}', fault).status()
    assert status["code"] == 422
    assert status["details"]["causes"] == [
        {
            "field": "patch",
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: "{\\"data\\":{\\"a\\":1}}": json: cannot unmarshal',
        }
    ]


GONE = ": missing value"


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ({"op": "bogus", "path": "/a"}, "Unexpected kind: bogus"),
        ({"op": {}, "path": "/a"}, "Unexpected kind: unknown"),
        ({"op": [], "path": "/a"}, "Unexpected kind: unknown"),
        ({"op": "add", "path": "/x/y"}, f'add operation does not apply: doc is missing path: "/x/y"{GONE}'),
        (
            {"op": "add", "path": "/l/5"},
            "error in add for path: '/l/5': Unable to access invalid index: 5: invalid index referenced",
        ),
        ({"op": "remove", "path": "/x"}, f"error in remove for path: '/x': Unable to remove nonexistent key: x{GONE}"),
        ({"op": "replace", "path": "/x/y"}, f"replace operation does not apply: doc is missing path: /x/y{GONE}"),
        ({"op": "replace", "path": "/l/-"}, f"replace operation does not apply: doc is missing key: /l/-{GONE}"),
        (
            {"op": "move", "from": "/x", "path": "/y"},
            f"error in move for path: 'x': Unable to remove nonexistent key: x{GONE}",
        ),
        (
            {"op": "copy", "from": "/a", "path": "/x/y"},
            f"copy operation does not apply: doc is missing destination path: /x/y{GONE}",
        ),
        ({"op": "test", "path": "/a", "value": 2}, "testing value /a failed: test failed"),
        ({"op": "test", "path": "/x/y", "value": 2}, f"test operation does not apply: is missing path: /x/y{GONE}"),
    ],
)
def test_why_an_operation_does_not_fit_is_told_in_the_librarys_words(operation: dict[str, Any], why: str) -> None:
    with pytest.raises(json_patches.Unfit) as raised:
        patches.json_patch({"a": 1, "l": [1]}, [operation])
    assert raised.value.why == why
    assert raised.value.is_test == (operation["op"] == "test" and operation["path"] == "/a")
