"""Strategic merge: lists merge by key, directives steer and do not stay."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepy.api import schemas
from kubepy.api.errors import BadRequest
from kubepy.api.strategic_merge import PatchFailed, strategic_merge

SCHEMA = schemas.schema_of("v1", "Pod")
assert SCHEMA


def merge(spec: dict[str, Any], patch: dict[str, Any]) -> Any:
    assert SCHEMA
    document, change = {"spec": spec}, {"spec": patch}
    before = copy.deepcopy((document, change))
    merged = strategic_merge(document, change, SCHEMA)
    assert (document, change) == before
    return merged["spec"]


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["name"] for entry in entries]


def test_containers_merge_by_name_and_new_ones_come_last() -> None:
    spec = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}
    merged = merge(spec, {"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}]})
    assert merged["containers"] == [
        {"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c", "image": "3"},
    ]  # fmt: skip


def test_lists_without_a_merge_key_are_replaced() -> None:
    assert merge({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}) == {"tolerations": [{"key": "b"}]}


def test_null_removes_and_leaves_no_null_behind() -> None:
    merged = merge({"nodeName": "n", "priority": 1}, {"nodeName": None, "affinity": {"podAffinity": None}})
    assert merged == {"priority": 1, "affinity": {}}


def test_an_entry_is_deleted_by_its_key() -> None:
    spec = {"containers": [{"name": "a"}, {"name": "b"}]}
    assert names(merge(spec, {"containers": [{"name": "a", "$patch": "delete"}]})["containers"]) == ["b"]
    assert names(merge({}, {"containers": [{"name": "a", "$patch": "delete"}, {"name": "c"}]})["containers"]) == ["c"]


def test_a_list_is_replaced_by_a_marker_in_it() -> None:
    spec = {"containers": [{"name": "a"}, {"name": "b"}]}
    assert names(merge(spec, {"containers": [{"$patch": "replace"}, {"name": "c"}]})["containers"]) == ["c"]


def test_a_map_is_replaced_or_emptied_by_a_marker() -> None:
    spec = {"nodeSelector": {"a": "1"}}
    assert merge(spec, {"nodeSelector": {"$patch": "replace", "b": "2"}}) == {"nodeSelector": {"b": "2"}}
    assert merge(spec, {"nodeSelector": {"$patch": "delete"}}) == {"nodeSelector": {}}


def test_retained_keys_drop_the_others() -> None:
    spec = {"volumes": [{"name": "v", "emptyDir": {}}]}
    patch = {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/p"}}]}
    assert merge(spec, patch)["volumes"] == [{"name": "v", "hostPath": {"path": "/p"}}]
    bad = {"volumes": [{"name": "v", "$retainKeys": ["name"], "hostPath": {"path": "/p"}}]}
    with pytest.raises(BadRequest, match="invalid patch format of retainKeys"):
        merge(spec, bad)


def test_primitives_merge_without_repetition_and_are_deleted_by_a_parallel_list() -> None:
    assert SCHEMA
    live = {"metadata": {"finalizers": ["a/1", "a/2"]}}
    patch = {"metadata": {"finalizers": ["a/2", "a/3"], "$deleteFromPrimitiveList/finalizers": ["a/1"]}}
    assert strategic_merge(live, patch, SCHEMA) == {"metadata": {"finalizers": ["a/2", "a/3"]}}


def test_the_order_of_a_list_can_be_set() -> None:
    spec = {"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}
    order = [{"name": "c"}, {"name": "a"}]
    merged = merge(spec, {"$setElementOrder/containers": order, "containers": [{"name": "c", "image": "i"}]})
    assert names(merged["containers"]) in (["b", "c", "a"], ["c", "a", "b"])
    assert names(merge(spec, {"$setElementOrder/containers": order})["containers"])[-1] in ("a", "b")
    with pytest.raises(PatchFailed, match="doesn't match"):
        merge(spec, {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]})


def test_directives_in_what_is_new_do_not_stay() -> None:
    patch = {
        "volumes": [{"name": "v", "$retainKeys": ["name", "emptyDir"], "emptyDir": {"medium": None}}],
        "$setElementOrder/volumes": [{"name": "v"}],
        "securityContext": {"$patch": "replace", "runAsUser": 1},
    }
    assert merge({}, patch) == {
        "volumes": [{"name": "v", "emptyDir": {}}],
        "securityContext": {"runAsUser": 1},
    }


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"containers": [{"image": "x"}]}, r"map: map\[image:x\] does not contain declared merge key: name"),
        ({"$patch": "wrong"}, r"unknown patch type: wrong in map: map\[\$patch:wrong\]"),
        ({"containers": [{"$patch": "merge"}]}, "merging lists cannot yet be specified in the patch"),
        ({"containers": [{"$patch": "x", "name": "a"}]}, "unknown patch type: x in map"),
        ({"$setElementOrder/containers": "x"}, "but received a string"),
    ],
)
def test_patches_that_upstream_fails_on_are_errors_without_a_reason(patch: dict[str, Any], why: str) -> None:
    with pytest.raises(PatchFailed, match=why) as raised:
        merge({"containers": [{"name": "a"}]}, patch)
    assert "reason" not in raised.value.status()
    assert raised.value.code == 500


container = st.fixed_dictionaries(
    {"name": st.sampled_from("abcd")}, optional={"image": st.sampled_from("xyz"), "tty": st.booleans()}
)
containers = st.lists(container, max_size=4, unique_by=lambda entry: entry["name"])


@given(containers, containers)
def test_merging_twice_is_merging_once(live: list[dict[str, Any]], patch: list[dict[str, Any]]) -> None:
    once = merge({"containers": live}, {"containers": patch})
    again = merge(once, {"containers": patch})
    assert {entry["name"]: entry for entry in once["containers"]} == {e["name"]: e for e in again["containers"]}
    assert set(names(once["containers"])) == set(names(live)) | set(names(patch))
    order = [name for name in names(once["containers"]) if name in names(patch)]
    assert order == names(patch)


def change_of(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> dict[str, Any]:
    """The patch from one list of containers to another, as kubectl makes it."""
    before, after = ({entry["name"]: entry for entry in entries} for entries in (old, new))
    entries: list[dict[str, Any]] = []
    for name, entry in after.items():
        was = before.get(name, {})
        changed = {key: value for key, value in entry.items() if was.get(key) != value}
        changed |= {key: None for key in was if key not in entry}
        if changed or name not in before:
            entries.append({"name": name, **changed})
    gone = [{"$patch": "delete", "name": name} for name in before if name not in after]
    order = {"$setElementOrder/containers": [{"name": entry["name"]} for entry in new]}
    return {"containers": entries + gone, **order}


@given(containers, containers)
def test_the_difference_of_two_lists_merges_one_into_the_other(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    assert merge({"containers": old}, change_of(old, new))["containers"] == new


@given(containers, containers, containers)
def test_entries_of_others_outlive_a_change_that_does_not_know_them(
    old: list[dict[str, Any]], new: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    theirs = [{**entry, "name": f"other-{entry['name']}"} for entry in others]
    merged = merge({"containers": [*old, *theirs]}, change_of(old, new))["containers"]
    assert [entry for entry in merged if entry["name"].startswith("other-")] == theirs
    assert [entry for entry in merged if not entry["name"].startswith("other-")] == new


finalizers = st.lists(st.sampled_from(["a/1", "a/2", "a/3", "a/4"]), max_size=4, unique=True)


@given(finalizers, finalizers)
def test_the_difference_of_two_sets_merges_one_into_the_other(old: list[str], new: list[str]) -> None:
    assert SCHEMA
    patch = {
        "finalizers": [name for name in new if name not in old],
        "$deleteFromPrimitiveList/finalizers": [name for name in old if name not in new],
        "$setElementOrder/finalizers": new,
    }
    merged = strategic_merge({"metadata": {"finalizers": old}}, {"metadata": patch}, SCHEMA)
    assert merged["metadata"]["finalizers"] == new


@given(containers, st.dictionaries(st.sampled_from(["tty", "image", "stdin"]), st.sampled_from([1, "x", True])))
def test_a_list_is_replaced_as_a_whole_when_that_is_asked_for(
    old: list[dict[str, Any]], fields: dict[str, Any]
) -> None:
    new = [{"name": "z", **fields}]
    assert merge({"containers": old}, {"containers": [*new, {"$patch": "replace"}]})["containers"] == new
