"""What is refused in metadata, of new and of changed objects."""

from typing import Any

import pytest

from kubepy.api import names
from kubepy.api.validation.equality import same
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update, validate_template_metadata

QUALIFIED = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "1"}


def faults(**meta: Any) -> list[str]:
    obj = {"metadata": {"name": "a", "namespace": "ns", **meta}}
    return [str(fault) for fault in validate_metadata(obj, True, names.is_dns1123_subdomain)]


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({}, []),
        ({"generateName": "a-"}, []),
        ({"name": ""}, ["metadata.name: Required value: name or generateName is required"]),
        ({"namespace": ""}, ["metadata.namespace: Required value"]),
        ({"generation": -1}, ["metadata.generation: Invalid value: -1: must be greater than or equal to 0"]),
        ({"labels": {"a": "-b"}},
         ['metadata.labels: Invalid value: "-b": a valid label must be an empty string or consist of alphanumeric '
          "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
          "'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"]),
        ({"labels": {"Bad Key": "x"}}, [f'metadata.labels: Invalid value: "Bad Key": name part {QUALIFIED}']),
        ({"annotations": {"Bad Key": "x"}}, [f'metadata.annotations: Invalid value: "Bad Key": name part {QUALIFIED}']),
        ({"annotations": {"a": "\u00e9" * 131072}}, ["metadata.annotations: Too long: may not be more than 262144 "
                                                     "bytes"]),
        ({"finalizers": ["noslash"]},
         ['metadata.finalizers[0]: Invalid value: "noslash": name is neither a standard finalizer name nor is it fully '
          "qualified"]),
        ({"finalizers": ["orphan", "example.com/f"]}, []),
        ({"finalizers": ["orphan", "foregroundDeletion"]},
         ['metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and '
          "foregroundDeletion cannot be both set"]),
        ({"ownerReferences": [{**OWNER, "uid": ""}]},
         ['metadata.ownerReferences.uid: Invalid value: "": must not be empty']),
        ({"ownerReferences": [{**OWNER, "controller": True}, {**OWNER, "name": "y", "controller": True}]},
         ['metadata.ownerReferences: Invalid value: '
          '[{"apiVersion":"v1","kind":"Pod","name":"x","uid":"1","controller":true},'
          '{"apiVersion":"v1","kind":"Pod","name":"y","uid":"1","controller":true}]: Only one reference can have '
          'Controller '
          'set to true. Found "true" in references for Pod/x and Pod/y']),
        ({"ownerReferences": [{**OWNER, "kind": "Event"}]},
         ['metadata.ownerReferences: Invalid value: {"apiVersion":"v1","kind":"Event","name":"x","uid":"1"}: /v1, '
          'Kind=Event '
          "is disallowed from being an owner"]),
        ({"managedFields": [{"operation": "Merge", "fieldsType": "V2"}]},
         ['metadata.managedFields[0].operation: Invalid value: "Merge": must be `Apply` or `Update`',
          'metadata.managedFields[0].fieldsType: Invalid value: "V2": must be `FieldsV1`']),
    ],
)  # fmt: skip
def test_metadata_of_a_new_object(meta: Any, expected: list[str]) -> None:
    assert faults(**meta) == expected


def test_a_cluster_wide_object_has_no_namespace() -> None:
    obj = {"metadata": {"name": "a", "namespace": "b"}}
    (fault,) = validate_metadata(obj, False, names.is_dns1123_label)
    assert str(fault) == "metadata.namespace: Forbidden: not allowed on this type"


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ({"uid": "1"}, {"uid": "1"}, []),
        ({}, {"uid": "1", "creationTimestamp": "t"}, []),
        ({"uid": "2"}, {"uid": "1"}, ['metadata.uid: Invalid value: "2": field is immutable']),
        ({"deletionTimestamp": "t"}, {}, ['metadata.deletionTimestamp: Invalid value: "t": field is immutable']),
        ({"generation": 1}, {"generation": 2}, ["metadata.generation: Invalid value: 1: must not be decremented"]),
        ({"finalizers": ["b/c"], "deletionTimestamp": "t"}, {"deletionTimestamp": "t"},
         ["metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new "
          'finalizers []string{"b/c"}']),
    ],
)  # fmt: skip
def test_metadata_of_a_changed_object(new: Any, old: Any, expected: list[str]) -> None:
    found = validate_metadata_update({"metadata": {"name": "a", **new}}, {"metadata": {"name": "a", **old}})
    assert [str(fault) for fault in found] == expected


def test_a_templates_metadata_is_labels_and_annotations_only() -> None:
    (fault,) = validate_template_metadata({"labels": {"a": "b"}, "name": "x"}, "t.metadata")
    assert str(fault) == "t.metadata.name: Forbidden: cannot be set"


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ({"hostNetwork": False}, {}, True),
        ({"volumes": []}, {}, True),
        ({"nodeSelector": {}}, {"nodeSelector": None}, True),
        ({"containers": [{"name": "a", "stdin": False}]}, {"containers": [{"name": "a"}]}, True),
        ({"runAsUser": 0}, {}, False),
        ({"privileged": False}, {}, False),
        ({"labelSelector": {}}, {}, False),
        ({"storageClassName": ""}, {}, False),
        ({"hostNetwork": True}, {}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"emptyDir": {}}, {}, False),
    ],
)
def test_absent_is_the_same_as_zero_only_where_go_cannot_tell(new: Any, old: Any, expected: bool) -> None:
    assert same(new, old) is expected
    assert same(old, new) is expected
