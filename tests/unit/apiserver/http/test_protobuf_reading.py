"""Bodies in protobuf, written here by hand as Go's encoder writes them."""

import struct

import pytest

from kubepy.apiserver.http.protobuf_reading import parse_protobuf


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value % (1 << 64))


def part(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def body(api_version: str, kind: str, message: bytes) -> bytes:
    return b"k8s\x00" + part(1, part(1, api_version) + part(2, kind)) + part(2, message)


def test_maps_bytes_and_times_become_json() -> None:
    meta = part(1, "s") + part(11, part(1, "a") + part(2, "b")) + part(8, number(1, 1_700_000_000))
    secret = part(1, meta) + part(2, part(1, "k") + part(2, b"\x00\xff")) + part(3, "Opaque")
    assert parse_protobuf(body("v1", "Secret", secret)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "labels": {"a": "b"}, "creationTimestamp": "2023-11-14T22:13:20Z"},
        "data": {"k": "AP8="},
        "type": "Opaque",
    }


def test_embedded_messages_are_inline_and_lists_in_order() -> None:
    empty_dir = part(2, part(2, part(1, "Memory")))
    quantity = part(1, part(1, "cpu") + part(2, part(1, "100m")))
    container = part(1, "c") + part(8, part(1, part(1, "cpu") + part(2, part(1, "1"))) + part(2, quantity[2:]))
    spec = part(1, part(1, "v") + empty_dir) + part(2, container) + part(2, part(1, "d")) + number(4, -1)
    found = parse_protobuf(body("v1", "Pod", part(2, spec)))["spec"]
    assert found["volumes"] == [{"name": "v", "emptyDir": {"medium": "Memory"}}]
    assert [c["name"] for c in found["containers"]] == ["c", "d"]
    assert found["containers"][0]["resources"] == {"limits": {"cpu": "1"}, "requests": {"cpu": "100m"}}
    assert found["terminationGracePeriodSeconds"] == -1


def test_fields_of_a_later_release_are_passed_over() -> None:
    found = parse_protobuf(body("v1", "ConfigMap", part(1, part(1, "m")) + part(999, "new") + number(998, 1)))
    assert found == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}


def test_webhooks_and_rules_have_the_names_of_json() -> None:
    hook = part(1, "a.example.com") + part(5, part(1, part(1, "l") + part(2, "x"))) + part(6, "None")
    found = parse_protobuf(
        body("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", part(1, part(1, "w")) + part(2, hook))
    )
    assert found["webhooks"] == [
        {"name": "a.example.com", "namespaceSelector": {"matchLabels": {"l": "x"}}, "sideEffects": "None"}
    ]
    spec = part(3, part(1, "object.spec.replicas > 0")) + part(7, part(1, "a") + part(2, "1"))
    policy = parse_protobuf(body("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", part(2, spec)))
    assert policy["spec"] == {
        "validations": [{"expression": "object.spec.replicas > 0"}],
        "variables": [{"name": "a", "expression": "1"}],
    }


def test_schemas_may_be_booleans_lists_and_numbers() -> None:
    props = (
        part(29, part(1, "a") + part(2, varint(9 << 3 | 1) + struct.pack("<d", 1.5)))
        + part(24, part(1, part(5, "string")))
        + part(30, number(1, 1))
        + part(33, number(1, 0) + part(2, part(5, "object")))
        + part(8, part(1, b'{"x":[1]}'))
        + part(20, part(1, b'"a"'))
        + part(20, part(1, b"null"))
        + part(32, part(1, "d") + part(2, part(2, "p") + part(2, "q")))
        + number(38, 1)
    )
    version = part(1, "v1") + part(4, part(1, props)) + part(5, part(1, b""))
    found = parse_protobuf(
        body("apiextensions.k8s.io/v1", "CustomResourceDefinition", part(2, part(7, version))),
    )["spec"]["versions"][0]
    assert found["subresources"] == {"status": {}}
    assert found["schema"]["openAPIV3Schema"] == {
        "properties": {"a": {"maximum": 1.5}},
        "items": {"type": "string"},
        "additionalProperties": True,
        "additionalItems": {"type": "object"},
        "default": {"x": [1]},
        "enum": ["a", None],
        "dependencies": {"d": ["p", "q"]},
        "x-kubernetes-preserve-unknown-fields": True,
    }


def test_lists_hold_objects_of_any_kind() -> None:
    inner = body("v1", "ConfigMap", part(1, part(1, "m")))
    found = parse_protobuf(body("v1", "List", part(2, part(1, inner)) + part(2, part(1, b'{"kind":"X"}'))))
    assert [item["kind"] for item in found["items"]] == ["ConfigMap", "X"]


def test_lists_of_numbers_may_be_packed() -> None:
    context = part(14, number(4, 7) + part(4, varint(1) + varint(300)))
    assert parse_protobuf(body("v1", "Pod", part(2, context)))["spec"]["securityContext"] == {
        "supplementalGroups": [7, 1, 300]
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"k8s\x00\x0a\xff",
        b"k8s\x00\x0a\x05ab",
        b"k8s\x00" + number(1, 1 << 40) + number(2, 1 << 40),
        b"k8s\x00" + b"\x80" * 100_000,
        body("v1", "Bogus", b""),
        body("v1", "Pod", number(1, 1 << 40)),
        body("v1", "Pod", part(2, part(4, "x"))),
        body("v1", "Pod", part(1, number(11, 1 << 40))),
        body("v1", "Pod", part(1, part(11, number(2, 1 << 40)))),
        body("v1", "Pod", part(1, part(8, number(1, 1 << 60)))),
        body("v1", "Secret", part(2, part(1, "k") + b"\x15\x00")),
        body("v1", "Pod", part(1, part(1, b"\xff"))),
        body("v1", "Pod", b"\x0b"),
    ],
)
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_protobuf(data)
