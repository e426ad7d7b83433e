"""Asks the webhook of a CustomResourceDefinition for objects at another version.

What it answers is believed but for metadata: of that only labels and annotations may change.
Source: apiextensions-apiserver pkg/apiserver/conversion/webhook_converter.go.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubepy.api.errors import InternalError
from kubepy.api.go_values import go_type, json_type
from kubepy.api.meta import Object
from kubepy.api.validation.meta import validate_annotations, validate_labels
from kubepy.apiserver.registry.converting_metrics import CALL, INVALID, PARTIAL, ConversionMetrics
from kubepy.apiserver.webhooks.answer_types import Types, fault_in_types, unreadable
from kubepy.apiserver.webhooks.client import CallError, Webhooks
from kubepy.apiserver.webhooks.target import BadTarget, Target, from_client_config

_GROUP = "apiextensions.k8s.io"
_KNOWN = ("v1", "v1beta1")
_SAME = ("name", "namespace", "uid")
_FREE = ("labels", "annotations")
_ANNOTATION = "metadata.annotation"  # sic
_TYPES: Final[Types] = {
    "uid": (str, "types.UID"),
    "convertedObjects": (list, "[]runtime.RawExtension"),
    "result": (dict, "v1.Status"),
}


class ConversionFailed(InternalError):
    """An object that cannot be had at the version that is wanted: a fault that upstream gives no reason.

    `counted` is what metrics call it.
    """

    reason = ""
    counted = INVALID


class _Partial(ConversionFailed):
    counted = PARTIAL


class _Unanswered(ConversionFailed):
    counted = CALL


class Converter:
    """Of one definition, which is called `name`. `config` is its spec.conversion.webhook."""

    def __init__(
        self,
        webhooks: Webhooks,
        config: Mapping[str, Any],
        name: str = "",
        metrics: ConversionMetrics | None = None,
    ) -> None:
        self._webhooks = webhooks
        self._name = name
        self._metrics = metrics or ConversionMetrics()
        self._client: Object = config.get("clientConfig") or {}
        self._versions: Sequence[str] = config.get("conversionReviewVersions") or ()

    async def convert(self, objects: list[Object], api_version: str) -> list[Object]:
        """The objects at a version; those that are at it already are not sent. Raises ConversionFailed."""
        sent = [obj for obj in objects if obj.get("apiVersion") != api_version]
        if not sent:
            return objects
        found = iter(await self._observed(sent, api_version))
        return [obj if obj.get("apiVersion") == api_version else next(found) for obj in objects]

    async def _observed(self, sent: list[Object], api_version: str) -> list[Object]:
        versions = (_version_of(sent[0]["apiVersion"]), _version_of(api_version))
        begun = time.perf_counter()
        try:
            made = await self._ask(sent, api_version, _kind_of(sent[0]))
        except ConversionFailed as fault:
            self._metrics.observe(self._name, versions, fault.counted, time.perf_counter() - begun)
            raise
        self._metrics.observe(self._name, versions, "", time.perf_counter() - begun)
        return made

    async def _ask(self, sent: list[Object], api_version: str, what: str) -> list[Object]:
        version = next((each for each in self._versions if each in _KNOWN), None)
        if version is None:
            raise _Unanswered("no supported conversion review versions")
        uid = str(uuid.uuid4())
        review = {
            "kind": "ConversionReview",
            "apiVersion": f"{_GROUP}/{version}",
            "request": {"uid": uid, "desiredAPIVersion": api_version, "objects": sent},
            "response": {"uid": "", "convertedObjects": None, "result": {"metadata": {}}},
        }
        try:
            made = _converted(await self._webhooks.call(self._target(), review), uid, version)
        except (CallError, BadTarget) as fault:
            raise _Unanswered(f"conversion webhook for {what} failed: {fault}") from fault
        if len(made) != len(sent):
            raise _Partial(f"conversion webhook for {what} returned {len(made)} objects, expected {len(sent)}")
        return [
            _checked(obj, given, api_version, at, what) for at, (obj, given) in enumerate(zip(made, sent, strict=True))
        ]

    def _target(self) -> Target:
        return from_client_config(self._client)


def _version_of(api_version: str) -> str:
    return api_version.rpartition("/")[2]


def _kind_of(obj: Object) -> str:
    return f"{obj.get('apiVersion')}, Kind={obj.get('kind')}"


def _converted(answer: Object, uid: str, version: str) -> list[Any]:
    """The objects in an answer. Raises CallError."""
    response = answer.get("response")
    if response is not None:
        _check_types(response)
    if version == "v1" and (answer.get("apiVersion"), answer.get("kind")) != (f"{_GROUP}/v1", "ConversionReview"):
        group, _, said = str(answer.get("apiVersion") or "").rpartition("/")
        got = f"{group}/{said}, Kind={answer.get('kind') or ''}"
        raise CallError(f"expected webhook response of {_GROUP}/v1, Kind=ConversionReview, got {got}")
    if response is None:
        raise CallError("no response provided")
    if version == "v1" and response.get("uid") != uid:
        raise CallError(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    result = response.get("result") or {}
    if result.get("status") != "Success":
        raise CallError(
            result.get("message") or f"response.result.status was '{result.get('status') or ''}', not 'Success'"
        )
    return response.get("convertedObjects") or []


def _check_types(response: Any) -> None:
    """Raises CallError in the words of Go's decoder."""
    if (why := fault_in_types(response, "Conversion", _TYPES)) is not None:
        raise CallError(why)
    for name in ("status", "message"):
        value = (response.get("result") or {}).get(name)
        if value is not None and not isinstance(value, str):
            raise CallError(unreadable(value, f"Status.response.result.{name}", "string"))


def _checked(made: Any, given: Object, api_version: str, at: int, what: str) -> Object:
    """A converted object with the metadata that it must have. Raises ConversionFailed."""
    head = f"conversion webhook for {what} returned invalid converted object at index {at}: "
    if not isinstance(made, dict):
        why = f"json: cannot unmarshal {json_type(made)} into Go value of type map[string]interface {{}}"
        raise ConversionFailed(f"{head}{'unexpected end of JSON input' if made is None else why}")
    if made.get("apiVersion") != api_version:
        found = made.get("apiVersion")
        raise ConversionFailed(f"{head}invalid groupVersion (expected {api_version}, received {found})")
    if made.get("kind") != given.get("kind"):
        raise ConversionFailed(f"{head}invalid kind (expected {given.get('kind')}, received {made.get('kind')})")
    before, meta = given["metadata"], made.get("metadata")
    if not isinstance(meta, dict):
        meta = {}
    for name in _SAME:
        if (meta.get(name) or "") != (before.get(name) or ""):
            shown = name.upper() if name == "uid" else name
            raise ConversionFailed(
                f"{head}must have the same {shown}: {before.get(name) or ''} != {meta.get(name) or ''}"
            )
    kept = {name: value for name, value in before.items() if name not in _FREE}
    for name in _FREE:
        if meta.get(name) is not None:
            if why := _fault_in(name, meta[name], before.get(name)):
                raise ConversionFailed(
                    f"conversion webhook for {what} returned invalid metadata in object at index {at}: {why}"
                )
            kept[name] = meta[name]
    return {**made, "metadata": kept}


def _fault_in(name: str, made: Any, before: Mapping[str, str] | None) -> str:
    """What is wrong with the labels or annotations of a converted object; those that it had are not judged."""
    if not isinstance(made, dict):
        return f"invalid metadata.{name} of type {go_type(made)} in converted object"
    for key, value in made.items():
        if not isinstance(value, str):
            return f"metadata.{name}[{key}] must be a string, but is {go_type(value)} in converted object"
    if made == (before or {}):
        return ""
    is_labels = name == "labels"
    faults = validate_labels(made, "metadata.labels") if is_labels else validate_annotations(made, _ANNOTATION)
    told = list(dict.fromkeys(map(str, faults)))
    return f"[{', '.join(told)}]" if len(told) > 1 else "".join(told)
