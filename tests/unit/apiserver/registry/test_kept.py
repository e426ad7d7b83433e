"""What is stored is read in the form that is wanted now."""

import orjson

from kubepy.apiserver.registry.kept import Kept

SCHEMA = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer", "default": 3}}}},
}
STORED = b'{"apiVersion":"example.com/v1","kind":"W","metadata":{"name":"a"},"spec":{}}'


def test_what_is_right_is_left_as_it_is() -> None:
    assert Kept("example.com/v1", None, {}).read(STORED) is STORED
    full = STORED.replace(b'"spec":{}', b'"spec":{"n":1}')
    assert Kept("example.com/v1", SCHEMA, {}).read(full) is full


def test_defaults_and_the_version_are_filled_in() -> None:
    found = orjson.loads(Kept("example.com/v2", SCHEMA, {}).read(STORED))
    assert (found["apiVersion"], found["spec"]) == ("example.com/v2", {"n": 3})


def test_what_the_schema_does_not_know_goes() -> None:
    stored = STORED.replace(b'"spec":{}', b'"spec":{"n":1,"gone":2},"status":{}')
    assert orjson.loads(Kept("example.com/v1", SCHEMA, {}).read(stored))["spec"] == {"n": 1}


def test_what_only_a_webhook_converts_stays() -> None:
    assert Kept("example.com/v2", SCHEMA, {}, by_webhook=True).read(STORED) is STORED
    assert Kept("example.com/v2", SCHEMA, {}).read(b"no json") == b"no json"
