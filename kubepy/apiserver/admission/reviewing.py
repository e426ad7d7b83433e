"""The AdmissionReview that a webhook is asked with, and what its answer means. Pure.

Source: apiserver pkg/admission/plugin/webhook/request/admissionreview.go, .../webhook/errors/statuserror.go.
"""

import base64
import binascii
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from kubepy.api.errors import ApiError, BadRequest, InternalError, from_status
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.kinds import Kind, kind_of
from kubepy.apiserver.webhooks.answer_types import Types, fault_in_types, unreadable

_GROUP, _KIND = "admission.k8s.io", "AdmissionReview"
VERSIONS = ("v1", "v1beta1")
"""The versions of AdmissionReview that are spoken."""


class BadReview(ValueError):
    """An answer that breaks the rules; the message is upstream's."""


class BadPatch(BadReview):
    """An answer whose patch cannot be read; the message needs nothing before it."""


class Unreadable(BadReview):
    """An answer with a value of a wrong type: as good as none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a webhook said. `operations` is its patch; `result` the Status that goes with a denial."""

    allowed: bool
    result: Mapping[str, Any] | None = None
    operations: Sequence[Object] = ()
    warnings: Sequence[str] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


def review_of(
    attributes: Attributes,
    uid: str,
    resource: Resource,
    objects: tuple[Object | None, Object | None],
    *,
    version: str = "v1",
) -> Object:
    """The review that asks about a write; `objects` are the new and old state as `resource` has them."""
    request = {"uid": uid, **request_of(attributes, resource), "object": objects[0], "oldObject": objects[1]}
    return {"kind": _KIND, "apiVersion": f"{_GROUP}/{version}", "request": request}


def request_of(attributes: Attributes, resource: Resource) -> Object:
    """What a write is, without the objects: what webhooks are told and expressions know as `request`."""
    subresource = attributes.subresource
    name, namespace = attributes.name, attributes.shown_namespace
    return {
        "kind": _kind(kind_of(resource, subresource)),
        "resource": _resource(resource),
        **({"subResource": subresource} if subresource else {}),
        "requestKind": _kind(kind_of(attributes.resource, subresource)),
        "requestResource": _resource(attributes.resource),
        **({"requestSubResource": subresource} if subresource else {}),
        **({"name": name} if name else {}),
        **({"namespace": namespace} if namespace else {}),
        "operation": attributes.operation,
        "userInfo": attributes.user.to_wire(),
        "dryRun": attributes.dry_run,
        "options": attributes.options(),
    }


def _kind(kind: Kind) -> Object:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _resource(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def verdict_of(answer: Object, uid: str, *, version: str, mutating: bool) -> Verdict:
    """What the answer says. Raises BadReview."""
    response = answer.get("response")
    if response is None:
        raise BadReview("webhook response was absent")
    _check_types(response)
    if version == "v1":
        _check_head(answer, response, uid)
        _check_patch(response, mutating=mutating)
    patch = _patch(response, version) if mutating else b""
    annotations = response.get("auditAnnotations") or {}
    return Verdict(
        allowed=response.get("allowed") is True,
        result=response.get("status"),
        operations=_operations(patch),
        warnings=[text or "" for text in response.get("warnings") or ()],
        annotations={key: value or "" for key, value in annotations.items()},
    )


_BASE64: Final = frozenset(string.ascii_letters + string.digits + "+/")
_TYPES: Final[Types] = {
    "uid": (str, "types.UID"),
    "allowed": (bool, "bool"),
    "status": (dict, "v1.Status"),
    "patch": (str, "[]uint8"),
    "patchType": (str, "v1.PatchType"),
    "auditAnnotations": (dict, "map[string]string"),
    "warnings": (list, "[]string"),
}


def _check_types(response: Any) -> None:
    """Raises Unreadable in the words of Go's decoder."""
    if (why := fault_in_types(response, "Admission", _TYPES)) is not None:
        raise Unreadable(why)
    texts = [("auditAnnotations", value) for value in (response.get("auditAnnotations") or {}).values()]
    for name, value in [*texts, *(("warnings", value) for value in response.get("warnings") or ())]:
        if value is not None and not isinstance(value, str):
            raise Unreadable(unreadable(value, f"AdmissionResponse.response.{name}", "string"))


def _check_head(answer: Object, response: Object, uid: str) -> None:
    if response.get("uid") != uid:
        raise BadReview(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    group, _, version = str(answer.get("apiVersion") or "").rpartition("/")
    kind = str(answer.get("kind") or "")
    if (group, version, kind) != (_GROUP, "v1", _KIND):
        raise BadReview(f"expected webhook response of {_GROUP}/v1, Kind={_KIND}, got {group}/{version}, Kind={kind}")


def _check_patch(response: Object, *, mutating: bool) -> None:
    encoded, kind = response.get("patch"), response.get("patchType")
    if not mutating:
        for field, value in (("patch", encoded or None), ("patchType", kind)):
            if value is not None:
                raise BadReview(f"validating webhook may not return response.{field}")
    elif encoded and kind is None:
        raise BadReview("webhook returned response.patch but not response.patchType")
    elif not encoded and kind is not None:
        raise BadReview("webhook returned response.patchType but not response.patch")
    elif kind == "":
        raise BadReview('webhook returned invalid response.patchType of ""')


def _patch(response: Object, version: str) -> bytes:
    encoded, kind = response.get("patch") or "", response.get("patchType")
    if encoded and version == "v1" and kind != "JSONPatch":
        raise BadPatch(f'unsupported patch type "{kind}"')
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError) as fault:
        at = next((at for at, each in enumerate(encoded) if each not in _BASE64), len(encoded))
        raise Unreadable(f"illegal base64 data at input byte {at}") from fault


def _operations(patch: bytes) -> list[Object]:
    if not patch:
        return []
    try:
        found = orjson.loads(patch)
    except orjson.JSONDecodeError as fault:
        raise BadPatch(f"received undecodable patch in webhook response: {fault}") from fault
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(operation, dict) for operation in found):
        raise BadPatch("received undecodable patch in webhook response: it is no list of operations")
    return found


def denial(webhook: str, result: Mapping[str, Any] | None) -> ApiError:
    """The refusal that a webhook's denial becomes: its own code and reason, 400 where it gives none."""
    status = dict(result or {})
    head = f'admission webhook "{webhook}" denied the request'
    why = status.get("message") or status.get("reason")
    status["message"] = f"{head}: {why}" if why else f"{head} without explanation"
    code = status.get("code")
    status["code"] = code if isinstance(code, int) and code >= 400 else 400
    return _kept(status)


def _kept(status: Mapping[str, Any]) -> ApiError:
    """An error with exactly this code and reason, the empty one included."""
    error = from_status(status)
    error.code = status["code"]  # type: ignore[misc]  # the webhook's word counts, class or not
    error.reason = status.get("reason") or ""  # type: ignore[misc]
    return error


def dry_run_unsupported(webhook: str) -> ApiError:
    """The refusal of a dry run that a webhook with side effects would have to see."""
    return BadRequest(f'admission webhook "{webhook}" does not support dry run')


def internal(message: str) -> InternalError:
    """500 as upstream words it, with the message as its cause."""
    return InternalError(f"Internal error occurred: {message}", details={"causes": [{"message": message}]})


def call_failed(webhook: str, why: str) -> InternalError:
    """The refusal for a webhook that could not be asked, or whose answer made no sense."""
    return internal(f'failed calling webhook "{webhook}": {why}')
