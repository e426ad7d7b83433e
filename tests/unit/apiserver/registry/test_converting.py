"""What a conversion webhook answers is checked before it is believed."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from kubepy.api.errors import InternalError
from kubepy.apiserver.registry.converting import Converter
from kubepy.apiserver.registry.converting_metrics import ConversionMetrics
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
        (lambda review: {"kind": "Nothing"}, "of apiextensions.k8s.io/v1, Kind=ConversionReview, got /, Kind=Nothing"),
        (lambda review: answer(review, [], convertedObjects=3),
         "json: cannot unmarshal number into Go struct field ConversionResponse.response.convertedObjects of type []r"),
        (lambda review: answer(review, [], result="Success"),
         "failed: json: cannot unmarshal string into Go struct field ConversionResponse.response.result of type v1.S"),
        (lambda review: answer(review, [], result={"status": 1}), "Status.response.result.status of type string"),
        (lambda review: {"response": []}, "array into Go struct field ConversionReview.response of type v1.Conversion"),
        (lambda review: answer(review, [], convertedObjects=["x"]),
         "0: json: cannot unmarshal string into Go value of type map[string]int"),
        (lambda review: answer(review, [{**obj("v2"), "metadata": "m"}]), "must have the same name: a != "),
        (lambda review: answer(review, [obj("v2", labels=["l"])]),
         "returned invalid metadata in object at index 0: invalid metadata.labels of type []interface {} in converted"),
        (lambda review: answer(review, [obj("v2", annotations={"k": 1})]),
         "metadata.annotations[k] must be a string, but is int64 in converted object"),
        (lambda review: answer(review, [obj("v2", labels={"l": "a b"})]),
         """at index 0: metadata.labels: Invalid value: "a b": a valid label must be"""),
        (lambda review: answer(review, [obj("v2", annotations={"/": "", "//": ""})]),
         """at index 0: [metadata.annotation: Invalid value: "/": """),
    ],
)  # fmt: skip
def test_bad_answer_is_refused(reply: Callable[[Json], Json], message: str) -> None:
    with pytest.raises(InternalError) as raised:
        convert(Hook(reply), obj("v1"))
    assert raised.value.message.startswith("conversion webhook for example.com/v1, Kind=W ")
    assert message in raised.value.message


def test_labels_that_were_there_before_are_not_judged_again() -> None:
    old = {"l": "a b"}
    assert convert(Hook(lambda review: answer(review, [obj("v2", labels=old)])), obj("v1", labels=old)) == [
        obj("v2", labels=old)
    ]
    empty = Hook(lambda review: answer(review, [obj("v2", labels=None, annotations={})]))
    assert convert(empty, obj("v1", labels=old)) == [obj("v2", annotations={})]


def test_conversions_are_counted() -> None:
    metrics, registry = ConversionMetrics(), CollectorRegistry()
    registry.register(metrics)
    replies: list[Callable[[Json], Json]] = [
        lambda review: answer(review, [obj("v2")]),
        lambda review: answer(review, []),
        lambda review: answer(review, [obj("v3")]),
        lambda review: answer(review, [], result={}),
    ]
    for reply in replies:
        with suppress(InternalError):
            asyncio.run(
                Converter(Hook(reply), CONFIG, "ws.example.com", metrics).convert([obj("v1")], "example.com/v2")
            )
    text = generate_latest(registry).decode()
    total = "apiserver_conversion_webhook_request_total"
    failed = 'failure_type="conversion_webhook_'
    assert f'{total}{{failure_type="",result="success"}} 1.0' in text
    for kind in ("partial_response", "invalid_converted_object", "call"):
        assert f'{total}{{{failed}{kind}_failure",result="failure"}} 1.0' in text
    assert 'apiserver_conversion_webhook_duration_seconds_count{failure_type="",result="success"} 1.0' in text
    labels = 'crd_name="ws.example.com",from_version="v1",succeeded="false",to_version="v2"'
    assert f"apiserver_crd_conversion_webhook_duration_seconds_count{{{labels}}} 3.0" in text
