"""What every object has: keys, owners, finalizers, conditions."""

from kubepy.api import meta, resources


def test_keys() -> None:
    assert meta.key_of({"metadata": {"name": "a", "namespace": "n"}}) == "n/a"
    assert meta.key_of({"metadata": {"name": "a"}}) == "a"
    assert meta.split_key("n/a") == ("n", "a")
    assert meta.split_key("a") == ("", "a")
    assert meta.join_key("n", "a") == "n/a"


def test_uids_differ() -> None:
    assert meta.new_uid() != meta.new_uid()
    assert len(meta.new_uid()) == 36


def test_an_owner_reference_leads_back_to_its_owner() -> None:
    owner = {"metadata": {"name": "web", "uid": "u1"}}
    reference = meta.owner_reference(owner, resources.named("deployments", "apps"))
    child = {"metadata": {"ownerReferences": [{"uid": "u0"}, reference]}}
    assert reference == {
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u1", "controller": True,
        "blockOwnerDeletion": True,
    }  # fmt: skip
    assert meta.controller_of(child) == reference == meta.owner_of(child)
    assert meta.is_controlled_by(child, owner)
    assert meta.is_owned_by(child, "u0")
    assert not meta.is_controlled_by({}, owner)


def test_finalizers_come_and_go() -> None:
    obj: meta.Object = {}
    assert meta.add_finalizer(obj, "a/b")
    assert not meta.add_finalizer(obj, "a/b")
    assert meta.finalizers_of(obj) == ["a/b"]
    assert meta.remove_finalizer(obj, "a/b")
    assert not meta.remove_finalizer(obj, "a/b")
    assert obj == {"metadata": {}}


def test_labels_and_annotations() -> None:
    obj: meta.Object = {"metadata": {"labels": None}}
    meta.set_label(obj, "a", "1")
    meta.set_annotation(obj, "b", "2")
    assert (meta.labels_of(obj), meta.annotations_of(obj)) == ({"a": "1"}, {"b": "2"})
    meta.remove_annotation(obj, "b")
    assert "annotations" not in obj["metadata"]


def test_conditions() -> None:
    obj = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert meta.is_condition_true(obj, "Ready")
    assert not meta.is_condition_true(obj, "Other")
    assert not meta.is_condition_true({}, "Ready")
