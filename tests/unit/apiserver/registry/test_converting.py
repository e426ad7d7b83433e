"""What a conversion webhook answers is checked before it is believed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kubepy.api.errors import InternalError
from kubepy.apiserver.registry.converting import Converter
from kubepy.apiserver.webhooks.target import Target

Json = dict[str, Any]
CONFIG = {"clientConfig": {"url": "https://127.0.0.1/"}, "conversionReviewVersions": ["v9", "v1"]}


class Hook:
    """Answers what `reply` makes of a review."""

    def __init__(self, reply: Callable[[Json], Json]) -> None:
        self._reply = reply
        self.asked: list[Json] = []

    async def call(self, target: Target, review: Json, *, timeout_s: float | None = None, most: int = 0) -> Json:
        self.asked.append(review)
        return self._reply(review)


def obj(version: str, name: str = "a", **meta: Any) -> Json:
    return {"apiVersion": f"example.com/{version}", "kind": "W", "metadata": {"name": name, "uid": "u", **meta}}


def answer(review: Json, converted: list[Json], **more: Any) -> Json:
    response = {"uid": review["request"]["uid"], "convertedObjects": converted, "result": {"status": "Success"}}
    return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": {**response, **more}}


def convert(hook: Hook, *objects: Json) -> list[Json]:
    return asyncio.run(Converter(hook, CONFIG).convert(list(objects), "example.com/v2"))


def test_only_what_must_change_is_sent_and_metadata_is_kept() -> None:
    hook = Hook(lambda review: answer(review, [obj("v2", labels={"l": "1"}, generation=9)]))
    old = obj("v1", generation=1, labels={"gone": "x"})
    assert convert(hook, obj("v2", "b"), old) == [obj("v2", "b"), obj("v2", generation=1, labels={"l": "1"})]
    (review,) = hook.asked
    assert review["apiVersion"] == "apiextensions.k8s.io/v1"
    assert review["request"]["objects"] == [old]
    assert review["request"]["desiredAPIVersion"] == "example.com/v2"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (lambda review: answer(review, []), "returned 0 objects, expected 1"),
        (lambda review: answer(review, [obj("v3")]),
         "invalid groupVersion (expected example.com/v2, received example.com/v3)"),
        (lambda review: answer(review, [obj("v2", "b")]), "must have the same name: a != b"),
        (lambda review: answer(review, [], uid="other"), 'got "other"'),
        (lambda review: answer(review, [], result={"status": "Failure", "message": "no"}), "failed: no"),
        (lambda review: answer(review, [], result={}), "response.result.status was '', not 'Success'"),
        (lambda review: {"kind": "Nothing"}, "expected webhook response of apiextensions.k8s.io/v1"),
    ],
)  # fmt: skip
def test_bad_answer_is_refused(reply: Callable[[Json], Json], message: str) -> None:
    with pytest.raises(InternalError) as raised:
        convert(Hook(reply), obj("v1"))
    assert raised.value.message.startswith("conversion webhook for example.com/v1, Kind=W ")
    assert message in raised.value.message
