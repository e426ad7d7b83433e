"""Bodies in protobuf, written here by hand as Go's encoder writes them."""

import pytest

from kubepy.apiserver.http.protobuf_reading import message_of, parse_protobuf


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


def test_kinds_of_every_group_are_known() -> None:
    assert message_of("apps/v1", "Deployment") == "apps.v1.Deployment"
    assert message_of("rbac.authorization.k8s.io/v1", "Role") == "rbac.v1.Role"
    assert message_of("v1", "DeleteOptions") == "meta.v1.DeleteOptions"
    assert message_of("example.com/v1", "Widget") is None


@pytest.mark.parametrize("data", [b"", b"{}", b"k8s\x00\x0a\xff", body("v1", "Bogus", b""), b"k8s\x00\x0a\x05ab"])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_protobuf(data)
