import orjson
import pytest

from kubepy.storage.splice import canonical, respliced, spliced, unspliced


@pytest.mark.parametrize(
    "stored",
    [
        b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{}}',
        b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{}}',
        b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{}}\n',
        b'{"metadata":{"name":"a"},"apiVersion":"v1","kind":"Pod","spec":{}}',
        b'{"spec":{},"metadata":{"name":"a"},"kind":"Pod","apiVersion":"v1"}',
        b'{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {}}',
        b'{"apiVersion":"v1","kind":"Pod","metadata":{"resourceVersion":"3","name":"a"},"spec":{}}',
    ],
)
def test_the_revision_goes_into_the_metadata_whatever_the_order(stored: bytes) -> None:
    found = orjson.loads(spliced(stored, 42))
    assert found["metadata"] == {"resourceVersion": "42", "name": "a"}
    assert (found["apiVersion"], found["kind"], found["spec"]) == ("v1", "Pod", {})


def test_bytes_in_order_are_kept_as_they_are() -> None:
    stored = b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{ }},"spec":{"x": 1.0}}'
    assert spliced(stored, 7) == stored.replace(b'{"name"', b'{"resourceVersion":"7","name"')


def test_a_metadata_inside_another_field_is_not_taken_for_the_objects() -> None:
    stored = b'{"kind":"D","spec":{"template":{"metadata":{"name":"inner"}}},"metadata":{"name":"outer"}}'
    found = orjson.loads(spliced(stored, 5))
    assert found["metadata"] == {"resourceVersion": "5", "name": "outer"}
    assert found["spec"]["template"]["metadata"] == {"name": "inner"}


def test_an_empty_metadata_gives_valid_json() -> None:
    found = orjson.loads(spliced(b'{"apiVersion":"v1","kind":"Pod","metadata":{}}', 5))
    assert found["metadata"]["resourceVersion"] == "5"


def test_the_revision_can_be_replaced_and_taken_out() -> None:
    stored = b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","x":"\\"resourceVersion\\":\\"1\\""}}'
    data = spliced(stored, 9)
    assert respliced(data, 12345) == spliced(stored, 12345)
    assert unspliced(data) == stored


def test_canonical_puts_type_and_metadata_first_without_a_resource_version() -> None:
    assert canonical(b'{"x":1,"metadata":{"resourceVersion":"1","name":"a"},"kind":"K"}') == (
        b'{"kind":"K","metadata":{"name":"a"},"x":1}'
    )
